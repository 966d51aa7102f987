"""Which background prompts apply to a phrase."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources

import pytest

from imagerag_assets.encoders.sentence import sentence_encoder
from imagerag_assets.retrieval.background import PROMPTS, applies
from imagerag_assets.retrieval.things import key


def left_out(phrase: str) -> set[str]:
    (mask,) = applies([phrase], sentence_encoder())
    return {prompt for prompt, kept in zip(PROMPTS, mask, strict=True) if not kept}


@pytest.mark.parametrize(
    ("phrase", "same", "other"),
    [
        ("tennis court", "tennis court", "park"),
        ("red ship", "ship", "open sea"),
        ("aircraft", "airplane", "airport runway"),
        ("freeway", "highway", "bridge"),
        ("boats", "harbor", "lake"),
        ("harbor full of boats", "harbor", "beach"),
        ("boats", "ship", "lake"),
        ("water", "lake", "beach"),
    ],
)
def test_the_thing_itself_is_no_background(phrase: str, same: str, other: str) -> None:
    gone = left_out(phrase)
    assert same in gone
    assert other not in gone


@pytest.mark.parametrize(
    ("phrase", "with_it", "other"),
    [
        ("overpass", "bridge", "road intersection"),  # a kind of it
        ("parking lots", "cars", "large building"),  # its parts
        ("storage tank", "industrial area", "quarry"),  # what it is a part of
        ("red warehouse", "large building", "parking lot"),
        ("tennis court", "sports field", "swimming pool"),
    ],
)
def test_what_may_be_said_of_the_same_patch_is_no_background(phrase: str, with_it: str, other: str) -> None:
    gone = left_out(phrase)
    assert with_it in gone
    assert other not in gone


def lists() -> Iterator[tuple[str, Mapping[str, Sequence[str]]]]:
    """Return the packaged lists of names as they are written: the names of each thing."""
    package = resources.files("imagerag_assets")
    thesaurus = tomllib.loads(package.joinpath("plans", "thesaurus.toml").read_text(encoding="utf-8"))
    entries = {thing: names for section in thesaurus.values() for thing, names in section.items()}
    yield "thesaurus", entries
    yield "things", tomllib.loads(package.joinpath("retrieval", "things.toml").read_text(encoding="utf-8"))
    glossary = json.loads(package.joinpath("knowledge", "glossary.json").read_text(encoding="utf-8"))
    thing_of = {key(name): thing for thing, names in entries.items() for name in (thing, *names)}
    labels = {label: words["also"] for label, words in glossary.items()}
    # A label's spelling may be a folder's ("intersection"): what else it is called is in the thesaurus.
    yield "glossary", {thing_of.get(key(label), label): (label, *names) for label, names in labels.items()}


@pytest.mark.parametrize(
    ("name", "every", "at_least"), [("thesaurus", 6, 200), ("things", 2, 120), ("glossary", 1, 140)]
)
def test_no_name_of_a_thing_has_the_thing_for_background(name: str, every: int, at_least: int) -> None:
    entries, said = dict(lists())[name], dict(lists())["thesaurus"]
    prompts = {key(prompt): prompt for prompt in PROMPTS}
    own: dict[str, set[str]] = {}
    for thing, names in entries.items():
        called = {key(each) for each in (thing, *names, *(said.get(thing, ()) if name == "glossary" else ()))}
        for each in (thing, *names):
            own.setdefault(each, set()).update(prompts[each] for each in called & prompts.keys())
    asked = [each for each, things in own.items() if things][::every]
    masks = applies(asked, sentence_encoder())
    wrong = {
        each: kept
        for each, mask in zip(asked, masks, strict=True)
        if (kept := {prompt for prompt, used in zip(PROMPTS, mask, strict=True) if used} & own[each])
    }
    assert len(asked) >= at_least
    assert not wrong
    assert masks.sum(axis=1).mean() > 40  # most of the others still count against it


def test_what_only_sounds_alike_is_background() -> None:
    assert left_out("freeway") == {"road", "highway"}
    assert "crop fields" not in left_out("solar farm")


def test_a_broad_head_noun_is_no_reason() -> None:
    assert "crop fields" not in left_out("baseball field")


def test_prompts_are_distinct_and_most_apply() -> None:
    assert len(set(PROMPTS)) == len(PROMPTS) >= 40
    assert applies(["helipad", "самолёт"], sentence_encoder()).sum(axis=1).min() > 35
    assert applies([], sentence_encoder()).shape == (0, len(PROMPTS))
