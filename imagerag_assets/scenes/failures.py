"""Why each scene failed when it was last tried: `failures/{scene_key}.json` in the object store.

An item that shares the key of a stored scene and is not that scene's has `failures/@{digest of its address}.json`.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from imagerag_assets.errors import ImageRAGError, SameKeyError, StoreError, describe
from imagerag_assets.objects.store import HasStore, read_all
from imagerag_assets.scenes.records import find_record

FAILURES = "failures"


@dataclass(frozen=True)
class Failure:
    """Why a scene could not be ingested when it was last tried."""

    scene: str
    error: str
    """One line, with what to do."""
    type: str
    """Name of the exception's class."""
    when: str
    """ISO 8601, UTC."""
    item_href: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON."""
        return asdict(self)


def failure_key(scene_key: str) -> str:
    """Return the object key of a scene's last failure."""
    return f"{FAILURES}/{scene_key}.json"


def record_failure(
    platform: HasStore, scene_key: str, error: BaseException, *, item_href: str | None = None
) -> Failure:
    """Note that a scene could not be ingested, replacing an earlier failure.

    Where the stored scene of that key is another item's, the failure is not that scene's, and is kept by its address.

    Raises:
        StoreError: the store does not take it.
    """
    failure = Failure(
        scene=scene_key,
        error=describe(error),
        type=type(error).__name__,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        item_href=item_href,
    )
    address = item_href or _address(error)
    other = address is not None and _is_another_item(platform, scene_key, error, address)
    platform.store.write_json(_by_address(address) if address and other else failure_key(scene_key), failure.to_dict())
    return failure


def _is_another_item(platform: HasStore, scene_key: str, error: BaseException, address: str) -> bool:
    if isinstance(error, SameKeyError):
        return True
    try:
        record = find_record(platform, scene_key)
    except StoreError:  # damaged: the failure is the better note of it
        return False
    return record is not None and record.scene.item_href not in (None, address)


def _address(error: BaseException) -> str | None:
    """Return the address of an item that was refused, as far as the error has it."""
    ids = error.ids if isinstance(error, ImageRAGError) else {}
    found = ids.get("refused") or ids.get("second")
    return None if found is None else str(found)


def _by_address(item_href: str) -> str:
    return f"{FAILURES}/@{hashlib.sha256(item_href.encode()).hexdigest()[:24]}.json"


def clear_failure(platform: HasStore, scene_key: str, item_href: str | None = None) -> None:
    """Forget the failure of a scene, and that of the item at an address, if there are any.

    Raises:
        StoreError: the store cannot be changed.
    """
    platform.store.delete(failure_key(scene_key))
    if item_href is not None:
        platform.store.delete(_by_address(item_href))


def list_failures(platform: HasStore) -> list[Failure]:
    """Return all failures by scene key; skip unreadable ones.

    Raises:
        StoreError: the store cannot be read.
    """
    keys = [key for key in platform.store.list(FAILURES) if key.endswith(".json")]
    found = read_all(lambda key: _read_failure(platform, key), keys)
    return [failure for failure in found if failure is not None]


def find_failure(platform: HasStore, scene_key: str) -> Failure | None:
    """Return why a scene could not be ingested when it was last tried; None if there is no readable note."""
    return _read_failure(platform, failure_key(scene_key))


def _read_failure(platform: HasStore, key: str) -> Failure | None:
    try:
        return Failure(**platform.store.read_json(key))
    except (StoreError, TypeError):
        return None
