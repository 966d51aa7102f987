"""Plans in one line: reading, writing, and the grammar that a model writes by."""

from __future__ import annotations

import pytest
from llguidance import LLMatcher
from llguidance import LLTokenizer as Tokens
from pydantic import ValidationError

from imagerag_assets.plans import notation
from imagerag_assets.plans import plan as p

LINES = [
    "count: big round tank @ upper left; exists: car",
    "exists!: ship; relative[north-east]: dam > lake; compare[count,more]: tree, house",
    "nearest-far: house > runway; where: harbour^north; attribute[colour]: roof",
    "exists: pier; count[>=3]: ship @ around(pier,200) ?0",
    "count[=4]: ship; count[<=2]: car; count[places]: tank",
    "which!: pier, dam; compare[area,fewer]: tree, house; distance: pier > dam",
    "relative!: dam > lake; relative[inside]: ship > harbour",
    "list @ north; describe; describe: road; change; change: road; share: tree; density: house",
    "exists: ship @ north of river; exists: ship @ between(river, road)",
    "none",
]


@pytest.mark.parametrize("line", LINES)
def test_what_is_read_is_written_alike(line: str) -> None:
    plan = notation.read(line)
    assert plan.by == "model"
    assert notation.write(plan) == line
    assert p.Plan.model_validate_json(plan.model_dump_json()).parts == plan.parts


def test_distances_are_in_metres_and_near_is_what_somebody_says() -> None:
    metres = {
        text: notation.read(f"exists: ship @ around(pier,{text})", near=lambda name: 150.0 if name == "pier" else 0.0)
        for text in ("200", "200m", "1.5km", "2mi", "100ft", "*")
    }
    regions = {text: plan.parts[0].region for text, plan in metres.items()}
    found = {text: region.metres for text, region in regions.items() if isinstance(region, p.Around)}
    assert found == pytest.approx({"200": 200, "200m": 200, "1.5km": 1500, "2mi": 3218.688, "100ft": 30.48, "*": 150})


def test_a_distance_that_nobody_said_is_left_out_on_demand() -> None:
    plan = notation.read("exists: ship @ around(pier,200)")
    assert notation.write(plan, spoken=True) == "exists: ship @ around(pier,*)"


def test_a_box_in_degrees_has_no_sign() -> None:
    plan = p.Plan(parts=(p.Exists(thing=p.Thing(name="ship"), region=p.Area(bbox=(1, 2, 3, 4))),))
    assert notation.write(plan) is None


@pytest.mark.parametrize(
    "line",
    [
        "", "shout: ship", "exists", "exists:", "exists: ship @ nowhere", "compare[count,more]: tree", "count[lots]: ship",
        "exists: ship ?0", "where[colour]: ship", "relative[beside]: a > b", "exists: ship; count: ship ?1",
        "count: ship, pier", "exists: ship @ around(pier,-3)",
    ],
)  # fmt: skip
def test_what_is_no_plan_is_refused(line: str) -> None:
    with pytest.raises((ValueError, ValidationError)):
        notation.read(line)


@pytest.mark.parametrize("line", LINES)
def test_the_grammar_allows_each_line_and_no_word_of_its_own(line: str) -> None:
    words = {"big", "round", "tank", "car", "ship", "dam", "lake", "tree", "house", "runway", "harbour", "roof", "pier",
             "road", "river", "o'brien's", "a-b", "x/y"}  # fmt: skip
    assert _allowed(line, words)
    if "dam" in line:
        assert not _allowed(line, words - {"dam"})


def _allowed(line: str, words: set[str]) -> bool:
    """Return whether a grammar takes a line to its end, byte by byte."""
    tokens = Tokens("byte")
    matcher = LLMatcher(tokens, notation.grammar(words))
    assert not matcher.is_error(), matcher.get_error()
    return matcher.consume_tokens(tokens.tokenize_str(line)) and matcher.is_accepting()
