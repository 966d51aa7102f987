"""How large single objects are on the ground: which things have a number of their own, and at what size to look."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources


def size_of(phrase: str) -> tuple[float, float] | None:
    """Return how long an object usually is in metres, shortest and longest; None: it is no object with a known size.

    Args:
        phrase: What is looked for; the longest end of it that is known counts, of "white storage tank" the tank.
    """
    words = phrase.lower().split()
    ends = (" ".join(words[start:]) for start in range(len(words)))
    return next((sizes for end in ends if (sizes := _sizes().get(end)) is not None), None)


@cache
def _sizes() -> dict[str, tuple[float, float]]:
    text = resources.files("imagerag_assets.retrieval").joinpath("object_sizes.toml").read_text(encoding="utf-8")
    return {phrase: (float(shortest), float(longest)) for phrase, (shortest, longest) in tomllib.loads(text).items()}
