"""Answer questions about what changed: compare the first and the last scene of a place in scope, place by place.

Which patches changed is found in `retrieval/pairs.py`.  Here the two scenes are chosen, their shards read (a search
would give the nearest patches only), and what was found put into cues of the later scene.  How these are shown and told
of is in `compared.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from imagerag_assets.errors import QuestionError, RasterError, StoreError
from imagerag_assets.installation.serving import Serving
from imagerag_assets.questions.compared import Compared, day_of
from imagerag_assets.questions.coverage import area_of, covers, first_and_last
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.scope import scope_of
from imagerag_assets.raster.geo import box_geometries, same_place
from imagerag_assets.retrieval.calibration import Calibration
from imagerag_assets.retrieval.fast import ranked
from imagerag_assets.retrieval.pairs import UNUSUAL, Pairs, Patches, apart, pair_patches, standing_out
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.retrieve import retrieve
from imagerag_assets.retrieval.second_look import encode_pictures
from imagerag_assets.retrieval.types import Cue, Keep, PathName, Retrieval, Search
from imagerag_assets.scenes.records import SceneRecord, list_records
from imagerag_assets.scenes.removed import list_asked
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import read_shard

CHANGE: Final = "change"
"""The phrase of a place that changed."""
MAX_PLACES = 8
"""The most places given unless the question says how many."""
MAX_SCENES = 200
"""The most scenes in scope to choose the two from."""
_COUNTED = re.compile(r"\b(more|fewer|less|how many|number of|increas\w*|decreas\w*|grow\w*|grew)\b")
_COLUMNS = ("patch_id", "level", "x0", "y0", "x1", "y1", "west", "south", "east", "north", "embedding")
_HARDLY_ALIKE = 0.5  # median difference from which two scenes can hardly be compared


@dataclass(frozen=True)
class _Comparison:
    """A question about two scenes."""

    serving: Serving
    question: Question
    analysis: Analysis
    viewer: Viewer
    calibration: Calibration
    before: SceneRecord
    after: SceneRecord


def is_comparison(question: Question, analysis: Analysis) -> bool:
    """Return whether to compare two scenes.  The paper's retrieval, examples and other modes look at one picture."""
    plain = question.mode == "imagerag" and question.retrieval == "default" and question.like is None
    return analysis.kind == "change" and plain and question.path != "none"


def compare(
    serving: Serving, question: Question, analysis: Analysis, viewer: Viewer, calibration: Calibration
) -> Compared:
    """Compare the first and the last scene of a place.

    A question that names something ("at the harbour") looks only where that is in either scene; one that asks for more
    or fewer of it counts it in both, on the ground that both show.

    Raises:
        QuestionError: there are no two such scenes in scope.
        StoreError: a shard or Milvus cannot be read.
    """
    asked = _Comparison(serving, question, analysis, viewer, calibration, *_two_scenes(serving, question, viewer))
    counted = bool(analysis.phrases and _COUNTED.search(analysis.question.lower()))
    return _count(asked) if counted else _places(asked)


def _two_scenes(serving: Serving, question: Question, viewer: Viewer) -> tuple[SceneRecord, SceneRecord]:
    removed = list_asked(serving.platform) if not question.scenes else ()
    keys = question.scenes or tuple(key for key in list_records(serving.platform) if key not in removed)
    if len(keys) > MAX_SCENES:
        raise QuestionError(
            f"A change is asked about, and {len(keys)} scenes are in scope", fix="Name two with --scene A --scene B"
        )
    records = (record for record in map(viewer.record, keys) if not record.render.empty)
    return first_and_last(record for record in records if covers(question, record))


