"""The example of a question by example: a picture file, or a patch of a scene that was ingested.

What is like it is found by `retrieval.like`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from imagerag_assets.errors import QuestionError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.local_files import open_file

_LONGEST_PX = 2048  # far more than an encoder sees


@dataclass(frozen=True)
class Example:
    """What patches are to look like."""

    embedding: NDArray[np.float32]
    """float32 (dim,), of length 1."""
    label: str
    """For a person, e.g. ``like pier.jpg``."""
    digest: str
    """sha256 of the embedding: whether a later question by the same name had the same example."""
    patch_id: str | None = None
    """The patch, if it is one."""


def load_example(platform: Platform, like: str, collection: str) -> Example:
    """Load the example called `like`: a patch id of the collection, else a picture file.

    Raises:
        QuestionError: There is no such patch, or the file is no picture that can be read.
        StoreError: Milvus fails.
    """
    if like.count(":") == 4:
        rows = platform.vectors.get_rows(collection, [like], embedding=True)
        if not rows:
            raise QuestionError("There is no such patch", fix="Take the patch_id of a cue", patch=like[:200])
        return _example(rows[0]["embedding"], f"like patch {like}", like)
    return _example(platform.encoder.encode_images(_read(like)[None])[0], f"like {Path(like).name}", None)


def example_file(like: str) -> Path:
    """Return the picture file called `like`, after checking that it can be read.

    Raises:
        QuestionError: There is no such file, or it is no picture that can be read.
    """
    _read(like)
    return Path(like)


def _read(like: str) -> NDArray[np.uint8]:
    """Return a picture as uint8 (h, w, 3)."""
    try:
        with open_file(like) as file, Image.open(file) as opened:
            opened.thumbnail((_LONGEST_PX, _LONGEST_PX))
            return np.asarray(opened.convert("RGB"))
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"{type(error).__name__}: {error}"
        raise QuestionError(
            f"The example cannot be read ({reason})", fix="Give a JPEG, PNG or TIFF picture, or a patch_id", file=like
        ) from None


def _example(embedding: NDArray[np.float32], label: str, patch_id: str | None) -> Example:
    vector = np.ascontiguousarray(embedding, dtype=np.float32)
    return Example(vector, label, hashlib.sha256(vector.tobytes()).hexdigest(), patch_id)
