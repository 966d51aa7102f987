"""Check a scene after each step: errors stop the next step, warnings tell a person.

The result of a check, and the checks of the item and of the collection, are here; those of a shard are in
`shard_checks`.  `orchestration` names them for Dagster and stops runs.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from PIL import Image

from imagerag_assets.errors import CheckError
from imagerag_assets.ingestion.embed_scene import shard_key
from imagerag_assets.installation.platform import Platform
from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox
from imagerag_assets.scenes.place import contradiction, text_of
from imagerag_assets.scenes.records import SceneRecord, footprint, load_record, overview_key
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import ShardKey, sample_rows, shard_info

Severity = Literal["error", "warn"]

PROBES = 8
"""Patches that are searched for with their own vectors."""
_PROBE_HITS = 10
_SAME_SCORE = 1e-3
"""Patches that look the same may come in any order: scores this close are equal."""


@dataclass(frozen=True)
class CheckOutcome:
    """Result of one check."""

    name: str
    passed: bool
    severity: Severity
    """``error`` stops the next step; ``warn`` tells a person."""
    description: str
    """One line, without a full stop."""
    counts: Mapping[str, int | float] = field(default_factory=dict)
    """The numbers behind it."""
    fix: str = ""
    """What to do when it does not pass."""


def require(outcomes: Iterable[CheckOutcome], scene_key: str) -> None:
    """Raise one error for all failed checks that are errors.

    Raises:
        CheckError: a check of severity ``error`` did not pass.
    """
    failed = [each for each in outcomes if each.severity == "error" and not each.passed]
    if failed:
        raise CheckError(
            "; ".join(each.description for each in failed),
            fix=next((each.fix for each in failed if each.fix), ""),
            scene=scene_key,
            check=", ".join(each.name for each in failed),
        )


def check_scene(platform: Platform, scene_key: str) -> list[CheckOutcome]:
    """Check a registered scene: ``item_valid`` (error) and ``item_place`` (warn).

    Raises:
        UnknownSceneError: no such scene was registered.
        StoreError: the record or the overview cannot be read.
    """
    record = load_record(platform, scene_key)
    problems = list(_problems(record, scene_key, platform.store.read_bytes(overview_key(scene_key))))
    return [
        CheckOutcome(
            "item_valid",
            not problems,
            "error",
            f"The item is not usable: {', '.join(problems)}" if problems else "The item and its record are complete",
            {"problems": len(problems)},
            "Correct the item and run: imagerag ingest SOURCE",
        ),
        _item_place(record),
    ]


def _problems(record: SceneRecord, scene_key: str, overview: bytes) -> Iterator[str]:
    scene, grid = record.scene, record.grid
    if scene.scene_key != scene_key:
        yield f"the record is of {scene.scene_key}"
    if not scene.item_id or not scene.version:
        yield "it has no id or no version"
    if len(scene.imagery.bands) != 3:
        yield f"{len(scene.imagery.bands)} bands are shown and not 3"
    if grid.width < 1 or grid.height < 1:
        yield f"the raster is {grid.width} x {grid.height} pixels"
    a, b, _, d, e, _ = grid.transform
    if not np.isfinite(grid.transform).all() or a * e == b * d:
        yield "the raster's transform cannot be inverted"
    if scene.bbox is not None:
        west, south, east, north = scene.bbox
        if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):  # also true of NaN
            yield f"its bbox {scene.bbox} is not on the globe"
    try:
        Image.open(io.BytesIO(overview)).verify()
    except (OSError, SyntaxError):  # Pillow's, of broken files
        yield "its overview is no picture"


def _item_place(record: SceneRecord) -> CheckOutcome:
    """Whether the raster lies where the item's bbox says; registering refuses a scene that does not."""
    grid, said, found = record.grid, record.scene.bbox, footprint(record)
    if said is None or found is None or grid.crs_wkt is None:
        return CheckOutcome("item_place", True, "warn", "The item or its raster has no place to compare")
    if pixel_window_to_lonlat_bbox(grid, grid.window) is None:
        return CheckOutcome("item_place", False, "warn", "The raster has a CRS, and no place on the ground in it")
    wrong = contradiction(record.scene, grid, found)
    text = f"The raster at {text_of(found)} lies {wrong}" if wrong else f"The raster at {text_of(found)} meets"
    return CheckOutcome("item_place", not wrong, "warn", f"{text} the item's bbox")


def check_rows(platform: Platform, scene_key: str) -> list[CheckOutcome]:
    """Check a scene's rows in the collection of the chosen encoder and settings.

    Errors: ``collection_fingerprint_equal``, ``rows_equal_shard``.  Warning: ``retrieval_probe``.

    Raises:
        UnknownSceneError: no such scene was registered.
        StoreError: the scene has no shard, there is no collection, or Milvus or the store fails.
    """
    key = shard_key(platform, load_record(platform, scene_key))
    info = shard_info(platform.store, key)
    vectors = platform.vectors
    collection = vectors.ensure_patches(key.fingerprint, info.dim, platform.recipe)
    stored = vectors.meta(collection).fingerprint
    rows = vectors.count(collection, Filter().scene_in([scene_key]))
    again = f"Run: imagerag ingest SOURCE --scene {scene_key}"
    return [
        CheckOutcome(
            "collection_fingerprint_equal",
            stored == key.fingerprint,
            "error",
            f"The collection {collection} holds vectors of {stored[:16]}, the shard's are of {key.fingerprint[:16]}",
            fix="Run: imagerag backfill",
        ),
        CheckOutcome(
            "rows_equal_shard",
            rows == info.rows,
            "error",
            f"The collection has {rows:,} rows of the {info.rows:,} in the shard",
            {"rows": rows, "shard_rows": info.rows},
            again,
        ),
        _probe(platform, key, collection),
    ]


def _probe(platform: Platform, key: ShardKey, collection: str) -> CheckOutcome:
    """Whether a search for a patch's own vector finds the patch, among all scenes."""
    sample = sample_rows(platform.store, key, PROBES, columns=["patch_id", "embedding"])
    ids = sample.column("patch_id").to_pylist()
    found = 0
    for patch, hits in zip(
        ids, platform.vectors.search(collection, embeddings_of(sample), limit=_PROBE_HITS), strict=True
    ):
        first = [hit.id for hit in hits if hit.score >= hits[0].score - _SAME_SCORE]
        found += patch in first or len(first) == _PROBE_HITS
    return CheckOutcome(
        "retrieval_probe",
        found == len(ids),
        "warn",
        f"{found} of {len(ids)} patches find themselves first in {collection}",
        {"probes": len(ids), "found": found},
    )
