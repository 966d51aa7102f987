"""Servers that tests start: the program that the test dependencies brought, a port for it, and its end."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path


def installed_program(name: str, package: str) -> str:
    """Path of a program that the test dependencies installed.

    Args:
        name: Of its file.
        package: What pip installs it from.

    Raises:
        FileNotFoundError: it is not installed.
    """
    beside_python = Path(sys.executable).parent / name
    found = str(beside_python) if beside_python.exists() else shutil.which(name)
    if not found:
        raise FileNotFoundError(f"{name} is not installed; pip install {package}")
    return found


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and kill it if it takes long."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
