"""A kind that the search does not tell apart is never said to be found."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from imagerag_assets.plans import plan as p
from imagerag_assets.plans import result as r
from imagerag_assets.plans.kinds import told_apart, wider_thing
from imagerag_assets.plans.sentence import say
from imagerag_assets.plans.thesaurus import kind_of, look_up
from imagerag_assets.plans.things import thing_of
from imagerag_assets.plans.understand import understand
from tests.unit.plans.results import place

FIGHTER, CARGO, SHIP, OFF = (
    thing_of("fighter jet"),
    thing_of("cargo plane"),
    p.Thing(name="ship"),
    thing_of("oil tanker"),
)
AT = (place("upper left"), place("centre"))
FOUND = {"outcome": "found", "confidence": 0.9}
ONLY = "Only airplanes in general were looked for: whether any of them is a fighter jet is not known."


def said(part: p.Part, result: r.Result, *more: tuple[p.Part, r.Result]) -> str:
    pairs = [(part, result), *more]
    plan = p.Plan(parts=tuple(part for part, _ in pairs))
    return say(plan, [result for _, result in pairs], scenes={"a": "A"}, one_scene=True)


def test_every_kind_is_a_name_of_the_thesaurus_for_the_same_thing() -> None:
    text = resources.files("imagerag_assets.plans").joinpath("kinds.toml").read_text(encoding="utf-8")
    lists = tomllib.loads(text)
    wrong = [name for wide, names in lists.items() for name in names if look_up(name).look_for != wide]
    assert not wrong
    assert not [wide for wide in lists if kind_of(wide)]
    assert len([name for names in lists.values() for name in names]) > 300


@pytest.mark.parametrize(
    ("name", "wide"),
    [
        ("fighter jets", "airplane"),
        ("white fighter jet", "airplane"),
        ("Oil-tanker", "ship"),
        ("airliner", None),
        ("oil tank", None),
        ("yacht", None),
        ("wind turbine", None),
        ("my:fighter", None),
    ],
)
def test_kinds(name: str, wide: str | None) -> None:
    assert kind_of(name) == wide


def test_a_thing_that_is_looked_for_by_its_own_name_is_no_kind() -> None:
    assert wider_thing(FIGHTER) == "airplane"
    assert wider_thing(p.Thing(name="fighter jet")) is None


@pytest.mark.parametrize(
    ("part", "result", "expected"),
    [
        (
            p.Exists(thing=FIGHTER),
            r.ExistsResult(**FOUND, phrase="airplane", value=True, places=AT),
            f"2 airplanes were found: 1 in the upper left and 1 in the centre. {ONLY}",
        ),
        (
            p.Exists(thing=FIGHTER, negated=True),
            r.ExistsResult(**FOUND, phrase="airplane", value=True, places=AT[:1], negated=True),
            f"1 airplane was found, in the upper left. {ONLY}",
        ),
        (
            p.Exists(thing=FIGHTER),
            r.ExistsResult(outcome="not_found", phrase="airplane", value=None),
            "No fighter jet was found.",
        ),
        (
            p.Count(thing=FIGHTER, at_least=2),
            r.CountResult(**FOUND, phrase="airplane", value=2, low=2, high=2, places=AT, holds=True),
            f"Found 2 airplanes: 1 in the upper left and 1 in the centre. {ONLY}",
        ),
        (
            p.Where(thing=FIGHTER),
            r.WhereResult(**FOUND, phrase="airplane", places=AT[:1]),
            f"1 airplane was found, in the upper left. {ONLY}",
        ),
        (
            p.Which(among=(FIGHTER, SHIP, CARGO)),
            r.WhichResult(
                **FOUND, phrases=("airplane", "ship", "airplane"), values=("fighter jet", "ship", "cargo plane")
            ),
            "An airplane and a ship were found. Only airplanes in general were looked for: whether any of them is a"
            " fighter jet or a cargo plane is not known.",
        ),
        (
            p.Which(among=(FIGHTER, OFF)),
            r.WhichResult(
                **FOUND, phrases=("airplane", "ship"), values=("fighter jet",), missing={"ship": "not_found"}
            ),
            f"An airplane was found. No oil tanker was found. {ONLY}",
        ),
        (
            p.Compare(among=(FIGHTER, SHIP)),
            r.CompareResult(**FOUND, phrases=("airplane", "ship"), values=(3, 1), more="fighter jet"),
            f"More airplanes (3) than ships (1) were found. {ONLY}",
        ),
        (
            p.Compare(among=(FIGHTER, CARGO)),
            r.CompareResult(**FOUND, phrases=("airplane", "airplane"), values=(3, 3), more=None),
            "An airplane was found. Only airplanes in general were looked for: whether any of them is a fighter jet or"
            " a cargo plane is not known.",
        ),
        (
            p.Exists(thing=thing_of("wheat field")),
            r.ExistsResult(**FOUND, phrase="farmland", value=True, places=AT[:1]),
            "1 place with farmland was found, in the upper left. Only farmland in general was looked for: whether any of"
            " it is a wheat field is not known.",
        ),
    ],
)
def test_the_wider_thing_is_what_was_found(part: p.Part, result: r.Result, expected: str) -> None:
    assert said(part, result) == expected


def test_other_things_of_a_question_keep_their_sentences() -> None:
    told = said(
        p.Exists(thing=SHIP),
        r.ExistsResult(**FOUND, phrase="ship", value=True, places=AT[1:]),
        (p.Exists(thing=FIGHTER), r.ExistsResult(**FOUND, phrase="airplane", value=True, places=AT[:1])),
    )
    assert told == f"Yes: 1 ship was found, in the centre. 1 airplane was found, in the upper left. {ONLY}"


def test_a_kind_that_the_knowledge_base_has_is_looked_for_by_its_name() -> None:
    plan = understand("Are there fighter jets near the oil tankers, and how many cargo planes are there?", {})
    kept = told_apart(plan, ("Fighter jets", "harbor"))
    assert [thing.phrase for thing in kept.things] == ["fighter jet", "ship", "airplane"]
    notes = "; ".join(kept.notes)
    assert "'oil tanker' is looked for as 'ship'" in notes and "'cargo plane' is" in notes and "fighter" not in notes
    assert told_apart(kept.model_copy(update={"parts": ()}), ()).parts == ()
