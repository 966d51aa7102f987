"""What was found, said in words."""

from __future__ import annotations

import pytest
from PIL import Image

from imagerag_assets.answering.findings import confirmation, findings, place
from imagerag_assets.answering.types import CueView

DOT = Image.new("RGB", (1, 1))


def cue(phrase: str, x: int, y: int) -> CueView:
    return CueView(DOT, (x - 10, y - 10, x + 10, y + 10), phrase, 0.9)


@pytest.mark.parametrize(
    ("x", "y", "half", "third"),
    [
        (100, 100, "upper left", "upper left"),
        (499, 501, "lower left", "centre"),
        (500, 500, "lower right", "centre"),
        (500, 900, "lower right", "lower middle"),
        (980, 400, "upper right", "middle right"),
    ],
)
def test_a_place_is_where_the_middle_of_a_box_lies(x: int, y: int, half: str, third: str) -> None:
    box = cue("ship", x, y).box
    assert place(box) == half
    assert place(box, thirds=True) == third


def test_the_most_frequent_comes_first_and_what_was_not_found_is_said() -> None:
    found = findings(["ship", "pier", "crane"], [cue("crane", 9, 9), cue("ship", 9, 9), cue("crane", 900, 9)], {})
    assert [(each.phrase, each.places) for each in found] == [
        ("crane", ("upper left", "upper right")),
        ("ship", ("upper left",)),
        ("pier", ()),
    ]


def test_thirds_are_used_where_a_choice_is_a_middle() -> None:
    (found,) = findings(["ship"], [cue("ship", 500, 500)], {"A": "The center", "B": "The upper left"})
    assert found.places == ("centre",)


def test_a_confirmation_shows_the_one_cue_and_nothing_else() -> None:
    asked = confirmation(cue("airplane", 9, 9))
    assert asked.question == "Does the cue show an airplane?"
    assert (len(asked.cues), asked.overview, asked.found, list(asked.choices.values())) == (1, None, (), ["yes", "no"])
