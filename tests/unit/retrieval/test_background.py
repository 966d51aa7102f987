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
        ("tennis court", "tennis court", "sports field"),
        ("red ship", "ship", "open sea"),
        ("aircraft", "airplane", "airport runway"),
        ("freeway", "highway", "bridge"),
        ("boats", "harbor", "lake"),
        ("harbor full of boats", "harbor", "beach"),
    ],
)
def test_the_thing_itself_is_no_background(phrase: str, same: str, other: str) -> None:
    gone = left_out(phrase)
    assert same in gone
    assert other not in gone


def test_a_broad_head_noun_is_no_reason() -> None:
    assert "crop fields" not in left_out("baseball field")


def test_prompts_are_distinct_and_most_apply() -> None:
    assert len(set(PROMPTS)) == len(PROMPTS) >= 40
    assert applies(["helipad", "самолёт"], sentence_encoder()).sum(axis=1).min() > 35
    assert applies([], sentence_encoder()).shape == (0, len(PROMPTS))
