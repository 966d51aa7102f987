"""Other names of things lead to the phrase that is looked for."""

from __future__ import annotations

import tomllib
from collections import Counter
from importlib.resources import files

import pytest

from imagerag_assets.plans.thesaurus import look_up, singular, things
from imagerag_assets.plans.things import thing_of, things_of


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("big round tank", "storage tank"), ("oil tanks", "storage tank"), ("jet", "airplane"),
        ("aircraft", "airplane"), ("vessel", "ship"),
        ("car park", "parking lot"), ("ballpark", "baseball diamond"), ("fairway", "golf course"),
        ("trailer park", "mobile home park"), ("crossroads", "intersection"), ("motorway", "freeway"),
        ("lorries", "truck"), ("jetties", "pier"), ("harbour", "harbor"), ("traffic circles", "roundabout"),
        ("woodland", "forest"), ("photovoltaic panels", "solar panel"), ("red lorry", "red truck"),
    ],
)  # fmt: skip
def test_other_names(name: str, phrase: str) -> None:
    found = look_up(name)
    assert (found.look_for, found.known) == (phrase, True)


def test_an_unknown_name_is_looked_for_as_it_is() -> None:
    found = look_up("llamas")
    assert (found.look_for, found.known) == ("llama", False)


def test_a_thing_keeps_the_word_of_the_question() -> None:
    thing = thing_of("the big round tanks")
    assert (thing.name, thing.phrase) == ("big round tank", "storage tank")


def test_a_plural_ends_a_name() -> None:
    assert [thing.phrase for thing in things_of("ships harbour")] == ["ship", "harbor"]
    assert [thing.phrase for thing in things_of("sports fields")] != ["sport", "field"]


def test_names_that_hold_words_of_questions_stay_whole() -> None:
    assert [thing.name for thing in things_of("the parking lot and the ground track field")] == [
        "parking lot", "ground track field",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("plural", "one"),
    [("wharves", "wharf"), ("tennis", "tennis"), ("aircraft", "aircraft"), ("churches", "church"), ("quays", "quay")],
)
def test_singulars(plural: str, one: str) -> None:
    assert singular(plural) == one


def test_each_name_stands_for_one_thing() -> None:
    document = tomllib.loads(files("imagerag_assets.plans").joinpath("thesaurus.toml").read_text("utf-8"))
    entries = [entry for group in document.values() for entry in group.items()]
    names = Counter(name for phrase, others in entries for name in (phrase, *others))
    assert [name for name, times in names.items() if times > 1] == []
    assert all(name == name.lower().strip() for name in names)


def test_what_is_looked_for_has_no_other_name_itself() -> None:
    assert [phrase for phrase in things() if look_up(phrase).look_for != phrase] == []
