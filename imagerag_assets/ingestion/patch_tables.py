"""Keep the patch table of a scene in the object store: the patches, before any is embedded.

``patches/{scene_key}/{division_key}.parquet``, GeoParquet, written in chunks.  Columns: those of `patches.table`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from imagerag_assets.errors import RasterError, StoreError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.aside import reporting_full_disk, temporary_folder
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.patches.table import patch_table as table_of
from imagerag_assets.patches.types import Division, Patch
from imagerag_assets.scenes.reading import open_reader
from imagerag_assets.scenes.records import SceneRecord, load_record
from imagerag_assets.settings import Settings

_ROWS = 20_000  # in memory at once
_VALIDITY_PX = 1024
_META = b"imagerag"
_VERSION = 1


@dataclass(frozen=True)
class PatchTableInfo:
    """What a patch table holds."""

    scene: str
    division: str
    """Key of the division."""
    path: str
    """Object key."""
    patches: int
    levels: dict[int, int]
    """Patches of each level."""
    to_embed: int
    """Patches with enough valid area, estimated on an overview."""
    seconds: float
    skipped: bool = False
    """Whether a current table existed before."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self) | {"levels": {str(level): count for level, count in self.levels.items()}}


def table_key(scene_key: str, division_key: str) -> str:
    """Return the object key of a patch table."""
    return f"patches/{scene_key}/{division_key}.parquet"


def check_patch_count(settings: Settings, division: Division, size: tuple[int, int], scene_key: str) -> None:
    """Refuse a scene that a division cuts into more patches than is allowed.

    Args:
        settings: The limit.
        division: The division.
        size: (width, height) of the scene in pixels.
        scene_key: Its key.

    Raises:
        RasterError: it does.
    """
    count = division.count(*size)
    if count > settings.limit_patches:
        raise RasterError(
            f"The scene has {count:,} patches; at most {settings.limit_patches:,} are made",
            fix="Set larger or less overlapping patches, or raise IMAGERAG_LIMIT_PATCHES",
            scene=scene_key,
        )


def patch_table(platform: Platform, scene_key: str, *, division: Division | None = None) -> PatchTableInfo:
    """Write the patch table of a registered scene, unless a current one exists.

    `valid_fraction` is estimated on an overview of 1024 px; embedding measures it on the pixels of each patch.

    Raises:
        UnknownSceneError: no such scene was registered.
        RasterError: the overview cannot be read, or there are too many patches.
        StoreError: the store cannot be read or written.
    """
    started = time.perf_counter()
    record = load_record(platform, scene_key)
    division = division or platform.recipe.division_for(record.grid)
    key = table_key(scene_key, division.key)
    check_patch_count(platform.settings, division, (record.grid.width, record.grid.height), scene_key)
    stored = _stored(platform, key)
    least = platform.settings.min_valid_fraction
    wanted = {"version": _VERSION, "etag": record.scene.version, "min_valid_fraction": least}
    wanted |= {} if platform.settings.collars == "keep" else {"collars": platform.settings.collars}
    stored_collars = "keep" if stored is None else stored.get("collars", "keep")
    if stored is not None and stored.items() >= wanted.items() and stored_collars == platform.settings.collars:
        levels = {int(level): count for level, count in stored["levels"].items()}
        return _info(record, division, key, levels, stored["to_embed"], started, skipped=True)
    with open_reader(platform.settings, record) as reader:
        _, valid = reader.overview(_VALIDITY_PX)
    levels, to_embed = {}, 0
    with (
        temporary_folder("patches") as folder,
        reporting_full_disk(file := Path(folder) / "patches.parquet", scene=scene_key),
    ):
        writer: pq.ParquetWriter | None = None
        for table in _tables(record, division, valid):
            writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
            writer.write_table(table)
            numbers, counts = np.unique(table.column("level").to_numpy(), return_counts=True)
            for level, count in zip(numbers.tolist(), counts.tolist(), strict=True):
                levels[level] = levels.get(level, 0) + count
            fractions = table.column("valid_fraction").to_numpy()
            to_embed += int(np.count_nonzero((fractions >= least) & (fractions > 0)))
        assert writer is not None  # every scene has at least one patch
        about = wanted | {"levels": levels, "to_embed": to_embed}
        writer.add_key_value_metadata({_META.decode(): json.dumps(about), "geo": _GEO})
        writer.close()
        platform.store.put_file(file, key)
    return _info(record, division, key, levels, to_embed, started)


def count_patches(platform: Platform, record: SceneRecord, recipe: Recipe) -> int:
    """Count the patches of a scene by its patch table, or by the recipe where there is no current table.

    Raises:
        StoreError: the store cannot be read.
    """
    stored = _stored(platform, table_key(record.scene.scene_key, recipe.division_key))
    if stored is None or stored.get("etag") != record.scene.version:
        return recipe.division_for(record.grid).count(record.grid.width, record.grid.height)
    return sum(int(count) for count in stored["levels"].values())


# No CRS means longitude and latitude; no types, that any geometry may occur.
_GEO = json.dumps(
    {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": []}},
    }
)


def _info(
    record: SceneRecord,
    division: Division,
    key: str,
    levels: dict[int, int],
    to_embed: int,
    started: float,
    skipped: bool = False,
) -> PatchTableInfo:
    seconds = time.perf_counter() - started
    scene, count = record.scene.scene_key, sum(levels.values())
    return PatchTableInfo(scene, division.key, key, count, levels, to_embed, seconds, skipped)


def _stored(platform: Platform, key: str) -> dict[str, Any] | None:
    """Return what a table says about itself; None where it is missing or unreadable."""
    try:
        with platform.store.open(key) as file:
            metadata = pq.read_metadata(file).metadata or {}
        return dict(json.loads(metadata[_META]))
    except (StoreError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None


def _tables(record: SceneRecord, division: Division, valid: NDArray[np.bool_]) -> Iterator[pa.Table]:
    """Yield the patch table in chunks with the same columns and types."""
    grid = record.grid
    patches = division.patches(grid.width, grid.height)
    sums = np.zeros((valid.shape[0] + 1, valid.shape[1] + 1), np.int64)
    sums[1:, 1:] = valid.cumsum(axis=0).cumsum(axis=1)
    while chunk := list(islice(patches, _ROWS)):
        fractions = _valid_fractions(sums, chunk, grid.width, grid.height)
        frame = table_of(record.scene.scene_key, division.key, chunk, grid, fractions)
        table = pa.Table.from_pandas(frame.drop(columns="geometry"), preserve_index=False).replace_schema_metadata(None)
        yield table.append_column("geometry", pa.array(frame.geometry.to_wkb(), pa.binary()))


def _valid_fractions(sums: NDArray[np.int64], patches: list[Patch], width: int, height: int) -> NDArray[np.float64]:
    """Estimate the share of each patch, inside the scene, that holds data, from summed validity of an overview."""
    rows, cols = sums.shape[0] - 1, sums.shape[1] - 1
    windows = np.array([patch.window for patch in patches], np.int64)
    left, right = _span(windows[:, 0], windows[:, 2], width, cols)
    top, bottom = _span(windows[:, 1], windows[:, 3], height, rows)
    counts = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return counts / ((bottom - top) * (right - left))


def _span(
    first: NDArray[np.int64], last: NDArray[np.int64], native: int, pixels: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the overview pixels that an interval of native pixels touches: at least one."""
    start = np.minimum(first * pixels // native, pixels - 1)
    return start, np.clip(-(-last * pixels // native), start + 1, pixels)
