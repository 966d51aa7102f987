"""Whether two names mean the same thing: by their words, and by the thesaurus of overhead imagery."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from imagerag_assets.plans import thesaurus
from imagerag_assets.plans.wording import singular

SameThing = Callable[[str, str], float]
"""How surely two names mean the same thing, 0 to 1."""
SAME = 0.6
"""From here on two names are the same thing."""


@functools.lru_cache(16384)
def same_thing(one: str, other: str) -> float:
    """Return how surely two names mean the same thing, 0 to 1: 1 for the same words, .9 for names of one entry."""
    by_words = same_lemma(one, other)
    if by_words == 1:
        return 1.0
    first, second = thesaurus.look_up(one), thesaurus.look_up(other)
    if first.known and second.known:
        # Two names that the thesaurus tells apart are two things, whatever words they share.
        return 0.9 if first.look_for == second.look_for else 0.0
    return by_words


def same_lemma(one: str, other: str) -> float:
    """Return 1 for the same name in singular or plural, .8 if one is the other with more said of it, else 0."""
    first, second = _words(one), _words(other)
    if not first or not second:
        return 0.0
    if first == second:
        return 1.0
    longer, shorter = sorted((first, second), key=len, reverse=True)
    return 0.8 if longer[-len(shorter) :] == shorter else 0.0


def _words(name: str) -> tuple[str, ...]:
    words = re.findall(r"\w+", name.lower())
    return (*words[:-1], singular(words[-1])) if words else ()
