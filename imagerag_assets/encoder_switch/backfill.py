"""Move to another encoder or other settings: fill their collection beside the live one, check it, then switch.

Each scene goes through the steps of an ingest.  Finished shards and parts are kept, so a killed run continues where it
stopped.  Questions use the live collection until the switch.  The checks are in `gate`, the switch is in `switching`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from imagerag_assets.concepts.vectors import embed_concepts
from imagerag_assets.encoder_switch.gate import Gate, GateCheck, Measure, examine, scenes_to_cover, uncovered
from imagerag_assets.encoder_switch.switching import LOCK, Switch, in_use, switch
from imagerag_assets.encoders.registry import load_encoder
from imagerag_assets.errors import EncoderError, KnowledgeError, StoreError, describe
from imagerag_assets.ingestion.costs import Cost, cost_of, total
from imagerag_assets.ingestion.embed_scene import embed, find_shard, is_begun
from imagerag_assets.ingestion.embedding import Progress
from imagerag_assets.ingestion.index_scene import index, indexed_rows
from imagerag_assets.ingestion.patch_tables import count_patches, patch_table
from imagerag_assets.ingestion.rates import patches_per_second
from imagerag_assets.ingestion.results import EmbedResult, IndexResult
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Serving, Target, find_serving, target_of
from imagerag_assets.knowledge.build import build
from imagerag_assets.knowledge.types import KNOWLEDGE_KINDS, read_current
from imagerag_assets.objects.locks import Lock, held
from imagerag_assets.objects.store import read_all
from imagerag_assets.patches.supertiles import supertile_count
from imagerag_assets.scenes.records import load_record
from imagerag_assets.scenes.removed import list_removed

State = Literal["done", "partial", "missing"]
Made = Callable[[EmbedResult, IndexResult], None]
_PASSES = 3  # how often scenes that were ingested meanwhile are added before the gate looks


@dataclass(frozen=True)
class ScenePlan:
    """What is left to do for one scene."""

    scene: str
    state: State
    """``partial``: its shard is not indexed yet, or some of its super-tiles are done."""
    cost: Cost


@dataclass(frozen=True)
class Plan:
    """What a backfill would do."""

    target: Target
    collection: str
    scenes: tuple[ScenePlan, ...]
    cost: Cost
    before: str | None
    """Collection in use."""
    notes: tuple[str, ...]

    @property
    def to_do(self) -> tuple[str, ...]:
        """Keys of the scenes that are not done."""
        return tuple(each.scene for each in self.scenes if each.state != "done")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        states = [each.state for each in self.scenes]
        return {
            "encoder": self.target.encoder,
            "fingerprint": self.target.fingerprint,
            "division": self.target.recipe.key,
            "collection": self.collection,
            "scenes": len(states),
            "states": {state: states.count(state) for state in ("done", "partial", "missing")},
            "to_do": list(self.to_do),
            **self.cost.to_dict(),
            "estimated": True,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Backfill:
    """What a backfill has done."""

    plan: Plan
    patches: int
    """Embedded now."""
    seconds: float
    failed: tuple[tuple[str, str], ...]
    """Scenes that could not be embedded, each with the error."""
    gate: Gate | None
    """None where the target was in use already."""
    switched: Switch | None
    after: str | None
    """Collection in use."""
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the result of ``imagerag backfill``: the plan's fields, with real figures in place of estimates."""
        return self.plan.to_dict() | {
            "patches": self.patches,
            "seconds": round(self.seconds, 3),
            "estimated": False,
            "failed": [{"scene": scene, "error": error} for scene, error in self.failed],
            "gate": None if self.gate is None else self.gate.to_dict(),
            "switched": self.switched is not None,
            "switch": None if self.switched is None else self.switched.id,
            "forced": self.switched is not None and self.switched.forced,
            "alias": {"before": self.plan.before, "after": self.after},
            "notes": [*self.plan.notes, *self.notes],
        }


