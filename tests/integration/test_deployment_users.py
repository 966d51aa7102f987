"""The deployment's S3 user and its proxy, with a real S3 server that knows users, and a real Caddy.

Milvus's user is tried by `test_milvus_server.py`.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.store import open_store
from imagerag_assets.settings import Settings
from tests.conftest import PROJECT
from tests.seaweed import ROOT, Seaweed, serve_seaweed

POLICY = (PROJECT / "infra" / "s3" / "policy.json").read_text(encoding="utf-8")
CADDYFILE = PROJECT / "infra" / "proxy" / "Caddyfile"


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with serve_seaweed(tmp_path_factory.mktemp("seaweed") / "data") as server:
        yield server


def test_the_programs_user_has_its_bucket_and_nothing_else(
    seaweed: Seaweed, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, users = (seaweed.client(service, *ROOT) for service in ("s3", "iam"))
    for bucket in ("imagerag", "milvus"):
        root.create_bucket(Bucket=bucket)
    root.put_object(Bucket="milvus", Key="segment", Body=b"1")
    users.create_user(UserName="imagerag")
    made = users.create_access_key(UserName="imagerag")["AccessKey"]
    key, secret = made["AccessKeyId"], made["SecretAccessKey"]
    policy = POLICY.replace("BUCKET", "imagerag")
    users.put_user_policy(UserName="imagerag", PolicyName="only-imagerag", PolicyDocument=policy)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    # All that the program does with its store.
    own = settings.model_copy(update={"store": "s3://imagerag/store", "s3_endpoint_url": seaweed.url})
    store = open_store(own)
    large = os.urandom(12 * 2**20)  # in parts
    (settings.home / "large").parent.mkdir(parents=True, exist_ok=True)
    (settings.home / "large").write_bytes(large)
    store.put_file(settings.home / "large", "embeddings/large.parquet")
    store.write_json("scenes/a/record.json", {"a": 1})
    assert store.create_json("locks/a.json", {"mine": True})
    assert sorted(store.list()) == ["embeddings/large.parquet", "locks/a.json", "scenes/a/record.json"]
    with store.open("embeddings/large.parquet") as file:
        file.seek(2**20)
        assert file.read(100) == large[2**20 : 2**20 + 100]
    store.move("scenes/a/record.json", "set-aside/record.json")
    assert store.read_json("set-aside/record.json") == {"a": 1}
    store.delete("locks/a.json")
    assert not store.exists("locks/a.json") and store.version("embeddings/large.parquet")

    # And nothing with others.
    other = open_store(settings.model_copy(update={"store": "s3://milvus", "s3_endpoint_url": seaweed.url}))
    with pytest.raises(StoreError):
        other.read_bytes("segment")
    with pytest.raises(StoreError):
        other.write_bytes("mine", b"1")
    client = seaweed.client("s3", key, secret)
    for refused in (
        lambda: client.list_objects_v2(Bucket="milvus"),
        lambda: client.create_bucket(Bucket="another"),
        lambda: client.delete_bucket(Bucket="imagerag"),
        lambda: seaweed.client("iam", key, secret).create_user(UserName="other"),
    ):
        with pytest.raises(ClientError):
            refused()
    assert root.get_object(Bucket="milvus", Key="segment")["Body"].read() == b"1"


class _Seen(BaseHTTPRequestHandler):
    """Answers with what it was sent as authorization, and as host."""

    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal."""

    def do_GET(self) -> None:
        body = json.dumps([self.headers.get_all("Authorization"), self.headers["Host"]]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Seen)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def proxy(upstream: str, tmp_path: Path) -> Iterator[str]:
    """Caddy with the deployment's file, on a free port and without TLS, which needs ports of root; yields host:port."""
    caddy = str(Path(sys.executable).parent / "caddy")
    hashed = subprocess.run(
        [caddy, "hash-password", "--bcrypt-cost", "4", "--plaintext", "right"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    told = {
        "PROXY_DOMAIN": "localhost", "PROXY_USER": "analyst", "PROXY_PASSWORD_HASH": hashed, "SERVE_UPSTREAM": upstream,
        "UI_UPSTREAM": upstream, "SERVE_TOKEN": "of-the-page", "UI_TOKEN": "of-the-ui", "HOME": str(tmp_path),
    }  # fmt: skip
    adapt = [caddy, "adapt", "--adapter", "caddyfile", "--config", str(CADDYFILE)]
    config = json.loads(subprocess.run(adapt, capture_output=True, check=True, env=os.environ | told).stdout)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    (server,) = config["apps"]["http"]["servers"].values()
    server |= {"listen": [f"127.0.0.1:{port}"], "automatic_https": {"disable": True}}
    config["admin"] = {"disabled": True}
    config["apps"].pop("tls", None)
    (tmp_path / "caddy.json").write_text(json.dumps(config), encoding="utf-8")
    with (tmp_path / "caddy.log").open("wb") as log:
        process = subprocess.Popen(
            [caddy, "run", "--config", str(tmp_path / "caddy.json")],
            stdout=log, stderr=subprocess.STDOUT, env=os.environ | told,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "caddy.log").read_text()
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def asked(proxy: str, host: str, authorization: str | None) -> tuple[int, list[object]]:
    """Status and what the server behind was sent."""
    headers = {"Host": host} | ({"Authorization": authorization} if authorization else {})
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"http://{proxy}/api/status", headers=headers), timeout=30
        ) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, []


def test_the_proxy_asks_for_a_login_and_sends_the_token_in_its_place(proxy: str) -> None:
    def login(password: str) -> str:
        return "Basic " + base64.b64encode(f"analyst:{password}".encode()).decode()

    for host, token in (("localhost", "of-the-page"), ("ui.localhost", "of-the-ui")):
        assert asked(proxy, host, None)[0] == 401
        assert asked(proxy, host, login("wrong"))[0] == 401
        assert asked(proxy, host, f"Bearer {token}")[0] == 401  # the token is no login
        assert asked(proxy, host, login("right")) == (200, [[f"Bearer {token}"], host])
