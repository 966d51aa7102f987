"""Free answers are judged by what was computed and by the sentence that a person reads."""

from __future__ import annotations

from typing import Any

import pytest

from imagerag_assets.evaluation.free_answers import judge_free
from imagerag_assets.evaluation.said import forbidden_words, numbers, parts_of_scene
from imagerag_assets.evaluation.truth import Truth

NAMES = {"tank": ("storage tank", "oil tank"), "court": ("tennis court",)}
TANKS = [(0.2, 0.8), (0.3, 0.7)]


def truth(*facts: dict[str, Any]) -> Truth:
    return Truth.model_validate({"facts": list(facts), "names": NAMES})


def right(asked: Truth, text: str, *result: dict[str, Any]) -> bool:
    return judge_free(asked, {"answer": text, "result": list(result)}).right


def count(value: int | None, outcome: str = "found", phrase: str = "storage tank") -> dict[str, Any]:
    return {"kind": "count", "phrase": phrase, "value": value, "outcome": outcome}


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("Found 2 storage tanks (2 to 3; 2.4 km² looked at), both in the lower left.", True),
        ("2 storage tanks were found: at 33.12345 N, 117.12345 W, 77 m x 77 m in size.", True),
        ("There are two tanks in mosaic-0501.", True),
        ("1 tank was found in the lower left and 1 in the lower left, so 2 tanks in all.", True),
        ("Possibly 2 storage tanks were found (confidence 0.61).", True),
        ("Found 3 storage tanks.", False),
        ("Found 2 or 3 storage tanks.", False),
        ("Found 2 storage tanks: 2 in the upper left.", False),
        ("Found 2 of them.", False),  # of what?
        ("Found storage tanks.", False),
        ("Cue 1 and cue 2 show the 2 tanks.", False),
        ("Found 2 storage tanks (4 to 6).", False),
        ("", False),
    ],
)
def test_a_count_is_said_once_and_rightly(text: str, is_right: bool) -> None:
    asked = truth({"kind": "count", "thing": "tank", "value": 2, "places": TANKS})
    assert right(asked, text) is is_right
    assert right(asked, text, count(2)) is is_right
    assert not right(asked, text, count(3))  # what was computed is wrong
    assert not right(asked, text, count(2, phrase="ship"))  # so is what was looked for


def test_a_count_of_many_may_differ() -> None:
    asked = truth({"kind": "count", "thing": "tank", "value": 100, "within": 0.25})
    assert right(asked, "About 120 tanks were found (90 to 150).", count(120))
    assert not right(asked, "About 130 tanks were found (90 to 150).", count(130))


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("2 storage tanks were found, both in the lower left.", True),
        ("The tanks are in the south-west.", True),
        ("Tanks: bottom left of the picture.", True),
        ("A tank was found in the lower left and another one in the upper right.", False),
        ("The tanks are in the upper left.", False),
        ("The tanks are north of the river.", False),
        ("No tank was found.", False),
    ],
)
def test_places_are_parts_of_the_scene(text: str, is_right: bool) -> None:
    asked = truth({"kind": "where", "thing": "tank", "places": TANKS})
    assert right(asked, text) is is_right


def test_every_place_must_be_said_and_near_a_border_both_sides_hold() -> None:
    two = truth({"kind": "where", "thing": "tank", "places": [(0.2, 0.8), (0.8, 0.2)]})
    assert not right(two, "A tank is in the lower left.")
    assert right(two, "Tanks are in the lower left and in the upper right.")
    border = truth({"kind": "where", "thing": "tank", "places": [(0.47, 0.8)]})
    assert right(border, "A tank is in the lower left.") and right(border, "A tank is in the lower right.")


@pytest.mark.parametrize(
    ("text", "presence", "absence"),
    [
        (
            "No tank was found (all of the area was looked at; the best candidate has a confidence of 0.31).",
            False,
            False,
        ),
        ("I cannot recognise 'tank' in this imagery; example pictures of it would help.", False, False),
        ("What looked like a tank in the upper left did not hold on a closer look: no tank was found.", False, False),
        ("Yes: a tank was found in the upper left.", True, False),
        ("There are no tanks.", False, True),
        ("The imagery does not show tanks.", False, True),
        ("No, tanks are not there.", False, True),
        ("No", False, True),
        ("0", False, True),
        ("1", True, False),
    ],
)
def test_not_found_is_not_absent(text: str, presence: bool, absence: bool) -> None:
    gone = judge_free(truth({"kind": "exists", "thing": "tank", "value": False}), {"answer": text})
    assert (gone.presence_asserted, gone.absence_asserted) == (presence, absence)
    assert gone.right is (not presence and not absence)
    there = judge_free(truth({"kind": "exists", "thing": "tank", "value": True}), {"answer": text})
    assert (there.presence_asserted, there.absence_asserted) == (None, None)
    assert there.right is (presence and "tank" in text)


def test_a_result_that_asserts_what_is_not_there_counts_whatever_the_sentence_says() -> None:
    gone = truth({"kind": "count", "thing": "tank", "value": 0})
    assert judge_free(gone, {"answer": "No tank was found.", "result": [count(2)]}).presence_asserted
    assert right(gone, "No tank was found.", count(None, "not_found"))


