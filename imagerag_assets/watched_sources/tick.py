"""Find what is new in a watched source: the plan of one tick of its sensor.

A tick reads only documents that are new or changed.  It requests a limited number of scenes; the rest waits for the
next tick.  What a tick cannot see belongs to `full_scan`, and starting runs to the caller.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

from imagerag_assets.errors import describe
from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.failures import record_failure
from imagerag_assets.scenes.identity import SceneKeys
from imagerag_assets.scenes.removed import list_asked
from imagerag_assets.stac.api import Since
from imagerag_assets.stac.keys import clash, folded
from imagerag_assets.stac.listing import ListedItem, list_source, read_listed
from imagerag_assets.stac.types import FailedItem, Scene
from imagerag_assets.watched_sources.full_scan import take_up_scan
from imagerag_assets.watched_sources.ledger import Entry, Ledger, load_ledger, load_unread, save_ledger, save_unread
from imagerag_assets.watched_sources.sources import WatchedSource

_TICK_SECONDS, _LISTING_SECONDS = 20.0, 30.0  # Dagster allows a sensor 60 for both
_READS = 64  # documents read between two looks at the clock


@dataclass(frozen=True)
class Cursor:
    """Where the next tick continues; small, because Dagster stores it with every tick."""

    updated: str | None = None
    """The newest update seen, ISO 8601."""
    id: str | None = None
    """The document with that update."""
    acquired: str | None = None
    """The newest acquisition requested, for an API that cannot filter by update."""
    ledger: int = 0
    """Number of the valid ledger; 0: none yet."""
    scan: str | None = None
    """Time of the last full scan whose report was applied."""
    unread: bool = False
    """Whether there was no time for all catalogs; those that are left are in the store."""

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """Read what :meth:`dumps` wrote; anything else gives an empty cursor."""
        try:
            return cls(**json.loads(text or "{}"))
        except (TypeError, ValueError):
            return cls()

    def dumps(self) -> str:
        """Return the cursor as JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Request:
    """A scene to ingest."""

    scene: Scene
    run_key: str
    """Different for each version of an item."""
    why: str
    """``new`` (also if it came back) or ``changed``."""


@dataclass(frozen=True)
class TickPlan:
    """What one tick found."""

    requests: tuple[Request, ...]
    failed: tuple[FailedItem, ...]
    """Items that cannot be used; recorded among the failures."""
    cursor: str
    """For the next tick; store it together with the requests, or not at all."""
    listed: int
    """Number of documents listed."""
    waiting: int
    """Number of new or changed documents left for the next tick."""
    problems: tuple[str, ...] = ()
    """Branches of the source that could not be read."""
    removed: tuple[str, ...] = ()
    """New or changed scenes that are not requested because a person removed them."""

    @property
    def reason(self) -> str:
        """What is requested, or why nothing is, in words."""
        new = sum(request.why == "new" for request in self.requests)
        parts = [f"{new} new and {len(self.requests) - new} changed scenes" if self.requests else "Nothing new"]
        parts[0] += f" among {self.listed:,} documents"
        if self.waiting:
            parts.append(f"{self.waiting:,} wait for the next tick")
        if self.removed:
            parts.append(f"{len(self.removed)} were removed and are left out")
        if self.failed:
            parts.append(f"{len(self.failed)} cannot be used, first {describe(self.failed[0].error)}")
        if self.problems:
            parts.append(f"{len(self.problems)} branches cannot be read, first {self.problems[0]}")
        return "; ".join(parts)


@dataclass
class _Tick:
    """The state of a tick while it runs."""

    platform: Platform
    source: WatchedSource
    now: datetime
    ledger: Ledger
    taken: Callable[[], Iterable[str]]
    listed: dict[str, datetime | None] = field(default_factory=dict)
    """Documents, each with the time of its last update."""
    requests: list[Request] = field(default_factory=list)
    failed: list[FailedItem] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    """Scenes that were left out because a person removed them."""
    all_listed: bool = True
    """Whether all catalogs of the source were listed."""
    _asked: frozenset[str] | None = None
    _owners: dict[str, tuple[str, str]] | None = None

    def __post_init__(self) -> None:
        self.keys = SceneKeys(self.platform, lambda: [key for key, _ in self.owners.values()])

    @property
    def owners(self) -> dict[str, tuple[str, str]]:
        """Scene keys of all sources, in folded case; collected when the first new scene needs them."""
        if self._owners is None:
            self._owners = {folded(key): (key, "") for key in self.taken()} | self.ledger.owners()
        return self._owners

    @property
    def asked(self) -> frozenset[str]:
        """Scenes that a person removed; listed when the first new or changed scene is found."""
        if self._asked is None:
            self._asked = list_asked(self.platform)
        return self._asked

    def wants(self, each: ListedItem) -> bool:
        """Return whether to read a document: it is new, changed, or marked to be read again."""
        entry = self.ledger.entries.get(each.ref)
        if entry is None or entry.version is None:
            return True
        return bool(each.version) and each.version != entry.version

    def may_retry(self, each: ListedItem) -> bool:
        """Return whether to try a failed document again: its files may still be arriving.  Each wait is longer."""
        entry = self.ledger.entries.get(each.ref)
        if entry is None or not entry.failed:
            return False
        first, tried = datetime.fromisoformat(entry.first), datetime.fromisoformat(entry.tried)
        since_change = self.now - max(first, each.updated or first)
        return since_change < self.source.look_back and self.now - tried >= (tried - first) / 2

    def take(self, each: ListedItem, results: list[Scene | FailedItem]) -> bool:
        """Request the scenes of a document; return False if the tick's limit was reached."""
        entry = self.ledger.entries.setdefault(each.ref, Entry(first=self.now.isoformat()))
        entry.failed, entry.version, entry.tried = False, each.version, self.now.isoformat()
        here: set[str] = set()
        for result in results:
            scene = self._checked(each, result, here) if isinstance(result, Scene) else result
            if isinstance(scene, FailedItem):
                entry.failed = True
                self.failed.append(scene)
                record_failure(self.platform, scene.scene_key, scene.error, item_href=scene.item_href)
            elif not entry.is_at(scene.scene_key, scene.version):
                if scene.scene_key in self.asked:
                    self.removed.add(scene.scene_key)
                    continue
                if len(self.requests) >= self.source.max_new:
                    entry.version = None
                    return False
                why = "changed" if entry.has(scene.scene_key) else "new"
                self.requests.append(Request(scene, entry.request(scene.scene_key, scene.version), why))
        return True

    def _checked(self, each: ListedItem, scene: Scene, here: set[str]) -> Scene | FailedItem:
        """Return the scene under its key, or a failure if the same item is in this document or another one already."""
        scene = self.keys.own(scene)
        key = scene.scene_key
        _, owner = self.owners.setdefault(folded(key), (key, each.ref))
        if key in here or (owner != each.ref and self._is_there(owner)):
            error = clash(key, first=owner, second=each.ref)
            return FailedItem(key, scene.item_href, error)
        here.add(key)
        if owner != each.ref:  # its former document is gone, or it was ingested from another source
            former = self.ledger.entries.get(owner)
            if former is not None:
                self.ledger.entries[each.ref].scenes[key] = former.scenes.pop(key)
            self.owners[folded(key)] = (key, each.ref)
        return scene

    def _is_there(self, ref: str) -> bool:
        """Return whether the source has a document; of what was not listed, it is not known that it is gone."""
        return ref in self.listed or (not self.all_listed and ref in self.ledger.entries)