def make_plan(platform: Platform, encoder: str | None = None) -> Plan:
    """Plan a backfill to an encoder (default: the chosen one); change nothing.

    Raises:
        UnknownEncoderError, EncoderError: the encoder is not available.
        FingerprintError: the encoder's collection is of another vector length.
        StoreError: Milvus or the store fails.
    """
    target = target_of(platform, encoder)
    dim = load_encoder(target.encoder, platform.settings).dim
    collection = target.collection
    if platform.vectors.exists(collection):
        platform.vectors.ensure_patches(target.fingerprint, dim, target.recipe)
    rate = patches_per_second(platform, target)
    scenes = tuple(read_all(lambda key: _plan_scene(platform, target, dim, rate, key), scenes_to_cover(platform)))
    removed = sum(not mark.purged for mark in list_removed(platform))
    return Plan(
        target=target,
        collection=collection,
        scenes=scenes,
        cost=total(each.cost for each in scenes),
        before=platform.vectors.alias_target("patches"),
        notes=(f"{removed} scenes that left their source or were removed are not included",) if removed else (),
    )


def _plan_scene(platform: Platform, target: Target, dim: int, rate: float, key: str) -> ScenePlan:
    record = load_record(platform, key)
    shard = target.key(record)
    settings = platform.settings
    if indexed_rows(platform, target, record) is not None:
        return ScenePlan(key, "done", cost_of(0, dim, (), settings, rate))
    if find_shard(platform, target, record) is not None:
        return ScenePlan(key, "partial", cost_of(0, dim, (), settings, rate))
    patches = count_patches(platform, record, target.recipe)
    cost = cost_of(patches, dim, record.scene.imagery.hrefs, settings, rate)
    return ScenePlan(key, "partial" if is_begun(platform, shard) else "missing", cost)


def backfill(
    platform: Platform,
    encoder: str | None = None,
    *,
    force: bool = False,
    measure: Measure | None = None,
    progress: Progress | None = None,
    made: Made | None = None,
) -> Backfill:
    """Fill the collection of an encoder and the settings, and switch to it if the gate opens.

    Nothing is switched while a scene is missing or a check fails; the result says which.

    Args:
        platform: The installation.
        encoder: Registry name; default: the chosen encoder.  After a switch it is the chosen one.
        force: Overrule failed checks of quality, never missing scenes or unusable vectors.
        measure: The benchmark; None where there is none.
        progress: Called with super-tiles done, all of them, and what is being done.
        made: Called after each scene.

    Raises:
        LockedError: another backfill is running.
        UnknownEncoderError, EncoderError: the encoder is not available.
        FingerprintError: the encoder's collection is of another vector length.
        StoreError: Milvus or the store fails; run it again to continue.
    """
    started = time.perf_counter()
    with held(platform.store, LOCK) as lock:
        plan = make_plan(platform, encoder)
        target = plan.target
        pinned = platform.using(target.encoder)
        done = _Filling(pinned, target, lock, progress, made)
        todo: Sequence[str] = plan.to_do
        for _ in range(_PASSES):
            done.fill(todo)
            todo = [key for key in uncovered(platform, target) if key not in done.failed]
            if not todo:
                break
        result = Backfill(plan, done.patches, 0.0, tuple(done.failed.items()), None, None, plan.before)
        serving = find_serving(platform, orphaned=True)
        if serving is not None and serving.collection != plan.collection:
            result = _take_over(pinned, result, serving, lock, measure=measure, force=force, progress=progress)
            if result.switched is not None:  # what an ingest for the old collection alone added at the last moment
                done.fill(uncovered(platform, target))
                result = replace(result, notes=_notes(platform, target), failed=tuple(done.failed.items()))
        elif serving is not None:
            result = replace(result, after=serving.collection)
        return replace(result, patches=done.patches, seconds=time.perf_counter() - started)


def _notes(platform: Platform, target: Target) -> tuple[str, ...]:
    asked = platform.settings.encoder
    if asked is None or asked == target.encoder:
        return ()
    return (f"IMAGERAG_ENCODER={asked} still asks for another encoder: ingest embeds with both until you unset it",)


