"""What is new in a watched source: the plan of one tick.

A tick reads only documents that are new or have another version.  It requests at most so many scenes; the rest waits
for the next one.  What a tick cannot see is `full_scan`'s part; starting runs is the caller's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

from imagerag_assets.errors import ItemError, describe
from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.failures import record_failure
from imagerag_assets.stac.api import Since
from imagerag_assets.stac.keys import clash, folded
from imagerag_assets.stac.listing import ListedItem, list_source, read_listed
from imagerag_assets.stac.types import FailedItem, Scene
from imagerag_assets.watched_sources.full_scan import take_up_scan
from imagerag_assets.watched_sources.ledger import Entry, Ledger, load_ledger, save_ledger
from imagerag_assets.watched_sources.sources import WatchedSource

_TICK_SECONDS = 20.0  # Dagster gives a sensor 60, listing included
_READS = 64  # documents between two looks at the clock


@dataclass(frozen=True)
class Cursor:
    """Where a tick goes on; small, as Dagster keeps one with every tick."""

    updated: str | None = None
    """The newest update seen, ISO 8601."""
    id: str | None = None
    """The document it was of."""
    acquired: str | None = None
    """The newest acquisition requested; for an API that does not filter by update."""
    ledger: int = 0
    """Number of the ledger that holds; 0: none yet."""
    scan: str | None = None
    """When the full scan was, whose report was taken up last."""

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """What :meth:`dumps` gave; anything else is a new beginning."""
        try:
            return cls(**json.loads(text or "{}"))
        except (TypeError, ValueError):
            return cls()

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Request:
    """A scene to ingest."""

    scene: Scene
    run_key: str
    """One for each version of an item."""
    why: str
    """``new`` (or back again) or ``changed``."""


@dataclass(frozen=True)
class TickPlan:
    """What one tick found."""

    requests: tuple[Request, ...]
    failed: tuple[FailedItem, ...]
    """Items that cannot be used; recorded among the failures."""
    cursor: str
    """For the next tick; to be stored with the requests or not at all."""
    listed: int
    """Documents that were listed."""
    waiting: int
    """Documents known to be new or changed, left for the next tick."""
    problems: tuple[str, ...] = ()
    """Branches of the source that could not be read."""

    @property
    def reason(self) -> str:
        """Why nothing is requested, or what is, in words."""
        new = sum(request.why == "new" for request in self.requests)
        parts = [f"{new} new and {len(self.requests) - new} changed scenes" if self.requests else "Nothing new"]
        parts[0] += f" among {self.listed:,} documents"
        if self.waiting:
            parts.append(f"{self.waiting:,} wait for the next tick")
        if self.failed:
            parts.append(f"{len(self.failed)} cannot be used, first {describe(self.failed[0].error)}")
        if self.problems:
            parts.append(f"{len(self.problems)} branches cannot be read, first {self.problems[0]}")
        return "; ".join(parts)


@dataclass
class _Tick:
    """A tick at work."""

    platform: Platform
    source: WatchedSource
    now: datetime
    ledger: Ledger
    taken: Callable[[], Iterable[str]]
    listed: dict[str, datetime | None] = field(default_factory=dict)
    """Documents and when they were updated."""
    requests: list[Request] = field(default_factory=list)
    failed: list[FailedItem] = field(default_factory=list)
    _owners: dict[str, tuple[str, str]] | None = None

    @property
    def owners(self) -> dict[str, tuple[str, str]]:
        """Scene keys in use by anybody, without regard to case; gathered when the first new scene needs it."""
        if self._owners is None:
            self._owners = {folded(key): (key, "") for key in self.taken()} | self.ledger.owners()
        return self._owners

    def wants(self, each: ListedItem) -> bool:
        """Whether a document has to be read: it is new, changed, or to be read again."""
        entry = self.ledger.entries.get(each.ref)
        if entry is None or entry.version is None:
            return True
        return bool(each.version) and each.version != entry.version

    def may_retry(self, each: ListedItem) -> bool:
        """Whether a document failed, so lately that its files may still be on their way; ever less often."""
        entry = self.ledger.entries.get(each.ref)
        if entry is None or not entry.failed:
            return False
        first, tried = datetime.fromisoformat(entry.first), datetime.fromisoformat(entry.tried)
        since_change = self.now - max(first, each.updated or first)
        return since_change < self.source.look_back and self.now - tried >= (tried - first) / 2

    def take(self, each: ListedItem, results: list[Scene | FailedItem]) -> bool:
        """Request what a document holds; False if not all fitted into the tick."""
        entry = self.ledger.entries.setdefault(each.ref, Entry(first=self.now.isoformat()))
        entry.failed, entry.version, entry.tried = False, each.version, self.now.isoformat()
        for result in results:
            scene = self._checked(each, result) if isinstance(result, Scene) else result
            if isinstance(scene, FailedItem):
                entry.failed = True
                self.failed.append(scene)
                record_failure(self.platform, scene.scene_key, scene.error, item_href=scene.item_href)
            elif not entry.is_at(scene.scene_key, scene.version):
                if len(self.requests) >= self.source.max_new:
                    entry.version = None
                    return False
                why = "changed" if entry.has(scene.scene_key) else "new"
                self.requests.append(Request(scene, entry.request(scene.scene_key, scene.version), why))
        return True

    def _checked(self, each: ListedItem, scene: Scene) -> Scene | FailedItem:
        """The scene, unless another one has its key: of this source, or but for case of any."""
        key, owner = self.owners.setdefault(folded(scene.scene_key), (scene.scene_key, each.ref))
        moved = key == scene.scene_key and owner != each.ref and owner not in self.listed
        if moved:  # its former document is gone, or it was ingested from elsewhere before
            former = self.ledger.entries.get(owner)
            if former is not None:
                self.ledger.entries[each.ref].scenes[key] = former.scenes.pop(key)
            self.owners[folded(key)] = (key, each.ref)
        elif key != scene.scene_key or owner != each.ref:
            error: ItemError = clash(scene.scene_key, key, first=owner or "another source", second=each.ref)
            return FailedItem(scene.scene_key, scene.item_href, error)
        return scene


def plan_tick(
    platform: Platform,
    source: WatchedSource,
    cursor: str | None,
    *,
    taken: Callable[[], Iterable[str]] = tuple,
    now: datetime | None = None,
    seconds: float = _TICK_SECONDS,
) -> TickPlan:
    """Look what is new in a source.  Starts nothing; failures are recorded, and the ledger is stored.

    Args:
        platform: The installation.
        source: The watched source.
        cursor: That of the last plan; None to look at everything anew.
        taken: Scene keys in use, of all sources.
        now: Default: the present time.
        seconds: After the listing; no further document is read then, and the rest waits.

    Raises:
        SourceError: the source is down or is not STAC; the cursor stays good.
        StoreError: the store cannot be read or written.
    """
    now = now or datetime.now(UTC)
    before = Cursor.parse(cursor)
    tick = _Tick(platform, source, now, load_ledger(platform, source.name, before.ledger), taken)
    scan = take_up_scan(platform, source, tick.ledger, before.scan)
    listing = list_source(
        source.source,
        platform.settings,
        collections=source.collections,
        since=None if scan != before.scan else _since(before, source),
    )
    fresh: list[ListedItem] = []
    again: list[ListedItem] = []
    exhausted = True
    for each in listing.listed:
        tick.listed[each.ref] = each.updated
        if tick.wants(each):
            fresh.append(each)
        elif tick.may_retry(each):
            again.append(each)
        if not listing.whole and len(fresh) > source.max_new:
            exhausted = False
            break
    again.sort(key=lambda each: tick.ledger.entries[each.ref].tried)
    deadline = time.monotonic() + seconds
    done = _read(tick, fresh, deadline)
    done += _read(tick, again[: source.max_new], deadline)
    waiting = sum(tick.wants(each) for each in fresh)
    changed = bool(done) or scan != before.scan
    after = replace(before, ledger=before.ledger + changed, scan=scan)
    if exhausted and not waiting:
        after = _advanced(after, tick.listed, tick)
    elif listing.ordered:  # else what is older may be still to come
        after = _advanced(after, {each.ref: each.updated for each in done}, tick)
    if changed:
        save_ledger(platform, source.name, after.ledger, tick.ledger)
    return TickPlan(
        requests=tuple(tick.requests),
        failed=tuple(tick.failed),
        cursor=after.dumps(),
        listed=len(tick.listed),
        waiting=waiting,
        problems=tuple(str(problem) for problem in listing.problems),
    )


def _read(tick: _Tick, documents: list[ListedItem], deadline: float) -> list[ListedItem]:
    """Read documents until the tick is full or its time is over; returns those that were read."""
    done: list[ListedItem] = []
    source = tick.source
    while len(done) < len(documents) and time.monotonic() < deadline:
        room = source.max_new - len(tick.requests)
        if room <= 0:
            break
        chunk = documents[len(done) : len(done) + min(room, _READS)]
        settings, collections = tick.platform.settings, source.collections
        for each, results in read_listed(chunk, source.source, settings, collections=collections):
            done.append(each)
            if not tick.take(each, results):
                return done
    return done


def _since(before: Cursor, source: WatchedSource) -> Since | None:
    """What an API is asked for: what is newer than the cursor, and what may have come late."""
    if before.updated is None:
        return None
    acquired = before.acquired and datetime.fromisoformat(before.acquired) - source.look_back
    return Since(datetime.fromisoformat(before.updated) - source.look_back, acquired or None)


def _advanced(before: Cursor, handled: Mapping[str, datetime | None], tick: _Tick) -> Cursor:
    """The cursor at the newest update and acquisition that was handled; never in the future, never back."""
    updates = [(updated.isoformat(), ref) for ref, updated in handled.items() if updated]
    updated, ref = max([*updates, (before.updated or "", before.id or "")])
    moments = [request.scene.acquired_at for request in tick.requests]
    acquired = [moment.isoformat() for moment in moments if moment is not None and moment <= tick.now]
    return replace(
        before, updated=updated or None, id=ref or None, acquired=max([*acquired, before.acquired or ""]) or None
    )
