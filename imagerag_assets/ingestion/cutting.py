"""Cut patches out of a super-tile: their shares of valid pixels, their pictures, and the vectors of those.

Reading and what becomes of the vectors belong to `embedding`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.encoders.types import Encoder, Vectors
from imagerag_assets.patches.supertiles import SuperTile

# Patches of one size copied out of a super-tile at once: about a batch, so that it stays in the processor's cache.
_STACK_BYTES = 12 * 2**20


def valid_fractions(valid: NDArray[np.bool_], tile: SuperTile, scene_px: tuple[int, int]) -> NDArray[np.float64]:
    """Measure the share of each patch that holds data; padding outside the scene does not count.

    Args:
        valid: bool, of the super-tile's `shape_px`.
        tile: The super-tile.
        scene_px: Native (width, height).

    Returns:
        float64 (patches of the tile,), 0-1.
    """
    height, width = valid.shape
    cuts = np.array([(rows.start, rows.stop, cols.start, cols.stop) for rows, cols in tile.cuts], np.int64).reshape(
        -1, 4
    )
    far_row, far_col = _far_edge(tile, scene_px)
    top, bottom = cuts[:, 0], np.minimum(cuts[:, 1], far_row)
    left, right = cuts[:, 2], np.minimum(cuts[:, 3], far_col)
    area = np.maximum(bottom - top, 0) * np.maximum(right - left, 0)
    if valid[:far_row, :far_col].all():
        full: NDArray[np.float64] = (area > 0).astype(np.float64)
        return full
    bottom, right = np.maximum(bottom, top), np.maximum(right, left)
    sums = np.zeros((height + 1, width + 1), np.int32)
    np.cumsum(valid, axis=0, dtype=np.int32, out=sums[1:, 1:])
    np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
    counts = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    shares: NDArray[np.float64] = np.divide(counts, area, out=np.zeros(len(area)), where=area > 0)
    return shares


def _far_edge(tile: SuperTile, scene_px: tuple[int, int]) -> tuple[int, int]:
    """Return the row and column of a super-tile at which its scene ends, in pixels of its level."""
    height, width = tile.shape_px
    far_row = min(height, -(-(scene_px[1] - tile.window[1]) >> tile.level))
    return far_row, min(width, -(-(scene_px[0] - tile.window[0]) >> tile.level))


def encode_patches(
    picture: NDArray[np.uint8], tile: SuperTile, kept: NDArray[np.intp], encoder: Encoder, scene_px: tuple[int, int]
) -> Vectors:
    """Embed some patches of a super-tile, those of one size together.

    Of a patch that reaches beyond its scene only what lies inside is shown, enlarged as any picture is: what lies
    outside would be black, and looks like water.

    Args:
        picture: uint8 (h, w, 3), the super-tile.
        tile: Its geometry.
        kept: Positions in `tile.patches`.
        encoder: The encoder.
        scene_px: Native (width, height).

    Returns:
        float32 (len(kept), dim), in the order of `kept`.

    Raises:
        EncoderError: a vector is not usable.
    """
    vectors = np.empty((len(kept), encoder.dim), np.float32)
    for rows, images in batches_of(picture, tile, kept, scene_px):
        vectors[rows] = encoder.encode_images(images)
    return vectors


def batches_of(
    picture: NDArray[np.uint8], tile: SuperTile, kept: NDArray[np.intp], scene_px: tuple[int, int]
) -> Iterator[tuple[list[int], NDArray[np.uint8]]]:
    """Cut some patches out of a super-tile; yield those of one size together, as many as are held in memory at once.

    Args:
        picture: uint8 (h, w, 3), the super-tile.
        tile: Its geometry.
        kept: Positions in `tile.patches`.
        scene_px: Native (width, height).

    Yields:
        Positions in `kept`, and their pictures: uint8 (n, h, w, 3), which are overwritten when the next ones are cut.
        Memory that is used again takes a tenth of the time of new memory.
    """
    by_size: dict[tuple[int, int], list[int]] = {}
    inside = picture[tuple(slice(end) for end in _far_edge(tile, scene_px))]
    places = tile.cuts
    cuts = [inside[places[position]] for position in kept]
    for row, cut in enumerate(cuts):
        by_size.setdefault(cut.shape[:2], []).append(row)
    for (height, width), rows in by_size.items():
        at_once = max(1, min(len(rows), _STACK_BYTES // (height * width * 3)))
        images = np.empty((at_once, height, width, 3), np.uint8)
        for start in range(0, len(rows), at_once):
            some = rows[start : start + at_once]
            for image, row in zip(images, some, strict=False):
                image[:] = cuts[row]
            yield some, images[: len(some)]
