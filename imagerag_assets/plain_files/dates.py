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
_DAYS_IN_NAME = tuple(
    re.compile(rf"(?<![A-Za-z0-9]){form}(?![A-Za-z0-9])")
    for form in (
        r"s(\d{4})(\d{3})(\d\d)(\d\d)(\d\d)\d(?=_e\d{14}(?!\d))",  # GOES: start, then end
        r"L[A-Z]\d\d{6}(\d{4})(\d{3})[A-Z]{3}\d\d",  # Landsat until 2016: path and row before, station after
        r"A(\d{4})(\d{3})(?:\.(\d\d)(\d\d)(?=\.))?",  # MODIS and VIIRS, those of swaths with a time
        r"doy(\d{4})(\d{3})(?:\d{6})?",  # AppEEARS
        r"(\d{4})(\d{3})T(\d\d)(\d\d)(\d\d)?Z?",  # HLS
    )
)
"""Year, day of the year, and a time, as providers write them, so that the digits can be nothing else."""
_BARE_DAY = re.compile(r"(?<![A-Za-z0-9])(\d{4})(\d{3})(?![A-Za-z0-9])")
_BARE_YEAR = re.compile(r"(?<![A-Za-z0-9.])(?<!\d[-_ ])\d{4}(?![A-Za-z0-9.]|[-_ ]\d)")
_LONG_NUMBER = re.compile(r"\d{6,}")
_FIRST_SATELLITE_YEAR = 1972  # of pictures that are named by the day of the year


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
    """Return the first plausible date of a name; its time of day only if that is plausible, too.

    Days of the year come first in the forms of certain providers, since GOES's can also be read as a calendar date, and
    last where seven digits are all there is.  These may be a coordinate, so no other long number may stand beside them.
    """
    for pattern in _DAYS_IN_NAME:
        for match in pattern.finditer(name):
            moment = _day_of_year(*match.groups())
            if moment is not None:
                return Dated(moment, "file name")
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
    bare = _BARE_DAY.search(name) if len(_LONG_NUMBER.findall(name)) == 1 else None
    moment = _day_of_year(*bare.groups()) if bare is not None else _year(name)
    return None if moment is None else Dated(moment, "file name")


def _year(name: str) -> datetime | None:
    """Return the first day of a year that stands by itself in a name and is its only long number.

    That is no day, but it keeps pictures in order, which the time of the last copy does not.  Beside another number it
    may be a coordinate, or a part of a date that is none.
    """
    years = re.findall(r"\d{4,}", name)
    alone = len(years) == 1 and _BARE_YEAR.search(name) is not None and int(years[0]) >= _FIRST_SATELLITE_YEAR
    return _moment(years[0], "1", "1") if alone else None


def _day_of_year(year: str, day: str, *times: str | None) -> datetime | None:
    """Return the time of a day of a year that satellites took pictures in; None if that year has no such day."""
    if int(year) < _FIRST_SATELLITE_YEAR or not 1 <= int(day) <= 366:
        return None
    try:
        date = datetime(int(year), 1, 1, tzinfo=UTC) + timedelta(days=int(day) - 1)
    except OverflowError:  # the last day of the last year there is
        return None
    if date.year != int(year):
        return None
    month, of_month = f"{date:%m}", f"{date:%d}"
    return _moment(year, month, of_month, *times) or _moment(year, month, of_month)


def _moment(year: str, month: str, day: str, *times: str | None) -> datetime | None:
    """Return a time in UTC; None for one that no calendar has, or that no picture can have."""
    try:
        hour, minute, second = (int(each or 0) for each in (*times, None, None, None)[:3])
        moment = datetime(int(year), int(month), int(day), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return moment if moment.year >= _FIRST_YEAR and moment <= datetime.now(UTC) + _AHEAD else None
