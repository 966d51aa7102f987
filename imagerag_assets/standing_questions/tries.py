"""When the sensor asks a standing question, and when it asks again because a run failed.

The sensor's cursor remembers each requested question until an answer has seen its scenes.  A failed try is repeated
after 1, 4, 16 and 64 minutes.  Then the question waits for the next acquisition, and `imagerag watch list` says so.
Asking belongs to `asking`, and requesting runs to the sensor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.standing_questions.asking import Due


MAX_TRIES = 5
_FIRST_WAIT, _FACTOR = timedelta(minutes=1), 4
_SAMPLE = 20  # scenes remembered for a request: Dagster stores the cursor with every tick


@dataclass(frozen=True)
class Waiting:
    """A question that was requested and is not answered yet."""

    run_key: str
    """Run key of the first try."""
    tries: int
    asked_at: str
    """Time when the last try was requested, ISO 8601."""
    scenes: tuple[str, ...]
    """Some of the scenes that are the reason for the request."""

    def may_ask(self, now: datetime) -> bool:
        """Return whether enough time has passed since the last try."""
        return now - datetime.fromisoformat(self.asked_at) >= _FIRST_WAIT * _FACTOR ** (self.tries - 1)


@dataclass(frozen=True)
class Cursor:
    """What the sensor knows: the last indexing event it has seen, and the questions that wait for an answer."""

    after: int | None = None
    """Storage id of that event."""
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    """By watch id."""

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """Read what :meth:`dumps` wrote; anything else gives an empty cursor."""
        try:
            stored = json.loads(text or "null")
            if stored is None or isinstance(stored, int):
                return cls(stored)
            waiting = {
                watch_id: Waiting(**entry | {"scenes": tuple(entry["scenes"])})
                for watch_id, entry in stored["waiting"].items()
            }
            return cls(stored["after"], waiting)
        except (AttributeError, KeyError, TypeError, ValueError):
            return cls()

    def dumps(self) -> str | None:
        """Return JSON, or only the id of the event if no question waits."""
        if not self.waiting:
            return None if self.after is None else str(self.after)
        return json.dumps({"after": self.after, "waiting": {key: asdict(each) for key, each in self.waiting.items()}})


@dataclass(frozen=True)
class Request:
    """A question to ask now."""

    watch_id: str
    run_key: str
    """Different for each try."""


@dataclass(frozen=True)
class AskingPlan:
    """What one tick of the sensor does."""

    requests: tuple[Request, ...]
    cursor: Cursor
    notes: tuple[str, ...]
    """Lines for a person: questions that are not tried again, and watches that cannot be read."""


def plan_asking(
    platform: Platform,
    before: Cursor,
    indexed: Collection[str],
    after: int | None,
    *,
    running: Callable[[str], bool],
    now: datetime | None = None,
) -> AskingPlan:
    """Decide which standing questions to ask now.

    Args:
        platform: The installation.
        before: The cursor of the last tick.
        indexed: Keys of the scenes that were indexed since then.
        after: Storage id of the last of these indexing events.
        running: Returns whether a run of the watch with that id is queued or in progress.
        now: The current time; default: that of the clock.

    Raises:
        StoreError: The store cannot be read or written.
    """
    from imagerag_assets.standing_questions.asking import due
    from imagerag_assets.standing_questions.store import find_failure, give_up

    now = now or datetime.now(UTC)
    notes: list[str] = []
    requests: list[Request] = []
    waiting: dict[str, Waiting] = {}
    fresh = {each.watch.watch_id: each for each in due(platform, indexed, problem=notes.append)} if indexed else {}
    for watch_id, each in fresh.items():
        waiting[watch_id] = Waiting(f"{watch_id}:{after}", 1, now.isoformat(), _sample(each))
        requests.append(Request(watch_id, waiting[watch_id].run_key))
    earlier = {watch_id: entry for watch_id, entry in before.waiting.items() if watch_id not in fresh}
    for watch_id in _unanswered(platform, earlier):
        entry = earlier[watch_id]
        if running(watch_id) or (entry.tries < MAX_TRIES and not entry.may_ask(now)):
            waiting[watch_id] = entry
        elif entry.tries < MAX_TRIES:
            again = Waiting(entry.run_key, entry.tries + 1, now.isoformat(), entry.scenes)
            waiting[watch_id] = again
            requests.append(Request(watch_id, f"{again.run_key}:{again.tries}"))
        else:
            give_up(platform, watch_id, entry.tries)
            failure = find_failure(platform, watch_id)
            notes.append(f"{watch_id}: {failure.problem(watch_id)}" if failure else watch_id)
    return AskingPlan(tuple(requests), Cursor(after, waiting), tuple(notes))


def _unanswered(platform: Platform, waiting: Mapping[str, Waiting]) -> list[str]:
    """Return the ids of the questions not answered yet: no answer has seen all scenes of the request."""
    from imagerag_assets.standing_questions.asking import due

    if not waiting:
        return []
    scenes = {key for entry in waiting.values() for key in entry.scenes}
    still = {each.watch.watch_id: each.scenes for each in due(platform, scenes, only=waiting.keys())}
    return [key for key, entry in waiting.items() if still.get(key, {}).keys() & set(entry.scenes)]


def _sample(each: Due) -> tuple[str, ...]:
    return tuple(sorted(each.scenes)[:_SAMPLE])
