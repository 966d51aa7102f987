"""Find outdated answers: a newer acquisition, a scene that changed or was removed, an encoder that is retired.

One `Present` is read for any number of answers: the scenes' records once, and their footprints in a tree.  An answer is
compared with it without any further reading.  Nothing is changed, and nothing is asked again; that is `replay`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import shapely

from imagerag_assets.errors import ImageRAGError, StoreError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import ALIAS
from imagerag_assets.objects.store import read_all
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.answer_records import list_answers, read_answers
from imagerag_assets.raster.geo import box_geometries
from imagerag_assets.scenes.records import SceneRecord, find_record, footprint, list_records
from imagerag_assets.scenes.removed import list_removed, said_of
from imagerag_assets.stores.shards import PREFIX, shard_info, version16

Why = Literal["newer-acquisition", "scene-changed", "scene-removed", "encoder-retired"]


@dataclass(frozen=True)
class Reason:
    """Why an answer is outdated."""

    reason: Why
    detail: str
    """One line."""
    scene: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


class Present:
    """What of the present installation can make an answer outdated."""

    def __init__(self, platform: Platform) -> None:
        """Read it.

        Raises:
            StoreError: the object store cannot be read.
        """
        keys = list_records(platform)
        found = read_all(lambda key: _record(platform, key), keys)
        self.scenes = {record.scene.scene_key: record for record in found if record is not None}
        self.removed = {each.scene: each for each in list_removed(platform)}
        self.fingerprint = _serving_fingerprint(platform)
        self._searchable = _SearchableSince(platform, self.scenes)
        dated = [
            (record, place)
            for record in self.scenes.values()
            if record.scene.acquired_at is not None and (place := footprint(record)) is not None
        ]
        self._dated = [record for record, _ in dated]
        self._tree = shapely.STRtree(box_geometries(np.array([place for _, place in dated]).reshape(-1, 4)))

    def reasons(self, record: AnswerRecord) -> list[Reason]:
        """Return why an answer is outdated; empty: nothing says that it is."""
        found = [*self._scenes_that_changed(record), *self._newer_scenes(record)]
        answered = record.lineage.fingerprint
        if self.fingerprint is not None and self.fingerprint != answered:
            name = record.lineage.encoder or answered[:16]
            found.append(Reason("encoder-retired", f"The encoder {name} no longer answers questions"))
        return found

    def _scenes_that_changed(self, record: AnswerRecord) -> Iterator[Reason]:
        for key, version in record.lineage.scenes.items():
            now = self.scenes.get(key)
            if now is None:
                yield Reason("scene-removed", "The scene is no longer stored", key)
            elif key in self.removed:
                asked = self.removed[key].asked
                detail = said_of(self.removed[key]) if asked else "The scene's item is no longer in its source"
                yield Reason("scene-removed", detail, key)
            elif now.scene.version != version:
                yield Reason(
                    "scene-changed", f"The scene's version was {version[:16]} and is {now.scene.version[:16]}", key
                )

    def _newer_scenes(self, record: AnswerRecord) -> Iterator[Reason]:
        """Yield scenes over the answer's area that were acquired after those it used and could not be searched yet."""
        asked, used = _moment(record.asked_at), record.lineage.scenes
        area = self._area(record)
        times = [_moment(text) for text in record.lineage.acquired.values()]
        latest = max((time for time in times if time is not None), default=None)
        if area is None or asked is None:
            return
        for index in sorted(self._tree.query(area, predicate="intersects").tolist()):
            scene = self._dated[index].scene
            last = scene.last_acquired
            later = last is not None and (latest is None or last > latest)
            if scene.scene_key in used or scene.scene_key in self.removed or not later:
                continue
            since = self._searchable.since(scene.scene_key)
            if since is not None and since > asked:
                day = last.date().isoformat() if last else ""
                yield Reason("newer-acquisition", f"A scene acquired on {day} covers its area", scene.scene_key)

    def _area(self, record: AnswerRecord) -> shapely.Geometry | None:
        """Return where the cues are; without cues, the area asked about, else the scenes that were looked at."""
        boxes: list[Sequence[float]] = [cue.bbox for cue in record.cues if cue.bbox]
        if not boxes and record.options.get("bbox"):
            boxes = [record.options["bbox"]]
        if not boxes:
            looked_at = (self.scenes.get(key) for key in record.lineage.scenes)
            boxes = [place for each in looked_at if each is not None and (place := footprint(each)) is not None]
        return shapely.union_all(box_geometries(np.array(boxes, float))) if boxes else None


