"""Plans and results in words."""

from __future__ import annotations

from typing import Any

import pytest

from imagerag_assets.pages.plan_words import plan_words, result_words

TANK = {"name": "big round tank", "look_for": "storage tank"}


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"op": "exists", "thing": "ship"}, "Look for the ship"),
        ({"op": "exists", "thing": "ship", "negated": True}, "Is there no ship?"),
        ({"op": "count", "thing": TANK}, "Count big round tanks (looked for as “storage tank”)"),
        ({"op": "count", "thing": "ship", "at_least": 3, "region": {"kind": "part", "name": "upper left"}},
         "Count ships in the upper left: are there at least 3?"),
        ({"op": "count", "thing": "tank", "places": True}, "Count the places with tanks"),
        ({"op": "where", "thing": {"name": "harbour", "pick": "north"}}, "Find where the northernmost harbour lies"),
        ({"op": "which", "among": ["ship", "water"]}, "Which of ships and water are there"),
        ({"op": "compare", "among": ["car", "truck"], "by": "area", "wanted": "fewer"},
         "Compare the area of cars and trucks: which cover less ground"),
        ({"op": "compare", "among": ["car", "truck"]}, "Compare cars and trucks: which are there more of"),
        ({"op": "nearest", "thing": "ship", "to": "pier"}, "Find the ship nearest to the pier"),
        ({"op": "distance", "thing": "ship", "to": "pier"}, "Measure from the ship to the pier"),
        ({"op": "relative", "thing": "ship", "to": "pier", "relation": "north"}, "Is the ship north of the pier?"),
        ({"op": "relative", "thing": "ship", "to": "pier"}, "Find where the ship lies, seen from the pier"),
        ({"op": "share", "thing": "water"}, "Measure how much of the ground is water"),
        ({"op": "density", "thing": "house"}, "Count houses per square kilometre"),
        ({"op": "list"}, "List what is there"),
        ({"op": "describe"}, "Describe what is there"),
        ({"op": "attribute", "thing": "ship", "name": "colour", "around": True},
         "Find the colour of what lies around the ship"),
        ({"op": "change"}, "Find what changed"),
        ({"op": "of a later version"}, "of a later version"),
    ],
)  # fmt: skip
def test_each_operation_is_said(step: dict[str, Any], words: str) -> None:
    assert plan_words([step]) == (words,)


def test_a_part_that_depends_on_another_says_so() -> None:
    parts = [{"op": "exists", "thing": "ship"}, {"op": "where", "thing": "ship", "when": 0}]
    assert plan_words(parts)[1] == "Find where the ship lies, if part 1 is true"


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"kind": "count", "value": 3, "low": 2, "high": 4, "outcome": "found"}, "3, between 2 and 4"),
        ({"kind": "count", "value": 1, "low": 1, "high": 1, "outcome": "found"}, "1"),
        ({"kind": "where", "outcome": "not_found", "best": 0.473}, "not found; the best candidate had 47 %"),
        ({"kind": "exists", "value": True, "outcome": "found"}, "found"),
        ({"kind": "distance", "metres": 412.3, "outcome": "found"}, "412 m"),
        ({"kind": "share", "value": 12.34, "outcome": "found"}, "12.3 %"),
        ({"kind": "attribute", "value": "green", "outcome": "found"}, "green"),
        ({"kind": "where", "places": [{"name": "left"}, {"name": "left"}, {"name": "right"}]}, "left and right"),
        ({"kind": "count", "skipped": True}, "not looked at: the part that it depends on is not true"),
        ({"kind": "list"}, ""),
    ],
)
def test_each_result_is_said(result: dict[str, Any], words: str) -> None:
    assert result_words(result) == words
