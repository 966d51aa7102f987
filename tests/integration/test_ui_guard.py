"""Attacks on the UI of Dagster as `imagerag dev` runs it: other names, other sites, plain requests, and no token."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from imagerag_assets.orchestration.dev import free_port
from tests.conftest import PROJECT
from tests.dagster_ui import running_dev, wait_for

CHANGE = 'mutation{setConcurrencyLimit(concurrencyKey:"attacked",limit:3)}'
LOOK = "{instance{concurrencyLimits{concurrencyKey slotCount}}}"
JSON = {"Content-Type": "application/json"}
HTML = {"Accept": "text/html,application/xhtml+xml"}
FROM_A_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TOKEN = "0123456789abcdef-token"
_UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "graphql-ws",
}  # fmt: skip


class Ui:
    """A UI at an address; each request is sent as it is given, with no header that a browser would add."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.port, self.host = port, host
        self.origin = f"http://{host}:{port}"

    def send(
        self, method: str, path: str, headers: dict[str, str], body: str | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Return status, headers and text."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body.encode() if body is not None else None)
            answer = connection.getresponse()
            text = "" if answer.status == 101 else answer.read().decode()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text
        finally:
            connection.close()

    def post(self, query: str, headers: dict[str, str]) -> tuple[int, str]:
        """Send GraphQL; return status and text."""
        status, _, text = self.send("POST", "/graphql", headers, json.dumps({"query": query}))
        return status, text

    def limits(self, **headers: str) -> list[Any]:
        """Return what a change would have changed."""
        status, text = self.post(LOOK, JSON | headers)
        assert status == 200, text
        found: list[Any] = json.loads(text)["data"]["instance"]["concurrencyLimits"]
        return found


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The webserver on this machine only, where no token is needed."""
    yield from _webserver(tmp_path_factory.mktemp("local"), "127.0.0.1")


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The webserver on every address of this machine, with a token."""
    yield from _webserver(tmp_path_factory.mktemp("everywhere"), "0.0.0.0", IMAGERAG_UI_TOKEN=TOKEN,
                          IMAGERAG_UI_HOSTS='["imagery.example.org"]')  # fmt: skip


def _webserver(folder: Path, host: str, **settings: str) -> Iterator[Ui]:
    port = free_port("127.0.0.1")
    command = [sys.executable, "-m", "imagerag_assets.orchestration.webserver", "--empty-workspace"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "DAGSTER_HOME": str(folder), **settings}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-h", host, "-p", str(port)], cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        ui = Ui(port)
        wait_for(lambda: ui.send("GET", "/", {})[0] or None, 120, process)
        yield ui
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "localhost.evil.example:{port}"},
        {"Host": "127.0.0.1.evil.example:{port}"},
        {"Host": "10.1.2.3:{port}"},
        {"Host": "evil.example@127.0.0.1:{port}"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},  # another server on this machine
        {"Origin": "http://localhost:{port}"},  # not what it was addressed to
        {"Origin": "http://127.0.0.1:{port}.evil.example"},
        {"Origin": "file://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},  # a form
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_another_name_or_site_changes_nothing(local: Ui, headers: dict[str, str]) -> None:
    given = {name: value.format(port=local.port) for name, value in headers.items()}
    status, _ = local.post(CHANGE, JSON | given)
    assert status in (400, 403)
    assert local.send("GET", "/graphql", _UPGRADE | given)[0] in (400, 403)
    assert local.limits() == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "text/plain; x=application/json"},
        {"Content-Type": "application/graphql"},
        FROM_A_FORM,
        {"Content-Type": "multipart/form-data; boundary=x"},
    ],
    ids=lambda headers: headers.get("Content-Type", "none"),
)
def test_what_a_page_may_send_without_asking_changes_nothing(local: Ui, headers: dict[str, str]) -> None:
    assert local.post(CHANGE, headers)[0] == 415
    query = f"/graphql?query={quote(CHANGE)}"
    assert local.send("POST", query, headers, "")[0] == 415
    assert local.send("POST", "/report_asset_materialization/scene", headers, "")[0] == 415
    assert local.limits() == []


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "/graphql?operationName=a&"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", [{}, HTML], ids=["program", "browser"])
def test_reading_changes_nothing(local: Ui, method: str, path: str, accept: dict[str, str]) -> None:
    for text in (CHANGE, f"query Look{LOOK} {CHANGE.replace('mutation', 'mutation Change')}"):
        sent = f"{path}{'' if path.endswith('&') else '?'}query={quote(text)}&operationName=Change"
        assert local.send(method, sent, accept)[0] == 405
    assert local.limits() == []


