"""What is taken for the value of missing pixels."""

from __future__ import annotations

import numpy as np
import pytest

from imagerag_assets.raster.bands import missing_values, usable_nodata

LEAST = float(np.finfo(np.float32).min)


@pytest.mark.parametrize("written", [LEAST, -3.4028235e38, -3.40282346639e38, -3.4028234663852886e38])
def test_the_least_value_of_a_type_may_be_rounded(written: float) -> None:
    notes: list[str] = []
    assert usable_nodata(written, None, "float32", notes) == pytest.approx(LEAST, rel=1e-6)
    assert np.isfinite(np.float32(usable_nodata(written, None, "float32", notes)))
    assert usable_nodata(-3.4028235e38, LEAST, "float32", notes) == LEAST
    assert notes == []


def test_a_value_is_as_its_type_holds_it() -> None:
    notes: list[str] = []
    assert usable_nodata(-9999.9, float(np.float32(-9999.9)), "float32", notes) == float(np.float32(-9999.9))
    assert notes == []
    assert usable_nodata(1e300, None, "float32", notes) is None
    assert notes == ["the item's nodata value 1e+300 does not fit float32: not used"]


@pytest.mark.parametrize(
    ("own", "said", "expected"),
    [
        ((None, None, None), (0, 1, 2), (0, 1, 2)),
        ((None, None, None), (0, None, None), (0, 0, 0)),
        ((None, None, None), (0, None, 2), (0, None, 2)),
        ((5, 5, 5), (None, None, None), (5, 5, 5)),
        ((5, 6, 7), (5, None, 7), (5, 6, 7)),
        ((None, 4, None), (None, None, None), (4, 4, 4)),
        ((None, None, None), (None, None, None), (None, None, None)),
    ],
)
def test_values_of_several_bands(
    own: tuple[float | None, ...], said: tuple[float | None, ...], expected: tuple[float | None, ...]
) -> None:
    notes: list[str] = []
    assert missing_values(own, said, ["uint16"] * 3, notes) == expected
    assert notes == []
