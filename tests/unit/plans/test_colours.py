"""Which colours a text names, and how shares of colours are said."""

from __future__ import annotations

import pytest

from imagerag_assets.plans import lexicon
from imagerag_assets.plans import plan as p
from imagerag_assets.plans import result as r
from imagerag_assets.plans.choices import match
from imagerag_assets.plans.colours import BASIC, colours_in, in_words


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("red", ("red",)),
        ("a reddish brown", ("red", "brown")),
        ("Light Gray", ("grey",)),
        ("bluish-green", ("blue", "green")),
        ("navy", ("blue",)),
        ("whitish", ("white",)),
        ("golden sand", ("yellow", "beige")),
        ("a ship", ()),
        ("redevelopment", ()),
    ],
)
def test_the_colours_that_a_text_names(text: str, named: tuple[str, ...]) -> None:
    assert colours_in(text) == named


@pytest.mark.parametrize("name", BASIC)
def test_every_basic_colour_is_its_own_name(name: str) -> None:
    assert colours_in(name) == (name,)


@pytest.mark.parametrize("word", sorted(lexicon.COLOURS - {"dark", "light", "bright", "pale"}))
def test_every_colour_that_questions_are_read_with_is_a_basic_one(word: str) -> None:
    assert colours_in(word)


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"green": 0.9, "grey": 0.1}, "green"),
        ({"green": 0.6, "grey": 0.3, "white": 0.1}, "mostly green"),
        ({"grey": 0.45, "green": 0.5}, "green and grey"),
        ({"white": 1.0}, "white"),
    ],
)
def test_the_main_colours_are_said(shares: dict[str, float], said: str) -> None:
    assert in_words(shares) == said


@pytest.mark.parametrize("texts", [("white", "teal", "brown"), ("It is whitish", "bluish green or turquoise", "BROWN")])
def test_a_choice_of_colours_fits_as_far_as_they_are_there(texts: tuple[str, ...]) -> None:
    plan = p.Plan(parts=(p.Attribute(thing=p.Thing(name="quarry"), name="colour"),))
    colours = {"turquoise": 0.5, "green": 0.2, "white": 0.1}
    found = r.AttributeResult(
        outcome="found", phrase="quarry", name="colour", value="mostly turquoise", colours=colours
    )
    scores = match(dict(zip("ABC", texts, strict=True)), plan, [found]).scores
    assert scores is not None
    assert max(scores, key=lambda letter: scores[letter]) == "B"