@pytest.mark.parametrize(
    "address",
    [
        "https://me:s3cretpw@tiles.example.org/catalog.json",
        "https://h.example.org/a.tif?X-Amz-Credential=k&X-Amz-Signature=0123456789abcdef",
        "xyz+https://h.example.org/{z}/{x}/{y}.png?api_key=0123456789abcdef",
    ],
)
def test_a_launch_with_a_secret_in_a_tag_or_configuration_is_refused(local: Ui, address: str) -> None:
    """Dagster would store it before any code of ours is asked; what stores anything is held to the same."""
    launch = "mutation L($p: ExecutionParams!) {launchRun(executionParams: $p) {__typename}}"
    tagged = {"executionMetadata": {"tags": [{"key": "from", "value": address}]}}
    configured = {"runConfigData": f"ops:\n  a:\n    config:\n      source: '{address}'\n"}
    as_json = {"runConfigData": json.dumps({"ops": {"a": {"config": {"source": address}}}}).replace("/", "\\/")}
    where = {"selector": {"repositoryName": "r", "repositoryLocationName": "l", "pipelineName": "p"}}
    bodies = [{"query": launch, "variables": {"p": where | each}} for each in (tagged, configured, as_json)]
    bodies.append({"query": CHANGE.replace("attacked", address)})
    for body in bodies:
        status, _, text = local.send("POST", "/graphql", JSON, json.dumps(body))
        answer = json.loads(text)
        assert status == 200 and answer["data"] is None
        (error,) = answer["errors"]
        assert "Dagster would store it" in error["message"] and "s3cretpw" not in text
    assert local.limits() == []
    plain = {"executionMetadata": {"tags": [{"key": "from", "value": "https://h.example.org/catalog.json"}]}}
    _, _, text = local.send("POST", "/graphql", JSON, json.dumps({"query": launch, "variables": {"p": where | plain}}))
    assert json.loads(text)["data"]["launchRun"]["__typename"] == "PipelineNotFoundError"


def test_the_ui_works_as_it_did(local: Ui) -> None:
    status, headers, page = local.send("GET", "/", HTML)
    assert status == 200 and page.startswith("<!DOCTYPE html>")
    assert headers["x-frame-options"] == "SAMEORIGIN"
    scripts = re.findall(r'src="(/[^"]+\.js)"', page)
    assert scripts
    # As a browser sends them.
    own = {"Sec-Fetch-Site": "same-origin"}
    for script in scripts:
        status, headers, _ = local.send("GET", script, {"Origin": local.origin, **own})
        assert status == 200 and "javascript" in headers["content-type"]
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert local.send("GET", "/runs", HTML | link)[0] == 200  # somebody followed a link to it
    assert local.send("GET", "/runs", HTML | link | {"Sec-Fetch-Dest": "iframe"})[0] == 403
    assert "graphiql" in local.send("GET", "/graphql", HTML)[2].lower()
    for name in ("localhost", "127.0.0.1", "[::1]"):
        there = {"Host": f"{name}:{local.port}", "Origin": f"http://{name}:{local.port}", **own}
        assert local.post(LOOK, JSON | there)[0] == 200
        assert local.send("GET", "/graphql", _UPGRADE | there)[0] == 101
    try:
        assert local.post(CHANGE, JSON | {"Origin": local.origin, **own})[0] == 200
        assert local.limits() == [{"concurrencyKey": "attacked", "slotCount": 3}]
    finally:
        local.post('mutation{deleteConcurrencyLimit(concurrencyKey:"attacked")}', JSON)
    assert local.limits() == []


