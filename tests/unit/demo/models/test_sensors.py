"""Pictures as other sensors, seasons and ground distances would show them."""

from __future__ import annotations

import numpy as np
import torch

from imagerag_assets.demo.models.sensors import coarser, vary


def checkers(cell: int) -> torch.Tensor:
    rows, columns = np.indices((160, 160)) // cell
    return torch.from_numpy(((rows + columns) % 2).astype(np.float32)).expand(3, -1, -1)


def test_a_coarser_picture_keeps_what_is_large_and_loses_what_is_small() -> None:
    fine, large = coarser(checkers(2), 5.0), coarser(checkers(40), 5.0)
    assert fine.shape == (3, 160, 160)
    assert float(fine.std()) < 0.1
    assert float((large - checkers(40)).abs().mean()) < 0.1


def test_the_same_seed_gives_the_same_picture_and_others_give_others() -> None:
    image = torch.rand((3, 160, 160), generator=torch.Generator().manual_seed(1))
    made = [vary(image, np.random.default_rng(seed)) for seed in range(40)]
    for seed, picture in enumerate(made):
        assert picture.shape == image.shape
        assert picture.dtype == torch.float32
        assert float(picture.min()) >= 0
        assert float(picture.max()) <= 1
        torch.testing.assert_close(picture, vary(image, np.random.default_rng(seed)))
    assert sum(bool((picture - image).abs().mean() > 0.02) for picture in made) >= 20
