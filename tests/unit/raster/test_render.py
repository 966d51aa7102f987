"""Display limits and their application on arrays."""

from __future__ import annotations

import numpy as np
import pytest

from imagerag_assets.errors import RasterError
from imagerag_assets.raster.render import apply_render, compute_render
from imagerag_assets.raster.types import RenderSpec

ALL = np.ones((100, 100), bool)


def render_of(values: np.ndarray, valid: np.ndarray = ALL, order: tuple[int, int, int] = (0, 0, 0)) -> RenderSpec:
    return compute_render(
        values, valid, order, source_dtype=str(values.dtype), modality="optical", percentiles=(2.0, 98.0)
    )


def test_limits_are_the_percentiles_of_valid_pixels_per_band() -> None:
    ramp = np.arange(10_000, dtype=np.uint16).reshape(1, 100, 100)
    values = np.concatenate([ramp, ramp * 2])
    valid = ALL.copy()
    valid[50:] = False
    render = render_of(values, valid, (1, 0, 1))
    assert render.limits[1] == pytest.approx(np.percentile(np.arange(5000), [2, 98]))
    assert render.limits[0] == render.limits[2] == pytest.approx(np.percentile(np.arange(5000) * 2, [2, 98]))


def test_no_valid_pixel_is_an_error() -> None:
    with pytest.raises(RasterError, match="no valid pixels"):
        render_of(np.ones((1, 100, 100)), ~ALL)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32, np.float64])
def test_every_type_is_scaled_alike(dtype: type) -> None:
    values = np.linspace(0, 30_000, 10_000).astype(dtype).reshape(1, 100, 100)
    render = RenderSpec(((1000.0, 20_000.0),) * 3, str(np.dtype(dtype)), "optical")
    expected = np.clip((values[0].astype(float) - 1000) / 19_000 * 255 + 0.5, 0, 255).astype(np.uint8)
    assert np.abs(apply_render(values, ALL, (0, 0, 0), render)[..., 0].astype(int) - expected).max() <= 1


def test_invalid_pixels_are_black_whatever_they_hold() -> None:
    values = np.full((1, 100, 100), 5.0, np.float32)
    valid = ALL.copy()
    values[0, 0, :4] = [np.nan, np.inf, -np.inf, -3.4e38]
    valid[0, :4] = False
    picture = apply_render(values, valid, (0, 0, 0), render_of(values, valid))
    assert not picture[0, :4].any()
    assert set(picture[1:].ravel().tolist()) == {128}


@pytest.mark.parametrize("value", [0.0, 1e-12, 1e30, -5.0])
def test_constant_values_do_not_divide_by_zero(value: float) -> None:
    values = np.full((1, 100, 100), value, np.float64)
    assert set(apply_render(values, ALL, (0, 0, 0), render_of(values)).ravel().tolist()) <= {127, 128}


def test_a_band_without_data_where_others_have_some_is_stretched_over_its_own() -> None:
    values = np.array([[[100, 200, 300, 400]], [[0, 0, 500, 900]], [[0, 0, 0, 0]]], np.uint16)
    valid = np.ones((1, 4), bool)
    said = {"source_dtype": "uint16", "modality": "optical", "percentiles": (0.0, 100.0)}
    render = compute_render(values, valid, (0, 1, 2), **said, missing=(0.0, 0.0, 0.0))  # type: ignore[arg-type]
    assert render.limits[:2] == ((100, 400), (500, 900))
    assert render.limits[2][0] < 0 < render.limits[2][1]
