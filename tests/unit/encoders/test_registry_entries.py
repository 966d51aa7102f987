"""Each entry of the registry loads with random weights of its architecture, made small, by the code that loads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip
import open_clip
import open_clip.factory
import timm
import torch
from safetensors.torch import save_file

from imagerag_assets.encoders.registry import encoder_spec, list_encoders, load_encoder
from imagerag_assets.encoders.types import EncoderSpec
from imagerag_assets.encoders.weights import read_architecture
from imagerag_assets.errors import EncoderError
from imagerag_assets.settings import Settings, load_settings
from tests.byte_tokenizer import byte_tokenizer

CLIP, HALF, NONE = (0.48145466, 0.4578275, 0.40821073), (0.5, 0.5, 0.5), (0.0, 0.0, 0.0)
EXPECTED = {
    "georsclip-b-32": (224, CLIP, "bicubic", 77, 512),
    "georsclip-h-14": (224, CLIP, "bicubic", 77, 1024),
    "farslip1-b-32": (224, CLIP, "bicubic", 77, 512),
    "pe-core-t-16": (384, HALF, "bilinear", 32, 512),
    "pe-core-s-16": (384, HALF, "bilinear", 32, 512),
    "pe-core-b-16": (224, HALF, "bilinear", 32, 1024),
    "pe-core-l-14": (336, HALF, "bilinear", 32, 1024),
    "mobileclip2-s0": (256, NONE, "bilinear", 77, 512),
    "mobileclip2-s2": (256, NONE, "bilinear", 77, 512),
    "mobileclip2-s4": (256, CLIP, "bilinear", 77, 768),
    "siglip2-l-16-512": (512, HALF, "bicubic", 64, 1024),
    "metaclip2-worldwide-h-14": (224, CLIP, "bicubic", 77, 1024),
}
"""Side, mean, interpolation, context length and dimensions, as the weights were published with."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Settings under which architectures have one layer a stage, and tokenizers of the hub are ones of bytes."""
    from huggingface_hub import constants

    for name in {encoder_spec(each, load_settings(_env_file=None)).architecture for each in EXPECTED}:
        config = open_clip.get_model_config(name)
        vision, text = config["vision_cfg"], config["text_cfg"]
        if "timm_model_name" not in vision:
            vision |= {"layers": 1, "width": vision.get("head_width", 64)}
        text |= {"layers": 1, "vocab_size": min(text["vocab_size"], 49408)}
        if text.get("hf_tokenizer_name"):
            text["vocab_size"] = 400
            write_in_cache(tmp_path / "hub", text["hf_tokenizer_name"])
        if "ViT-L-16-SigLIP2" not in name:  # its tower gives what it projects to
            text |= {"width": 64, "heads": 1}
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, config)
    create = timm.create_model

    def created(name: str, **options: Any) -> Any:
        if name.startswith("fastvit"):
            stages = 5 if name == "fastvit_mci4" else 4
            options |= {"layers": (1,) * stages, "embed_dims": (16, 32, 64, 128, 256)[:stages]}
        else:
            options |= {"depth": 1} | ({"embed_dim": 64, "num_heads": 1} if "pe_core" in name else {})
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", created)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return load_settings(home=tmp_path / "home", precision="float32", device="cpu", _env_file=None)


def write_in_cache(cache: Path, repository: str) -> None:
    """Put a tokenizer of bytes where the hub's files of a repository are kept."""
    commit, folder = "c" * 40, cache / f"models--{repository.replace('/', '--')}"
    byte_tokenizer([]).save_pretrained(folder / "snapshots" / commit)
    (folder / "snapshots" / commit / "config.json").write_text('{"model_type": "bert"}')
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)


def write_random_weights(spec: EncoderSpec, settings: Settings) -> None:
    """Write weights of the entry's architecture to HOME/models."""
    config = dict(read_architecture(spec).config)
    custom = config.pop("custom_text", False)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**config)
    path = settings.home / "models" / f"{spec.name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, path)


def test_entries_of_open_clip(small: Settings) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    found = {}
    for name, (side, mean, interpolation, context, dim) in EXPECTED.items():
        spec = encoder_spec(name, small)
        architecture = read_architecture(spec)
        pre = architecture.preprocessing
        assert (pre.size, pre.mean, pre.interpolation) == (side, mean, interpolation), name
        assert architecture.config["text_cfg"]["context_length"] == context, name
        write_random_weights(spec, small)
        encoder = load_encoder(name, small)
        assert (encoder.dim, encoder.image_size) == (dim, side), name
        assert (encoder.logit_bias is None) == (name != "siglip2-l-16-512")
        vectors = np.concatenate([encoder.encode_images(picture), encoder.encode_raw_texts(["a pond"])])
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        found[name] = encoder.fingerprint
        encoder.close()
    assert len(set(found.values())) == len(found) - 1  # the same random weights, entry and text: B/32 of two makers
    assert found["georsclip-b-32"] == found["farslip1-b-32"]

    wrong = small.home / "encoders.toml"
    wrong.write_text('[encoders.other]\narchitecture = "PE-Core-T-16-384"\ncheckpoint = "meta"\ndim = 768\n')
    (small.home / "models" / "pe-core-t-16.safetensors").rename(small.home / "models" / "other.safetensors")
    with pytest.raises(EncoderError, match="512 dimensions, and the registry says 768"):
        load_encoder("other", small)


def test_entries_say_what_they_were_taught_with(settings: Settings) -> None:
    for spec in list_encoders(settings):
        assert spec.training_licence and spec.licence and spec.description and spec.parameters, spec.name
        assert spec.dim is not None or spec.kind == "served", spec.name
    assert EXPECTED.keys() | {"git-rsclip", "qwen3-vl-embedding-2b", "served"} < {
        spec.name for spec in list_encoders(settings)
    }
