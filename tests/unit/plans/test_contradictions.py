"""A model's sentence with another number, place or presence than the evidence's is told, and others are not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagerag_assets.plans import plan as p
from imagerag_assets.plans import result as r
from imagerag_assets.plans.contradictions import contradicts, kept, sentences, unsupported
from imagerag_assets.plans.sentence import say
from tests.unit.plans.results import count, exists, place, planned, simple_parts

TANK = p.Thing(name="big round tank", look_for="storage tank")
PLAN, RESULTS = planned(
    count("ship", 3, place(share=(0.2, 0.2)), place(share=(0.3, 0.3)), place("lower right", (0.9, 0.9)), low=2, high=4),
    exists("airplane"),
    (p.Where(thing=TANK), r.WhereResult(outcome="found", phrase="storage tank", places=(place("centre", (0.5, 0.5)),))),
    exists("geoglyph", outcome="unrecognised"),
)


@pytest.mark.parametrize(
    "text",
    [
        "Three ships lie at the quay.",
        "A harbour with grey quays.",
        "The ships are in the upper left and the lower right.",
        "In the upper left, two ships are moored.",
        "A big round tank stands in the centre.",
        "The storage tank is white, with a red roof.",
        "There are 12 houses along the road.",
        "The ships are white; no waves can be seen.",
        "No airplane was found.",
        "The water in the south is dark.",
        "South of the ships lies a road.",
        "A few ships are moored.",
        "The left half is water.",
        "There are 2 to 4 ships.",
        "It covers a patch of grass.",
        "Two roads meet in the east, near the tank.",
        "",
    ],
)
def test_sentences_that_agree(text: str) -> None:
    assert contradicts(text, PLAN, RESULTS) is False


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Seven ships lie at the quay.", "another number of ship"),
        ("I count 9 ships.", "another number of ship"),
        ("There are 12 of them.", "another number of ship"),
        ("It shows a single ship in the north-west.", "another number of ship"),
        ("There are no ships.", "denies ship"),
        ("Ships are absent.", "denies ship"),
        ("The picture doesn't show any ship.", "denies ship"),
        ("An airplane is parked in the lower left.", "airplane, which was not found"),
        ("The imagery does not show airplanes.", "no airplane"),
        ("There is no airplane.", "no airplane"),
        ("A geoglyph can be seen.", "geoglyph, which was not found"),
        ("The ships are all in the lower left.", "puts ship"),
        ("In the bottom left corner, a ship is moored.", "puts ship"),
        ("The big round tank is in the north-west corner.", "puts big round tank"),
        ("Cue 7 shows a ship.", "inside of the system"),
        ("The phrase matches.", "inside of the system"),
        ("A tank at [12, 30, 500, 700].", "inside of the system"),
        ("<box>1</box> is white.", "inside of the system"),
        ("There is none.", "not there"),
    ],
)
def test_sentences_that_contradict(text: str, reason: str) -> None:
    found = contradicts(text, PLAN, RESULTS)
    assert isinstance(found, str)
    assert reason in found


def test_only_what_agrees_is_kept() -> None:
    text = (
        "The quay is 3.5 m wide. Seven ships are moored. The roofs are red.\nCue 2 is a tank. Water lies in the east."
    )
    assert kept(text, PLAN, RESULTS) == "The quay is 3.5 m wide. The roofs are red. Water lies in the east."
    assert list(sentences("One. Two is 3.5 m! Three?")) == ["One.", "Two is 3.5 m!", "Three?"]


def test_an_answer_does_not_contradict_itself() -> None:
    text = say(PLAN, RESULTS, scenes={"a": "Harbour"}, one_scene=True)
    assert contradicts(text, PLAN, RESULTS) is False


@settings(deadline=None)  # a first plural loads the tables of lemminflect
@given(st.lists(simple_parts(), min_size=1, max_size=3, unique_by=lambda pair: pair[0].things[0].name))
def test_no_sentence_of_the_evidence_contradicts_it(pairs: list) -> None:
    plan, results = planned(*pairs)
    text = say(plan, results, scenes={"a": "Harbour"}, one_scene=True)
    assert contradicts(text, plan, results) is False, text


def test_a_name_alone_is_no_description_beside_what_was_found() -> None:
    nothing = r.DescribeResult(outcome="found", text=None)
    found = nothing.model_copy(update={"things": (r.Listed(phrase="airplane", number=1, parts=("centre",)),)})
    assert "only names" in str(unsupported("An overpass.", [found]))
    assert not unsupported("An overpass.", [nothing])
    assert not unsupported("A harbour with grey quays.", [found])
    assert "no sentence" in str(unsupported("Open sea: none.", [nothing]))
