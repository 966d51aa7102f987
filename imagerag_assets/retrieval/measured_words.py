"""The words that an encoder was measured with: how well it tells each from others, as packaged with the encoder.

`demo/models/measure_words.py` makes the tables.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from pydantic import TypeAdapter

from imagerag_assets.retrieval.things import key, names_by_key

GOOD_AUC = 0.85
"""Least AUC of a word that the encoder tells from others: the demo encoder has .91 for "ballpark" and .89 for "trailer
park", .84 for "bunker" (on a golf course), .71 for "depot", .40 for "cottage"."""


@dataclass(frozen=True)
class Word:
    """A measured word."""

    thing: str
    """The thing of `things.toml` that it is a name of."""
    auc: float
    chips: int
    """Pictures that show it."""
    drawn: bool
    """Whether these were drawings."""
    offset: float = 0.0
    """What is added to its similarity to pictures, as words differ in how alike their own pictures are to them."""

    @property
    def good(self) -> bool:
        """Whether the encoder tells it from others."""
        return self.auc >= GOOD_AUC


@dataclass(frozen=True)
class Measured:
    """The measured words of an encoder."""

    fingerprint: str
    data: str
    words: dict[str, Word]


_TABLE = TypeAdapter(Measured)


def offset_of(fingerprint: str, text: str) -> float:
    """Return the offset of a word's similarity to pictures; 0 for what was not measured."""
    table = measured_words(fingerprint)
    if table is None:
        return 0.0
    word = table.words.get(names_by_key().get(key(text), ""))
    return 0.0 if word is None else word.offset


@lru_cache(maxsize=16)
def measured_words(fingerprint: str) -> Measured | None:
    """Return the packaged table of an encoder; None if it has none."""
    folder = resources.files("imagerag_assets").joinpath("weights", "recognition")
    if not folder.is_dir():
        return None
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".json"):
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["fingerprint"] == fingerprint:
                return _TABLE.validate_python(content)
    return None
