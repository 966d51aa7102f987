"""Parts of a scene that questions name, and directions that are none."""

from __future__ import annotations

import pytest

from imagerag_assets.answering.findings import place
from imagerag_assets.plans.regions import Region, regions_of
from imagerag_assets.retrieval.phrases import analyse_question

LOW, HIGH = pytest.approx(1 / 3), pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("question", "name", "box", "compass"),
    [
        ("describe the harbour in the north-east", "north-east", (0.5, 0, 1, 0.5), True),
        ("how many ships are in the upper left?", "upper left", (0, 0, 0.5, 0.5), False),
        ("how many ships are at top left, please?", "upper left", (0, 0, 0.5, 0.5), False),
        ("the tank at the southern edge", "south edge", (0, HIGH, 1, 1), True),
        ("what is in the bottom-right corner?", "lower right", (0.5, 0.5, 1, 1), False),
        ("describe the northern half of the scene", "north", (0, 0, 1, 0.5), True),
        ("are there ships in the sw?", "south-west", (0, 0.5, 0.5, 1), True),
        ("how many cars are on the right hand side?", "right", (0.5, 0, 1, 1), False),
        ("how many cars are on the right of the image?", "right", (0.5, 0, 1, 1), False),
        ("is there a pool in the centre?", "centre", (LOW, LOW, HIGH, HIGH), False),
        ("is there a pool in the lower middle?", "lower middle", (LOW, HIGH, HIGH, 1), False),
    ],
)
def test_a_part(question: str, name: str, box: tuple[float, ...], compass: bool) -> None:
    (region,) = regions_of(question)
    assert (region.name, region.box, region.compass) == (name, box, compass)


@pytest.mark.parametrize(
    "question",
    [
        "how many ships lie to the left of the pier?",
        "is there a ship on the left bank?",
        "how many cars are in the middle of the road?",
        "is there a car on the right side of the road?",
        "is there a school in the city centre?",
        "how many houses are north of the river?",
        "which is the right answer?",
        "the warehouse with a red roof on top",
        "is there a ship in the right lane?",
        "how many ships are in the left upper right?",
    ],
)
def test_a_direction_that_is_none_of_the_picture(question: str) -> None:
    assert regions_of(question) == ()


def test_what_a_question_asks_for_is_no_limit_and_choices_are_answers() -> None:
    choices = {"A": "in the upper left", "B": "in the lower right"}
    assert analyse_question("Where is the ship in the north?", {}, max_phrases=5, sentences=None).region is None
    assert analyse_question("Is there a ship?", choices, max_phrases=5, sentences=None).region is None
    found = analyse_question("How many ships are in the north-east?", {}, max_phrases=5, sentences=None)
    assert (found.phrases, found.region and found.region.name) == (("ship",), "north-east")


def test_of_several_parts_none_is_taken_and_a_note_says_so() -> None:
    question = "Are there more ships in the north than in the south?"
    found = analyse_question(question, {}, max_phrases=5, sentences=None)
    assert found.region is None
    assert found.notes == ("Several parts of the scene are named (north, south): all of it is looked at",)


@pytest.mark.parametrize("words", ["upper left", "upper right", "lower left", "lower right"])
@pytest.mark.parametrize(("x", "y"), [(0, 0), (499, 501), (500, 500), (1000, 1000), (500, 10)])
def test_parts_hold_what_findings_place_there(words: str, x: int, y: int) -> None:
    (region,) = regions_of(f"in the {words}")
    assert region.holds(x / 1000, y / 1000) == (place((x, y, x, y)) == words)


@pytest.mark.parametrize("words", ["centre", "upper middle", "middle left", "lower middle"])
@pytest.mark.parametrize(("x", "y"), [(500, 500), (333, 334), (334, 667), (600, 30), (10, 400), (500, 1000)])
def test_thirds_hold_what_findings_place_there(words: str, x: int, y: int) -> None:
    (region,) = regions_of(f"in the {words}")
    assert region.holds(x / 1000, y / 1000) == (place((x, y, x, y), thirds=True) == words)


def test_every_point_is_in_one_of_four_quarters() -> None:
    quarters: list[Region] = [regions_of(f"in the {words}")[0] for words in ("ne", "nw", "se", "sw")]
    for x, y in [(0.5, 0.5), (0, 1), (1, 0), (1.2, 1.2), (0.499, 0.5)]:
        assert sum(region.holds(x, y) for region in quarters) == 1
