"""A small real encoder with random weights, built by open_clip and stored as the demo encoders are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import imagerag_assets._torchvision_ops  # noqa: F401  (before open_clip imports torchvision)
from imagerag_assets.encoders.text_tower import PACKAGED_TEXT_TOWER, packaged_text_tower
from imagerag_assets.settings import Settings, load_settings

MODEL_CONFIG = {
    "embed_dim": 384,
    "vision_cfg": {"image_size": 64, "timm_model_name": "resnet10t", "timm_pool": "avg", "timm_proj": ""},
    "text_cfg": {
        "hf_model_name": PACKAGED_TEXT_TOWER,
        "hf_tokenizer_name": PACKAGED_TEXT_TOWER,
        "hf_pooler_type": "mean_pooler",
        "hf_proj_type": None,
        "context_length": 64,
    },
}


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with open_clip_config.json and the image tower in half precision; the text tower is not in it."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("encoder")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": MODEL_CONFIG}), encoding="utf-8")
    torch.manual_seed(7)
    located = {**MODEL_CONFIG["text_cfg"], "hf_model_name": str(packaged_text_tower()), "hf_model_pretrained": False}
    model = open_clip.CustomTextCLIP(**{**MODEL_CONFIG, "text_cfg": located})
    kept = {k: v.half().contiguous() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    save_file({k: v for k, v in kept.items() if not k.startswith("text.")}, str(folder / "model.safetensors"))
    return folder


@pytest.fixture
def registered(tmp_path: Path, encoder_folder: Path) -> Settings:
    """Settings whose registry file knows the random encoder as ``tiny``."""
    registry = tmp_path / "encoders.toml"
    registry.write_text(
        f'[encoders.tiny]\narchitecture = "local-dir:{encoder_folder}"\ninterpolation = "area"\n', encoding="utf-8"
    )
    return load_settings(home=tmp_path / "home", encoders_file=registry, batch_size=8, _env_file=None)
