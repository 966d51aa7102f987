"""Write encoders of open_clip with random weights into a home: what they say is noise, what they cost is real.

`CHEAP` is a real model that costs next to nothing, so that what is timed is everything but the encoder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

import imagerag_assets._torchvision_ops  # noqa: F401  (before open_clip imports torchvision)

import open_clip  # isort: skip

CHEAP, VIT = "cheap", "ViT-B-32"
_CHEAP: dict[str, Any] = {
    "embed_dim": 512,
    "vision_cfg": {"image_size": 64, "layers": 1, "width": 64, "head_width": 64, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
}


def add_random_encoder(home: Path, name: str = CHEAP, *, seed: int = 0) -> None:
    """Write the model, and its entry into ``encoders.toml`` of a home, unless it has that entry.

    Args:
        home: IMAGERAG_HOME.
        name: `CHEAP`, or the name of an architecture of open_clip.
        seed: Seed of the weights.
    """
    entry, folder = f"[encoders.{name}]", home / "random" / name
    listed = home / "encoders.toml"
    if listed.exists() and entry in listed.read_text(encoding="utf-8"):
        return
    folder.mkdir(parents=True, exist_ok=True)
    config = _CHEAP if name == CHEAP else open_clip.get_model_config(name)
    torch.manual_seed(seed)
    model = open_clip.CLIP(**config)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}), encoding="utf-8")
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / "model.safetensors")
    with listed.open("a", encoding="utf-8") as file:
        how = "area" if name == CHEAP else "bicubic"
        file.write(f'{entry}\narchitecture = "local-dir:{folder.absolute()}"\ninterpolation = "{how}"\n\n')
