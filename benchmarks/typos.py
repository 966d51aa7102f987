"""Misspell questions as people do: neighbours swapped, letters left out, doubled, or hit on the next key."""

from __future__ import annotations

import random
import re

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEXT = {
    letter: [row[at] for at in (index - 1, index + 1) if 0 <= at < len(row)]
    for row in _KEYS
    for index, letter in enumerate(row)
}
_LEAST = 5
"""Letters of a word that may be misspelt; shorter ones could become other words."""


def with_typos(text: str, rng: random.Random, number: int = 2) -> str:
    """Return a text in which up to `number` of its long words are misspelt, the last ones first.

    Questions mostly name their thing late, so that it is hit.
    """
    words = [match for match in re.finditer(r"[A-Za-z]+", text) if len(match[0]) >= _LEAST]
    for match in words[-number:][::-1]:
        text = text[: match.start()] + misspelt(match[0], rng) + text[match.end() :]
    return text


def misspelt(word: str, rng: random.Random) -> str:
    """Return a word with one slip after its first letter."""
    for _ in range(20):
        at = rng.randrange(1, len(word) - 1)
        made = rng.choice((_swap, _drop, _double, _slip))(word, at, rng)
        if made != word:
            return made
    return word


def _swap(word: str, at: int, _: random.Random) -> str:
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _drop(word: str, at: int, _: random.Random) -> str:
    return word[:at] + word[at + 1 :]


def _double(word: str, at: int, _: random.Random) -> str:
    return word[:at] + word[at] + word[at:]


def _slip(word: str, at: int, rng: random.Random) -> str:
    near = _NEXT.get(word[at].lower(), [])
    return word[:at] + rng.choice(near) + word[at + 1 :] if near else word
