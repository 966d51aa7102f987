"""What was found, to take along: GeoJSON, GeoPackage and CSV, each row with where it comes from."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapely.geometry import mapping, shape

from imagerag_assets.objects.store import HasStore
from imagerag_assets.pages.imagery import Scenes, day_of
from imagerag_assets.questions.answer_record import AnswerRecord, RecordedCue
from imagerag_assets.questions.answer_records import kept_outlines
from imagerag_assets.raster.geo import box_geometry, middle_of_box

_DIGITS = 7
"""Of degrees: a centimetre."""
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Download:
    """A file that a page holds."""

    name: str
    """Of the file."""
    kind: str
    """What people call it."""
    what: str
    """What it is good for, in a few words."""
    data: bytes
    media_type: str

    @property
    def address(self) -> str:
        """Its `data:` address."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"

    @property
    def size(self) -> str:
        """How large it is, in words."""
        return f"{max(1, round(len(self.data) / 1000))} kB"


def downloads(platform: HasStore, record: AnswerRecord, scenes: Scenes) -> tuple[Download, ...]:
    """Return the files of an answer: none without cues, and no GeoPackage where no cue has a place on the ground."""
    if not record.cues:
        return ()
    features = features_of(platform, record, scenes)
    name = f"cues-{record.answer_id}"
    made = [
        Download(f"{name}.geojson", "GeoJSON", "for web maps and scripts", _geojson(features), "application/geo+json")
    ]
    if any(feature["geometry"] for feature in features):
        made.append(
            Download(f"{name}.gpkg", "GeoPackage", "for QGIS", geopackage(features), "application/geopackage+sqlite3")
        )
    made.append(Download(f"{name}.csv", "CSV", "for spreadsheets", _csv(features).encode(), "text/csv;charset=utf-8"))
    return tuple(made)


def features_of(platform: HasStore, record: AnswerRecord, scenes: Scenes) -> list[dict[str, Any]]:
    """Return the cues as GeoJSON features in lon/lat; one of a scene without a place has no geometry.

    Each has what made it: ``record`` (the answer's id), ``scene``, ``item``, ``collection``, ``date``, ``phrase``,
    ``confidence``, ``verdict`` and ``rank``.
    """
    outlines = kept_outlines(platform, record.answer_id)
    return [_feature(record, cue, scenes, outlines.get(cue.rank)) for cue in record.cues]


def geopackage(features: Sequence[Mapping[str, Any]]) -> bytes:
    """Return features as a GeoPackage with one layer, `cues`, in EPSG:4326."""
    import geopandas as gpd  # takes long to load

    frame = gpd.GeoDataFrame(
        [feature["properties"] for feature in features],
        geometry=[shape(feature["geometry"]) if feature["geometry"] else None for feature in features],
        crs="EPSG:4326",
    )
    buffer = io.BytesIO()
    frame.to_file(buffer, driver="GPKG", layer="cues", engine="pyogrio")
    return buffer.getvalue()


def _feature(
    record: AnswerRecord, cue: RecordedCue, scenes: Scenes, outline: Mapping[str, Any] | None
) -> dict[str, Any]:
    stored = scenes.records.get(cue.scene)
    lon, lat = middle_of_box(cue.bbox) if cue.bbox else (None, None)
    acquired = record.lineage.acquired.get(cue.scene) or ""
    properties = {
        "record": record.answer_id,
        "rank": cue.rank,
        "phrase": cue.phrase,
        "confidence": round(cue.confidence, 4),
        "verdict": cue.verdict,
        "scene": cue.scene,
        "item": stored.scene.item_id if stored else None,
        "collection": stored.scene.collection if stored else None,
        "date": acquired[:10] or (day_of(stored) if stored else None) or None,
        "question": record.question,
        "lon": None if lon is None else round(lon, _DIGITS),
        "lat": None if lat is None else round(lat, _DIGITS),
        "patch_id": cue.patch_id,
        **dict(zip(("x0", "y0", "x1", "y1"), cue.window, strict=True)),
    }
    geometry = outline or (mapping(box_geometry(*cue.bbox)) if cue.bbox else None)
    return {"type": "Feature", "id": cue.rank, "properties": properties, "geometry": _rounded(geometry)}


def _rounded(geometry: Any) -> Any:
    if isinstance(geometry, float):
        return round(geometry, _DIGITS)
    if isinstance(geometry, list | tuple):
        return [_rounded(each) for each in geometry]
    if isinstance(geometry, Mapping):
        return {name: _rounded(value) for name, value in geometry.items()}
    return geometry


def _geojson(features: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features)}, separators=(",", ":")).encode()


def _csv(features: Sequence[Mapping[str, Any]]) -> str:
    """Return the properties as CSV with the outline as WKT; text that a spreadsheet would compute is marked as text."""
    rows = [
        {**feature["properties"], "wkt": shape(feature["geometry"]).wkt if feature["geometry"] else None}
        for feature in features
    ]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_STARTS_FORMULA) else value
