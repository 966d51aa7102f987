"""Colours in words: the basic ones that people tell apart, and which of them a text names."""

from __future__ import annotations

import re
from collections.abc import Mapping

BASIC = (
    "white", "black", "grey", "red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "brown",
    "beige",
)  # fmt: skip
_OTHERS = {
    "white": "ivory snow chalk",
    "black": "charcoal jet",
    "grey": "gray silver slate",
    "red": "crimson scarlet maroon brick rust",
    "orange": "amber apricot",
    "yellow": "gold golden lemon",
    "green": "olive emerald lime",
    "turquoise": "teal aqua cyan aquamarine",
    "blue": "navy azure indigo",
    "purple": "violet lilac mauve",
    "pink": "magenta rose",
    "brown": "chocolate umber chestnut",
    "beige": "tan cream sand sandy khaki ochre",
}
_NAMED: Mapping[str, str] = {name: name for name in BASIC} | {
    word: name for name, words in _OTHERS.items() for word in words.split()
}


def colours_in(text: str) -> tuple[str, ...]:
    """Return the basic colours that a text names, each once, in its order: "reddish", "light grey", "navy"."""
    found: dict[str, None] = {}
    for word in re.findall(r"[a-z]+", text.lower()):
        stem = word.removesuffix("ish")
        forms = (word,) if stem == word else (stem, f"{stem}e", stem[:-1])  # greenish, whitish, reddish
        name = next((_NAMED[form] for form in forms if form in _NAMED), None)
        if name is not None:
            found[name] = None
    return tuple(found)


def in_words(shares: Mapping[str, float]) -> str:
    """Return the main colours: "mostly green", or "green and grey" where none has half as much again as the next.

    Args:
        shares: Of the basic colours, at least one.
    """
    first, *rest = sorted(shares, key=lambda name: -shares[name])
    if not rest or shares[first] >= 1.5 * shares[rest[0]]:
        return first if shares[first] >= 0.8 else f"mostly {first}"
    return f"{first} and {rest[0]}"
