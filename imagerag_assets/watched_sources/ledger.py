"""The ledger of a watched source: its documents, their versions, and which scenes were requested from each.

Each version is a file of its own, ``acquisitions/{source}/ledger-{number}.json.gz``.  The sensor's cursor names the
valid one.  So a tick takes effect when its cursor is stored, and a killed tick is repeated.  If the ledger is lost,
every item is read once more; run keys prevent that a scene is ingested twice.  Using the ledger belongs to `tick`.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.store import HasStore
from imagerag_assets.stac.keys import folded
from imagerag_assets.stac.listing import Unread

FOLDER = "acquisitions"
_VERSION_DIGITS = 16
_NUMBER = re.compile(r"ledger-(\d{8})\.json\.gz")


@dataclass
class Entry:
    """One document of a source, as it was when last read."""

    version: str | None = None
    """None: read it again."""
    scenes: dict[str, list[str]] = field(default_factory=dict)
    """Scene keys, each with the first digits of the versions requested so far.  The last one is current; it is empty if
    the item is gone."""
    first: str = ""
    """Time when it was first read, ISO 8601."""
    tried: str = ""
    """Time when it was last read."""
    failed: bool = False
    """Whether it, or an item in it, could not be used."""

    def has(self, key: str) -> bool:
        """Return whether the scene was requested and its item still exists."""
        return bool(self.scenes.get(key, [""])[-1])

    def is_at(self, key: str, version: str) -> bool:
        """Return whether this version of the scene was requested last."""
        return self.has(key) and self.scenes[key][-1] == version[:_VERSION_DIGITS]

    def request(self, key: str, version: str) -> str:
        """Note that a scene is requested, and return the key of its run.

        It is ``{scene_key}:{version}``, with a number at the end if this version was requested before: Dagster never
        runs a run key twice, but an item may change back, or be removed, purged and return.
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
        """Return, for each scene key in folded case, the key and the document that it came from."""
        return {
            folded(key): (key, ref) for ref, entry in self.entries.items() for key in entry.scenes if entry.has(key)
        }

    def with_scenes(self) -> frozenset[str]:
        """Return the documents that have an item of a scene, as far as is known."""
        return frozenset(ref for ref, entry in self.entries.items() if any(entry.has(key) for key in entry.scenes))

    def forget(self, refs: Collection[str], keys: Collection[str]) -> None:
        """Mark documents to be read again, and note that the items of some scenes are gone."""
        for ref, entry in self.entries.items():
            gone = [key for key in entry.scenes if key in keys and entry.has(key)]
            for key in gone:
                entry.scenes[key].append("")
            if gone or ref in refs:
                entry.version = None


def load_ledger(platform: HasStore, source: str, number: int) -> Ledger:
    """Return the ledger with that number, or an empty one if there is none, e.g. after the store was emptied.

    Raises:
        StoreError: The store cannot be read, or the ledger is damaged.
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
    """Store a ledger under its number, and delete all others except the one before it.

    After a reset of the cursor, numbers start again at 1.  Higher ones, from before the reset, must go, or the full
    scan would take them for the latest.

    Raises:
        StoreError: The store cannot be written.
    """
    content = {ref: _sparse(entry) for ref, entry in ledger.entries.items()}
    data = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    platform.store.write_bytes(_key(source, number), gzip.compress(data, compresslevel=1, mtime=0))
    for other in _numbers(platform, source):
        if other not in (number - 1, number):
            platform.store.delete(_key(source, other))


def latest_ledger(platform: HasStore, source: str) -> Ledger:
    """Return the ledger with the highest number; it may be from a tick whose cursor was never stored.

    Raises:
        StoreError: The store cannot be read, or the ledger is damaged.
    """
    return load_ledger(platform, source, max(_numbers(platform, source), default=0))


def save_unread(platform: HasStore, source: str, unread: Sequence[Unread]) -> None:
    """Store the catalogs with which the next tick goes on.

    Raises:
        StoreError: The store cannot be written.
    """
    platform.store.write_json(f"{FOLDER}/{source}/unread.json", [asdict(each) for each in unread])


def load_unread(platform: HasStore, source: str) -> list[Unread]:
    """Return them; none if there are none to be read, so that all of the source is listed anew."""
    try:
        return [Unread(**each) for each in platform.store.read_json(f"{FOLDER}/{source}/unread.json")]
    except (StoreError, TypeError):
        return []


def _numbers(platform: HasStore, source: str) -> list[int]:
    names = (key.rpartition("/")[2] for key in platform.store.list(f"{FOLDER}/{source}"))
    return [int(match[1]) for name in names if (match := _NUMBER.fullmatch(name))]


def _sparse(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if value}


def _key(source: str, number: int) -> str:
    return f"{FOLDER}/{source}/ledger-{number:08d}.json.gz"
