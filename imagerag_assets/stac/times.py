"""When an item's imagery was acquired: at one moment, or within an interval (`datetime: null`)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pystac
from pystac.utils import str_to_datetime

from imagerag_assets.errors import ItemError

_CLOCKS_DIFFER = timedelta(hours=1)


def acquired(
    properties: dict[str, Any], item: pystac.Item, notes: list[str]
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

    Raises:
        ItemError: an end of the interval is not a time.
    """
    said = given(properties)
    if not any(said.values()):
        notes.append("The item has no time")
        return None, None
    if item.datetime is not None:
        start, end = _utc(item.datetime), None
    else:
        try:
            first, last = item.common_metadata.start_datetime, item.common_metadata.end_datetime
        except (ValueError, TypeError, OverflowError):
            ends = "/".join(str(said[name]) for name in ("start_datetime", "end_datetime"))
            raise ItemError(f"The item's time {ends[:80]!r} is not an interval", fix="Correct the item") from None
        if first is None or last is None:
            return None, None
        start, end = _utc(first), _utc(last)
        for name, other in (("start", "end"), ("end", "start")):
            if not said[f"{name}_datetime"]:
                notes.append(f"The item's time has no {name}: its {other} counts")
        if end < start:
            notes.append(f"The item's time ends before it starts ({start:%Y-%m-%d}/{end:%Y-%m-%d}): read as end/start")
            start, end = end, start
    if (end or start) > datetime.now(UTC) + _CLOCKS_DIFFER:
        notes.append("The item's time is in the future")
    return start, end if end != start else None


def given(properties: dict[str, Any]) -> dict[str, Any]:
    """Return what an item says of its time; null, nothing and `..`, which leaves an end open, become None."""
    names = ("datetime", "start_datetime", "end_datetime")
    return {name: None if properties.get(name) in (None, "", "..") else properties[name] for name in names}


def check_time(said: str | None) -> None:
    """Check that what an item says of its moment is a time.

    Raises:
        ItemError: it is not.
    """
    if said is None:
        return
    try:
        str_to_datetime(said)
    except (ValueError, OverflowError):
        raise ItemError(
            f"This is not a valid STAC item: its datetime {said[:80]!r} is not a time", fix="Correct the item"
        ) from None


def _utc(moment: datetime) -> datetime:
    """Return a time in UTC; the nearest that a calendar has where that is before the year 1 or after 9999."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return (datetime.min if moment.year == 1 else datetime.max).replace(tzinfo=UTC)
