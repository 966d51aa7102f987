"""What an item says of the values of a band: nodata and scale, by STAC 1.0 (`raster:bands`) and 1.1 (`bands`).

What is said of a band comes before what is said of its asset.  Items hold numbers as words, and words that are none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite, nan
from typing import Any

import pystac

from imagerag_assets.stac.types import Imagery

BAND_LISTS = ("eo:bands", "bands", "raster:bands")
"""The fields of an asset that describe its bands, those with names first."""

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


def nodata_of(*fields: Mapping[str, Any]) -> float | None:
    """Return the value of missing pixels; "nan", "inf" and "-inf" are never valid pixels anyway.

    Args:
        fields: Those of the band, of its asset, and of the item, whose `nodata` is of all assets.
    """
    return number_of(next(_said("nodata", *fields), None))


def scale_of(*fields: Mapping[str, Any]) -> float | None:
    """Return the factor from the file's values to physical ones; None if it is not usable."""
    return number_of(next(_said("scale", *fields), None)) or None


def band_entries(fields: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Yield the lists in which an asset describes its bands, those with names first.

    A list of one entry without a name, beside a longer one, is of every band.
    """
    lists = [fields.get(source) for source in BAND_LISTS]
    most = max((len(entries) for entries in lists if isinstance(entries, list)), default=0)
    for entries in lists:
        if isinstance(entries, list):
            plain = [entry if isinstance(entry, dict) else {} for entry in entries]
            yield plain * most if len(plain) == 1 and not is_named(plain[0]) else plain


def is_named(band: Mapping[str, Any]) -> bool:
    """Return whether an entry says which band it describes."""
    return any(band.get(name) is not None for name in ("name", "common_name", "eo:common_name"))


def unusable_values(item: pystac.Item, imagery: Imagery) -> list[str]:
    """Return a line for each nodata value or scale of the bands that are shown which cannot be used."""
    lines: list[str] = []
    for band in imagery.bands:
        asset = item.assets[band.asset_key].extra_fields
        described = _band_fields(asset, band.index)
        for name, read, empty, places in (
            ("nodata", nodata_of, _NEVER_A_PIXEL, (described, asset, item.properties)),
            ("scale", scale_of, frozenset[str](), (described, asset)),
        ):
            said = next(_said(name, *places), None)
            if said is not None and read(*places) is None and str(said).strip().lower() not in empty:
                lines.append(f"{name} {str(said)[:40]!r} of asset {band.asset_key} cannot be used: passed over")
    return list(dict.fromkeys(lines))


def _said(name: str, *sources: Mapping[str, Any]) -> Iterator[object]:
    """Yield what is said of a band, then of what it belongs to."""
    for fields in sources:
        for key in (name, f"raster:{name}"):
            if fields.get(key) is not None:
                yield fields[key]


def _band_fields(asset: Mapping[str, Any], index: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entries in reversed(list(band_entries(asset))):
        if len(entries) >= index:
            found = entries[index - 1] | found
    return found
