"""Vectors of cells: exact for towers that average and project, and refused for all others."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import open_clip
import pytest
import torch

from imagerag_assets.encoders.cells import find_cells
from imagerag_assets.encoders.open_clip_encoder import OpenClipEncoder
from imagerag_assets.encoders.registry import load_encoder
from imagerag_assets.encoders.types import CellEncoder
from imagerag_assets.errors import EncoderError
from imagerag_assets.settings import Settings, load_settings


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> OpenClipEncoder:
    settings = load_settings(home=tmp_path_factory.mktemp("home"), _env_file=None, precision="float32")
    encoder = load_encoder("demo", settings)
    assert isinstance(encoder, OpenClipEncoder)
    return encoder


def pictures(count: int, side: int = 160) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_the_mean_of_the_cells_is_the_vector_of_the_patch(demo: OpenClipEncoder) -> None:
    assert isinstance(demo, CellEncoder)
    assert demo.cell_px == 32
    for side in (160, 256):  # resized as patches are
        cells = demo.encode_cells(pictures(3, side), side=demo.image_size)
        assert (cells.shape, cells.dtype) == ((3, 5, 5, demo.dim), np.float32)
        mean = cells.mean(axis=(1, 2))
        mean /= np.linalg.norm(mean, axis=1, keepdims=True)
        np.testing.assert_allclose(mean, demo.encode_images(pictures(3, side)), atol=1e-5)


def test_larger_pictures_have_more_cells_in_rows_and_columns(demo: OpenClipEncoder) -> None:
    picture = np.zeros((1, 320, 320, 3), np.uint8)
    picture[0, :64, 256:] = 255  # the upper right corner
    plain = demo.encode_cells(np.zeros_like(picture), side=320)[0]
    cells = demo.encode_cells(picture, side=320)[0]
    assert cells.shape == (10, 10, demo.dim)
    changed = np.linalg.norm(cells - plain, axis=-1)
    assert changed[:2, 8:].min() > changed[6:, :3].max()
    assert demo.encode_cells(picture[:0], side=320).shape == (0, 10, 10, demo.dim)


@pytest.mark.parametrize(("images", "side"), [(pictures(1), 100), (pictures(1), 0), (pictures(1)[0], 160)])
def test_wrong_pictures_or_sides(demo: OpenClipEncoder, images: np.ndarray, side: int) -> None:
    with pytest.raises(EncoderError, match="multiple of 32"):
        demo.encode_cells(images, side=side)


def test_a_transformer_has_no_cells(registered: Settings) -> None:
    assert find_cells(open_clip.create_model("ViT-S-32-alt").visual, 224) is None
    tower = open_clip.timm_model.TimmModel("vit_tiny_patch16_224", embed_dim=8, image_size=224)
    assert find_cells(tower, 224) is None


def test_an_encoder_without_cells_says_so(registered: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = load_encoder("tiny", registered)
    assert isinstance(tiny, OpenClipEncoder)
    assert tiny.cell_px == 32, "the classifier of a trunk without another projection is linear, too"
    monkeypatch.setattr("imagerag_assets.encoders.open_clip_encoder.find_cells", lambda *_: None)
    other = OpenClipEncoder(tiny.spec, registered)
    assert other.cell_px is None
    with pytest.raises(EncoderError, match="not means of cells"):
        other.encode_cells(pictures(1), side=64)


def test_a_tower_that_normalises_after_the_average_has_no_cells() -> None:
    trunk = torch.nn.Conv2d(3, 4, 8, stride=8)
    trunk.forward_features = trunk.forward  # type: ignore[assignment]

    class Tower(torch.nn.Module):
        def __init__(self, after: torch.nn.Module) -> None:
            super().__init__()
            self.trunk, self.head, self.after = trunk, torch.nn.Linear(4, 6), after

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.head(self.after(self.trunk(pixels).mean(dim=(2, 3))))  # type: ignore[no-any-return]

    found = find_cells(Tower(torch.nn.Identity()), 32)
    assert found is not None and found.cell_px == 8
    assert find_cells(Tower(torch.nn.LayerNorm(4)), 32) is None
    assert find_cells(SimpleNamespace(), 32) is None
