"""What an item says of the values of a band: nodata and scale, by STAC 1.0 (`raster:bands`) and 1.1 (`bands`).

What is said of a band comes before what is said of its asset.  Items hold numbers as words, and words that are none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite, nan
from typing import Any

import pystac

from imagerag_assets.stac.types import Imagery

_NEVER_A_PIXEL = frozenset({"nan", "inf", "-inf", "+inf", "infinity", "-infinity"})


def number_of(value: object) -> float | None:
    """Return a finite number, which JSON may hold as a word; None for anything else."""
    try:
        number = float(value) if is_number(value) or isinstance(value, str) else nan  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def is_number(value: object) -> bool:
    """Return whether a value of a JSON document is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def nodata_of(band: Mapping[str, Any], asset: Mapping[str, Any]) -> float | None:
    """Return the value of missing pixels; "nan", "inf" and "-inf" are never valid pixels anyway."""
    return number_of(next(_said("nodata", band, asset), None))


def scale_of(band: Mapping[str, Any], asset: Mapping[str, Any]) -> float | None:
    """Return the factor from the file's values to physical ones; None if it is not usable."""
    return number_of(next(_said("scale", band, asset), None)) or None


def unusable_values(item: pystac.Item, imagery: Imagery) -> list[str]:
    """Return a line for each nodata value or scale of the bands that are shown which cannot be used."""
    lines: list[str] = []
    for band in imagery.bands:
        asset = item.assets[band.asset_key].extra_fields
        described = _band_fields(asset, band.index)
        for name, read, empty in (("nodata", nodata_of, _NEVER_A_PIXEL), ("scale", scale_of, frozenset[str]())):
            said = next(_said(name, described, asset), None)
            if said is not None and read(described, asset) is None and str(said).strip().lower() not in empty:
                lines.append(f"{name} {str(said)[:40]!r} of asset {band.asset_key} cannot be used: passed over")
    return list(dict.fromkeys(lines))


def _said(name: str, band: Mapping[str, Any], asset: Mapping[str, Any]) -> Iterator[object]:
    """Yield what is said of a band, then of its asset."""
    for fields in (band, asset):
        for key in (name, f"raster:{name}"):
            if fields.get(key) is not None:
                yield fields[key]


def _band_fields(asset: Mapping[str, Any], index: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for source in ("raster:bands", "bands", "eo:bands"):
        entries = asset.get(source)
        if isinstance(entries, list) and len(entries) >= index and isinstance(entries[index - 1], dict):
            found = entries[index - 1] | found
    return found
