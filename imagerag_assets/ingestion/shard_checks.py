"""Check a scene's embeddings; read the shard once, batch by batch, and keep nine bytes a patch.

The result of a check, and the other checks of a scene, are in `checks`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagerag_assets.ingestion.checks import CheckOutcome
from imagerag_assets.ingestion.embed_scene import shard_key
from imagerag_assets.ingestion.patch_tables import count_patches
from imagerag_assets.installation.platform import Platform
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.patches.types import Division
from imagerag_assets.scenes.records import SceneRecord, load_record
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import ShardInfo, ShardKey, iter_batches, shard_info

NORM_TOLERANCE = 1e-3
"""How far the length of a vector may be from 1."""
NODATA_SHARE = 0.5
"""A larger share of patches without enough valid pixels is worth a look: a wrong nodata value, an empty scene."""
DUPLICATE_SHARE = 0.1
"""A larger share of patches with the vector of another one is worth a look: blank areas, an encoder that is stuck."""

# Two vectors count as one when all projections of both fall into the same cells: cells are much wider than rounding
# errors, and much narrower than the distance of two views of different things.
_PROJECTIONS, _CELL = 8, 0.02


def check_shard(platform: Platform, scene_key: str) -> list[CheckOutcome]:
    """Check a scene's shard of the chosen encoder and settings.

    Errors: ``fingerprint_equal``, ``rows_equal_patches``, ``no_nan``, ``unit_norms``.  Warnings: ``nodata_share``,
    ``duplicate_patches``.

    Raises:
        UnknownSceneError: no such scene was registered.
        StoreError: the shard is missing or damaged.
    """
    record = load_record(platform, scene_key)
    key = shard_key(platform, record)
    info = shard_info(platform.store, key)
    tally = _Tally(platform.recipe.division_for(record.grid), record)
    for batch in iter_batches(platform.store, key, columns=["level", "row", "col", "valid_fraction", "embedding"]):
        tally.add(batch)
    patches = count_patches(platform, record, platform.recipe)
    again = f"Delete {platform.store.url(key.path)} and run: imagerag ingest SOURCE --scene {scene_key}"
    vectors = f"of {tally.rows:,} vectors"
    return [
        _fingerprint(info, key, platform.recipe, record, again),
        _rows(info, tally, patches, again),
        CheckOutcome(
            "no_nan",
            tally.not_finite == 0,
            "error",
            f"{tally.not_finite:,} {vectors} hold NaN or infinity",
            {"vectors": tally.rows, "not_finite": tally.not_finite},
            again,
        ),
        CheckOutcome(
            "unit_norms",
            tally.not_unit == 0,
            "error",
            f"{tally.not_unit:,} {vectors} are not of length 1",
            {"vectors": tally.rows, "not_unit": tally.not_unit, "largest_deviation": tally.deviation},
            again,
        ),
        *_reports(tally, patches),
    ]


class _Tally:
    """Counts over the rows of one shard."""

    def __init__(self, division: Division, record: SceneRecord) -> None:
        grids = division.grids(record.grid.width, record.grid.height)
        starts = np.concatenate([[0], np.cumsum([len(grid) for grid in grids])])
        self._levels = {grid.level: (int(at), grid) for grid, at in zip(grids, starts, strict=False)}
        self._seen = np.zeros(int(starts[-1]), bool)
        self._cells: list[NDArray[np.uint64]] = []
        self._directions: NDArray[np.float32] | None = None
        self.rows = self.strangers = self.repeated = self.not_finite = self.not_unit = 0
        self.deviation = self.valid = 0.0

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of rows with level, row, col, valid_fraction and embedding."""
        level, row, col = (np.asarray(batch.column(name), np.int64) for name in ("level", "row", "col"))
        self.rows += batch.num_rows
        self.valid += float(np.asarray(batch.column("valid_fraction"), np.float64).sum())
        for number in np.unique(level).tolist():
            self._place(number, row[level == number], col[level == number])
        vectors = embeddings_of(batch)
        finite = np.isfinite(vectors).all(axis=1)
        self.not_finite += int(np.count_nonzero(~finite))
        vectors = vectors[finite]
        deviation = np.abs(np.linalg.norm(vectors, axis=1) - 1.0)
        self.not_unit += int(np.count_nonzero(deviation > NORM_TOLERANCE))
        self.deviation = max(self.deviation, float(deviation.max(initial=0.0)))
        self._cells.append(self._cell(vectors[deviation <= NORM_TOLERANCE]))

    @property
    def duplicates(self) -> int:
        """Vectors that equal an earlier row's, except for rounding."""
        cells = np.concatenate(self._cells) if self._cells else np.zeros(0, np.uint64)
        return len(cells) - len(np.unique(cells))

    def _place(self, level: int, row: NDArray[np.int64], col: NDArray[np.int64]) -> None:
        """Tick off patches of the division; count rows of patches it does not have as strangers."""
        start, grid = self._levels.get(level, (0, None))
        if grid is None:
            self.strangers += len(row)
            return
        known = (row >= 0) & (row < len(grid.y)) & (col >= 0) & (col < len(grid.x))
        self.strangers += int(np.count_nonzero(~known))
        places = start + row[known] * len(grid.x) + col[known]
        fresh = np.unique(places[~self._seen[places]])
        self.repeated += len(places) - len(fresh)
        self._seen[fresh] = True

    def _cell(self, vectors: NDArray[np.float32]) -> NDArray[np.uint64]:
        """Return a number for each vector (n, dim), equal for vectors that fall into the same cells."""
        if self._directions is None:
            shape = (vectors.shape[1], _PROJECTIONS)
            self._directions = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        cells = np.floor(vectors @ self._directions / _CELL).astype(np.int64).astype(np.uint64)
        mixed = np.zeros(len(cells), np.uint64)
        for column in cells.T:  # FNV-1a over the cells' numbers, wrapping around
            mixed = (mixed ^ column) * np.uint64(0x100000001B3) + np.uint64(0x9E3779B97F4A7C15)
        return mixed


