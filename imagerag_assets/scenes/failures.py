"""Why each scene failed when it was last tried: `failures/{scene_key}.json` in the object store."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from imagerag_assets.errors import StoreError, describe
from imagerag_assets.objects.store import HasStore, read_all

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
    platform.store.write_json(failure_key(scene_key), failure.to_dict())
    return failure


def clear_failure(platform: HasStore, scene_key: str) -> None:
    """Forget a scene's failure, if there is one.

    Raises:
        StoreError: the store cannot be changed.
    """
    platform.store.delete(failure_key(scene_key))


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
