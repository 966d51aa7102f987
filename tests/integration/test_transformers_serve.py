"""The packaged model behind a real `transformers serve` on loopback, asked through OpenAI's chat API."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from PIL import Image

from imagerag_assets.answering import DEMO_FOLDER
from imagerag_assets.answering.openai_backend import ServedMllm
from imagerag_assets.answering.options import MllmOptions
from imagerag_assets.answering.types import CueView, Prompt
from imagerag_assets.errors import ModelError
from tests.conftest import PROJECT

START_S = 180
# As the `transformers` command, after the shim that lets torchvision be imported (see `_torchvision_ops`).
SERVE = "import imagerag_assets._torchvision_ops; from transformers.cli.transformers import main; main()"
OPTIONS = MllmOptions(name=str(DEMO_FOLDER), family="internvl", choices="words", timeout_s=60, retries=0)
CHOICES = {"A": "upper left", "B": "lower right"}
CUE = CueView(Image.new("RGB", (96, 96), "gray"), (10, 20, 110, 120), "storage tank", 0.9)
PROMPT = Prompt("In which part of the image is the storage tank?", CHOICES, Image.new("RGB", (200, 200)), (CUE, CUE))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log: Path = tmp_path_factory.mktemp("serve") / "log.txt"
    command = [sys.executable, "-c", SERVE, "serve", str(DEMO_FOLDER), "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(PROJECT)}
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--device", "cpu"], env=environment, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + START_S
        while True:
            try:
                requests.get(f"http://127.0.0.1:{port}/health", timeout=5).raise_for_status()
                break
            except requests.RequestException:
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"transformers serve did not start: {log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def test_a_served_model_chooses_from_several_pictures(server: str) -> None:
    mllm = ServedMllm(server, OPTIONS)
    reply = mllm.answer(PROMPT)
    assert reply.choice in CHOICES
    assert (reply.text, reply.cues_shown) == (CHOICES[reply.choice], 2)
    assert reply.prompt.count("[picture") == 3
    # It knows neither `response_format` nor probabilities, and passes over both.
    assert (reply.confidence, dict(reply.scores)) == (None, {})
    assert mllm.revision == f"{DEMO_FOLDER}@main"
    counted = reply.tokens["counted"]
    assert isinstance(counted, int) and counted > 30
    assert mllm.answer(PROMPT).choice == reply.choice


def test_a_served_model_says_free_text_and_reasons(server: str) -> None:
    mllm = ServedMllm(server, replace(OPTIONS, max_new_tokens=12, reasoning_max_tokens=16))
    reply = mllm.answer(Prompt("How many storage tanks are there?", {}, None, (CUE,), think=True))
    assert reply.text
    assert reply.choice is None
    assert reply.reasoning


def test_a_reply_that_is_no_choice_and_a_model_that_is_not_there_are_errors(server: str) -> None:
    with pytest.raises(ModelError, match="none of the choices"):
        ServedMllm(server, OPTIONS).answer(replace(PROMPT, choices={"A": "xylophone", "B": "quark"}))
    with pytest.raises(ModelError, match="HTTP 400") as raised:
        ServedMllm(server, replace(OPTIONS, name="somebody/else")).answer(PROMPT)
    assert raised.value.ids == {"server": server, "model": "somebody/else"}
