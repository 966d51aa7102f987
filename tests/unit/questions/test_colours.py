"""Colours are those of the pixels around the middle of a picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.plans.result import AttributeResult
from imagerag_assets.questions.colours import colours_of, with_colours


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
        ((178, 118, 117), "red"),
        ((92, 108, 124), "blue"),
        ((24, 58, 50), "green"),
        ((88, 87, 91), "grey"),
    ],
)
def test_a_plain_colour_has_its_name(rgb: tuple[int, int, int], name: str) -> None:
    (first, share), *_ = colours_of([picture(rgb, (90, 110, 71))]).items()
    assert first == name
    assert share > 0.5


def test_pictures_count_alike_whatever_their_size() -> None:
    found = colours_of([picture((200, 30, 30), (200, 30, 30), 400), picture((40, 80, 190), (40, 80, 190), 40)])
    assert found == {"red": 0.5, "blue": 0.5}


def test_what_lies_around_counts_by_itself() -> None:
    court = [picture((50, 140, 60), (178, 118, 117))]
    assert next(iter(colours_of(court))) == "green"
    assert next(iter(colours_of(court, "around"))) == "red"
    assert colours_of(court, "all")["green"] == pytest.approx(0.25, abs=0.02)


def test_pictures_without_colours_have_none() -> None:
    assert colours_of([picture((90, 90, 90), (200, 200, 200))]) == {}
    assert colours_of([]) == {}


def of_colour(confidence: float | None = 0.9) -> AttributeResult:
    return AttributeResult(outcome="found", phrase="ship", name="colour", value=None, confidence=confidence)


def test_a_colour_is_as_sure_as_the_cue_and_its_share() -> None:
    told = with_colours(of_colour(), {"green": 0.6, "grey": 0.3, "white": 0.1})
    assert (told.value, told.confidence) == ("mostly green", pytest.approx(0.54))
    both = with_colours(of_colour(), {"green": 0.5, "grey": 0.4})
    assert (both.value, both.confidence) == ("green and grey", pytest.approx(0.81))


def test_without_colours_nothing_is_said_and_nothing_is_sure() -> None:
    told = with_colours(of_colour(), {})
    assert (told.value, told.colours, told.confidence) == (None, {}, None)
