"""A real open_clip encoder with random weights, small enough to be written and loaded by a test.

The image tower is timm's `test_resnet` (0.4 M parameters, 64 px), the text tower the packaged all-MiniLM-L6-v2. It is
named ``tiny`` in a registry file, so that loading runs the project's own code, in sub-processes too.
Import :func:`tiny_registry` and :func:`tiny_settings` to have the fixtures.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagerag_assets.encoders.text_tower import PACKAGED_TEXT_TOWER
from imagerag_assets.settings import Settings

NAME = "tiny"
_ARCHITECTURE, _DIM, _SIZE = "test_resnet", 384, 64


def write_tiny_encoder(folder: Path, *, name: str = NAME, seed: int = 0) -> Path:
    """Write the model to FOLDER/`name` and add it to FOLDER/encoders.toml; other seeds give other fingerprints.

    Returns:
        The registry file.
    """
    import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip
    import torch
    from open_clip.timm_model import TimmModel
    from safetensors.torch import save_file

    model_folder = folder / name
    model_folder.mkdir(parents=True)
    text = {
        "hf_model_name": PACKAGED_TEXT_TOWER,
        "hf_tokenizer_name": PACKAGED_TEXT_TOWER,
        "hf_pooler_type": "mean_pooler",
        "hf_proj_type": None,
        "context_length": 32,
    }
    vision = {
        "timm_model_name": _ARCHITECTURE,
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "image_size": _SIZE,
    }
    model = {"embed_dim": _DIM, "vision_cfg": vision, "text_cfg": text, "custom_text": True}
    (model_folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}), encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tower = TimmModel(_ARCHITECTURE, _DIM, image_size=_SIZE, pool="avg", proj="linear", pretrained=False)
    weights = {f"visual.{key}": value.contiguous() for key, value in tower.state_dict().items()}
    save_file(weights | {"logit_scale": torch.tensor(3.0)}, model_folder / "model.safetensors")
    registry = folder / "encoders.toml"
    with registry.open("a", encoding="utf-8") as file:
        file.write(f'[encoders.{name}]\narchitecture = "local-dir:{name}"\ninterpolation = "area"\n')
        file.write('precision = "float32"\n')
    return registry


@pytest.fixture(scope="session")
def tiny_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry file, written once a session, with ``tiny``, ``tiny-other`` and ``tiny-twin``.

    The other one agrees with it on little. The twin has the weights of ``tiny`` and resizes patches otherwise:
    another fingerprint, nearly the same vectors.
    """
    folder = tmp_path_factory.mktemp("encoders")
    write_tiny_encoder(folder)
    registry = write_tiny_encoder(folder, name="tiny-other", seed=1)
    with registry.open("a", encoding="utf-8") as file:
        file.write(f'[encoders.tiny-twin]\narchitecture = "local-dir:{NAME}"\ninterpolation = "bilinear"\n')
        file.write('precision = "float32"\n')
    return registry


@pytest.fixture
def tiny_settings(settings: Settings, tiny_registry: Path) -> Settings:
    """The test's settings with ``tiny`` as the chosen encoder and small super-tiles, so that a small scene has many."""
    return chosen(settings, tiny_registry)


def chosen(settings: Settings, registry: Path) -> Settings:
    """Return settings that choose it, with small super-tiles."""
    return settings.model_copy(
        update={"encoder": NAME, "encoders_file": registry, "patch_px": 128, "supertile_px": 512}
    )
