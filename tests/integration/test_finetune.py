"""`imagerag train lora` on small models: the loss falls, a killed run goes on, the adapter is used for answers."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.answering import MllmOptions, load_mllm, open_mllm
from imagerag_assets.cli import main
from imagerag_assets.errors import InputError, ModelError
from imagerag_assets.settings import Settings
from imagerag_assets.training.finetune import Collator, finetune, last_checkpoint
from imagerag_assets.training.instruct_set import TRAIN, read_examples
from imagerag_assets.training.lora_recipe import LoraRecipe, load_recipe
from tests.conftest import PROJECT
from tests.labelled_source import write_training_data
from tests.tiny_internvl import write_tiny_internvl
from tests.tiny_qwen import write_tiny_qwen

STEPS, EVERY = 12, 4
SMALL: dict[str, Any] = {
    "steps": STEPS, "batch": 2, "accumulate": 2, "learning_rate": 5e-3, "rank": 8, "alpha": 16,
    "evaluate_every": EVERY, "validation_examples": 6, "checkpointing": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_data(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_qwen(tmp_path_factory.mktemp("models") / "qwen", "qwen2_5_vl")


@pytest.fixture(scope="module")
def internvl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_internvl(tmp_path_factory.mktemp("models") / "internvl")


def command(data: Path, model: Path, out: Path) -> list[str]:
    recipe, values = out.with_suffix(".toml"), SMALL | {"model": str(model)}
    recipe.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()), encoding="utf-8")
    return ["train", "lora", str(data), "--config", str(recipe), "--out", str(out), "--json"]


def curve_of(out: Path) -> list[dict[str, str]]:
    with (out / "curve.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_killed_run_goes_on_and_ends_where_it_would_have(
    data: Path,
    internvl: Path,
    tmp_path: Path,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    environment = os.environ | {"IMAGERAG_HOME": str(settings.home), "OMP_NUM_THREADS": "1"}
    imagerag = [sys.executable, "-m", "imagerag_assets.cli", *command(data, internvl, killed)]
    process = subprocess.Popen(imagerag, cwd=PROJECT, env=environment, start_new_session=True)
    try:
        while last_checkpoint(killed) is None:
            assert process.poll() is None, "it ended before it wrote a checkpoint"
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (killed / "adapter").exists()
    (killed / "checkpoints" / "checkpoint-999").mkdir()  # one that was being written

    # What needs no kill runs in this process.
    monkeypatch.setenv("IMAGERAG_HOME", str(settings.home))
    capsys.readouterr()
    assert main(command(data, internvl, killed)) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["resumed_from"] in (EVERY, 2 * EVERY)
    losses = [float(row["loss"]) for row in curve_of(killed) if row["loss"]]
    assert losses[-1] < losses[0]
    assert (killed / "curve.svg").read_text(encoding="utf-8").startswith("<svg")

    assert main(command(data, internvl, whole)) == 0
    assert [row["step"] for row in curve_of(killed)] == [row["step"] for row in curve_of(whole)]
    ends = [float(curve_of(out)[-1]["validation_loss"]) for out in (killed, whole)]
    assert ends[0] == pytest.approx(ends[1], rel=1e-3)

    capsys.readouterr()
    assert main(command(data, internvl, killed)) == 0
    assert json.loads(capsys.readouterr().out)["revision"] == done["revision"]  # it was done: nothing is trained
    _answers_with(killed / "adapter", data, settings.model_copy(update={"mllm": str(internvl)}), done)


def _answers_with(adapter: Path, data: Path, settings: Settings, done: dict[str, Any]) -> None:
    """The adapter changes what the model says, and the model's revision names it."""
    plain = load_mllm(settings)
    adapted = load_mllm(settings.model_copy(update={"mllm_adapter": str(adapter)}))
    assert (adapted.name, adapted.revision) == (plain.name, f"{plain.revision}+{done['revision']}")
    asked = [example.prompt(data) for example in read_examples(data, TRAIN) if example.choices][:4]
    before, after = ([mllm.answer(prompt) for prompt in asked] for mllm in (plain, adapted))
    assert all(a.prompt == b.prompt and a.scores != b.scores for a, b in zip(before, after, strict=True))


