"""Which scenes were acquired within an interval, and not at one moment: ``intervals/{scene_key}/{start}_{end}``.

The rows of the index have one time, the start, so a search for a later time would miss scenes that last until then.
The names of these objects hold both times, in epoch milliseconds, so that one listing of them answers.
"""

from __future__ import annotations

import re

from imagerag_assets.objects.store import HasStore
from imagerag_assets.stac.types import Scene

INTERVALS = "intervals"
_KEY = re.compile(rf"{INTERVALS}/([^/]+)/(-?\d+)_(-?\d+)")


def note_interval(platform: HasStore, scene: Scene) -> None:
    """Keep a scene's interval; call it before its record is stored.

    Raises:
        StoreError: the store cannot be read or written.
    """
    store, wanted = platform.store, None
    there = store.list(f"{INTERVALS}/{scene.scene_key}")
    if scene.acquired_at is not None and scene.acquired_until is not None:
        ends = (int(moment.timestamp() * 1000) for moment in (scene.acquired_at, scene.acquired_until))
        wanted = f"{INTERVALS}/{scene.scene_key}/{'_'.join(map(str, ends))}"
        if wanted not in there:
            store.write_bytes(wanted, b"")
    for key in there:
        if key != wanted:
            store.delete(key)


def begun_before(platform: HasStore, start: int | None) -> tuple[str, ...]:
    """Return the scenes whose interval begins before a moment and lasts until it or longer.

    Args:
        platform: Whose store.
        start: Epoch milliseconds; None gives none, as every scene that began before the end of a time is in it.

    Raises:
        StoreError: the store cannot be listed.
    """
    if start is None:
        return ()
    found = (_KEY.fullmatch(key) for key in platform.store.list(INTERVALS))
    return tuple(sorted({each[1] for each in found if each and int(each[2]) < start <= int(each[3])}))