def _fingerprint(info: ShardInfo, key: ShardKey, recipe: Recipe, record: SceneRecord, fix: str) -> CheckOutcome:
    """Check that encoder, scene, division and the rest of the recipe are the expected ones."""
    differing = [
        f"{what} stored={stored[:16]}, required={wanted[:16]}"
        for what, stored, wanted in (
            ("fingerprint", info.key.fingerprint, key.fingerprint),
            ("etag", info.key.version, key.version),
            ("scene", info.key.scene_key, key.scene_key),
            ("division", info.key.division_key, key.division_key),
        )
        if stored != wanted
    ]
    limits = record.render.limits if recipe.fits(record.render) else None
    if not info.made.follows(recipe, limits):
        differing.append("it was made with other settings or another version of the code")
    text = f"The shard is of {info.encoder}"
    if differing:
        text = f"The shard is not the expected one: {'; '.join(differing)}"
    return CheckOutcome("fingerprint_equal", not differing, "error", text, fix=fix)


def _rows(info: ShardInfo, tally: _Tally, patches: int, fix: str) -> CheckOutcome:
    """Rows and dropped patches must add up to the patch table; without a count of dropped ones, rows may be fewer."""
    odd = tally.strangers or tally.repeated
    unaccounted = patches - tally.rows - (info.dropped or 0)
    passed = not odd and (unaccounted == 0 if info.dropped is not None else unaccounted >= 0)
    dropped = "an unknown number" if info.dropped is None else f"{info.dropped:,}"
    text = f"The shard has {tally.rows:,} rows of {patches:,} patches, {dropped} dropped for lack of data"
    if odd:
        text += f"; {tally.repeated:,} rows are there twice, {tally.strangers:,} are of no patch"
    counts = {"rows": tally.rows, "patches": patches, "repeated": tally.repeated, "strangers": tally.strangers}
    if info.dropped is not None:
        counts["dropped"] = info.dropped
    return CheckOutcome("rows_equal_patches", passed, "error", text, counts, fix)


def _reports(tally: _Tally, patches: int) -> Iterator[CheckOutcome]:
    without = 1.0 - tally.rows / patches if patches else 0.0
    valid = tally.valid / tally.rows if tally.rows else 0.0
    yield CheckOutcome(
        "nodata_share",
        without <= NODATA_SHARE,
        "warn",
        f"{without:.0%} of {patches:,} patches have too few valid pixels; the others are {valid:.0%} valid",
        {"share": without, "mean_valid_fraction": valid},
    )
    share = tally.duplicates / tally.rows if tally.rows else 0.0
    yield CheckOutcome(
        "duplicate_patches",
        share <= DUPLICATE_SHARE,
        "warn",
        f"{share:.0%} of {tally.rows:,} vectors are those of another patch of the scene",
        {"share": share, "duplicates": tally.duplicates},
    )
