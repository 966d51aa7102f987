"""Ask standing questions: which are due, what to ask exactly, and what changed since the answer before.

Answering belongs to `questions.ask`, which scenes cover an area to `questions.coverage`, and storing to `store`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from imagerag_assets.delivery.finding import Finding
from imagerag_assets.delivery.outbox import tell
from imagerag_assets.errors import StoreError, UnknownSceneError, UnknownWatchError
from imagerag_assets.ingestion.ingest import indexed_rows
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving
from imagerag_assets.objects.store import read_all
from imagerag_assets.plans.result import gist
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.coverage import covers, newest
from imagerag_assets.questions.planning import asks_for
from imagerag_assets.questions.question import Question
from imagerag_assets.raster.geo import middle_of_box
from imagerag_assets.scenes.records import SceneRecord, find_record, list_records
from imagerag_assets.standing_questions.store import (
    Watch,
    WatchAnswer,
    WatchFailure,
    answer_keys,
    find_failure,
    last_answer,
    list_watches,
    load_watch,
    read_answer,
    record_failure,
    save_answer,
    seen_scenes,
)

Ask = Callable[[Question], AnswerRecord]
"""Answers a question and returns the answer's record."""
_MAX_SCENES = 500  # in one filter
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Due:
    """A watch to ask, and why."""

    watch: Watch
    scenes: dict[str, str]
    """The new or changed scenes that it covers, with their versions."""


def describe_watches(platform: Platform) -> list[dict[str, Any]]:
    """Return every watch with its last answer, the number of answers, when they last changed, and any problem."""

    def about(watch_id: str) -> dict[str, Any]:
        try:
            watch = load_watch(platform, watch_id)
            keys = answer_keys(platform, watch_id)
            last = read_answer(platform, keys[-1]) if keys else None
            problem: object = _gone(platform, watch) or find_failure(platform, watch_id)
        except (StoreError, UnknownWatchError) as error:
            return {"watch_id": watch_id, "problem": str(error)}
        if isinstance(problem, WatchFailure):
            problem = problem.problem(watch_id)
        return {
            **watch.to_dict(),
            "answers": len(keys),
            "last": last.to_dict() if last else None,
            "changed_at": last.changed_at if last else None,
            "problem": str(problem) if problem else None,
        }

    return read_all(about, list_watches(platform))


def due(
    platform: Platform,
    scenes: Iterable[str] | None = None,
    *,
    only: Container[str] | None = None,
    problem: Callable[[str], None] = _log.warning,
) -> list[Due]:
    """Return the watches to ask: a scene that they cover is new, or changed, since they were asked last.

    Args:
        platform: The installation.
        scenes: Look at these scenes only, and take them to be indexed; default: all that are indexed as they are.
        only: Ids of the watches to look at; default: all.
        problem: Called with a line for each watch that is skipped because it cannot be read.

    Raises:
        StoreError: The store or Milvus cannot be read.
    """
    watches = [watch for watch in _watches(platform, problem) if only is None or watch.watch_id in only]
    if not watches:
        return []
    records = _records(platform, scenes)
    searchable = _Searchable(platform) if scenes is None else None
    found = [Due(watch, _unseen(platform, watch, records, searchable)) for watch in watches]
    return [each for each in found if each.scenes]


def ask_watch(platform: Platform, watch: Watch, ask: Ask) -> WatchAnswer:
    """Ask a standing question now, add the answer to its series, and tell of a change (`delivery`).

    A question about an area is asked of the newest acquisition of each place, because older ones still show what is
    gone.  A question about changes is asked of all acquisitions.

    Raises:
        UnknownSceneError: It names a scene that was removed.
        ImageRAGError: It cannot be answered; the failure is kept beside the watch.
    """
    try:
        answer, record = _ask(platform, watch, ask)
    except Exception as error:
        with suppress(StoreError):  # the store may be what failed
            record_failure(platform, watch.watch_id, error)
        raise
    if answer.changed:
        question = watch.question
        about = {"watch": watch.watch_id, "name": watch.name, "question": question.question, "area": question.bbox}
        tell(platform, _finding(watch, answer, record, about | answer.to_dict()))
    return answer


def _finding(watch: Watch, answer: WatchAnswer, record: AnswerRecord, detail: dict[str, Any]) -> Finding:
    """Return what to tell of an answer, and why."""
    places = []
    for cue in record.cues:
        lon, lat = middle_of_box(cue.bbox) if cue.bbox else (None, None)
        places.append(f"{lat:.5f}, {lon:.5f} ({cue.scene})" if lat is not None else f"without a place ({cue.scene})")
    said = answer.answer or ("found" if answer.found else "not found")
    return Finding(
        watch=watch.watch_id,
        name=watch.name,
        question=watch.question.question,
        answer_id=answer.answer_id,
        asked_at=answer.asked_at,
        answer=f"{answer.choice}: {said}" if answer.choice else said,
        confidence=answer.confidence,
        changed=answer.changed,
        new_scenes=tuple(answer.triggered_by),
        places=tuple(dict.fromkeys(places)),
        previous=answer.previous,
        detail=detail,
    )