def test_without_the_token_nothing_is_shown_on_other_addresses(everywhere: Ui) -> None:
    refused = [
        everywhere.send("GET", "/", HTML),
        everywhere.send("GET", "/server_info", {}),
        everywhere.send("GET", "/?token=wrong", HTML),
        everywhere.send("GET", "/", {"Cookie": f"imagerag_ui={TOKEN}"}),
        everywhere.send("GET", "/", {"Cookie": "imagerag_ui=; other=1"}),
        everywhere.send("GET", "/", {"Authorization": "Bearer "}),
        everywhere.send("GET", "/", {"Authorization": f"Basic {TOKEN}"}),
        everywhere.send("POST", f"/graphql?token={TOKEN}", JSON, json.dumps({"query": CHANGE})),
        everywhere.send("GET", "/", {"Authorization": "Bearer w\u00e9ird"}),
    ]
    assert [status for status, _, _ in refused] == [401] * len(refused)
    assert all("token" in text and TOKEN not in text for _, _, text in refused)
    assert everywhere.send("GET", "/graphql", _UPGRADE)[0] == 403
    with socket.create_connection((everywhere.host, everywhere.port), 60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 65_530)  # a head without an end
        assert b"at most 64 KiB" in connection.recv(1000)
    assert everywhere.limits(Authorization=f"Bearer {TOKEN}") == []


def test_the_token_opens_the_ui(everywhere: Ui) -> None:
    status, headers, _ = everywhere.send("GET", f"/runs?token={TOKEN}", HTML)
    assert (status, headers["location"]) == (303, "/")
    cookie, *properties = headers["set-cookie"].split("; ")
    assert {each.lower() for each in properties} == {"httponly", "path=/", "samesite=strict"}
    assert TOKEN not in cookie
    there = {"Cookie": f"other=1; {cookie}", "Origin": everywhere.origin}
    assert everywhere.send("GET", "/", HTML | there)[0] == 200
    assert everywhere.send("GET", "/graphql", _UPGRADE | there)[0] == 101
    assert everywhere.post(LOOK, JSON | there)[0] == 200
    proxied = {"Host": "Imagery.example.org", "Origin": "https://imagery.example.org", "Cookie": cookie}
    assert everywhere.post(LOOK, JSON | proxied)[0] == 200
    # A token is no reason to trust a page of another site.
    assert everywhere.post(CHANGE, JSON | {"Cookie": cookie, "Origin": "http://evil.example"})[0] == 403
    assert everywhere.post(CHANGE, JSON | {"Cookie": cookie, "Host": "evil.example"})[0] == 403
    assert everywhere.limits(Authorization=f"Bearer {TOKEN}") == []


def test_it_does_not_start_on_other_addresses_without_a_token(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "imagerag_assets.orchestration.webserver", "--empty-workspace", "-h", "0.0.0.0"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "DAGSTER_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr == (
        "error: Other machines can reach 0.0.0.0, and no token is set. Set IMAGERAG_UI_TOKEN, or listen on 127.0.0.1\n"
    )


def test_dev_on_other_addresses_makes_a_token_and_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole of `imagerag dev`: its own webserver is the guarded one, and no other process listens on a port."""
    monkeypatch.setenv("IMAGERAG_HOME", str(tmp_path / "home"))
    port, log = free_port("127.0.0.1"), tmp_path / "dev.log"
    ui = Ui(port)
    with running_dev(port, log, tmp_path, "--host", "0.0.0.0") as process:
        status = wait_for(lambda: ui.send("GET", "/", HTML)[0] or None, 300, process)
        assert status == 401
        said = log.read_text()
        (token,) = re.findall(rf"http://0\.0\.0\.0:{port}/\?token=(\S+)", said)
        assert len(token) >= 32 and "warning: other machines can reach the UI" in said
        assert ui.send("GET", f"/?token={token}", HTML)[0] == 303
        assert ui.post(CHANGE, JSON)[0] == 401
        assert ui.limits(Authorization=f"Bearer {token}") == []
        processes = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        listening = {
            each.laddr.port
            for one in processes
            for each in one.net_connections("inet")
            if each.status == psutil.CONN_LISTEN
        }
        assert listening == {port}
