"""The `transformers` back end on small InternVL and Qwen-VL models, loaded as any checkpoint is."""

from __future__ import annotations

import json
import math
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from imagerag_assets.answering.budget import TooLargeError
from imagerag_assets.answering.choosing import choose
from imagerag_assets.answering.options import MllmOptions
from imagerag_assets.answering.transformers_backend import TransformersMllm
from imagerag_assets.answering.types import CueView, Prompt, Reply
from imagerag_assets.errors import ModelError
from tests.tiny_internvl import write_tiny_internvl
from tests.tiny_qwen import write_tiny_qwen

BOXES = {"internvl": "<box>[[10, 20, 110, 120]]</box>", "qwen": '{"bbox_2d": [10, 20, 110, 120]}'}
CHOICES = {"A": "upper left", "B": "lower right", "C": "lower left"}


def cue(confidence: float, colour: str = "blue") -> CueView:
    return CueView(Image.new("RGB", (128, 128), colour), (10, 20, 110, 120), "storage tank", confidence)


_SCHEMA = {
    "type": "object",
    "properties": {
        "op": {"type": "string", "enum": ["count", "where"]},
        "number": {"type": "integer", "minimum": 3, "maximum": 5},
    },
    "required": ["op", "number"],
    "additionalProperties": False,
}
PROMPT = Prompt("Where is the tank?", CHOICES, Image.new("RGB", (640, 480), "gray"), (cue(0.9), cue(0.7), cue(0.5)))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {
        "internvl": write_tiny_internvl(root / "one"),
        "qwen2_5_vl": write_tiny_qwen(root / "two", "qwen2_5_vl"),
        "qwen3_vl": write_tiny_qwen(root / "three", "qwen3_vl"),
    }


@pytest.fixture
def qwen(folders: dict[str, Path]) -> TransformersMllm:
    return TransformersMllm(str(folders["qwen2_5_vl"]))


@pytest.mark.parametrize(("name", "family"), [("internvl", "internvl"), ("qwen2_5_vl", "qwen"), ("qwen3_vl", "qwen")])
@pytest.mark.parametrize("choices", ["letters", "words"])
def test_each_family_scores_choices_and_writes_boxes_its_own_way(
    name: str, family: str, choices: str, folders: dict[str, Path]
) -> None:
    mllm = TransformersMllm(str(folders[name]), MllmOptions(choices=choices))
    reply = mllm.answer(PROMPT)
    assert reply.prompt.count(BOXES[family]) == 3
    assert reply.prompt.count("[picture") == 4
    assert sum(reply.scores.values()) == pytest.approx(1.0, abs=1e-4)
    assert reply.choice == max(reply.scores, key=lambda letter: reply.scores[letter])
    assert reply.text == CHOICES[reply.choice]
    assert reply.confidence == reply.scores[reply.choice]
    assert (reply.cues_shown, reply.notes) == (3, ())
    assert len(mllm.revision) == 16
    assert mllm.answer(PROMPT).scores == reply.scores


@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl", "internvl"])
def test_replies_score_as_constrained_decoding_over_the_whole_prompt_would_choose(
    name: str, folders: dict[str, Path]
) -> None:
    mllm = TransformersMllm(str(folders[name]), MllmOptions(choices="words", dtype="float32"))
    choices = {**PROMPT.choices, "D": "it is not there at all", "E": "upper", "F": "upper left"}
    replies = mllm._replies(choices)
    assert len({len(reply) for reply in replies.values()}) > 1
    with torch.inference_mode():
        inputs, _ = mllm._encode([("user", mllm._parts(PROMPT))], PROMPT, 8)
        end = mllm._tokenizer.eos_token_id
        expected = {letter: constrained(mllm, inputs, replies, letter) for letter in replies}
        scores, again = (choose(mllm.model, inputs, replies, end) for _ in range(2))
    assert scores == pytest.approx(expected, abs=1e-5)
    assert sum(scores.values()) == pytest.approx(1)
    assert scores["A"] == scores["F"], "equal replies share"
    assert again == scores


def constrained(mllm: TransformersMllm, inputs: Any, replies: dict[str, list[int]], letter: str) -> float:
    """Probability of a reply where each token is one that continues a reply, prompt and reply read as one."""
    own = replies[letter]
    logits = whole(mllm, inputs, own)
    logs = 0.0
    for at, token in enumerate(own):
        allowed = sorted({each[at] for each in replies.values() if each[:at] == own[:at] and at < len(each)})
        logs += float(logits[at, allowed].float().log_softmax(-1)[allowed.index(token)])
    return math.exp(logs) / sum(each == own for each in replies.values())


def whole(mllm: TransformersMllm, inputs: Any, reply: list[int]) -> torch.Tensor:
    """Scores of each token of a reply, prompt and reply read as one."""
    tail = torch.tensor([reply])
    longer = {
        # What there is a value of for each token: more of them are text, and seen.
        name: torch.cat([value, torch.full_like(tail, name == "attention_mask", dtype=value.dtype)], 1)
        for name, value in inputs.items()
        if torch.is_tensor(value) and value.shape == inputs["input_ids"].shape
    }
    longer["input_ids"] = torch.cat([inputs["input_ids"], tail], 1)
    logits: torch.Tensor = mllm.model(**{**inputs, **longer}).logits[0, -len(reply) - 1 : -1]
    return logits


