"""A clause with its things and its region: what the rules of `operations.py` read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagerag_assets.plans import plan as p

_NO = re.compile(
    r"\b(?:no|not|none|never|nowhere|without|lack(?:s|ing)?|free of|devoid of|void of|absence of|absent|"
    r"missing|zero|nothing|neither|nobody|no one|"
    r"empty of|bare of|clear of|no such)\b|n't\b|\bcannot\b"
)

_WITHOUT = re.compile(r"\b(?:without|with no|with not an?|but no|free of|devoid of|lacking)\b")

YES_NO = re.compile(r"^(?:is|are|was|were|does|do|did|has|have|can|could|any|got|there|whether|if|i see)\b")
"""Begins a question that is answered by yes or no."""

Parts = list[p.Part]


def any_of(*patterns: str) -> re.Pattern[str]:
    """Return one pattern that fits where any of several does."""
    return re.compile("|".join(patterns))


@dataclass(frozen=True)
class Clause:
    """A clause, its things and its region."""

    text: str
    """In lower case, without its region."""
    things: tuple[p.Thing, ...]
    region: p.Region | None = None

    @property
    def negated(self) -> bool:
        """Whether it asks for what is not there."""
        return says_no(self.text)

    def denies(self, thing: p.Thing) -> bool:
        """Whether it asks that one of its things is not there: the trees of "are there fields without trees?"."""
        without = _WITHOUT.search(self.text)
        if without is None or says_no(self.text[: without.start()]):
            return self.negated
        return not 0 <= self.text.find(thing.name) < without.start()


def says_no(text: str) -> bool:
    """Return whether a text in lower case denies something."""
    return _NO.search(text) is not None
