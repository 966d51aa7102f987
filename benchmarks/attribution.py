"""Say why an answer is wrong: the question was misunderstood, a thing was not found, or what was found was misread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.asked import Asked
from benchmarks.known_scenes import names_of
from imagerag_assets.evaluation.cases import COVERED, compare_windows
from imagerag_assets.evaluation.said import same_name

FAILED, MISUNDERSTOOD, NOT_FOUND = "failed", "misunderstood question", "not found"
ELSE, PRIOR, MISREAD = "found what is not there", "prior", "found but misread"
CAUSES = (MISUNDERSTOOD, NOT_FOUND, ELSE, PRIOR, MISREAD, FAILED)

_OPS: Mapping[str, frozenset[str]] = {
    "exists": frozenset({"exists", "count", "where", "which", "list", "compare"}),
    "count": frozenset({"count", "density", "compare"}),
    "where": frozenset({"where", "exists", "count", "nearest"}),
    "which": frozenset({"which", "exists", "list"}),
    "compare": frozenset({"compare", "count"}),
    "relative": frozenset({"relative"}),
    "attribute": frozenset({"attribute", "describe"}),
    # Kinds of multiple-choice questions.
    "position": frozenset({"where", "exists"}),
    "absent": frozenset({"where", "exists"}),
    "presence": frozenset({"which", "exists", "list"}),
    "eyes": frozenset({"attribute", "describe", "exists", "which", "count", "list", "where", "relative"}),
}
"""Operations that understand each kind of fact rightly."""


def cause_of(asked: Asked, line: Mapping[str, Any]) -> str:
    """Return why a wrong answer is wrong; the first cause on the way from the question to its answer counts.

    Args:
        asked: The question.
        line: What `rows.answers` kept of its record, in the row `everything`.
    """
    if line.get("error"):
        return FAILED
    if not _understood(asked, line.get("plan") or ()):
        return MISUNDERSTOOD
    if asked.region is not None:
        return MISREAD  # it was pointed out
    cues = [cue for cue in line.get("cues") or () if cue.get("verdict") != "rejected"]
    if not cues and line.get("answered_by") in ("model", "both"):
        return PRIOR
    found = [_shown(thing, asked, cues) for thing in asked.windows]
    if any(missed for missed, _ in found):
        return NOT_FOUND
    return ELSE if any(wrong for _, wrong in found) else MISREAD


def _understood(asked: Asked, plan: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the plan has every thing that is asked about, with an operation that answers what is asked."""
    if asked.truth is None:
        ops = _OPS.get(asked.kind, frozenset())
        named = () if asked.kind == "presence" or asked.region else tuple(asked.windows)
        return any(part["op"] in ops for part in plan) and all(_planned(thing, asked, plan) for thing in named)
    for fact in asked.truth.facts:
        ops = _OPS.get(fact.kind, frozenset())
        for thing in fact.things:
            if not any(part["op"] in ops and _planned(thing, asked, [part]) for part in plan):
                return False
    return True


def _planned(thing: str, asked: Asked, plan: Sequence[Mapping[str, Any]]) -> bool:
    return any(same_name(phrase, _names(thing, asked)) for part in plan for phrase in _phrases(part))


def _phrases(part: Mapping[str, Any]) -> Iterator[str]:
    things = [part.get("thing"), part.get("to"), *(part.get("among") or ())]
    for thing in things:
        if isinstance(thing, Mapping):
            yield from (str(text) for text in (thing.get("name"), thing.get("look_for")) if text)
        elif thing:
            yield str(thing)


def _names(thing: str, asked: Asked) -> tuple[str, ...]:
    own = asked.truth.names_of(thing) if asked.truth else ()
    return (*own, *names_of(thing))


def _shown(thing: str, asked: Asked, cues: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return how many true places no cue of a thing shows, and how many of its cues show none."""
    own = [cue["window"] for cue in cues if same_name(str(cue["phrase"]), _names(thing, asked))]
    windows = asked.windows[thing]
    if not windows or not own:
        return len(windows), len(own)
    _, covered = compare_windows(own, windows)
    return int((covered.max(axis=0) < COVERED).sum()), int((covered.max(axis=1) < COVERED).sum())
