"""How fast patches were embedded here, so that a plan can say how long they will take.

``rates/{fp16}/{division}.json``, written after each scene by whoever embedded it; the last writer wins: no harm.
"""

from __future__ import annotations

from imagerag_assets.errors import StoreError
from imagerag_assets.pipelines.scenes import HasStore
from imagerag_assets.pipelines.serving import Target

_KEPT = 0.5
"""What earlier scenes count for beside the newest one of their size: a changed machine shows after a few scenes."""


def note_rate(platform: HasStore, target: Target, patches: int, seconds: float) -> None:
    """Remember how long embedding took.

    Args:
        platform: Whose store.
        target: The encoder and division.
        patches: How many were embedded.
        seconds: Wall time, reading included.

    Raises:
        StoreError: the store does not take it.
    """
    if patches < 1 or seconds <= 0:
        return
    before = _stored(platform, target) or (0.0, 0.0)
    now = {"patches": patches + _KEPT * before[0], "seconds": seconds + _KEPT * before[1]}
    platform.store.write_json(_key(target), now)


def patches_per_second(platform: HasStore, target: Target) -> float | None:
    """The rate that was measured, None if none was.

    Raises:
        StoreError: the store cannot be asked.
    """
    stored = _stored(platform, target)
    return None if stored is None else stored[0] / stored[1]


def _stored(platform: HasStore, target: Target) -> tuple[float, float] | None:
    key = _key(target)
    if not platform.store.exists(key):
        return None
    try:
        record = platform.store.read_json(key)
        patches, seconds = float(record["patches"]), float(record["seconds"])
    except (StoreError, KeyError, TypeError, ValueError):
        return None
    return (patches, seconds) if patches > 0 and seconds > 0 else None


def _key(target: Target) -> str:
    return f"rates/{target.fingerprint[:16]}/{target.division.key}.json"