def why_outdated(platform: Platform, record: AnswerRecord) -> list[str]:
    """Return why time has passed an answer by, in sentences."""
    return [reason.detail for reason in Present(platform).reasons(record)]


def answers(
    platform: Platform,
    *,
    limit: int | None = None,
    only_outdated: bool = False,
    only_failed: bool = False,
    notes: list[str] | None = None,
) -> Iterator[tuple[AnswerRecord, list[Reason]]]:
    """Yield answer records, the newest first, each with the reasons why it is outdated.

    Unreadable records are skipped.

    Args:
        platform: The installation.
        limit: Stop after so many.
        only_outdated: Leave the others out.
        only_failed: Leave out what has an answer.
        notes: Gets a line for each record that was skipped.

    Raises:
        StoreError: the object store cannot be read.
    """
    present, given = Present(platform), 0
    for record in read_answers(platform, list_answers(platform)[::-1], notes):
        if only_failed and record.error is None:
            continue
        reasons = present.reasons(record)
        if reasons or not only_outdated:
            if limit is not None and given >= limit:
                return
            given += 1
            yield record, reasons


def answer_heads(
    platform: Platform, *, limit: int | None = None, only_outdated: bool = False, only_failed: bool = False
) -> dict[str, Any]:
    """Return the latest answers, the newest first: the result of ``imagerag answers``.

    Returns:
        ``{"answers": [...], "notes": [...]}``.  An answer has the keys of `AnswerRecord.head`, ``scenes`` and
        ``outdated``; a note names a record that was skipped.

    Raises:
        StoreError: the object store cannot be read.
    """
    notes: list[str] = []
    found = answers(platform, limit=limit, only_outdated=only_outdated, only_failed=only_failed, notes=notes)
    heads = [
        record.head() | {"scenes": list(record.lineage.scenes), "outdated": [reason.to_dict() for reason in reasons]}
        for record, reasons in found
    ]
    return {"answers": heads, "notes": notes}


def _record(platform: Platform, key: str) -> SceneRecord | None:
    try:
        return find_record(platform, key)
    except ImageRAGError:  # of another version, or gone meanwhile
        return None


def _serving_fingerprint(platform: Platform) -> str | None:
    """Return the fingerprint that questions are answered with; None: nothing is ingested, or Milvus is down."""
    if not platform.has_vectors:
        return None
    try:
        target = platform.vectors.alias_target(ALIAS)
        return None if target is None else platform.vectors.meta(target).fingerprint
    except StoreError:
        return None


class _SearchableSince:
    """When scenes could first be searched as they are: their oldest shard was stored shortly before.

    One listing serves all scenes.  Footers are read only of the scenes that are asked about, and once each.
    """

    def __init__(self, platform: Platform, scenes: Mapping[str, SceneRecord]) -> None:
        self._platform = platform
        self._shards: dict[str, list[tuple[str, datetime]]] = {}
        self._known: dict[str, datetime | None] = {}
        for path, written in platform.store.modified(PREFIX).items():
            parts = path.removesuffix(".parquet").split("/")
            record = scenes.get(parts[1]) if len(parts) == 5 else None
            if record is not None and parts[4] == version16(record.scene.version):
                self._shards.setdefault(parts[1], []).append((path, written))

    def since(self, scene_key: str) -> datetime | None:
        """Return the time, None where no shard holds the scene as it is."""
        if scene_key not in self._known:
            times = [self._stored_at(path, written) for path, written in self._shards.get(scene_key, ())]
            self._known[scene_key] = min(times, default=None)
        return self._known[scene_key]

    def _stored_at(self, path: str, written: datetime) -> datetime:
        """Return what the footer says; the file's date where a shard is older than the field, or damaged."""
        try:
            return shard_info(self._platform.store, path).made.stored_at or written
        except StoreError:
            return written


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat((text or "").rpartition("/")[2])  # the end of an interval
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
