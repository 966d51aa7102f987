"""The packaged model behind a real `transformers serve` on loopback, asked through OpenAI's chat API."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from imagerag_assets.answering.openai_backend import ServedMllm
from imagerag_assets.answering.options import MllmOptions
from imagerag_assets.answering.types import CueView, Prompt
from imagerag_assets.errors import ModelError
from tests.transformers_server import served_demo  # noqa: F401

OPTIONS = MllmOptions(family="generic", choices="words", timeout_s=60, retries=0)
CHOICES = {"A": "upper left", "B": "lower right"}
CUE = CueView(Image.new("RGB", (96, 96), "gray"), (10, 20, 110, 120), "storage tank", 0.9)
PROMPT = Prompt("In which part of the image is the storage tank?", CHOICES, Image.new("RGB", (200, 200)), (CUE, CUE))


def test_a_served_model_chooses_from_several_pictures(served_demo: tuple[str, str]) -> None:  # noqa: F811
    url, model = served_demo
    mllm = ServedMllm(url, replace(OPTIONS, name=model))
    reply = mllm.answer(PROMPT)
    assert reply.choice in CHOICES
    assert (reply.text, reply.cues_shown) == (CHOICES[reply.choice], 2)
    assert reply.prompt.count("[picture") == 3
    # It knows neither `response_format` nor probabilities, and passes over both.
    assert (reply.confidence, dict(reply.scores)) == (None, {})
    # Releases of transformers differ in whether they name the default revision of a folder.
    assert mllm.revision.removesuffix("@main") == model
    counted = reply.tokens["counted"]
    assert isinstance(counted, int) and counted > 30
    assert mllm.answer(PROMPT).choice == reply.choice


def test_a_served_model_says_free_text_and_reasons(served_demo: tuple[str, str]) -> None:  # noqa: F811
    url, model = served_demo
    mllm = ServedMllm(url, replace(OPTIONS, name=model, max_new_tokens=12, reasoning_max_tokens=16))
    reply = mllm.answer(Prompt("How many storage tanks are there?", {}, None, (CUE,), think=True))
    assert reply.text
    assert reply.choice is None
    assert reply.reasoning


def test_a_reply_that_is_no_choice_and_a_model_that_is_not_there_are_errors(served_demo: tuple[str, str]) -> None:  # noqa: F811
    url, model = served_demo
    with pytest.raises(ModelError, match="none of the choices"):
        ServedMllm(url, replace(OPTIONS, name=model)).answer(replace(PROMPT, choices={"A": "xylophone", "B": "quark"}))
    with pytest.raises(ModelError, match="HTTP 400") as raised:
        ServedMllm(served_demo[0], replace(OPTIONS, name="somebody/else")).answer(PROMPT)
    assert raised.value.ids == {"server": served_demo[0], "model": "somebody/else"}
    assert "pinned" in raised.value.message