def _places(asked: _Comparison) -> Compared:
    """Find the places that changed, as cues of the later scene."""
    start = perf_counter()
    question, analysis, before, after = asked.question, asked.analysis, asked.before, asked.after
    platform, later = asked.serving.platform, after.scene.scene_key
    notes = list(analysis.notes)
    timings: dict[str, float] = {}
    old, new = (_patches(asked.serving, record) for record in (before, after))
    pairs = pair_patches(old, new)
    if not len(pairs.after):
        raise QuestionError(
            "The two scenes show no place with patches of about the same size on the ground",
            fix="Compare scenes of similar resolution that overlap",
        )
    scope = scope_of(platform, question.but(scenes=(later,)), analysis.region, asked.viewer)
    notes += scope.notes
    considered = np.ones(len(pairs.after), dtype=np.bool_)
    shapes = box_geometries(new.boxes[pairs.after])
    if question.bbox is not None:
        considered &= shapely.intersects(shapes, area_of(question.bbox))
    if scope.keep is not None:
        kept = [scope.keep(later, _window(new, row)) for row in pairs.after]
        considered &= np.array(kept, dtype=np.bool_)
    if analysis.phrases:
        looked = _looked_for(asked, (before, after))
        boxes = np.array([cue.bbox for cue in looked.cues if cue.bbox], np.float64).reshape(-1, 4)
        considered &= shapely.intersects(shapes, shapely.union_all(box_geometries(boxes)))
        notes += looked.notes
        timings = looked.timings_ms
    settings, searched = platform.settings, perf_counter()
    least = 0.5 if settings.min_confidence is None else settings.min_confidence
    changed = standing_out(pairs, np.flatnonzero(considered), least)
    if settings.second_look:
        changed = changed[: settings.second_look]
        pairs, unread = _look_again(asked, pairs, changed, old, new)
        notes += unread
        changed = standing_out(pairs, changed, least)
    chosen = apart(new, pairs, changed)[: question.top_k or MAX_PLACES]
    cues = ranked([_cue(new, pairs, int(index), after) for index in chosen])
    typical = float(np.median(pairs.difference))
    notes.append(
        f"{considered.sum()} of {len(pairs.after)} places that both scenes show are asked about; all of them typically "
        f"differ by {typical:.2f} (1 - cosine)"
    )
    if typical > _HARDLY_ALIKE:
        notes.append("The two scenes differ nearly everywhere, so that single changes hardly stand out")
    if not cues:
        notes.append("No place differs much more than the others do")
    found = Retrieval(
        cues,
        CHANGE if cues else "none",
        abstained=not cues,
        notes=tuple(notes),
        timings_ms={
            **timings,
            "search": 1000 * (searched - start),
            "verify": timings.get("verify", 0.0) + 1000 * (perf_counter() - searched),
        },
    )
    details = {
        "pairs": len(pairs.after),
        "typical_difference": typical,
        "places": [_place(old, new, pairs, int(i), rank) for rank, i in enumerate(chosen, 1)],
    }
    return Compared(before, after, found, replace(analysis, phrases=(CHANGE,)), counted=False, details=details)


def _look_again(
    asked: _Comparison, pairs: Pairs, index: NDArray[np.intp], old: Patches, new: Patches
) -> tuple[Pairs, tuple[str, ...]]:
    """Compare pairs again with exactly their ground in the earlier scene, where the grids are not aligned."""
    grid, scene = asked.before.grid, asked.before.scene.scene_key
    read: dict[int, NDArray[np.uint8]] = {}
    for pair in index.tolist():
        row, partner = int(pairs.after[pair]), int(pairs.before[pair])
        window = same_place(asked.after.grid, _window(new, row), grid)
        if window is None or window == _window(old, partner):
            continue
        try:
            read[pair] = asked.viewer.read(scene, window, max(0, int(old.levels[partner])))
        except (RasterError, StoreError) as error:
            return pairs, (f"No second look at {scene}: {error}",)
    if not read:
        return pairs, ()
    vectors = encode_pictures(asked.serving.platform, list(read.values()))
    again = np.fromiter(read, dtype=np.intp)
    cosine = np.einsum("ij,ij->i", vectors, new.vectors[pairs.after[again]]).astype(np.float64)
    return pairs.with_difference(again, 1 - cosine), ()


def _count(asked: _Comparison) -> Compared:
    """Count what is looked for in each of the two scenes, where both show the ground."""
    analysis, before, after = asked.analysis, asked.before, asked.after
    found = _looked_for(replace(asked, analysis=replace(analysis, wants_all=True)), (after, before))
    counts = {
        phrase: {
            when: sum(cue.phrase == phrase and cue.scene == record.scene.scene_key for cue in found.cues)
            for when, record in (("before", before), ("after", after))
        }
        for phrase in analysis.phrases
    }
    told = tuple(
        f"{phrase}: {number['before']} on {day_of(before)}, {number['after']} on {day_of(after)}"
        for phrase, number in counts.items()
    )
    found = replace(found, notes=(*found.notes, *told))
    # Each cue counts, so the model confirms it as that of a comparison.
    return Compared(before, after, found, replace(analysis, kind="compare"), counted=True, details={"counts": counts})


