"""When the sensor asks a standing question, and when it asks again because a run failed.

A question stays due until a run has answered it, so the plan of a tick remembers what was requested.  A try that failed
is repeated after 1, 4, 16 and 64 minutes; then the question waits for the next acquisition, with a note that
`imagerag watch list` shows.  Asking belongs to `asking`, requesting runs to the sensor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from imagerag_assets.installation.platform import Platform
from imagerag_assets.standing_questions.asking import Due, due
from imagerag_assets.standing_questions.store import find_failure, give_up

MAX_TRIES = 5
_FIRST_WAIT, _FACTOR = timedelta(minutes=1), 4
_SAMPLE = 20  # scenes remembered of a request: Dagster keeps a cursor with every tick


@dataclass(frozen=True)
class Waiting:
    """A question that was requested and is not known to be answered."""

    run_key: str
    """Of the first try."""
    tries: int
    asked_at: str
    """When the last try was requested, ISO 8601."""
    scenes: tuple[str, ...]
    """Some of the scenes that it was requested for."""

    def may_ask(self, now: datetime) -> bool:
        """Whether enough time has passed since the last try."""
        return now - datetime.fromisoformat(self.asked_at) >= _FIRST_WAIT * _FACTOR ** (self.tries - 1)


@dataclass(frozen=True)
class Cursor:
    """What the sensor knows: the last indexing event it has seen, and the questions that wait for an answer."""

    after: int | None = None
    """Storage id of the event."""
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    """By the id of the watch."""

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """Read what :meth:`dumps` wrote; anything else is a new start."""
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
        """Return the number of the event alone where nothing waits, else JSON."""
        if not self.waiting:
            return None if self.after is None else str(self.after)
        return json.dumps({"after": self.after, "waiting": {key: asdict(each) for key, each in self.waiting.items()}})


@dataclass(frozen=True)
class Request:
    """A question to ask now."""

    watch_id: str
    run_key: str
    """One for each try."""


@dataclass(frozen=True)
class AskingPlan:
    """What one tick of the sensor does."""

    requests: tuple[Request, ...]
    cursor: Cursor
    notes: tuple[str, ...]
    """What a person should know: questions given up, and watches that cannot be read."""


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
        after: Storage id of the last of these events.
        running: Whether a run for a watch is queued or under way.
        now: Default: the present time.

    Raises:
        StoreError: the store cannot be read or written.
    """
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
    """Those that no answer has been given to: a scene of the request is still unseen."""
    if not waiting:
        return []
    scenes = {key for entry in waiting.values() for key in entry.scenes}
    still = {each.watch.watch_id: each.scenes for each in due(platform, scenes, only=waiting.keys())}
    return [key for key, entry in waiting.items() if still.get(key, {}).keys() & set(entry.scenes)]


def _sample(each: Due) -> tuple[str, ...]:
    return tuple(sorted(each.scenes)[:_SAMPLE])