def _ask(platform: Platform, watch: Watch, ask: Ask) -> tuple[WatchAnswer, AnswerRecord]:
    """Ask, compare with the answer before, and save."""
    gone = _gone(platform, watch)
    if gone:
        raise gone
    records = _records(platform, watch.question.scenes or None)
    searchable = _Searchable(platform)
    fresh = _unseen(platform, watch, records, searchable)
    question = watch.question
    if question.bbox is not None and not asks_for("change", question):
        there = [record for record in records if covers(question, record) and searchable(record)]
        keys = tuple(record.scene.scene_key for record in newest(there, question.bbox))
        if 0 < len(keys) <= _MAX_SCENES:
            question = question.but(scenes=keys)
    record = ask(question)
    answer = _compared(watch, record, fresh, last_answer(platform, watch.watch_id))
    save_answer(platform, answer)
    return answer, record


def _watches(platform: Platform, problem: Callable[[str], None]) -> Iterator[Watch]:
    for watch_id in list_watches(platform):
        try:
            yield load_watch(platform, watch_id)
        except (StoreError, UnknownWatchError) as error:  # `imagerag watch list` shows it, and the others are asked
            problem(f"Watch {watch_id} is skipped: {error}")


def something_to_ask(platform: Platform, watch: Watch) -> bool:
    """Return whether a watch's scope has any ingested scene."""
    searchable = _Searchable(platform)
    records = _records(platform, watch.question.scenes or None)
    return any(covers(watch.question, record) and searchable(record) for record in records)


class _Searchable:
    """Whether a scene's current version is indexed and has any patch (cached per scene)."""

    def __init__(self, platform: Platform) -> None:
        self._platform, self._known = platform, dict[str, bool]()
        self._serving = find_serving(platform)

    def __call__(self, record: SceneRecord) -> bool:
        key = record.scene.scene_key
        if key not in self._known:
            serving = self._serving
            self._known[key] = serving is not None and bool(indexed_rows(self._platform, serving.target, record))
        return self._known[key]


def _unseen(
    platform: Platform, watch: Watch, records: Iterable[SceneRecord], searchable: _Searchable | None
) -> dict[str, str]:
    seen = seen_scenes(platform, watch.watch_id)
    return {
        record.scene.scene_key: record.scene.version
        for record in records
        if seen.get(record.scene.scene_key) != record.scene.version
        and not record.render.empty
        and covers(watch.question, record)
        and (searchable is None or searchable(record))
    }


def _records(platform: Platform, scenes: Iterable[str] | None) -> list[SceneRecord]:
    keys = list_records(platform) if scenes is None else list(dict.fromkeys(scenes))
    found = read_all(lambda key: find_record(platform, key), keys)
    return [record for record in found if record is not None]


def _gone(platform: Platform, watch: Watch) -> UnknownSceneError | None:
    missing = [key for key in watch.question.scenes if find_record(platform, key) is None]
    if not missing:
        return None
    return UnknownSceneError(
        f"Watch {watch.watch_id} asks about a scene that no longer exists",
        fix=f"Ingest it again, or run: imagerag watch remove {watch.watch_id}",
        scene=", ".join(missing)[:300],
    )


def _compared(watch: Watch, record: AnswerRecord, fresh: dict[str, str], before: WatchAnswer | None) -> WatchAnswer:
    cues, confidence = record.cues, record.confidence
    if confidence is None and cues:
        confidence = max(cue.confidence for cue in cues)
    answer = WatchAnswer(
        watch_id=watch.watch_id,
        answer_id=record.answer_id,
        asked_at=record.asked_at or "",
        answer=record.answer,
        choice=record.choice,
        confidence=confidence,
        path=record.path,
        found=bool(cues),
        count=len(cues),
        scenes=tuple(dict.fromkeys(cue.scene for cue in cues)),
        triggered_by=fresh,
        previous=before.answer_id if before else None,
        changed=(),
        changed_at=before.changed_at if before else None,
        gist=gist(record.result) if record.result else None,
    )
    changed = tuple(_changes(watch.question, before, answer)) if before else ()
    return replace(answer, changed=changed, changed_at=answer.asked_at) if changed else answer


def _changes(question: Question, before: WatchAnswer, after: WatchAnswer) -> Iterator[dict[str, Any]]:
    """Yield what differs: the choice or else the text, whether there are cues, and, if asked for, their number."""
    names = ["choice" if question.choices else "answer", "found"]
    if asks_for("count", question):
        names.append("count")
    for name in names:
        old, new = getattr(before, name), getattr(after, name)
        if name == "answer" and (before.gist or after.gist):
            # The sentence also has coordinates and confidences; an answer of an earlier version has other words.
            differ = bool(before.gist and after.gist) and before.gist != after.gist
        else:
            differ = _plain(old) != _plain(new)
        if differ:
            yield {"what": name, "before": old, "after": new}


def _plain(value: object) -> object:
    return re.sub(r"[\W_]+", " ", value).strip().casefold() if isinstance(value, str) else value