def _looked_for(asked: _Comparison, records: Sequence[SceneRecord]) -> Retrieval:
    """Find cues in each of two scenes, where they overlap.  Those of the first scene come first."""
    serving, question, analysis = asked.serving, asked.question, asked.analysis
    cues: list[Cue] = []
    notes: list[str] = []
    timings: dict[str, float] = {}
    for record, other in zip(records, reversed(records), strict=True):
        scene = record.scene.scene_key
        scope = scope_of(
            serving.platform, question.but(scenes=(scene,)), analysis.region, asked.viewer,
            coarsest_m=asked.calibration.coarsest_m,
        )  # fmt: skip
        search = Search(
            calibration=asked.calibration,
            where=scope.where,
            keep=_on_common_ground(record, other, scope.keep),
            collection=serving.collection,
            path=question.path,
            top_k=question.top_k,
            look=asked.viewer,
        )
        found = retrieve(serving.platform, analysis, search)
        cues += found.cues
        notes += [f"{scene}: {note}" for note in found.notes if note not in analysis.notes]
        timings = {name: timings.get(name, 0.0) + taken for name, taken in found.timings_ms.items()}
    path: PathName = cues[0].path if cues else "none"
    return Retrieval(ranked(cues), path, not cues, (*analysis.notes, *notes), timings)


def _on_common_ground(record: SceneRecord, other: SceneRecord, keep: Keep | None) -> Keep:
    def both(scene: str, window: tuple[int, int, int, int]) -> bool:
        there = same_place(record.grid, window, other.grid)
        if there is None:
            return False
        x, y = (there[0] + there[2]) / 2, (there[1] + there[3]) / 2
        inside = 0 <= x < other.grid.width and 0 <= y < other.grid.height
        return inside and (keep is None or keep(scene, window))

    return both


def _patches(serving: Serving, record: SceneRecord) -> Patches:
    key = serving.target.key(record)
    if not serving.platform.store.exists(key.path):
        raise StoreError(
            "The scene has no embeddings of the encoder in use", fix="Ingest it again", scene=record.scene.scene_key
        )
    table = read_shard(serving.platform.store, key, columns=_COLUMNS)

    def columns(names: Sequence[str], kind: type) -> NDArray[Any]:
        return np.stack([table.column(name).to_numpy().astype(kind) for name in names], axis=-1)

    return Patches(
        ids=np.array(table.column("patch_id").to_pylist(), dtype=object),
        levels=table.column("level").to_numpy().astype(np.int64),
        windows=columns(("x0", "y0", "x1", "y1"), np.int64),
        boxes=columns(("west", "south", "east", "north"), np.float64),
        vectors=embeddings_of(table),
    )


def _cue(new: Patches, pairs: Pairs, index: int, after: SceneRecord) -> Cue:
    row = int(pairs.after[index])
    west, south, east, north = new.boxes[row].tolist()
    return Cue(
        patch_id=str(new.ids[row]),
        scene=after.scene.scene_key,
        window=_window(new, row),
        bbox=(west, south, east, north),
        level=int(new.levels[row]),
        phrase=CHANGE,
        score=float(pairs.difference[index]),
        confidence=float(pairs.confidence()[index]),
        rank=0,
        path=CHANGE,
    )


def _place(old: Patches, new: Patches, pairs: Pairs, index: int, rank: int) -> dict[str, Any]:
    """Return a changed place in both scenes as JSON, by the patches that were compared."""
    sides = {"before": (old, int(pairs.before[index])), "after": (new, int(pairs.after[index]))}
    return {
        "rank": rank,
        **{
            name: {"patch_id": str(of.ids[row]), "window": list(_window(of, row)), "bbox": of.boxes[row].tolist()}
            for name, (of, row) in sides.items()
        },
        "difference": float(pairs.difference[index]),
        "unusual": float(pairs.unusual[index]),
        "threshold": UNUSUAL,
    }


def _window(patches: Patches, row: int) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = (int(value) for value in patches.windows[row])
    return x0, y0, x1, y1