def test_of_two_parts_each_must_be_said() -> None:
    asked = truth({"kind": "exists", "thing": "court", "value": False}, {"kind": "count", "thing": "tank", "value": 2})
    results = [count(2), {"kind": "exists", "phrase": "tennis court", "value": None, "outcome": "not_found"}]
    assert right(asked, "No tennis court was found. Found 2 storage tanks.", *results)
    assert right(asked, "Found 2 storage tanks, but no court was found.", *results)
    assert not right(asked, "Found 2 storage tanks.", *results)
    judged = judge_free(
        asked, {"answer": "No tennis court was found. Found 3 tanks.", "result": [count(3), results[1]]}
    )
    assert (judged.facts, judged.facts_right) == (2, 1)
    ships = truth({"kind": "count", "thing": "court", "value": 3}, {"kind": "count", "thing": "tank", "value": 2})
    assert right(ships, "Found 3 courts and 2 tanks.") and not right(ships, "Found 3 courts and 4 tanks.")


def test_which_are_there() -> None:
    asked = truth({"kind": "which", "among": ["tank", "court", "ship"], "values": ["tank"]})
    result = {"kind": "which", "phrases": ["storage tank", "court", "ship"], "values": ["tank"], "outcome": "found"}
    assert right(asked, "A tank was found. No court was found. No ship was found.", result)
    assert not right(asked, "A tank and a court were found. No ship was found.")
    assert not right(asked, "A tank was found.")


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("There are more tanks than tennis courts: 3 and 2.", True),
        ("There are more tennis courts than tanks.", False),
        ("Fewer courts (2) than tanks (3) were found.", True),
        ("Tanks outnumber courts.", True),
        ("3 tanks and 2 courts were found.", True),
        ("Equally many tanks and courts were found.", False),
        ("3 tanks were found; no court was found.", True),
    ],
)
def test_comparisons(text: str, more: bool) -> None:
    asked = truth({"kind": "compare", "things": ["tank", "court"], "values": [3, 2]})
    assert right(asked, text) is more
    result = {"kind": "compare", "phrases": ["storage tank", "court"], "values": [2, 2], "by": "count", "more": None}
    assert not right(asked, text, result)


def test_equal_is_said() -> None:
    asked = truth({"kind": "compare", "things": ["tank", "court"], "values": [2, 2]})
    assert right(asked, "Equally many tanks and courts were found (2 each).")
    assert not right(asked, "There are more tanks than courts.")


def test_relations() -> None:
    north = {"kind": "relative", "things": ["tank", "court"], "relation": "north"}
    assert right(truth({**north, "value": True}), "Yes: the tank is north of the tennis court.")
    assert right(truth({**north, "value": False}), "No: the tank is south of the tennis court.")
    assert right(truth({**north, "value": False}), "The tank is south of the tennis court.")
    assert not right(truth({**north, "value": True}), "No: the tank is south of the tennis court.")
    assert not right(truth({**north, "value": True}), "No tank was found, so nothing is known of the court.")
    unasked = truth({**north, "relation": "north-east", "asked": False})
    assert right(unasked, "The tank is north-east of the court, 120 m away.")
    assert right(unasked, "The court is south-west of the tank.")
    assert not right(unasked, "The tank is north-west of the court.")
    assert not right(unasked, "A tank and a court were found in the north-east.")


def test_distances_and_attributes() -> None:
    apart = truth({"kind": "distance", "things": ["tank", "court"], "metres": 400})
    assert right(apart, "The tank and the nearest court are 412 m apart.", {"kind": "distance", "metres": 412.0})
    assert right(apart, "About 0.4 km lie between the tank and the court.")
    assert not right(apart, "The tank and the court are 800 m apart.")
    colour = truth({"kind": "attribute", "thing": "court", "values": ["red", "reddish"], "others": ["green"]})
    assert right(colour, "The colour of the court is red.")
    assert not right(colour, "The colour of the court is red and green.")
    assert not right(colour, "It is red.")


def test_nonsense_is_not_answered() -> None:
    nothing = truth({"kind": "nothing"})
    assert right(nothing, "I could not work out what to look for.")
    assert not right(nothing, "2 tanks were found.", count(2))


def test_what_a_sentence_says() -> None:
    many = numbers("Found about 89 ships (67 to 118; 0.292 km² looked at) in 13 places: 5 in the upper right.")
    assert (many.values, many.ranges) == ((89.0, 5.0), ((67.0, 118.0),))
    assert numbers("There are ships in 13 places.").values == (13.0,)
    found = numbers("Found 12 ships (9 to 15; 2.4 km² looked at) at 33.1234 N, 117.2 W on 2026-01-02 in mosaic-0501.")
    assert (found.values, found.ranges) == ((12.0,), ((9.0, 15.0),))
    assert [part.words for part in parts_of_scene("north of it, in the top-right corner")] == ["top-right"]
    assert forbidden_words("<box>[[1, 2]]</box> of cue 3") == ("<box", "[[", "]]", "</box", "cue")
    assert forbidden_words("No rescue boat was found.") == ()