class _Filling:
    """Embed and index scenes one after the other, and count what was done."""

    def __init__(
        self, platform: Platform, target: Target, lock: Lock, progress: Progress | None, made: Made | None
    ) -> None:
        self._platform, self._target, self._lock = platform, target, lock
        self._progress, self._made = progress, made
        self.patches = 0
        self.failed: dict[str, str] = {}

    def fill(self, keys: Sequence[str]) -> None:
        """Embed and index scenes; a failing one does not stop the others.  Raise LockedError if the lock is lost."""
        if not keys:
            return
        tiles = {key: self._tiles(key) for key in keys}
        before, count, collection = 0, sum(tiles.values()), None
        for key in keys:
            self._lock.require()
            try:
                patch_table(self._platform, key)
                embedded = embed(self._platform, key, target=self._target, progress=self._report(before, count))
                indexed = index(self._platform, key, target=self._target, build_index=False)
            except MemoryError:
                raise
            except Exception as error:  # of one scene
                self.failed[key] = describe(error)
            else:
                collection = indexed.collection
                self.failed.pop(key, None)
                self.patches += 0 if embedded.skipped else embedded.patches
                if self._made is not None:
                    self._made(embedded, indexed)
            before += tiles[key]
        if collection is not None:
            vectors = self._platform.vectors
            vectors.build_index(collection, resize=vectors.alias_target("patches") != collection)

    def _tiles(self, key: str) -> int:
        grid = load_record(self._platform, key).grid
        division = self._target.recipe.division_for(grid)
        return supertile_count(division, grid.width, grid.height, self._platform.settings.supertile_px)

    def _report(self, before: int, count: int) -> Progress | None:
        progress = self._progress
        if progress is None:
            return None
        return lambda done, _, what: progress(before + done, count, what)


def _take_over(
    platform: Platform,
    result: Backfill,
    serving: Serving,
    lock: Lock,
    *,
    measure: Measure | None,
    force: bool,
    progress: Progress | None,
) -> Backfill:
    """Ask the gate, and switch if it opens; `platform` is pinned to the new encoder."""
    target, collection = result.plan.target, result.plan.collection
    gate = Gate(()) if result.failed else Gate((_knowledge(platform, serving, progress), *_concepts(platform)))
    gate = Gate((*examine(platform, serving, target, measure).checks, *gate.checks))
    if not gate.opens(force=force):
        return replace(result, gate=gate)
    after: dict[str, str | None] = {"patches": collection, "encoder": target.encoder}
    for kind in KNOWLEDGE_KINDS.values():
        live = read_current(platform.store, kind, target.fingerprint)
        after[kind] = None if live is None else live.images
    lock.require()
    made = switch(platform, "backfill", in_use(platform, serving), after, gate=gate.to_dict(), forced=bool(gate.failed))
    return replace(result, gate=gate, switched=made, after=collection)


def _concepts(platform: Platform) -> tuple[GateCheck, ...]:
    """Embed the crops of concepts with the new encoder, beside the vectors of the old one; no check without any."""
    try:
        examples = embed_concepts(platform)
    except (StoreError, EncoderError) as error:
        return (GateCheck("concepts", False, False, f"The concepts cannot be embedded again: {error}"),)
    return (GateCheck("concepts", True, False, f"{examples} examples of concepts"),) if examples else ()


def _knowledge(platform: Platform, serving: Serving, progress: Progress | None) -> GateCheck:
    """Embed the exemplars of the live knowledge bases with the new encoder, beside the old ones."""
    built = []
    for name, kind in KNOWLEDGE_KINDS.items():
        live = read_current(platform.store, kind, serving.target.fingerprint)
        if live is None:
            continue
        try:
            report = build(platform, name, live.source, progress=progress, switch_alias=False)  # type: ignore[arg-type]
        except KnowledgeError as error:
            return GateCheck("knowledge", False, False, f"The {name} cannot be embedded again: {error}")
        built.append(f"{report.exemplars} exemplars of {name}")
    return GateCheck("knowledge", True, False, ", ".join(built) or "there is no knowledge base")
