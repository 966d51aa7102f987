"""Vectors of pictures that this process encoded a moment ago.

Looks around neighbouring candidates, the second fine look, other phrases and the next question cut many crops again
that were encoded before: half of those of a dozen questions about one scene.  A vector is found by its picture's
pixels, so it is that of this picture, wherever it was cut.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.encoders.types import CellEncoder, Encoder

_MOST_BYTES = 64 << 20
"""Kept of an encoder at most of either kind: 40,000 vectors of pictures, and a hundred tiles of cells."""

Encode = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Pictures of one size, (n, h, w, 3), to one array of numbers for each, (n, ...)."""


class _Kept:
    """What an encoder made of pictures, the latest used last."""

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: bytes) -> NDArray[np.float32] | None:
        with self._lock:
            found = self._found.get(key)
            if found is not None:
                self._found.move_to_end(key)
            return found

    def put(self, key: bytes, vectors: NDArray[np.float32]) -> None:
        with self._lock:
            if key in self._found:
                return
            self._found[key] = vectors
            self._bytes += vectors.nbytes
            while self._bytes > _MOST_BYTES:
                self._bytes -= self._found.popitem(last=False)[1].nbytes


_kept: dict[int, tuple[_Kept, _Kept]] = {}
"""Of pictures, and of cells; by the encoder's id, as an encoder need not be hashable.  They go with their encoder."""
_making = Lock()


def vectors_of(encoder: Encoder, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Embed pictures, those of one size together: float32 (n, dim), in the order given.

    Raises:
        EncoderError: a picture cannot be embedded.
    """
    seen = np.zeros((len(pictures), encoder.dim), dtype=np.float32)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for number, picture in enumerate(pictures):
        shapes.setdefault(picture.shape, []).append(number)
    for numbers in shapes.values():
        those = [pictures[number] for number in numbers]
        seen[numbers] = _once(_kept_of(encoder)[0], "pictures", those, encoder.encode_images)
    return seen


def cells_of(encoder: CellEncoder, picture: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Return the cells of one picture, float32 (rows, columns, dim), as `encoder.encode_cells` gives them.

    Raises:
        EncoderError: the picture cannot be embedded.
    """
    kept = _kept_of(encoder)[1]
    return _once(kept, f"cells {side}", [picture], lambda pictures: encoder.encode_cells(pictures, side=side))[0]


def _once(kept: _Kept, what: str, pictures: Sequence[NDArray[np.uint8]], encode: Encode) -> list[NDArray[np.float32]]:
    """Return what `encode` gives for each picture; each one is encoded once."""
    keys = [_key(what, picture) for picture in pictures]
    found = {key: vectors for key in dict.fromkeys(keys) if (vectors := kept.get(key)) is not None}
    missing = {key: picture for key, picture in zip(keys, pictures, strict=True) if key not in found}
    if missing:
        for key, vectors in zip(missing, encode(np.stack(list(missing.values()))), strict=True):
            found[key] = vectors.copy()  # not a view: it would keep the whole batch
            found[key].flags.writeable = False
            kept.put(key, found[key])
    return [found[key] for key in keys]


def _kept_of(encoder: Encoder | CellEncoder) -> tuple[_Kept, _Kept]:
    with _making:
        if id(encoder) not in _kept:
            _kept[id(encoder)] = _Kept(), _Kept()
            finalize(encoder, _kept.pop, id(encoder), None).atexit = False
        return _kept[id(encoder)]


def _key(what: str, picture: NDArray[np.uint8]) -> bytes:
    digest = hashlib.sha256(f"{what} {picture.shape}".encode())
    digest.update(np.ascontiguousarray(picture).data)
    return digest.digest()
