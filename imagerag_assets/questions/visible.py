"""What is too small to be seen: a car where a pixel covers ten metres, however sure a search is of it."""

from __future__ import annotations

from dataclasses import replace

from imagerag_assets.installation.platform import Platform
from imagerag_assets.plans.thesaurus import singular
from imagerag_assets.plans.wording import number
from imagerag_assets.questions.question import Question
from imagerag_assets.retrieval.object_sizes import size_of
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.types import Retrieval

LEAST_PX = 2.4
"""Pixels that the longest ones of a kind must have for any of it to be seen; two are the least to detect anything."""


def seen_at(phrase: str) -> float | None:
    """Return the metres a pixel up to which a thing can be seen; None: its size is not known."""
    size = size_of(phrase) or size_of(" ".join([*phrase.split()[:-1], singular(phrase.split()[-1])]))
    return None if size is None else size[1] / LEAST_PX


def without_too_small(platform: Platform, question: Question, analysis: Analysis, found: Retrieval) -> Retrieval:
    """Return what was found without cues of things that are too small for their scene.

    A thing that is too small for every scene in scope cannot be recognised, which a note says.

    Raises:
        StoreError: The store cannot be listed.
    """
    limits = {phrase: at for phrase in analysis.phrases if (at := _limit(phrase, analysis)) is not None}
    if not limits:
        return found
    metres = platform.ground_distances.of(question.scenes)
    known = [each for each in metres.values() if each is not None]
    finest = min(known) if known and len(known) == len(metres) else None
    hidden = {phrase for phrase, at in limits.items() if finest is not None and finest > at}
    kept = [cue for cue in found.cues if not _too_small(metres.get(cue.scene), limits.get(cue.phrase))]
    if len(kept) == len(found.cues) and not hidden:
        return found
    notes = tuple(
        f"{phrase!r} is too small to be seen at {number(finest)} m a pixel" for phrase in sorted(hidden) if finest
    )
    return replace(
        found,
        cues=tuple(replace(cue, rank=rank) for rank, cue in enumerate(kept, 1)),
        path=found.path if kept else "none",
        abstained=found.abstained or not kept,
        unrecognised=found.unrecognised | hidden,
        too_small={phrase: finest for phrase in hidden if finest},
        notes=(*found.notes, *notes),
    )


def _limit(phrase: str, analysis: Analysis) -> float | None:
    return None if phrase in analysis.shown else seen_at(phrase)  # of what a person showed the word says no size


def _too_small(metres: float | None, limit: float | None) -> bool:
    return metres is not None and limit is not None and metres > limit
