"""Talking to a running `imagerag dev` as its UI does, by GraphQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.conftest import PROJECT

T = TypeVar("T")


def ask(port: int, query: str, *, headers: Mapping[str, str] | None = None, **variables: Any) -> dict[str, Any]:
    """One GraphQL request, from a page of the UI unless `headers` say otherwise."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    usual = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {**usual, **(headers or {})})
    with urllib.request.urlopen(request, timeout=30) as response:
        data: dict[str, Any] = json.load(response)["data"]
        return data


def wait_for(look: Callable[[], T | None], seconds: float, process: subprocess.Popen[bytes]) -> T:
    """The first result that is not None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "imagerag dev has ended"
        try:
            found = look()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            found = None
        if found is not None:
            return found
        time.sleep(0.3)
    raise TimeoutError


@contextmanager
def running_dev(port: int, log: Path, folder: Path | None = None, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`imagerag dev` in a folder, killed with all its children at the end if it still runs."""
    command = [sys.executable, "-m", "imagerag_assets.cli", "dev", "--port", str(port), *options]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, cwd=folder)
        try:
            yield process
        finally:
            for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
                child.kill()
            process.kill()
            process.wait()
