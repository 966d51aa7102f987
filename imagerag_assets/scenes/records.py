"""Scene records in the object store: what is known about each scene.

``scenes/{scene_key}/record.json`` beside ``overview.jpg``.  Only keeping and finding them belongs here; `ingestion`
registers scenes.
"""

from __future__ import annotations

import difflib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagerag_assets.errors import StoreError, UnknownSceneError
from imagerag_assets.objects.store import HasStore
from imagerag_assets.plain_files.items import MADE_FROM
from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox
from imagerag_assets.raster.types import Grid, RenderSpec
from imagerag_assets.scenes.intervals import note_interval
from imagerag_assets.stac.keys import is_scene_key
from imagerag_assets.stac.types import Scene

SCENES, SOURCES = "scenes", "sources"
"""Folder with a validated item for each partition key."""
REPLACED = "Replaced the scene of "
"""Begins the note of a scene that another source had before."""
_JPEG_QUALITY = 88


@dataclass(frozen=True)
class SceneRecord:
    """A registered scene: validated, opened, with its grid and the display limits all its patches share."""

    scene: Scene
    grid: Grid
    render: RenderSpec
    notes: tuple[str, ...] = ()
    """What a person should know, from the item and from the raster."""

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON; :meth:`from_dict` reads it back to an equal record."""
        return {
            "scene": self.scene.to_dict(),
            "grid": self.grid.to_dict(),
            "render": self.render.to_dict(),
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> SceneRecord:
        """Read what :meth:`to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is not such a record.
        """
        return cls(
            scene=Scene.from_dict(record["scene"]),
            grid=Grid.from_dict(record["grid"]),
            render=RenderSpec.from_dict(record["render"]),
            notes=tuple(record["notes"]),
        )


def record_key(scene_key: str) -> str:
    """Return the object key of a scene's record."""
    return f"{SCENES}/{scene_key}/record.json"


def overview_key(scene_key: str) -> str:
    """Return the object key of a scene's overview picture, a JPEG."""
    return f"{SCENES}/{scene_key}/overview.jpg"


def save_record(platform: HasStore, record: SceneRecord, overview: NDArray[np.uint8]) -> None:
    """Store a record and its overview.  The record comes last, so that every record has its overview.

    Args:
        platform: Whose store.
        record: What to store.
        overview: uint8 (h, w, 3).

    Raises:
        StoreError: the store does not take it.
    """
    buffer = io.BytesIO()
    Image.fromarray(overview).save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    note_interval(platform, record.scene)
    platform.store.write_bytes(overview_key(record.scene.scene_key), buffer.getvalue())
    platform.store.write_json(record_key(record.scene.scene_key), record.to_dict())


def find_record(platform: HasStore, scene_key: str) -> SceneRecord | None:
    """Return the record of a scene, or None if there is none.

    Raises:
        StoreError: the store cannot be read, or the record is damaged.
    """
    if not is_scene_key(scene_key):
        return None
    key = record_key(scene_key)
    try:
        stored = platform.store.read_json(key)
    except StoreError:
        if platform.store.exists(key):
            raise
        return None
    try:
        return SceneRecord.from_dict(stored)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(
            f"The scene's record is damaged ({type(error).__name__}: {error})",
            fix="Ingest the scene again",
            scene=scene_key,
            object=platform.store.url(key),
        ) from None


def load_record(platform: HasStore, scene_key: str) -> SceneRecord:
    """Return the record of a scene.

    Raises:
        UnknownSceneError: no such scene is registered; the message names similar ones.
        StoreError: the store cannot be read, or the record is damaged.
    """
    record = find_record(platform, scene_key)
    if record is not None:
        return record
    known = list_records(platform)
    close = difflib.get_close_matches(scene_key, known, n=3, cutoff=0.5)
    if close:
        fix = f"Did you mean {' or '.join(close)}?"
    elif known:
        fix = f"Known scenes: {', '.join(known[:5])}{', ...' if len(known) > 5 else ''}"
    else:
        fix = "No scene has been ingested yet; run: imagerag ingest SOURCE"
    raise UnknownSceneError("There is no such scene", fix=fix, scene=scene_key[:200])


def list_records(platform: HasStore) -> list[str]:
    """Return the keys of all registered scenes, sorted.

    Raises:
        StoreError: the store cannot be read.
    """
    parts = (key.split("/") for key in platform.store.list(SCENES))
    return sorted(part[1] for part in parts if len(part) == 3 and part[2] == "record.json")


def made_notes(scene: Scene) -> tuple[str, ...]:
    """Return the notes of an item that was made here; none for others, which say themselves what they are."""
    return scene.notes if MADE_FROM in scene.properties else ()


def recorded_made_notes(platform: HasStore, scene: Scene) -> tuple[str, ...]:
    """Return the same with what the raster added, as far as there is a readable record.

    Of any item, return the note that it replaced that of another source.
    """
    try:
        record = find_record(platform, scene.scene_key)
    except StoreError:
        record = None
    if MADE_FROM in scene.properties:
        return scene.notes if record is None else record.notes
    return tuple(note for note in record.notes if note.startswith(REPLACED)) if record is not None else ()


def footprint(record: SceneRecord) -> tuple[float, float, float, float] | None:
    """Return west, south, east, north of a scene in degrees, from its grid, else its item; None without a place."""
    grid = record.grid
    return pixel_window_to_lonlat_bbox(grid, (0, 0, grid.width, grid.height)) or record.scene.bbox


def stored_scene(platform: HasStore, scene_key: str) -> dict[str, Any] | None:
    """Return a scene as it is stored now, as JSON (`stac.types.Scene`); None if there is nothing readable."""
    try:
        stored: dict[str, Any] = platform.store.read_json(f"scenes/{scene_key}/record.json")["scene"]
    except (StoreError, KeyError, TypeError):
        return None
    return stored
