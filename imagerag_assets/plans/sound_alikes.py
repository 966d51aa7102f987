"""Real words in place of others that sound alike, where the words around them make it plain: "plains on the runway"."""

from __future__ import annotations

import re

from imagerag_assets.plans import lexicon
from imagerag_assets.plans.thesaurus import look_up, singular

_ON_WATER = lexicon.words(
    "harbor harbour marina port moored moor docked dock anchored anchor berthed berth pier jetty quay wharf river lake "
    "sea water canal coast shore bay ship boat sail sailing afloat"
)
_AT_AIRPORTS = lexicon.words(
    "runway airport airfield taxiway apron hangar terminal tarmac helicopter parked gate landing land airstrip"
)
_MEANT: dict[str, tuple[str, frozenset[str]]] = {
    "plain": ("plane", _AT_AIRPORTS),
    "bout": ("boat", _ON_WATER),
    "peer": ("pier", _ON_WATER),
    "sheep": ("ship", _ON_WATER - {"river", "lake", "water", "coast", "shore", "sea", "bay"}),
    "beech": ("beach", lexicon.words("sea coast shore sand sandy bay ocean surf dune")),
    "damn": ("dam", lexicon.words("river reservoir lake water valley spillway")),
    "curt": ("court", lexicon.words("tennis basketball volleyball badminton squash")),
}
"""Word: the one that was meant, and words of which the question must have one."""
_BEFORE = lexicon.FUNCTION | lexicon.VERBS | lexicon.META | lexicon.NUMBERS | lexicon.COLOURS | lexicon.ADJECTIVES
_WORD = re.compile(r"[^\W\d_]+")


def as_meant(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a text with such words as they were meant, and a note for each; a "grassy plain" stays."""
    words = list(_WORD.finditer(text))
    around = {singular(word[0].lower()) for word in words} | {word[0].lower() for word in words}
    notes: dict[str, None] = {}
    for at, word in reversed(list(enumerate(words))):
        low = word[0].lower()
        meant, evidence = _MEANT.get(singular(low), ("", frozenset()))
        before = words[at - 1][0].lower() if at else ("some" if low.endswith("s") else "")
        after = text[word.end() :].split(maxsplit=1)[:1]
        if after and look_up(singular(after[0].strip("?.!,").lower())).known:
            continue  # "the damn bridge"
        if not evidence & (around - {low}) or before not in _BEFORE or low not in (singular(low), f"{singular(low)}s"):
            continue
        right = meant + low.removeprefix(singular(low))
        notes[f"{word[0]!r} is read as {right!r}"] = None
        text = f"{text[: word.start()]}{right}{text[word.end() :]}"
    return text, tuple(reversed(notes))
