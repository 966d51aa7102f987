"""Vectors of long lists of texts, kept on disk: the fixed prompts of retrieval take seconds to embed in each process.

A list's file is named by what its vectors depend on.  A file that is missing, damaged or cannot be written costs time
only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from imagerag_assets.encoders.types import Vectors
from imagerag_assets.errors import StoreError
from imagerag_assets.objects.aside import written_aside

LEAST = 24
"""Texts of a list that is kept; no question looks for so many phrases."""


def kept(folder: Path, texts: Sequence[str], dim: int, by: str, embed: Callable[[], Vectors]) -> Vectors:
    """Return the vectors of a list of texts, embedded only if they are not in the folder.

    Args:
        folder: Is made if it does not exist.
        texts: The list, in order.
        dim: Length of a vector.
        by: What the vectors depend on beside the texts: encoder and arithmetic.
        embed: Embeds the texts, (n, dim).

    Raises:
        EncoderError: a text cannot be embedded.
    """
    if len(texts) < LEAST:
        return embed()
    name = hashlib.sha256("\0".join((by, *texts)).encode()).hexdigest()
    file = folder / f"{name}.npy"
    with suppress(OSError, ValueError, EOFError):
        found: Vectors = np.load(file, allow_pickle=False)
        if found.shape == (len(texts), dim) and found.dtype == np.float32 and np.isfinite(found).all():
            return found
    vectors = embed()
    with suppress(OSError, StoreError):
        folder.mkdir(parents=True, exist_ok=True)
        with written_aside(file) as aside, aside.open("wb") as out:
            np.save(out, vectors, allow_pickle=False)
    return vectors