@pytest.mark.parametrize("name", ["internvl", "qwen3_vl"])
def test_the_budget_counts_every_part(name: str, folders: dict[str, Path]) -> None:
    mllm = TransformersMllm(str(folders[name]))
    budget: Any = mllm.answer(PROMPT).tokens
    one: Any = mllm.answer(replace(PROMPT, cues=PROMPT.cues[:1])).tokens
    assert budget["total"] == budget["overview"] + sum(budget["cues"]) + budget["text"] + budget["reply"]
    assert len(set(budget["cues"])) == 1  # pictures and lines of one size
    assert budget["total"] - one["total"] == sum(budget["cues"][1:])
    assert (budget["estimated"], one["overview"]) == (False, budget["overview"])


def total(reply: Reply) -> int:
    return int(reply.tokens["total"])  # type: ignore[call-overload]


def test_what_does_not_fit_the_context_is_left_out_and_said(folders: dict[str, Path]) -> None:
    def ask(context: int | None) -> Reply:
        return TransformersMllm(str(folders["qwen2_5_vl"]), MllmOptions(context=context)).answer(PROMPT)

    whole = ask(None)
    assert ask(total(whole)).notes == ()
    less = ask(total(whole) - 1)
    assert (less.cues_shown, less.notes) == (3, (f"The overview was reduced to 448 px to fit {context_of(less)}",))
    fewer = ask(total(less) - 1)
    assert fewer.cues_shown == 2
    assert fewer.notes[1] == f"1 of 3 cues, the least confident, did not fit {context_of(fewer)}"
    assert "confidence 0.5" not in fewer.prompt
    none = ask(total(fewer) - 200)
    assert none.cues_shown == 0
    assert total(none) <= int(none.tokens["context"])  # type: ignore[call-overload]
    with pytest.raises(TooLargeError, match="does not fit the model's context") as raised:
        ask(128)
    assert "IMAGERAG_MLLM_CONTEXT" in raised.value.fix


def context_of(reply: Reply) -> str:
    return f"the context of {reply.tokens['context']} tokens"


@contextmanager
def memory(mib: int) -> Iterator[None]:
    """At most so much more memory than now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (mib << 20), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_what_does_not_fit_the_memory_is_left_out_and_said(qwen: TransformersMllm) -> None:
    qwen.answer(PROMPT)  # what is allocated once is there
    huge = replace(PROMPT, overview=Image.new("RGB", (8000, 8000), "gray"))
    with memory(384):  # far less than 8000 x 8000 px take as numbers, enough to make them smaller
        reply = qwen.answer(huge)
    assert reply.notes == ("The overview was reduced to 448 px to fit the memory",)
    assert reply.cues_shown == 3


def test_a_cue_that_does_not_fit_the_memory_goes_as_well(qwen: TransformersMllm) -> None:
    qwen.answer(PROMPT)
    cues = (CueView(Image.new("RGB", (8000, 8000)), (0, 0, 1, 1), "tank", 0.9),)
    with memory(384):  # far less than 8000 x 8000 px take as numbers, enough to make them smaller
        reply = qwen.answer(replace(PROMPT, overview=None, cues=cues))
    assert reply.notes == ("1 of 1 cues, the least confident, did not fit the memory",)


def test_the_model_reasons_before_it_answers(qwen: TransformersMllm) -> None:
    reply = qwen.answer(replace(PROMPT, think=True))
    assert reply.reasoning
    assert "Before you answer" in reply.prompt
    assert reply.choice in CHOICES
    assert len(qwen._tokens(reply.reasoning)) <= 256
    assert qwen.answer(PROMPT).reasoning is None


def test_free_text_has_a_confidence(folders: dict[str, Path]) -> None:
    reply = TransformersMllm(str(folders["qwen3_vl"])).answer(
        Prompt("How many storage tanks are there?", {}, None, (cue(0.9),))
    )
    assert reply.choice is None
    assert reply.text
    assert reply.confidence is not None and 0 < reply.confidence <= 1


def test_a_number_format_can_be_chosen(folders: dict[str, Path]) -> None:
    mllm = TransformersMllm(str(folders["qwen3_vl"]), MllmOptions(dtype="bfloat16"))
    assert mllm.model.dtype == torch.bfloat16
    assert mllm.answer(PROMPT).choice in CHOICES


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (("chat_template.jinja",), "no chat template"),
        (("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json"), "processor"),
        (("tokenizer.json", "tokenizer_config.json"), "tokenizer"),
        (("model.safetensors",), "cannot be loaded"),
        (("config.json",), "cannot be loaded"),
    ],
)
def test_a_folder_that_lacks_something_is_one_clear_error(
    missing: tuple[str, ...], said: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(folders["qwen2_5_vl"], tmp_path / "model")
    for name in missing:
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(ModelError, match=said) as raised:
        TransformersMllm(str(folder))
    assert "processor" in raised.value.fix or "Complete" in raised.value.fix
    assert raised.value.ids["model"] == str(folder)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (MllmOptions(dtype="4bit", device="cpu"), "4-bit weights need a CUDA device"),
        (MllmOptions(device="abacus"), "no device 'abacus'"),
    ],
)
def test_what_a_device_cannot_do_is_said(options: MllmOptions, said: str, folders: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match=said):
        TransformersMllm(str(folders["internvl"]), options)


@pytest.mark.parametrize("name", ["internvl", "qwen2_5_vl"])
def test_what_a_model_writes_is_valid_by_the_schema_whatever_its_weights(name: str, folders: dict[str, Path]) -> None:
    written = json.loads(TransformersMllm(str(folders[name])).complete("Count <|im_end|> the ships", _SCHEMA))
    assert written["op"] in ("count", "where")
    assert written["number"] in (3, 4, 5)
