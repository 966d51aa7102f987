"""What is known of a watched source: its documents, their versions, and which scenes were requested of each.

A file a version, ``acquisitions/{source}/ledger-{number}.json.gz``: the cursor of the sensor names the one that holds,
so that a tick takes effect when its cursor is stored, and a tick that was killed is done again.  A lost ledger costs
reading every item once more; run keys keep what was requested from running twice.  What a tick does with it is
`acquisitions`' part.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.store import HasStore
from imagerag_assets.stac.keys import folded

FOLDER = "acquisitions"
_VERSION_DIGITS = 16
_NUMBER = re.compile(r"ledger-(\d{8})\.json\.gz")


@dataclass
class Entry:
    """One document of a source, as it was when it was read last."""

    version: str | None = None
    """None: to be read again."""
    scenes: dict[str, list[str]] = field(default_factory=dict)
    """Scene keys, each with the versions requested so far, cut short; the last one is the present one, empty if the
    item was found gone."""
    first: str = ""
    """When it was read first, ISO 8601."""
    tried: str = ""
    """When it was read last."""
    failed: bool = False
    """It, or an item in it, could not be used."""

    def has(self, key: str) -> bool:
        """Whether the scene was requested and its item is there."""
        return bool(self.scenes.get(key, [""])[-1])

    def is_at(self, key: str, version: str) -> bool:
        """Whether the scene was requested as it is."""
        return self.has(key) and self.scenes[key][-1] == version[:_VERSION_DIGITS]

    def request(self, key: str, version: str) -> str:
        """Note that a scene is requested; returns the key of its run.

        ``{scene_key}:{version}``, with a number behind it where the scene was requested with that version before:
        Dagster runs a run key once for ever, but an item may change back, or leave, be purged and return.
        """
        requested = self.scenes.setdefault(key, [])
        times = requested.count(version[:_VERSION_DIGITS])
        requested.append(version[:_VERSION_DIGITS])
        return f"{key}:{version}" + (f":{times}" if times else "")


@dataclass
class Ledger:
    """All entries of a source, by the reference of the document."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def owners(self) -> dict[str, tuple[str, str]]:
        """For each scene key without regard to case: the key and the document that it came from."""
        return {
            folded(key): (key, ref) for ref, entry in self.entries.items() for key in entry.scenes if entry.has(key)
        }

    def forget(self, refs: Collection[str], keys: Collection[str]) -> None:
        """Have documents read again, and note that the items of some scenes are gone."""
        for ref, entry in self.entries.items():
            gone = [key for key in entry.scenes if key in keys and entry.has(key)]
            for key in gone:
                entry.scenes[key].append("")
            if gone or ref in refs:
                entry.version = None


def load_ledger(platform: HasStore, source: str, number: int) -> Ledger:
    """The ledger of that number; an empty one where there is none, e.g. after the store was emptied.

    Raises:
        StoreError: the store cannot be read, or the ledger is damaged.
    """
    key = _key(source, number)
    if number < 1 or not platform.store.exists(key):
        return Ledger()
    try:
        content = json.loads(gzip.decompress(platform.store.read_bytes(key)))
        return Ledger({ref: Entry(**entry) for ref, entry in content.items()})
    except (OSError, EOFError, TypeError, ValueError) as error:
        raise StoreError(
            f"The ledger of source {source} is damaged ({type(error).__name__})",
            fix="Delete it and reset the cursor of the sensor",
            object=platform.store.url(key),
        ) from None


def save_ledger(platform: HasStore, source: str, number: int, ledger: Ledger) -> None:
    """Store a ledger under its number, and drop all others but the one before it.

    After a reset of the cursor numbers begin again at 1: the higher ones, from before it, have to go, or the full scan
    would take them for the latest.

    Raises:
        StoreError: the store does not take it.
    """
    content = {ref: _sparse(entry) for ref, entry in ledger.entries.items()}
    data = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    platform.store.write_bytes(_key(source, number), gzip.compress(data, compresslevel=1, mtime=0))
    for other in _numbers(platform, source):
        if other not in (number - 1, number):
            platform.store.delete(_key(source, other))


def latest_ledger(platform: HasStore, source: str) -> Ledger:
    """The ledger with the highest number; it may be that of a tick whose cursor was never stored.

    Raises:
        StoreError: the store cannot be read, or the ledger is damaged.
    """
    return load_ledger(platform, source, max(_numbers(platform, source), default=0))


def _numbers(platform: HasStore, source: str) -> list[int]:
    names = (key.rpartition("/")[2] for key in platform.store.list(f"{FOLDER}/{source}"))
    return [int(match[1]) for name in names if (match := _NUMBER.fullmatch(name))]


def _sparse(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if value}


def _key(source: str, number: int) -> str:
    return f"{FOLDER}/{source}/ledger-{number:08d}.json.gz"
