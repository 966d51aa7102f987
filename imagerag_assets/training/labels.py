"""Read labelled boxes from a file, and put each one on the grid of its scene.

A labels file is JSONL with one label per line and windows in native pixels (x to the right, y down)::

    {"scene": "KEY", "class": "tennis court", "window": [x0, y0, x1, y1]}

or GeoJSON (`.geojson`, `.json`) in longitude and latitude.  Its properties are the class and, optionally, the scene; a
label without a scene belongs to every scene that it lies in::

    {"type": "Feature", "properties": {"class": "tennis court"}, "geometry": {"type": "Polygon", ...}}

Both may give `plural` beside the class.  `instruct_data` makes examples from the labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from imagerag_assets.errors import InputError
from imagerag_assets.json_text import read_json
from imagerag_assets.objects.local_files import read_text
from imagerag_assets.raster.geo import geometry_window
from imagerag_assets.raster.types import Grid, Window

_GEOJSON = (".geojson", ".json")
_LONLAT = ("CRS84", "EPSG::4326", "EPSG:4326")
_LONGEST_NAME = 80
_FIX = 'Give lines like {"scene": "KEY", "class": "ship", "window": [x0, y0, x1, y1]}, or GeoJSON'


@dataclass(frozen=True)
class Labels:
    """The content of a labels file."""

    entries: tuple[Entry, ...]
    plurals: Mapping[str, str]
    """The plural of every class in the file."""

    @property
    def scenes(self) -> list[str]:
        """Scenes that labels name, each once, in order."""
        return list(dict.fromkeys(entry.scene for entry in self.entries if entry.scene is not None))

    @property
    def anywhere(self) -> bool:
        """Whether some labels name no scene."""
        return any(entry.scene is None for entry in self.entries)


@dataclass(frozen=True)
class Entry:
    """One label of a file; exactly one of `window` (native pixels) and `geometry` (lon/lat) is given."""

    number: int
    """Number of the line or feature, from 1."""
    name: str
    plural: str | None
    scene: str | None
    window: Window | None
    geometry: BaseGeometry | None


@dataclass(frozen=True)
class Label:
    """An object in a scene."""

    name: str
    window: Window
    """(x0, y0, x1, y1) in native pixels, within the scene."""


def read_labels(file: Path) -> Labels:
    """Read a labels file.

    Raises:
        InputError: the file cannot be read, has no labels, or has a malformed entry (the error gives its number).
    """
    try:
        text = read_text(file)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The labels cannot be read: {error}", fix="Give JSONL or GeoJSON in UTF-8") from None
    geojson = file.suffix.lower() in _GEOJSON
    rows = _features(text, file) if geojson else text.splitlines()
    entries = []
    for number, row in enumerate(rows, 1):
        try:
            if geojson:
                entries.append(_from_feature(number, row))
            elif row.strip():
                entries.append(_from_line(number, row))
        except (KeyError, TypeError, ValueError, AttributeError, ShapelyError) as error:
            reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
            raise InputError(f"Not a label: {reason}", fix=_FIX, file=file, line=number) from None
    if not entries:
        raise InputError("The file has no labels", fix=_FIX, file=file)
    plurals = {entry.name: plural(entry.name) for entry in entries}
    plurals |= {entry.name: entry.plural for entry in entries if entry.plural is not None}
    return Labels(tuple(entries), plurals)


def place_labels(labels: Labels, grids: Mapping[str, Grid], file: Path) -> dict[str, tuple[Label, ...]]:
    """Return the labels of each scene, clipped to it; scenes without labels are left out.

    Args:
        labels: Labels that :func:`read_labels` read.
        grids: Grids of the known scenes, by key.
        file: The labels file, to name it in errors.

    Raises:
        InputError: a label names an unknown scene or lies outside the scene that it names, or no label lies in any of
            the scenes.
    """
    placed: dict[str, list[Label]] = {}
    for entry in labels.entries:
        if entry.scene is not None and entry.scene not in grids:
            known = ", ".join(sorted(grids)[:5]) or "none"
            raise InputError(
                f"The label names the unknown scene {entry.scene!r}",
                fix=f"Known scenes: {known}", file=file, line=entry.number,
            )  # fmt: skip
        for key in grids if entry.scene is None else [entry.scene]:
            grid = grids[key]
            window = geometry_window(grid, entry.geometry) if entry.geometry is not None else entry.window
            inside = None if window is None else clipped(window, grid.window)
            if inside is not None:
                placed.setdefault(key, []).append(Label(entry.name, inside))
            elif entry.scene is not None:
                raise InputError(
                    f"The label lies outside its scene: {window or 'its coordinates cannot be placed there'}",
                    fix=f"Give native pixels of {grid.width} x {grid.height}, or lon/lat within the scene",
                    file=file, line=entry.number, scene=key,
                )  # fmt: skip
    if not placed:
        raise InputError(
            f"None of the {len(labels.entries)} labels lies in a scene", file=file,
            fix="Check that coordinates are longitude, latitude, and that the scenes are the right ones",
        )  # fmt: skip
    return {key: tuple(found) for key, found in placed.items()}


def clipped(window: Window, to: Window) -> Window | None:
    """Return the part of a window that lies in another one; None if they do not overlap."""
    x0, y0, x1, y1 = max(window[0], to[0]), max(window[1], to[1]), min(window[2], to[2]), min(window[3], to[3])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def plural(name: str) -> str:
    """Return the name with a regular English plural of its last word."""
    if name.endswith(("s", "x", "z", "ch", "sh")):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in tuple("aeiou"):
        return f"{name[:-1]}ies"
    return f"{name}s"


def _features(text: str, file: Path) -> list[Any]:
    """Return the features of a collection in longitude and latitude."""
    try:
        document = read_json(text)
        features = list(document["features"])
        crs = str(((document.get("crs") or {}).get("properties") or {}).get("name", _LONLAT[0]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError("The file is not a GeoJSON FeatureCollection", fix=_FIX, file=file) from None
    if not crs.endswith(_LONLAT):
        raise InputError(
            f"The labels are in {crs}, not in longitude and latitude", fix="Reproject them to EPSG:4326", file=file
        )
    return features


def _from_line(number: int, line: str) -> Entry:
    row = read_json(line)
    if not isinstance(row, dict):
        raise TypeError("it is not a JSON object")
    window = _window(row["window"])
    return Entry(number, _name(row["class"]), _plural(row), _scene(row["scene"]), window, None)


def _from_feature(number: int, feature: Any) -> Entry:
    properties, geometry = feature["properties"], shape(feature["geometry"])
    if geometry.area == 0:
        raise ValueError(f"the {geometry.geom_type} has no area")
    scene = properties.get("scene")
    return Entry(
        number,
        _name(properties["class"]),
        _plural(properties),
        None if scene is None else _scene(scene),
        None,
        geometry,
    )


def _scene(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("the scene must be a name")
    return value


def _plural(row: Mapping[str, Any]) -> str | None:
    return None if row.get("plural") is None else _name(row["plural"])


def _name(value: Any) -> str:
    """Return a class as questions name it: lower case, words separated by spaces."""
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_NAME:
        raise TypeError(f"the class must be a name of at most {_LONGEST_NAME} characters")
    return " ".join(value.replace("_", " ").lower().split())


def _window(value: Any) -> Window:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 4:
        raise ValueError("the window is not [x0, y0, x1, y1]")
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in value):
        raise ValueError("the window must be four numbers")
    window = (math.floor(value[0]), math.floor(value[1]), math.ceil(value[2]), math.ceil(value[3]))
    if window[2] <= window[0] or window[3] <= window[1]:
        raise ValueError(f"the window {list(value)} is empty")
    return window
