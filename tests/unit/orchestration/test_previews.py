"""Small pictures and tables for Dagster's UI."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.orchestration.previews import MAX_BYTES, markdown_table, thumbnail


def test_noise_which_compresses_worst_fits_and_keeps_its_shape() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (900, 1800, 3), dtype=np.uint8)
    data = thumbnail(Image.fromarray(noise))
    assert len(data) <= MAX_BYTES
    small = Image.open(io.BytesIO(data))
    assert small.width == pytest.approx(2 * small.height, abs=2)


@pytest.mark.parametrize(("mode", "size"), [("L", (1, 1)), ("RGBA", (5, 700)), ("I;16", (40, 40)), ("P", (300, 2))])
def test_pictures_of_every_kind(mode: str, size: tuple[int, int]) -> None:
    assert Image.open(io.BytesIO(thumbnail(Image.new(mode, size)))).format == "JPEG"


def test_bytes_that_are_no_picture() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        thumbnail(b"no picture")


def test_table() -> None:
    table = markdown_table([{"a": 1, "b": "x|y"}, {"a": 2, "b": None}])
    assert table.splitlines() == ["| a | b |", "| --- | --- |", "| 1 | x\\|y |", "| 2 | None |"]
    assert markdown_table([]) == "none"
