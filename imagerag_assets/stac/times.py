"""When an item's imagery was acquired: at one moment, or within an interval (`datetime: null`)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pystac

_CLOCKS_DIFFER = timedelta(hours=1)


def acquired(
    properties: dict[str, object], item: pystac.Item, notes: list[str]
) -> tuple[datetime | None, datetime | None]:
    """Return the moment, or both ends of the interval; aware, UTC.

    An interval with one end counts as that moment, and one whose ends are the wrong way round as the same interval the
    right way round; a note says so.

    Args:
        properties: The item's.
        item: As pystac sees it, with both ends where one is given.
        notes: Gets a line where the time is missing, incomplete or strange.

    Returns:
        The moment and None; the start and the end; or None and None.
    """
    if not any(properties.get(name) for name in ("datetime", "start_datetime", "end_datetime")):
        notes.append("The item has no time")
        return None, None
    if item.datetime is not None:
        start, end = _utc(item.datetime), None
    else:
        first, last = item.common_metadata.start_datetime, item.common_metadata.end_datetime
        if first is None or last is None:
            return None, None
        start, end = _utc(first), _utc(last)
        for name, other in (("start", "end"), ("end", "start")):
            if not properties.get(f"{name}_datetime"):
                notes.append(f"The item's time has no {name}: its {other} counts")
        if end < start:
            notes.append(f"The item's time ends before it starts ({start:%Y-%m-%d}/{end:%Y-%m-%d}): read as end/start")
            start, end = end, start
    if (end or start) > datetime.now(UTC) + _CLOCKS_DIFFER:
        notes.append("The item's time is in the future")
    return start, end if end != start else None


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
