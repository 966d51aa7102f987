"""Colours are those of the pixels around the middle of a picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.questions.colours import colours_of


def picture(middle: tuple[int, int, int], around: tuple[int, int, int], side: int = 120) -> Image.Image:
    """Return a picture with a square of half its side in the middle."""
    pixels = np.full((side, side, 3), around, dtype=np.uint8)
    pixels[side // 4 : -side // 4, side // 4 : -side // 4] = middle
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((250, 250, 250), "white"),
        ((8, 8, 10), "black"),
        ((120, 121, 120), "grey"),
        ((200, 30, 30), "red"),
        ((240, 220, 50), "yellow"),
        ((50, 140, 60), "green"),
        ((40, 80, 190), "blue"),
        ((70, 190, 190), "turquoise"),
        ((110, 75, 50), "brown"),
        ((215, 195, 160), "beige"),
    ],
)
def test_a_plain_colour_has_its_name(rgb: tuple[int, int, int], name: str) -> None:
    (first, share), *_ = colours_of([picture(rgb, (90, 110, 71))]).items()
    assert first == name
    assert share > 0.5


def test_pictures_count_alike_whatever_their_size() -> None:
    found = colours_of([picture((200, 30, 30), (200, 30, 30), 400), picture((40, 80, 190), (40, 80, 190), 40)])
    assert found == {"red": 0.5, "blue": 0.5}


def test_pictures_without_colours_have_none() -> None:
    assert colours_of([picture((90, 90, 90), (200, 200, 200))]) == {}
    assert colours_of([]) == {}