def test_a_model_of_another_family_learns_letters(data: Path, qwen: Path, tmp_path: Path) -> None:
    changes = {"model": str(qwen), "checkpointing": True, "dropout": 0.0, "steps": STEPS - 1}
    recipe = LoraRecipe.model_validate(SMALL | changes)
    done = finetune(recipe, data, tmp_path / "run", device="cpu")
    assert done["validation_loss"]["last"] < 0.95 * done["validation_loss"]["first"]
    assert curve_of(tmp_path / "run")[-1]["step"] == str(STEPS - 1)
    adapted = open_mllm(str(qwen), MllmOptions(adapter=done["adapter"], device="cpu"))
    prompt = next(e for e in read_examples(data, TRAIN) if e.choices).prompt(data)
    assert adapted.answer(prompt).choice in prompt.choices
    curve = (tmp_path / "run" / "curve.csv").read_bytes()
    shutil.rmtree(done["adapter"])  # as if it had been killed after the last step
    again = finetune(recipe, data, tmp_path / "run", device="cpu")
    assert (again["revision"], again["resumed_from"]) == (done["revision"], recipe.steps)
    assert (tmp_path / "run" / "curve.csv").read_bytes() == curve

    with pytest.raises(ModelError, match=r"was trained on .*qwen"):
        open_mllm("demo", MllmOptions(adapter=done["adapter"], device="cpu"))
    foreign = Path(shutil.copytree(done["adapter"], tmp_path / "foreign"))
    (foreign / "imagerag.json").unlink()  # as of somebody else's training
    with pytest.raises(ModelError, match="does not fit the model"):
        open_mllm("demo", MllmOptions(adapter=str(foreign), device="cpu"))
    (foreign / "adapter_model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ModelError, match="does not fit the model"):
        open_mllm(str(qwen), MllmOptions(adapter=str(foreign), device="cpu"))
    with pytest.raises(InputError, match="another recipe"):
        finetune(recipe.model_copy(update={"seed": 1}), data, tmp_path / "run", device="cpu")


@pytest.mark.parametrize("model", ["demo", "qwen"])
def test_the_loss_is_on_the_reply_and_the_prompt_is_the_one_that_is_asked(model: str, data: Path, qwen: Path) -> None:
    mllm = open_mllm(str(qwen) if model == "qwen" else "demo", MllmOptions(device="cpu"))
    examples = read_examples(data, TRAIN)
    batch = Collator(mllm, examples, data)([{"example": index} for index in range(6)])
    tokenizer = mllm.processor.tokenizer
    for row, example in enumerate(examples[:6]):
        ids, labels, mask = (batch[name][row] for name in ("input_ids", "labels", "attention_mask"))
        learned = labels != -100
        words = example.choices.get(example.answer, example.answer)
        reply = example.answer if model == "qwen" else words
        assert tokenizer.decode(ids[learned]).removesuffix(tokenizer.eos_token).strip() == reply
        assert ids[learned][-1] == tokenizer.eos_token_id
        prompt = mllm.lesson(example.prompt(data), example.answer)[0]["input_ids"][0]
        assert ids[mask.bool() & ~learned].equal(prompt)
        assert example.question in tokenizer.decode(prompt)


def test_bad_input(data: Path, qwen: Path, tmp_path: Path, settings: Settings) -> None:
    recipe = LoraRecipe.model_validate(SMALL | {"model": str(qwen)})
    with pytest.raises(InputError, match="imagerag train data"):
        finetune(recipe, tmp_path, tmp_path / "run")
    with pytest.raises(InputError, match=r"no layer c_attn.*q_proj, k_proj, v_proj"):
        finetune(recipe.model_copy(update={"targets": ("q_proj", "c_attn")}), data, tmp_path / "run", device="cpu")
    with pytest.raises(InputError, match="served model"):
        finetune(recipe.model_copy(update={"model": "http://127.0.0.1:9/v1"}), data, tmp_path / "run")
    with pytest.raises(ModelError, match="no adapter"):
        open_mllm("demo", MllmOptions(adapter=str(tmp_path)))
    with pytest.raises(ModelError, match="a server loads its own adapters"):
        load_mllm(settings.model_copy(update={"mllm": "http://127.0.0.1:9/v1", "mllm_adapter": str(tmp_path)}))
    file = tmp_path / "recipe.toml"
    for content, message in (("steps = 0", "steps"), ("speed = 3", "speed"), ("steps =", "cannot be read")):
        file.write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            load_recipe(file)
    assert load_recipe(None, steps=3, rank=None) == LoraRecipe(steps=3)
