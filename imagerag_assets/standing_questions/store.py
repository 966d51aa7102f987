"""Standing questions in the object store: the question, its series of answers, and the scenes they have seen.

``watches/{watch_id}.json`` is the question, ``watches/{watch_id}/answers/{number}-{answer_id}.json`` an answer, and
``watches/{watch_id}/seen.json`` the scenes, with their versions, that its answers know of, and
``watches/{watch_id}/failure.json`` the tries that failed since the last answer.  Asking belongs to `asking`, and when
to ask again to `tries`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from imagerag_assets.errors import InputError, QuestionError, StoreError, UnknownWatchError, describe
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.store import HasStore, read_all
from imagerag_assets.questions.answer_records import load_answer
from imagerag_assets.questions.examples import example_file
from imagerag_assets.questions.question import Question
from imagerag_assets.scenes.records import load_record

WATCHES = "watches"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_NUMBER = re.compile(r"/answers/(\d+)-[^/]*$")
_MAX_NAME = 120


@dataclass(frozen=True)
class Watch:
    """A standing question."""

    watch_id: str
    """Characters ``[A-Za-z0-9_.-]``, made from the name; also the Dagster partition key."""
    name: str
    question: Question
    created_at: str
    """ISO 8601, UTC."""

    def to_dict(self) -> dict[str, Any]:
        """Return the watch as JSON, with every field of its question; :meth:`from_dict` reads it back."""
        about = {"watch_id": self.watch_id, "name": self.name, "created_at": self.created_at}
        return about | self.question.model_dump(mode="json")

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Watch:
        """Read what :meth:`to_dict` wrote.  Fields that an earlier version did not keep have their defaults.

        Raises:
            KeyError, TypeError, QuestionError: It is no such record.
        """
        asked = {name: value for name, value in stored.items() if name not in ("watch_id", "name", "created_at")}
        return cls(stored["watch_id"], stored["name"], Question(**asked), stored["created_at"])


@dataclass(frozen=True)
class WatchAnswer:
    """One answer of a watch's series."""

    watch_id: str
    answer_id: str
    """Id of its full record, which is stored like that of any answer."""
    asked_at: str
    """ISO 8601, UTC."""
    answer: str | None
    choice: str | None
    confidence: float | None
    """Confidence of the answer if the model gave one, else of the best cue."""
    path: str
    found: bool
    """Whether there is any cue."""
    count: int
    """Number of cues."""
    scenes: tuple[str, ...]
    """Scenes of the cues, best first."""
    triggered_by: dict[str, str]
    """Scenes, with their versions, that no earlier answer of the watch has seen."""
    previous: str | None
    """Id of the answer before."""
    changed: tuple[dict[str, Any], ...]
    """What differs from the answer before: ``what``, ``before``, ``after``; empty for the first one."""
    changed_at: str | None
    """When an answer last differed from the one before it."""
    gist: str | None = None
    """What was found, without coordinates and confidences; None in records of earlier versions."""

    def to_dict(self) -> dict[str, Any]:
        """Return the values as JSON."""
        return asdict(self) | {"scenes": list(self.scenes), "changed": list(self.changed)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> WatchAnswer:
        """Read what :meth:`to_dict` wrote.

        Raises:
            KeyError, TypeError: it is not such a record.
        """
        values = {field.name: stored[field.name] for field in fields(cls) if field.name != "gist"}
        values["gist"] = stored.get("gist")
        return cls(**values | {"scenes": tuple(values["scenes"]), "changed": tuple(values["changed"])})


@dataclass(frozen=True)
class WatchFailure:
    """The failed tries to ask a watch since its last answer."""

    error: str
    """Error of the last try, in one line."""
    at: str
    """Time of the last try, ISO 8601, UTC."""
    tries: int
    given_up: bool = False
    """Whether the sensor has stopped trying until the next acquisition."""

    def problem(self, watch_id: str) -> str:
        """Return the problem in one line for a person."""
        tries = "1 try" if self.tries == 1 else f"{self.tries} tries"
        if self.given_up:
            after = f"It waits for the next acquisition; to ask it now, run: imagerag watch run {watch_id}"
        else:
            after = "The sensor standing_questions asks it again"
        return f"Not answered after {tries}: {self.error} {after}"


def add_watch(platform: Platform, question: Question, *, name: str = "") -> Watch:
    """Save a question; :func:`ask_watch` asks it.  What is saved has been read back to the same question.

    Args:
        platform: The installation.
        question: What to ask, and where and when to look.  An example picture is kept by its absolute path, as the
            question may be asked from another folder.
        name: For people, and for the id; default: the question.

    Raises:
        QuestionError: The name is taken or unusable, or the question cannot be asked again and again.
        UnknownSceneError: It names a scene that is not there.
        UnknownAnswerError: It follows up an answer that is not there.
    """
    if question.mode != "imagerag":
        raise QuestionError(f"Mode {question.mode} is not for standing questions", fix="Leave the mode out")
    for key in question.scenes:
        load_record(platform, key)
    if question.after is not None:
        load_answer(platform, question.after)
    if question.like is not None and question.like.count(":") != 4:
        question = question.but(like=str(example_file(question.like).absolute()))
    name = " ".join(name.split())
    if len(name) > _MAX_NAME:
        raise QuestionError(f"The name has {len(name)} characters", fix=f"Use at most {_MAX_NAME}")
    title = name or question.question or f"like {Path(question.like or '').name}"
    watch = Watch(_watch_id(name, question), title, question, _now())
    if platform.store.exists(_key(watch.watch_id)):
        raise QuestionError(
            f"A watch named {watch.watch_id} already exists",
            fix=f"Give another name, or first run: imagerag watch remove {watch.watch_id}",
        )
    stored = watch.to_dict()
    if Watch.from_dict(json.loads(json.dumps(stored))) != watch:
        raise QuestionError("The question does not survive being saved", fix="Ask it with `imagerag ask`")
    platform.store.write_json(_key(watch.watch_id), stored)
    return watch


def load_watch(platform: HasStore, watch_id: str) -> Watch:
    """Return a stored watch.

    Raises:
        UnknownWatchError: There is none.
        StoreError: It is damaged, or its name cannot be that of a watch.
    """
    if not _ID.fullmatch(watch_id) or not platform.store.exists(_key(watch_id)):
        known = list_watches(platform)
        if watch_id in known:
            raise StoreError(
                f"The name {watch_id[:80]!r} cannot be that of a watch",
                fix=f"Run: imagerag watch remove {watch_id!r}",
                object=platform.store.url(_key(watch_id)),
            )
        fix = f"Known: {', '.join(known[:10])}" if known else 'Add one: imagerag watch add "QUESTION"'
        if close := get_close_matches(watch_id, known, n=1, cutoff=0.5):
            fix = f"Did you mean {close[0]}?"
        raise UnknownWatchError(f"There is no watch {watch_id[:80]!r}", fix=fix)
    try:
        return Watch.from_dict(platform.store.read_json(_key(watch_id)))
    except (AttributeError, KeyError, TypeError, ValueError, InputError) as error:
        raise StoreError(
            f"The watch is damaged ({type(error).__name__}: {error})",
            fix=f"Run: imagerag watch remove {watch_id}",
            object=platform.store.url(_key(watch_id)),
        ) from None


def list_watches(platform: HasStore) -> list[str]:
    """Return the ids of all watches, sorted."""
    keys = (key.split("/") for key in platform.store.list(WATCHES))
    return sorted(key[1].removesuffix(".json") for key in keys if len(key) == 2)


def remove_watch(platform: Platform, watch_id: str) -> int:
    """Delete a watch and its series, and return the number of its answers; the records of the answers stay.

    Raises:
        UnknownWatchError: There is none.
    """
    if watch_id not in list_watches(platform):
        load_watch(platform, watch_id)
    series = platform.store.list(f"{WATCHES}/{watch_id}")
    for key in [*series, _key(watch_id)]:  # the question last: if this is interrupted, it can be removed again
        platform.store.delete(key)
    return sum("/answers/" in key for key in series)


def series(platform: Platform, watch_id: str) -> list[WatchAnswer]:
    """Return all answers of a watch, oldest first."""
    return read_all(lambda key: read_answer(platform, key), answer_keys(platform, watch_id))


def last_answer(platform: Platform, watch_id: str) -> WatchAnswer | None:
    """Return the newest answer of a watch, or None if it was never asked."""
    keys = answer_keys(platform, watch_id)
    return read_answer(platform, keys[-1]) if keys else None


def _watch_id(name: str, question: Question) -> str:
    """Return an id made from the name; without one, from the question, with a digest of all that is asked."""
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", name or question.question).strip("-.").lower()[:60].rstrip("-.")
    if name and slug and re.fullmatch(r"[A-Za-z0-9_. -]+", name):
        return slug if _ID.fullmatch(slug) else f"w{slug}"
    asked: list[Any] = [*(getattr(question, each) for each in _DIGESTED), name]
    fields = type(question).model_fields
    more = {each: getattr(question, each) for each in fields if each not in _DIGESTED}
    asked += [(each, value) for each, value in more.items() if value != fields[each].get_default()]
    digest = hashlib.sha256(repr(asked).encode()).hexdigest()[:8]
    return f"{slug[:40].strip('-._') or 'watch'}-{digest}"


_DIGESTED = ("question", "choices", "scenes", "bbox", "datetime", "path", "top_k", "answer")
"""Fields that are always in the digest of an id, so that ids stay what they were; others only where they are set."""


def save_answer(platform: Platform, answer: WatchAnswer) -> None:
    """Add an answer to the end of its series, then note the scenes that it has seen.

    After a kill between the two, the question is asked once more.

    Raises:
        StoreError: The store cannot be written.
    """
    numbers = [int(match[1]) for key in answer_keys(platform, answer.watch_id) if (match := _NUMBER.search(key))]
    number = max(numbers, default=0) + 1  # not their count: an answer may have been deleted
    platform.store.write_json(_answer_key(answer.watch_id, number, answer.answer_id), answer.to_dict())
    seen = seen_scenes(platform, answer.watch_id) | answer.triggered_by
    platform.store.write_json(_seen_key(answer.watch_id), seen)
    platform.store.delete(_failure_key(answer.watch_id))


def record_failure(platform: Platform, watch_id: str, error: BaseException) -> None:
    """Keep the error of a try that failed, beside the number of such tries since the last answer.

    Raises:
        StoreError: The store cannot be written.
    """
    before = find_failure(platform, watch_id)
    failure = WatchFailure(describe(error), _now(), before.tries + 1 if before else 1)
    platform.store.write_json(_failure_key(watch_id), asdict(failure))


def give_up(platform: Platform, watch_id: str, tries: int) -> None:
    """Note that the sensor does not ask a watch again until the next acquisition.

    Raises:
        StoreError: The store cannot be written.
    """
    before = find_failure(platform, watch_id) or WatchFailure("The runs ended without an error.", _now(), tries)
    platform.store.write_json(_failure_key(watch_id), asdict(replace(before, given_up=True)))


def find_failure(platform: Platform, watch_id: str) -> WatchFailure | None:
    """Return the failed tries since the last answer; None if there are none, or if their record is damaged."""
    with suppress(StoreError, TypeError):
        return WatchFailure(**platform.store.read_json(_failure_key(watch_id)))
    return None


def _failure_key(watch_id: str) -> str:
    return f"{WATCHES}/{watch_id}/failure.json"


def _key(watch_id: str) -> str:
    return f"{WATCHES}/{watch_id}.json"


def _seen_key(watch_id: str) -> str:
    return f"{WATCHES}/{watch_id}/seen.json"


def _answer_key(watch_id: str, number: int, answer_id: str) -> str:
    return f"{WATCHES}/{watch_id}/answers/{number:06d}-{answer_id}.json"


def answer_keys(platform: Platform, watch_id: str) -> list[str]:
    """Return the keys of a watch's answers, oldest first."""
    return platform.store.list(f"{WATCHES}/{watch_id}/answers")


def read_answer(platform: Platform, key: str) -> WatchAnswer:
    """Return the answer stored under a key.

    Raises:
        StoreError: There is none, or it is damaged.
    """
    try:
        return WatchAnswer.from_dict(platform.store.read_json(key))
    except (KeyError, TypeError) as error:
        raise StoreError(
            f"An answer of a watch is damaged ({type(error).__name__}: {error})",
            fix="Delete it",
            object=platform.store.url(key),
        ) from None


def seen_scenes(platform: Platform, watch_id: str) -> dict[str, str]:
    """Return the scenes, with versions, that the answers have seen; none if that is damaged, so it asks again."""
    with suppress(AttributeError, StoreError, TypeError, ValueError):
        return {str(key): str(version) for key, version in platform.store.read_json(_seen_key(watch_id)).items()}
    return {}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
