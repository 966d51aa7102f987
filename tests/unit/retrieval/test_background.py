"""Which background prompts apply to a phrase."""

from __future__ import annotations

import pytest

from imagerag_assets.encoders.sentence import sentence_encoder
from imagerag_assets.retrieval.background import PROMPTS, applies


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


def test_what_only_sounds_alike_is_background() -> None:
    assert left_out("freeway") == {"road", "highway"}
    assert "crop fields" not in left_out("solar farm")


def test_a_broad_head_noun_is_no_reason() -> None:
    assert "crop fields" not in left_out("baseball field")


def test_prompts_are_distinct_and_most_apply() -> None:
    assert len(set(PROMPTS)) == len(PROMPTS) >= 40
    assert applies(["helipad", "самолёт"], sentence_encoder()).sum(axis=1).min() > 35
    assert applies([], sentence_encoder()).shape == (0, len(PROMPTS))
