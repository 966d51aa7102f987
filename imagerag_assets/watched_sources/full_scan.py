"""The full scan of a watched source, which finds what a tick cannot: changed imagery and removed items.

It reads every item.  It requests no runs, but writes a report, ``acquisitions/{source}/full-scan.json``, from which the
next tick of the sensor requests them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from imagerag_assets.errors import StoreError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.records import SOURCES
from imagerag_assets.scenes.removed import clear_removed, list_removed, mark_removed
from imagerag_assets.stac.listing import list_source, read_listed
from imagerag_assets.stac.types import Scene
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
    failed: int
    problems: tuple[str, ...]
    """Branches that could not be read; if there are any, nothing counts as removed."""


def full_scan(
    platform: Platform, source: WatchedSource, progress: Callable[[int, int, str], None] | None = None
) -> ScanResult:
    """Read every item of a source, mark scenes whose item is gone, and report changes to the next tick.

    Raises:
        SourceError: The source is down or is not STAC; nothing was marked.
        StoreError: The store cannot be read or written.
    """
    ledger = latest_ledger(platform, source.name)
    listing = list_source(source.source, platform.settings, collections=source.collections)
    listed = list(listing.listed)
    keys: set[str] = set()
    changed: list[str] = []
    failed = 0
    read = read_listed(listed, source.source, platform.settings, collections=source.collections)
    for number, (each, results) in enumerate(read, 1):
        entry = ledger.entries.get(each.ref, Entry())
        scenes = [result for result in results if isinstance(result, Scene)]
        keys.update(result.scene_key for result in results)
        failed += len(results) - len(scenes)
        usable_now = entry.failed and len(scenes) == len(results)
        if usable_now or any(not entry.is_at(scene.scene_key, scene.version) for scene in scenes):
            changed.append(each.ref)
        if progress is not None and number % 100 == 0:
            progress(number, len(listed), f"reading items of {source.name}")
    removed = [] if listing.problems else _gone(ledger, {each.ref for each in listed}, keys)
    report = {"at": datetime.now(UTC).isoformat(), "changed": changed, "removed": removed}
    platform.store.write_json(_report_key(source), report)
    for key in removed:
        if platform.store.exists(f"{SOURCES}/{key}.json"):  # otherwise it was purged before
            mark_removed(platform, key, source=source.name)
    for mark in list_removed(platform):
        if mark.scene in keys:
            clear_removed(platform, mark.scene)
    problems = tuple(str(problem) for problem in listing.problems)
    return ScanResult(len(listed), len(keys), tuple(changed), tuple(removed), failed, problems)


def _gone(ledger: Ledger, refs: set[str], keys: set[str]) -> list[str]:
    """Return the scenes that no document has an item for; a document that cannot be read still counts."""
    return sorted(
        key
        for ref, entry in ledger.entries.items()
        if not (entry.failed and ref in refs)
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
