"""When a picture was taken: from its tags, else from its name, else when its file was last changed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

_FIRST_YEAR = 1930  # of aerial photographs that get scanned
_AHEAD = timedelta(days=1)

_TAGS = (
    # When the picture was taken.
    "acquisitiondatetime", "acquisitiondate", "dateacquired", "acquisitiontime", "firstlinetime", "sensingtime",
    "sensingstart", "datatake1datatakesensingstart", "productstarttime", "exifdatetimeoriginal",
    "exifdatetimedigitized",
    # When the file was made, which may be later.
    "tifftagdatetime", "exifdatetime",
)  # fmt: skip
"""Tags with a time, the most telling first: in lower case, without underscores and the name of their group."""

_TAG_VALUE = re.compile(
    r"(\d{4})[-:/.]?(\d\d)[-:/.]?(\d\d)(?:[T _]\s*(\d\d):?(\d\d)(?::?(\d\d)(?:[.,]\d+)?)?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
_IN_NAME = re.compile(
    r"(?<!\d)(\d{4})([-_.]?)(\d\d)\2(\d\d)"
    r"(?:T(\d\d)[:_.-]?(\d\d)(?:[:_.-]?(\d\d))?|[ _-]?(\d\d)[:_.-]?(\d\d)[:_.-]?(\d\d))?(?!\d)",
    re.IGNORECASE,
)
_DATE_IN_NAME = re.compile(r"(?<!\d)(\d{4})([-_.]?)(\d\d)\2(\d\d)(?!\d)")


@dataclass(frozen=True)
class Dated:
    """A time, and where it comes from."""

    moment: datetime | None
    """Aware, UTC; None: unknown."""
    source: str
    """``tag NAME``, ``file name``, ``file modification time`` or ``nowhere``."""


def find_date(tags: Iterable[tuple[str, str]], name: str, modified: datetime | None) -> Dated:
    """Return the best known time of a picture.

    Args:
        tags: Names and values of the file's tags, of all groups.
        name: Name of the file without folders and suffix.
        modified: When the file was last changed, if that is known.
    """
    return (
        _from_tags(tags)
        or _from_name(name)
        or (
            Dated(modified.astimezone(UTC).replace(microsecond=0), "file modification time")
            if modified is not None
            else Dated(None, "nowhere")
        )
    )


def _from_tags(tags: Iterable[tuple[str, str]]) -> Dated | None:
    found: dict[str, tuple[str, str]] = {}
    for name, value in tags:
        plain = re.sub(r"[^a-z0-9]", "", name.rsplit(".", 1)[-1].lower())
        found.setdefault(plain, (name, value))
    for known in _TAGS:
        if known in found:
            name, value = found[known]
            moment = _tag_value(value)
            if moment is not None:
                return Dated(moment, f"tag {name[:60]}")
    return None


def _tag_value(value: str) -> datetime | None:
    match = _TAG_VALUE.fullmatch(value.strip().strip("\"';").strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups()
    moment = _moment(year, month, day, hour, minute, second)
    if moment is None or not zone or zone.upper() in ("Z", "UTC"):
        return moment
    ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    if ahead >= timedelta(days=1):
        return None
    return moment.replace(tzinfo=timezone(-ahead if zone[0] == "-" else ahead)).astimezone(UTC)


def _from_name(name: str) -> Dated | None:
    """Return the first plausible date of a name; its time of day only if that is plausible, too."""
    for match in _IN_NAME.finditer(name):
        year, _, month, day, *times = match.groups()
        hour, minute, second = times[:3] if times[0] else times[3:]
        moment = _moment(year, month, day, hour, minute, second) or _moment(year, month, day)
        if moment is not None:
            return Dated(moment, "file name")
    for match in _DATE_IN_NAME.finditer(name):  # what the first pattern took for a part of something else
        moment = _moment(match[1], match[3], match[4])
        if moment is not None:
            return Dated(moment, "file name")
    return None


def _moment(year: str, month: str, day: str, *times: str | None) -> datetime | None:
    """Return a time in UTC; None for one that no calendar has, or that no picture can have."""
    try:
        hour, minute, second = (int(each or 0) for each in (*times, None, None, None)[:3])
        moment = datetime(int(year), int(month), int(day), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return moment if moment.year >= _FIRST_YEAR and moment <= datetime.now(UTC) + _AHEAD else None
