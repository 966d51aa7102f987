"""The pixel arithmetic that training and serving share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from imagerag_assets.encoders.preprocess import preprocess

MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def noise(height: int, width: int, count: int = 2) -> torch.Tensor:
    pixels = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return torch.from_numpy(pixels)


def test_normalises_by_channel() -> None:
    out = preprocess(noise(8, 8), 8, MEAN, STD)
    expected = (noise(8, 8).permute(0, 3, 1, 2).double() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(
        STD
    ).view(3, 1, 1)
    assert (out.dtype, out.shape, out.is_contiguous()) == (torch.float32, (2, 3, 8, 8), True)
    torch.testing.assert_close(out.double(), expected, atol=1e-6, rtol=0)


def test_area_is_the_mean_of_each_block() -> None:
    images = noise(12, 8)
    out = preprocess(images, 4, *PLAIN)
    block = images[1, 3:6, 2:4, 0].double().mean() / 255
    assert out[1, 0, 1, 1].item() == pytest.approx(block.item(), abs=1e-6)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 160), (2080, 32), (96, 8320)])
def test_area_is_what_pooling_gives_to_the_last_bit(height: int, width: int) -> None:
    images = torch.randint(0, 256, (2, height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[0] = 255
    pooled = torch.nn.functional.avg_pool2d(images.permute(0, 3, 1, 2).float(), kernel_size=(height // 32, width // 32))
    assert torch.equal(preprocess(images, 32, (0.0,) * 3, (1 / 255,) * 3), pooled)


def test_other_sizes_are_resized_whole_like_pillow() -> None:
    images = noise(30, 50)
    for interpolation, method in (("area", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)):
        out = preprocess(images, 16, *PLAIN, interpolation)  # type: ignore[arg-type]
        expected = np.asarray(Image.fromarray(images[0].numpy()).resize((16, 16), method), dtype=np.float32) / 255
        np.testing.assert_allclose(out[0].permute(1, 2, 0).numpy(), expected, atol=1.5 / 255)
        assert out.min() >= 0
        assert out.max() <= 1


def test_enlarges_a_single_pixel() -> None:
    out = preprocess(torch.full((1, 1, 1, 3), 255, dtype=torch.uint8), 4, *PLAIN)
    torch.testing.assert_close(out, torch.ones(1, 3, 4, 4))


def test_no_patches() -> None:
    assert preprocess(noise(8, 8)[:0], 4, MEAN, STD).shape == (0, 3, 4, 4)


@pytest.mark.parametrize(
    "wrong",
    [torch.zeros(1, 8, 8, 3), torch.zeros(8, 8, 3, dtype=torch.uint8), torch.zeros(1, 0, 8, 3, dtype=torch.uint8)],
)
def test_wrong_input(wrong: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="expected"):
        preprocess(wrong, 4, MEAN, STD)
