"""What overhead imagery shows, in people's words: the list in `things.toml`, its names' keys and sentence vectors.

A list of the world and of no encoder; which of its words an encoder knows is measured (`recognition.py`).
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from imagerag_assets.plans.lexicon import singular

if TYPE_CHECKING:
    from pathlib import Path

    from imagerag_assets.encoders.sentence import SentenceEncoder
    from imagerag_assets.encoders.types import Vectors

_ARTICLES = frozenset(("a", "an", "the"))
_VECTORS = "things.safetensors"


@lru_cache(maxsize=1)
def things() -> Mapping[str, tuple[str, ...]]:
    """Return each thing with its other names."""
    text = resources.files("imagerag_assets").joinpath("retrieval", "things.toml").read_text(encoding="utf-8")
    return {thing: tuple(names) for thing, names in tomllib.loads(text).items()}


@lru_cache(maxsize=1)
def thing_of() -> Mapping[str, str]:
    """Return the thing that each name is a name of, in the list's order."""
    return {name: thing for thing, others in things().items() for name in (thing, *others)}


@lru_cache(maxsize=1)
def names_by_key() -> Mapping[str, str]:
    """Return the names by their :func:`key`; of names with one key the first."""
    found: dict[str, str] = {}
    for name in thing_of():
        found.setdefault(key(name), name)
    return found


@lru_cache(maxsize=4096)
def key(name: str) -> str:
    """Return what is the same for a name's singular and plural, with and without article or hyphen."""
    words = [singular(word) for word in name.lower().replace("-", " ").split()]
    return " ".join(word for word in words if word not in _ARTICLES)


@lru_cache(maxsize=2)
def name_vectors(sentences: SentenceEncoder) -> Vectors:
    """Return the sentence vectors of all names, in the order of :func:`thing_of`: float32, (n, 384).

    They are read from the package, because embedding a thousand names takes seconds on a busy machine.
    """
    from safetensors.numpy import load

    file = resources.files("imagerag_assets").joinpath("weights", "recognition", _VECTORS)
    stored = load(file.read_bytes()) if file.is_file() else {}
    if (vectors := stored.get(_digest())) is not None:
        return vectors.astype(np.float32)
    return sentences.encode(tuple(thing_of()))


def write_vectors(folder: Path, sentences: SentenceEncoder) -> None:
    """Write what :func:`name_vectors` reads: one float16 array, named by the digest of the list's names."""
    from safetensors.numpy import save_file

    vectors = sentences.encode(tuple(thing_of())).astype(np.float16)
    save_file({_digest(): vectors}, folder / _VECTORS)


@lru_cache(maxsize=1)
def _digest() -> str:
    return hashlib.sha256("\n".join(thing_of()).encode()).hexdigest()[:16]
