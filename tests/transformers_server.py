"""`transformers serve` with the packaged model as a process of its own.  Import :func:`served_demo` to use it.

Run as a script it is the server: the `transformers` command, on machines too where torchvision's compiled parts do not
load (see `_torchvision_ops`).  Of these the server needs the decoder of pictures, whose part Pillow takes there.
"""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from imagerag_assets.answering.demo_model import assemble
from tests.conftest import PROJECT

START_S = 240


@pytest.fixture(scope="module")
def served_demo(tmp_path_factory: pytest.TempPathFactory, shared_models: Path) -> Iterator[tuple[str, str]]:
    """The address of the server, and the model's name there, which is the folder's path."""
    model = str(assemble(shared_models))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log: Path = tmp_path_factory.mktemp("serve") / "log.txt"
    # The weights are stored as float16, which the server would take for a CPU too.
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    command = [sys.executable, "-m", "tests.transformers_server", "serve", model, *options]
    with log.open("wb") as out:
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + START_S
        while not _is_up(port):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"transformers serve did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1", model
        print(log.read_text(errors="replace")[-4000:])  # pytest shows it where a test failed
    finally:
        process.terminate()
        process.wait(30)


def _is_up(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok
    except requests.RequestException:
        return False


def _decode(data: Any, **_: object) -> Any:
    """The bytes of a picture (uint8 tensor) as a tensor (3, h, w)."""
    from PIL import Image
    from torchvision.transforms.functional import pil_to_tensor

    return pil_to_tensor(Image.open(io.BytesIO(data.numpy().tobytes())).convert("RGB"))


def _serve() -> None:
    import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip
    import torchvision.io
    from torchvision.io import image

    if not image._has_image_ops():
        torchvision.io.decode_image = _decode
    from transformers.cli.transformers import main

    main()


if __name__ == "__main__":
    _serve()