def plan_tick(
    platform: Platform,
    source: WatchedSource,
    cursor: str | None,
    *,
    taken: Callable[[], Iterable[str]] = tuple,
    now: datetime | None = None,
    seconds: float = _TICK_SECONDS,
    listing_seconds: float = _LISTING_SECONDS,
) -> TickPlan:
    """Find what is new in a source, record failures and store the ledger.  No run is started.

    Args:
        platform: The installation.
        source: The watched source.
        cursor: Cursor of the last plan; None to read everything again.
        taken: Returns the scene keys that all sources use.
        now: The current time; default: that of the clock.
        seconds: Time to read documents after the listing; the rest waits for the next tick.
        listing_seconds: Time to read catalogs and pages; the next tick goes on with the catalogs that are left.

    Raises:
        SourceError: The source is down or is not STAC; the cursor stays valid.
        StoreError: The store cannot be read or written.
    """
    now = now or datetime.now(UTC)
    before = Cursor.parse(cursor)
    tick = _Tick(platform, source, now, load_ledger(platform, source.name, before.ledger), taken)
    scan = take_up_scan(platform, source, tick.ledger, before.scan)
    listing = list_source(
        source.address,
        platform.settings,
        collections=source.collections,
        since=None if scan != before.scan else _since(before, source),
        unread=load_unread(platform, source.name) if before.unread else (),
        seconds=listing_seconds,
    )
    tick.all_listed = not (before.unread or listing.unread)
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
    if listing.problems and not listing.whole:
        exhausted = False  # what did not come is asked for again
    again.sort(key=lambda each: tick.ledger.entries[each.ref].tried)
    deadline = time.monotonic() + seconds
    done = _read(tick, fresh, deadline)
    done += _read(tick, again[: source.max_new], deadline)
    waiting = sum(tick.wants(each) for each in fresh)
    changed = bool(done) or scan != before.scan
    if listing.unread:
        save_unread(platform, source.name, listing.unread)
    after = replace(before, ledger=before.ledger + changed, scan=scan, unread=bool(listing.unread))
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
        removed=tuple(sorted(tick.removed)),
    )


def _read(tick: _Tick, documents: list[ListedItem], deadline: float) -> list[ListedItem]:
    """Read documents until the tick is full or out of time; return those that were read."""
    done: list[ListedItem] = []
    source, with_scenes = tick.source, tick.ledger.with_scenes()
    while len(done) < len(documents) and time.monotonic() < deadline:
        room = source.max_new - len(tick.requests)
        if room <= 0:
            break
        chunk = documents[len(done) : len(done) + min(room, _READS)]
        read = read_listed(
            chunk, source.address, tick.platform.settings, collections=source.collections, items=with_scenes
        )
        for each, results in read:
            done.append(each)
            if not tick.take(each, results):
                return done
    return done


def _since(before: Cursor, source: WatchedSource) -> Since | None:
    """Return what to ask an API for: what is newer than the cursor, or may have arrived late."""
    if before.updated is None:
        return None
    acquired = before.acquired and datetime.fromisoformat(before.acquired) - source.look_back
    return Since(datetime.fromisoformat(before.updated) - source.look_back, acquired or None)


def _advanced(before: Cursor, handled: Mapping[str, datetime | None], tick: _Tick) -> Cursor:
    """Return the cursor moved to the newest update and acquisition handled; never into the future, never back."""
    updates = [(updated.isoformat(), ref) for ref, updated in handled.items() if updated]
    updated, ref = max([*updates, (before.updated or "", before.id or "")])
    moments = [request.scene.acquired_at for request in tick.requests]
    acquired = [moment.isoformat() for moment in moments if moment is not None and moment <= tick.now]
    return replace(
        before, updated=updated or None, id=ref or None, acquired=max([*acquired, before.acquired or ""]) or None
    )
