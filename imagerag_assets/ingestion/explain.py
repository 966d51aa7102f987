"""Say what an ingest of a source would read, embed and store, without doing it.

Items are read, and rasters are opened only for their size.  Nothing is written, and nothing is embedded beyond the few
patches of a trial where no rate is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from imagerag_assets.encoders.registry import load_encoder
from imagerag_assets.errors import describe
from imagerag_assets.ingestion.beside import can_make
from imagerag_assets.ingestion.costs import Cost, cost_of, total
from imagerag_assets.ingestion.embed_scene import find_shard
from imagerag_assets.ingestion.embedding import Progress
from imagerag_assets.ingestion.ingest import is_current
from imagerag_assets.ingestion.layers import expected_grid
from imagerag_assets.ingestion.patch_tables import check_patch_count
from imagerag_assets.ingestion.rates import patches_per_second
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Target, serving_beside, target_of
from imagerag_assets.patches.layout import Start
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.raster.types import Grid
from imagerag_assets.scenes.identity import SceneKeys
from imagerag_assets.scenes.place import require_place
from imagerag_assets.scenes.records import find_record, made_notes
from imagerag_assets.scenes.removed import list_asked
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem, Scene

State = Literal["new", "changed", "incomplete", "current", "removed", "failed"]
_STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class SceneCost:
    """What ingesting one scene would take."""

    scene: str
    state: State
    """``incomplete``: the current version is registered, but embeddings or rows are missing; ``removed``: a person
    removed it, and it is only ingested again by name."""
    width_px: int
    height_px: int
    cost: Cost
    error: str | None = None
    start: Start | None = None
    """Where the pyramid of the chosen settings starts; None: in pixels, as those of all scenes."""
    notes: tuple[str, ...] = ()
    """What a person should know of a scene whose item was made here."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        size = {"scene": self.scene, "state": self.state, "width_px": self.width_px, "height_px": self.height_px}
        notes = {"notes": list(self.notes)} if self.notes else {}
        start = {"smallest_patch": self.start.why, "start_level": self.start.level} if self.start else {}
        return size | self.cost.to_dict() | {"error": self.error} | start | notes


@dataclass(frozen=True)
class Explanation:
    """What ingesting a source would take."""

    targets: tuple[Target, ...]
    """What scenes would be embedded with: the chosen encoder and settings and, while others serve, those too."""
    scenes: tuple[SceneCost, ...]

    def to_dict(self) -> dict[str, Any]:
        """The result of ``imagerag explain``."""
        states, recipe = [each.state for each in self.scenes], self.targets[0].recipe
        return {
            "encoders": [{"name": each.encoder, "fingerprint": each.fingerprint} for each in self.targets],
            "division": recipe.key,
            **({"patch_m": recipe.patch_m, "finer_patches": recipe.finer_patches} if recipe.layout else {}),
            "scenes": [each.to_dict() for each in self.scenes],
            "totals": {
                **{state: states.count(state) for state in _STATES},
                **total(each.cost for each in self.scenes).to_dict(),
            },
        }


def explain(
    platform: Platform,
    source: str,
    *,
    collections: Sequence[str] = (),
    scenes: Sequence[str] = (),
    limit: int | None = None,
    progress: Progress | None = None,
) -> Explanation:
    """Examine a source as an ingest would.

    Args:
        platform: The installation.
        source: Catalog, collection, item, folder, bucket prefix or API.
        collections: Take only items of these collections.
        scenes: Take only these scene keys or item ids.
        limit: Stop after so many scenes.
        progress: Called with scenes done and what is being done.

    Raises:
        SourceError: the source cannot be reached or understood.
        UnknownSceneError: a named scene was not in it.
        UnknownEncoderError, EncoderError: the chosen encoder is not available.
        StoreError: Milvus or the store fails.
    """
    targets = _targets(platform)
    found = find_scenes(
        source, platform.settings, collections=collections, scenes=scenes, limit=limit, keep_items=False
    )
    removed = frozenset() if scenes else list_asked(platform)
    return Explanation(targets, tuple(_costs(platform, targets, found, progress, removed)))


def _targets(platform: Platform) -> tuple[Target, ...]:
    beside = serving_beside(platform, orphaned=True) if platform.has_vectors else None
    return (target_of(platform), *([beside] if beside and can_make(beside) else []))


def _costs(
    platform: Platform,
    targets: Sequence[Target],
    found: Iterable[Scene | FailedItem],
    progress: Progress | None,
    removed: frozenset[str],
) -> Iterator[SceneCost]:
    dims = [load_encoder(each.encoder, platform.settings).dim for each in targets]
    rates = [patches_per_second(platform, each) for each in targets]
    keys, recipe = SceneKeys(platform), targets[0].recipe
    nothing = cost_of(0, 0, (), platform.settings, 1.0)
    for number, scene in enumerate(found, start=1):
        if progress is not None:
            progress(number, 0, f"looking at {scene.scene_key}")
        if isinstance(scene, FailedItem):
            yield SceneCost(scene.scene_key, "failed", 0, 0, nothing, describe(scene.error))
            continue
        try:
            scene = keys.own(scene)
            if scene.scene_key in removed:
                yield SceneCost(scene.scene_key, "removed", 0, 0, nothing)
                continue
            state = _state(platform, scene)
            grid = _grid(platform, scene)
            width, height = grid.width, grid.height
            check_patch_count(platform.settings, recipe.division_for(grid), (width, height), scene.scene_key)
        except MemoryError:
            raise
        except Exception as error:  # of one scene
            yield SceneCost(scene.scene_key, "failed", 0, 0, nothing, describe(error), notes=made_notes(scene))
            continue
        costs = [
            cost_of(0 if _embedded(platform, target, scene) else target.recipe.division_for(grid).count(width, height),
                    dim, scene.imagery.hrefs, platform.settings, rate)
            for target, dim, rate in zip(targets, dims, rates, strict=True)
        ]  # fmt: skip
        cost = nothing if state == "current" else total(costs)
        start = recipe.start_for(grid)
        yield SceneCost(scene.scene_key, state, width, height, cost, start=start, notes=made_notes(scene))


def _state(platform: Platform, scene: Scene) -> State:
    record = find_record(platform, scene.scene_key)
    if record is None:
        return "new"
    if record.scene.version != scene.version or record.scene.imagery != scene.imagery:
        return "changed"
    return "current" if platform.has_vectors and is_current(platform, scene) else "incomplete"


def _grid(platform: Platform, scene: Scene) -> Grid:
    """Return the native grid, from the record where it is of the scene's current version."""
    record = find_record(platform, scene.scene_key)
    if record is not None and record.scene.version == scene.version:
        return record.grid
    expected = expected_grid(platform, scene)
    if expected is not None:
        return expected
    with SceneReader(scene, platform.settings) as reader:
        require_place(scene, reader.grid)
        return reader.grid


def _embedded(platform: Platform, target: Target, scene: Scene) -> bool:
    """Whether the shard is there: it only has to be indexed."""
    record = find_record(platform, scene.scene_key)
    return record is not None and find_shard(platform, target, replace(record, scene=scene)) is not None
