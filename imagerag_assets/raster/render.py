"""Turn source values into the uint8 picture that an encoder sees: compute display limits and apply them.

Arrays in, arrays out; `raster.reader` reads, and `raster.modalities` makes bands of other kinds of imagery.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.errors import EmptyRasterError
from imagerag_assets.raster.modalities import modality_named, modality_of
from imagerag_assets.raster.modality import Facts
from imagerag_assets.raster.types import IDENTITY, Limits, RenderSpec

Values = NDArray[Any]
_ROWS = 16


def fit_render(
    sample: tuple[Values, NDArray[np.bool_]],
    native: Callable[[], tuple[Values, NDArray[np.bool_]]],
    facts: Facts,
    *,
    percentiles: tuple[float, float],
    missing: Sequence[float | None] = (),
) -> RenderSpec:
    """Compute the render of a scene: the kind of imagery that it is, if one applies, and the display limits.

    Args:
        sample: Source values (bands, h, w) and validity (h, w) of a small overview of it.
        native: Gives the same of its centre at the native resolution; called only if a kind applies.
        facts: What is known of it beside.
        percentiles: See :func:`compute_render`.
        missing: See :func:`compute_render`; used where no kind applies.

    Raises:
        EmptyRasterError: no pixel is valid.
    """
    values, valid = sample
    kind = modality_of(facts) if valid.any() else None
    if kind is None:
        return compute_render(
            values,
            valid,
            facts.order,
            source_dtype=facts.dtype,
            modality=facts.modality,
            percentiles=percentiles,
            missing=missing,
        )
    parameters, words = kind.fit(values, valid, *native(), facts)
    shown = kind.show(values, valid, parameters, native=False)
    modality = kind.name if facts.modality == "other" else facts.modality
    render = compute_render(
        shown, valid, _grey_or_colours(shown), source_dtype="shown", modality=modality, percentiles=percentiles
    )
    note = render.note.replace("values", words, 1)
    return replace(render, source_dtype=facts.dtype, note=note, by=kind.name, parameters=parameters)


def picture_of(
    values: Values, valid: NDArray[np.bool_], order: Sequence[int], render: RenderSpec, *, native: bool
) -> NDArray[np.uint8]:
    """Return the picture of a window, uint8 (h, w, 3); `native`: it is read at the native resolution.

    Raises:
        RasterError: the render is of a kind of imagery that this version does not have.
    """
    if render.by:
        values = modality_named(render.by).show(values, valid, render.parameters, native=native)
        order = _grey_or_colours(values)
    return apply_render(values, valid, order, render)


def margin_of(render: RenderSpec) -> int:
    """Return how many pixels around a native window its picture depends on."""
    return modality_named(render.by).margin_px if render.by else 0


def _grey_or_colours(shown: Values) -> tuple[int, int, int]:
    return (0, 0, 0) if len(shown) == 1 else (0, 1, 2)


def compute_render(
    values: Values,
    valid: NDArray[np.bool_],
    order: Sequence[int],
    *,
    source_dtype: str,
    modality: str,
    percentiles: tuple[float, float],
    missing: Sequence[float | None] = (),
) -> RenderSpec:
    """Compute the display limits of a whole scene from a small overview of it.

    Bytes are shown as they are. Everything else is stretched between two percentiles of each band, for the whole scene,
    so that neighbouring patches look alike. A constant band becomes mid-grey.

    Args:
        values: (bands, h, w) of source values.
        valid: (h, w), False where a pixel holds no data.
        order: Which of `values` is red, green and blue.
        source_dtype: Data type of the file, or ``mixed``.
        modality: Of the imagery.
        percentiles: Low and high, 0-100.
        missing: The value of missing pixels of each band, which counts for no limit where another band has a pixel.

    Raises:
        EmptyRasterError: no pixel is valid.
    """
    if not valid.any():
        raise EmptyRasterError("no valid pixels", fix="Check the file's nodata value and mask")
    if source_dtype == "uint8":
        return RenderSpec(IDENTITY, source_dtype, modality, "bytes as they are")
    found: dict[int, tuple[float, float]] = {}
    for band in dict.fromkeys(order):
        shown = values[band][valid].astype(np.float64)
        if missing and missing[band] is not None and (real := shown != missing[band]).any():
            shown = shown[real]
        low, high = np.percentile(shown, percentiles).tolist()
        if not high > low:
            margin = max(0.5, abs(low) * 1e-6)
            low, high = low - margin, high + margin
        found[band] = (low, high)
    red, green, blue = order
    limits: Limits = (found[red], found[green], found[blue])
    return RenderSpec(
        limits,
        source_dtype,
        modality,
        f"values from percentile {percentiles[0]:g} to {percentiles[1]:g}",
        percentiles,
    )


def apply_render(
    values: Values, valid: NDArray[np.bool_], order: Sequence[int], render: RenderSpec
) -> NDArray[np.uint8]:
    """Return the picture: uint8 (h, w, 3), 0 where not valid.

    Args:
        values: (bands, h, w) of source values, as for :func:`compute_render`.
        valid: (h, w).
        order: Which of `values` is red, green and blue.
        render: The scene's render.
    """
    picture = np.empty((*valid.shape, 3), np.uint8)
    if render.identity:
        # Some rows of all bands at a time stay in the processor's cache.
        for top in range(0, len(picture), _ROWS):
            rows = slice(top, top + _ROWS)
            for channel, band in enumerate(order):
                picture[rows, :, channel] = values[band, rows]
        return _without_invalid(picture, valid)
    done: dict[tuple[int, tuple[float, float]], int] = {}
    for channel, (band, limits) in enumerate(zip(order, render.limits, strict=True)):
        if (band, limits) in done:
            picture[..., channel] = picture[..., done[band, limits]]
            continue
        done[band, limits] = channel
        picture[..., channel] = _stretched(values[band], *limits)
    return _without_invalid(picture, valid)


def _without_invalid(picture: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    if not valid.all():
        picture[~valid] = 0
    return picture


def _stretched(values: Values, low: float, high: float) -> NDArray[np.uint8]:
    if values.dtype in (np.uint8, np.uint16):
        every = np.arange(np.iinfo(values.dtype).max + 1, dtype=np.float64)
        return _scaled(every, low, high)[values]
    return _scaled(values.astype(np.float32 if values.dtype.itemsize <= 4 else np.float64), low, high)


def _scaled(values: Values, low: float, high: float) -> NDArray[np.uint8]:
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not valid may be anything
        scaled = (values - values.dtype.type(low)) * values.dtype.type(255.0 / (high - low))
    scaled = np.nan_to_num(scaled, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    picture: NDArray[np.uint8] = np.clip(scaled + values.dtype.type(0.5), 0, 255).astype(np.uint8)
    return picture
