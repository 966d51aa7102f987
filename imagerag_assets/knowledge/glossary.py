"""The words of a label: its own name, other names for the same thing, and sentences that say what it is.

They come from `labels.json` beside a folder of chips, else from the packaged glossary of overhead imagery
(`glossary.json`, by the label's name).  Only words; `retrieval/slow.py` compares them with phrases.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from imagerag_assets.json_text import read_json

MAX_LABEL, MAX_TEXT = 200, 2000  # characters; far inside what the collections' fields hold
_MAX_TEXTS = 64  # of a label
_NO_LETTER = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Words:
    """What is said about one label; None: nothing, so that the words of the packaged glossary apply."""

    label: str | None = None
    also: tuple[str, ...] | None = None
    """Other names, e.g. "tank farm" of a storage tank."""
    means: tuple[str, ...] | None = None
    """Sentences that say what it is."""


def parse_glossary(data: bytes) -> dict[str, Words]:
    """Read ``{"NAME": "label", "NAME": {"label": ..., "also": [...], "means": [...]}}``, each part optional.

    Raises:
        ValueError: it has another form; the message names the entry.
    """
    value: Any = read_json(data)
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    return {name: _words(name, given) for name, given in value.items()}


def texts_of(name: str, own: Mapping[str, Words]) -> tuple[str, ...]:
    """Return a label and all texts about it, the label itself first; empty if the label cannot be used.

    The label is the one given in `own`, else the packaged glossary's spelling of `name` ("tenniscourt": "tennis
    court"), else `name` with underscores and slashes as blanks.  Names and sentences in `own` replace the packaged
    ones.

    Args:
        name: A folder's name, or a class.
        own: The user's words, by name.
    """
    given = own.get(name, Words())
    spelled, packaged = _packaged().get(_key(given.label or name), (None, Words()))
    label = tidy(given.label or spelled or name.replace("/", " ").replace("_", " "))
    if not 0 < len(label) <= MAX_LABEL:
        return ()
    replaced = given.also is not None or given.means is not None
    said = given if replaced else packaged
    texts = (text for text in map(tidy, (*(said.also or ()), *(said.means or ()))) if text)
    return tuple(dict.fromkeys((label, *(text[:MAX_TEXT] for text in texts))))[:_MAX_TEXTS]


def labels_of(name: str) -> tuple[str, ...]:
    """Return the labels of the packaged glossary that a name is one of, as their own name or as another one."""
    return _labels().get(_key(name), ())


def tidy(text: str) -> str:
    """Normalise to NFKC, turn control and format characters into blanks, and runs of blanks into one."""
    text = unicodedata.normalize("NFKC", text)
    return " ".join("".join(" " if unicodedata.category(c)[0] == "C" else c for c in text).split())


def _words(name: str, given: object) -> Words:
    if isinstance(given, str):
        return Words(given)
    if not isinstance(given, dict) or given.keys() - {"label", "also", "means"}:
        raise ValueError(f"{name!r} is neither a text nor an object with label, also and means")
    label = given.get("label")
    if label is not None and not isinstance(label, str):
        raise ValueError(f"the label of {name!r} is not a text")
    return Words(label, _listed(name, given.get("also")), _listed(name, given.get("means")))


def _listed(name: str, given: object) -> tuple[str, ...] | None:
    if given is None:
        return None
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"the texts of {name!r} are not a list of texts")
    return tuple(texts)


def _key(name: str) -> str:
    """Return a key that is equal for names that differ only in case, blanks or a plural."""
    return _NO_LETTER.sub("", name).casefold().removesuffix("s")


@lru_cache(maxsize=1)
def _packaged() -> dict[str, tuple[str, Words]]:
    """Return spelling and words of the packaged glossary by key."""
    file = resources.files("imagerag_assets.knowledge").joinpath("glossary.json")
    return {_key(name): (name, words) for name, words in parse_glossary(file.read_bytes()).items()}


@lru_cache(maxsize=1)
def _labels() -> dict[str, tuple[str, ...]]:
    """Return the packaged labels by the keys of their names."""
    found: dict[str, tuple[str, ...]] = {}
    for label, words in _packaged().values():
        for name in (label, *(words.also or ())):
            found[_key(name)] = (*found.get(_key(name), ()), label)
    return found
