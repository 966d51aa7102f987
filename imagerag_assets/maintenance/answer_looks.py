"""Look at answers: each record is readable, and has the evidence and the prompt that it speaks of.

That a scene of an answer is gone or has changed is no fault of the answer: `imagerag answers --outdated` says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from imagerag_assets.errors import ImageRAGError, StoreError
from imagerag_assets.installation.differences import Difference
from imagerag_assets.installation.platform import Platform
from imagerag_assets.maintenance.looks import YOUNG_SECONDS, Progress, each_of, set_aside
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.answer_records import ANSWERS, answer_folder, list_answers, load_answer, prompt_key
from imagerag_assets.questions.evidence import Viewer, cue_pictures, store_evidence
from imagerag_assets.retrieval.types import Cue
from imagerag_assets.scenes.records import list_records
from imagerag_assets.standing_questions.store import answer_keys, list_watches, load_watch, read_answer

_BY_HAND = "Restore it from a backup, or delete it"


def answer_differences(platform: Platform, progress: Progress | None = None) -> Iterator[Difference]:
    """Yield answers whose record, evidence or prompt is missing or damaged, and evidence without an answer.

    Raises:
        StoreError: the store cannot be read.
    """
    keys, scenes = platform.store.list(ANSWERS), set(list_records(platform))
    files: dict[str, set[str]] = {}
    for key in keys:
        folder = "/".join(key.split("/")[:2])
        files.setdefault(folder, set()).add(key)
    answers = set(list_answers(platform))
    for answer_id in each_of(sorted(answers), progress, "checking answers"):
        try:
            record = load_answer(platform, answer_id)
        except StoreError as error:
            yield Difference("answer", f"{ANSWERS}/{answer_id}", error.message, _BY_HAND)
            continue
        yield from _incomplete(platform, record, files[answer_folder(answer_id)], scenes)
    for folder in sorted(set(files) - {f"{ANSWERS}/{answer_id}" for answer_id in answers}):
        times = [moment.timestamp() for moment in platform.store.modified(folder).values()]
        if time.time() - max(times, default=0.0) > YOUNG_SECONDS:
            detail = "There is evidence, and no answer: the question was killed"
            mend = partial(set_aside, platform, sorted(files[folder]))
            yield Difference("answer", folder, detail, "Moves it aside", mend)


def _incomplete(platform: Platform, record: AnswerRecord, files: set[str], scenes: set[str]) -> Iterator[Difference]:
    folder = answer_folder(record.answer_id)
    wanted = [f"{folder}/evidence/overview.jpg"] if record.scene is not None and record.cues else []
    wanted += [f"{folder}/evidence/cue-{cue.rank}.jpg" for cue in record.cues]
    wanted += [f"{folder}/cues.geojson"] if record.cues else []
    missing = [key for key in wanted if key not in files or _empty(platform, key)]
    if missing:
        detail = f"Its evidence is missing or empty: {', '.join(key.removeprefix(folder + '/') for key in missing)}"
        needed = {cue.scene for cue in record.cues} | ({record.scene} if record.scene else set())
        if needed <= scenes:
            mend = partial(_redrawn, platform, record)
            yield Difference("answer", folder, detail, "Draws it again from the scenes", mend)
        else:
            gone = ", ".join(sorted(needed - scenes))
            yield Difference("answer", folder, f"{detail}; and its scenes are gone: {gone}", _BY_HAND)
    digest, key = record.lineage.prompt_sha256, prompt_key(record.answer_id)
    if digest is not None and record.record_version >= 2:
        if key not in files:
            yield Difference("answer", key, "The prompt that it was answered with is missing", _BY_HAND)
        elif _readable(platform, key) is None:
            yield Difference("answer", key, "The prompt that it was answered with cannot be read", _BY_HAND)


def _empty(platform: Platform, key: str) -> bool:
    data = _readable(platform, key)
    if not data:
        return True
    if key.endswith(".geojson"):
        try:
            json.loads(data)
        except ValueError:
            return True
    return False


def _readable(platform: Platform, key: str) -> bytes | None:
    try:
        return platform.store.read_bytes(key)
    except StoreError:
        return None


def _redrawn(platform: Platform, record: AnswerRecord) -> str:
    path: Any = record.path
    cues = [
        Cue(each.patch_id, each.scene, each.window, each.bbox, each.level, each.phrase, each.score, each.confidence,
            each.rank, path)
        for each in record.cues
    ]  # fmt: skip
    with Viewer(platform) as viewer:
        pictures, _ = cue_pictures(viewer, cues)
        written = store_evidence(platform, viewer, answer_folder(record.answer_id), record.scene, cues, pictures)
    return f"drawn again: {len(written)} files"


def watch_differences(platform: Platform, progress: Progress | None = None) -> Iterator[Difference]:
    """Yield standing questions that are damaged, and their answers whose record is missing.

    Raises:
        StoreError: the store cannot be read.
    """
    answers = set(list_answers(platform))
    for watch in each_of(list_watches(platform), progress, "checking standing questions"):
        try:
            load_watch(platform, watch)
        except ImageRAGError as error:
            yield Difference("standing question", watch, error.message, _BY_HAND)
            continue
        for key in answer_keys(platform, watch):
            try:
                answer_id = read_answer(platform, key).answer_id
            except StoreError as error:
                yield Difference("standing question", key, error.message, _BY_HAND)
                continue
            if answer_id not in answers:
                yield Difference("standing question", key, f"Its answer {answer_id} is missing", _BY_HAND)
