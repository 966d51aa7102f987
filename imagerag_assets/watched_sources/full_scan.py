"""The full scan of a watched source, which finds what a tick cannot: changed imagery and removed items.

It reads every item.  It requests no runs, but writes a report, ``acquisitions/{source}/full-scan.json``, from which the
next tick of the sensor requests them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from imagerag_assets.errors import SourceError, StoreError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.identity import SceneKeys
from imagerag_assets.scenes.records import SOURCES
from imagerag_assets.scenes.removed import clear_removed, list_asked, list_removed, mark_removed
from imagerag_assets.stac.listing import list_source, read_listed
from imagerag_assets.stac.reading_time import ReadingTime
from imagerag_assets.stac.types import FailedItem, Scene
from imagerag_assets.watched_sources.ledger import FOLDER, Entry, Ledger, latest_ledger
from imagerag_assets.watched_sources.sources import WatchedSource


@dataclass(frozen=True)
class ScanResult:
    """What a full scan found."""

    listed: int
    scenes: int
    changed: tuple[str, ...]
    """Documents for the next ticks to read: new, changed, or usable now."""
    removed: tuple[str, ...]
    """Scene keys whose item is gone."""
    held_back: tuple[str, ...]
    """Scene keys that would count as removed too, if a person said that so many may be."""
    failed: int
    problems: tuple[str, ...]
    """What could not be read, and why so many removals are doubted; if there are any, nothing counts as removed."""


def full_scan(
    platform: Platform,
    source: WatchedSource,
    progress: Callable[[int, int, str], None] | None = None,
    *,
    accept_removals: bool = False,
) -> ScanResult:
    """Read every item of a source, mark scenes whose item is gone, and report changes to the next tick.

    Args:
        platform: The installation.
        source: The watched source.
        progress: Called with done, total, and what is being done.
        accept_removals: Mark scenes as removed even if they are a larger share of the source than
            `IMAGERAG_REMOVALS_AT_MOST`.

    Raises:
        SourceError: The source is down or is not STAC; nothing was marked.
        StoreError: The store cannot be read or written.
    """
    ledger = latest_ledger(platform, source.name)
    listing = list_source(source.address, platform.settings, collections=source.collections)
    listed = list(listing.listed)
    keys: set[str] = set()
    changed: list[str] = []
    unread: set[str] = set()
    failed = 0
    asked = list_asked(platform)
    own = SceneKeys(platform)
    read = read_listed(
        listed, source.address, platform.settings, collections=source.collections, items=ledger.with_scenes()
    )
    reading, stopped = ReadingTime(platform.settings), False
    for number, (each, results) in enumerate(read, 1):
        entry = ledger.entries.get(each.ref, Entry())
        scenes = [own.own(result) for result in results if isinstance(result, Scene)]
        keys.update(scene.scene_key for scene in scenes)
        for result in results:  # an item that cannot be used today is not gone
            keys.update((result.scene_key, result.other_key) if isinstance(result, FailedItem) else ())
        failed += len(results) - len(scenes)
        if any(isinstance(result, FailedItem) and isinstance(result.error, SourceError) for result in results):
            unread.add(each.ref)
        usable_now = entry.failed and len(scenes) == len(results)
        wanted = [scene for scene in scenes if scene.scene_key not in asked]
        if usable_now or any(not entry.is_at(scene.scene_key, scene.version) for scene in wanted):
            changed.append(each.ref)
        if progress is not None and number % 100 == 0:
            progress(number, len(listed), f"reading items of {source.name}")
        if number < len(listed) and reading.is_up:
            stopped = True
            break
    problems = [str(problem) for problem in listing.problems]
    problems += [str(reading.error(source.address))] if stopped else []
    gone = [] if problems else _gone(ledger, {each.ref for each in listed}, keys, unread)
    known = sum(entry.has(key) for entry in ledger.entries.values() for key in entry.scenes)
    too_many = not accept_removals and _is_suspicious(len(gone), known, platform.settings.removals_at_most)
    removed, held_back = ([], gone) if too_many else (gone, [])
    if held_back:
        problems.append(
            f"{len(gone)} of {known} scenes are no longer listed, which is more than leaves a source at once; none was "
            "marked as removed. If they are gone, run the job rescan_source with accept_removals=true"
        )
    report = {"at": datetime.now(UTC).isoformat(), "changed": changed, "removed": removed}
    platform.store.write_json(_report_key(source), report)
    for key in removed:
        if platform.store.exists(f"{SOURCES}/{key}.json"):  # otherwise it was purged before
            mark_removed(platform, key, source=source.name)
    for mark in list_removed(platform):
        if mark.scene in keys and not mark.asked:
            clear_removed(platform, mark.scene)
    return ScanResult(len(listed), len(keys), tuple(changed), tuple(removed), tuple(held_back), failed, tuple(problems))


def _is_suspicious(gone: int, known: int, at_most: float) -> bool:
    """Return whether so many scenes have left a source at once that its listing is doubted: all, or a large share."""
    return gone > 0 and at_most < 1 and (gone == known or gone > max(1, at_most * known))


def _gone(ledger: Ledger, refs: set[str], keys: set[str], unread: set[str]) -> list[str]:
    """Return the scenes that no document has an item for; a document that cannot be read still counts."""
    return sorted(
        key
        for ref, entry in ledger.entries.items()
        if ref not in unread and not (entry.failed and ref in refs)
        for key in entry.scenes
        if entry.has(key) and key not in keys
    )


def take_up_scan(platform: Platform, source: WatchedSource, ledger: Ledger, taken_up: str | None) -> str | None:
    """Apply the report of the latest full scan to the ledger, unless that was done; return the time of that scan.

    Raises:
        StoreError: The report cannot be read.
    """
    if not platform.store.exists(_report_key(source)):
        return taken_up
    report = platform.store.read_json(_report_key(source))
    try:
        at, changed, removed = str(report["at"]), set(report["changed"]), set(report["removed"])
    except (KeyError, TypeError) as error:
        raise StoreError(
            f"The report of the full scan of {source.name} is damaged ({error})", fix="Delete it"
        ) from None
    if at != taken_up:
        ledger.forget(changed, removed)
    return at


def _report_key(source: WatchedSource) -> str:
    return f"{FOLDER}/{source.name}/full-scan.json"
