"""Read where a file lies from the fields of the projection extension, in the spellings of its versions.

Whether they fit the file is `raster.place`'s concern.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from imagerag_assets.stac.pixel_values import number_of
from imagerag_assets.stac.types import ItemPlace

_MOST = 1e12
_CODE = re.compile(r"[A-Za-z][\w.-]*:[\w.-]+")


def item_place(asset: Mapping[str, Any], item: Mapping[str, Any]) -> ItemPlace | None:
    """Return what the item says of a file's grid; None if it says nothing.

    What the asset says comes before what the item says. The item's transform is of another grid where the asset has
    a shape of its own.

    Args:
        asset: Fields of the asset.
        item: The item's properties.
    """
    shape = _shape(asset) or _shape(item)
    transform = _numbers(asset, "proj:transform", (6, 9))
    if transform is None and _shape(asset) in (None, _shape(item)):
        transform = _numbers(item, "proj:transform", (6, 9))
    bbox = _numbers(asset, "proj:bbox", (4, 6)) or _numbers(item, "proj:bbox", (4, 6))
    found = ItemPlace(
        crs=_crs(asset) or _crs(item),
        transform=None if transform is None else _six(transform),
        bbox=None if bbox is None else (bbox[0], bbox[1], bbox[len(bbox) // 2], bbox[len(bbox) // 2 + 1]),
        shape=shape,
    )
    return None if found == ItemPlace() else found


def _crs(fields: Mapping[str, Any]) -> str | None:
    """Return a CRS as pyproj reads it: a code, WKT or PROJJSON."""
    code, epsg = fields.get("proj:code"), fields.get("proj:epsg")
    if isinstance(code, str) and _CODE.fullmatch(code.strip()):
        return code.strip()
    if isinstance(epsg, int | float | str) and not isinstance(epsg, bool):
        number = re.fullmatch(r"(?i)(?:epsg:)?(\d{1,7})(?:\.0)?", str(epsg).strip())
        if number:
            return f"EPSG:{number[1]}"
    wkt, projjson = fields.get("proj:wkt2") or fields.get("proj:wkt"), fields.get("proj:projjson")
    if isinstance(wkt, str) and wkt.strip():
        return wkt.strip()
    return json.dumps(projjson) if isinstance(projjson, dict) and projjson else None


def _shape(fields: Mapping[str, Any]) -> tuple[int, int] | None:
    found = _numbers(fields, "proj:shape", (2,))
    return None if found is None or min(found) < 1 else (round(found[0]), round(found[1]))


def _numbers(fields: Mapping[str, Any], name: str, lengths: tuple[int, ...]) -> list[float] | None:
    values = fields.get(name)
    if not isinstance(values, list | tuple) or len(values) not in lengths:
        return None
    numbers = [each for value in values if (each := number_of(value)) is not None and abs(each) < _MOST]
    return numbers if len(numbers) == len(values) else None


def _six(values: list[float]) -> tuple[float, float, float, float, float, float]:
    a, b, c, d, e, f = values[:6]
    return a, b, c, d, e, f
