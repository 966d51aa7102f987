"""Parts of the picture and compass directions in words: "north-west", "NW", "top left corner", "the left half".

A text becomes directions; a direction and the others beside it become a box of the unit square (x, y, y down); and a
place belongs to a box to a degree, as a place near a border could be called by either name.  North is up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from imagerag_assets.plans.result import Place

BLUR = 0.05
"""Standard deviation, in shares of a scene's side, of where people see the middle of an object and a border."""
_FAR, _FAR_BLUR = 0.02, 0.35
"""Share of places that people name wrongly, and how far they are off: of wrong parts the nearer one is the likelier."""

Row = Literal["upper", "middle", "lower"]
Column = Literal["left", "middle", "right"]
Box = tuple[float, float, float, float]

_ON_A_SIDE = r" (?:to|on|at|in|towards?) the (?:far )?(?:left|right|west|east)"
_UPPER = (
    r"north(?:ern(?:most)?|ward|wards|erly)?|upper(?:most)?|top(?:most)?"
    rf"|(?:high |further |far )?up(?=(?: and)?{_ON_A_SIDE})"
)
_LOWER = (
    r"south(?:ern(?:most)?|ward|wards|erly)?|lower(?:most)?|bottom(?:most)?"
    rf"|(?:low |further |far )?down(?=(?: and)?{_ON_A_SIDE})"
)
_LEFT = r"west(?:ern(?:most)?|ward|wards|erly)?|left(?:most)?(?:[ -]hand)?"
_RIGHT = r"east(?:ern(?:most)?|ward|wards|erly)?|right(?:most)?(?:[ -]hand)?"
_MIDDLE = r"cent(?:re|er|ral)|middle|mid"
_TOKEN = rf"(?:(?P<upper>{_UPPER})|(?P<lower>{_LOWER})|(?P<left>{_LEFT})|(?P<right>{_RIGHT})|(?P<middle>{_MIDDLE}))"
_EXTENT = r"part|side|half|halves|corner|quadrant|quarter|third|edge|area|region|section|portion|border|end|zone|sector"
_PLAIN = "|".join((_UPPER, _LOWER, _LEFT, _RIGHT, _MIDDLE))
_WORD = re.compile(_TOKEN)
_OF_THE_CENTRE = re.compile(r"\s+of\s+(?:the\s+)?(?:cent(?:re|er)|middle)\b")
_PICTURE = r"image|picture|scene|imagery|photo|map|view|frame"
_JOINT = re.compile(
    rf"(?:\s*[-/]?\s*|\s+(?:(?:{_EXTENT})\s+)?(?:of\s+the\s+(?:{_PICTURE}),?\s+)?(?:of|at|in|on|(?:and\s+)?to|towards?)\s+(?:the\s+)?)"
    rf"(?={_PLAIN})"
)
_BESIDE = re.compile(
    r"\s*,\s*(?:but |and )?(?:(?:near|at|in|on|by|along|towards?|close to|next to) )?(?:the |its )?(?:very |far )?"
)
_TAIL = re.compile(rf"\s*-?\s*(?P<extent>{_EXTENT})\b(?:\s+of\s+(?:the\s+)?(?:{_PICTURE})\b)?")
_SHORT = re.compile(r"(?<!\d )(?<![\w.])(?:([NS])\.?[- ]?([EW])|([NSEW])(?![- ]?[EW]))\.?(?!/A\b)(?![\w'])")
_CORNER = re.compile(r"(?<!\d )(?<![\w.])([UTLB])\.?([LR])(?![\w'])")
_HIGH_LOW = re.compile(
    r"\b(?:up|high|down|low)\b(?=[\s,-]+(?:(?:and|on|at|to) )*(?:the )?(?:left|right)\b)"
    r"|(?<=left, )(?:up|high|down|low)\b|(?<=right, )(?:up|high|down|low)\b",
    re.IGNORECASE,
)
"""Heights that people give beside a side: "left, low"."""
_LONG = {"N": "north", "S": "south", "E": "east", "W": "west"}
_ROWS, _COLUMNS = {"U": "upper", "T": "top", "L": "lower", "B": "bottom"}, {"L": "left", "R": "right"}
_VECTORS = {"upper": (0, -1), "lower": (0, 1), "left": (-1, 0), "right": (1, 0)}


@dataclass(frozen=True)
class Direction:
    """A part of the picture that a text names."""

    row: Row | None
    column: Column | None
    start: int = 0
    end: int = 0
    """Where it stands in the text that `spelt_out` returns, in characters."""
    half: bool = False
    """Whether the text says that it is a half."""

    @property
    def corner(self) -> bool:
        """Whether it names both a side and a height, neither being the middle."""
        return self.row in ("upper", "lower") and self.column in ("left", "right")

    @property
    def alone(self) -> bool:
        """Whether it is just the middle."""
        return self.row == self.column == "middle"

    @property
    def vector(self) -> tuple[float, float] | None:
        """The direction from the middle, x to the right and y down, of length 1; None for the middle."""
        x = _VECTORS.get(self.column or "", (0, 0))[0]
        y = _VECTORS.get(self.row or "", (0, 0))[1]
        length = math.hypot(x, y)
        return (x / length, y / length) if length else None


def directions(text: str) -> list[Direction]:
    """Return the parts of the picture that a text names, in their order; "NW" and "s" alone are understood."""
    return directions_in(spelt_out(text))


def directions_in(low: str) -> list[Direction]:
    """Return the parts of the picture that a text in lower case names, in their order."""
    found: list[Direction] = []
    at = 0
    while (word := _WORD.search(low, at)) is not None:
        if not _free(low, word.start()):
            at = word.end()
            continue
        kinds, end = [str(word.lastgroup)], word.end()
        while (joint := _JOINT.match(low, end)) is not None:
            following = _WORD.match(low, joint.end())
            if following is None or not _fits(kinds, str(following.lastgroup)):
                break
            kinds.append(str(following.lastgroup))
            end = following.end()
        if low[end : end + 1].isalpha():
            at = end
            continue
        if "middle" not in kinds and (centre := _OF_THE_CENTRE.match(low, end)) is not None:
            end = centre.end()
        tail = _TAIL.match(low, end)
        half = tail is not None and tail["extent"] in ("half", "halves")
        found.append(_direction(kinds, word.start(), tail.end() if tail else end, half=half))
        at = found[-1].end
    return [_corner_of(*found)] if len(found) == 2 and _one_place(low, *found) else found


def _one_place(low: str, one: Direction, other: Direction) -> bool:
    """Return whether a row and a column beside each other are one place: "in the right half, near the top"."""
    alone = None in (one.row, one.column) and None in (other.row, other.column)
    middle = other.alone and (one.row in ("upper", "lower") or one.column in ("left", "right")) and not one.corner
    return ((alone and _corner_of(one, other).corner) or middle) and _BESIDE.fullmatch(
        low, one.end, other.start
    ) is not None


def _corner_of(one: Direction, other: Direction) -> Direction:
    return Direction(one.row or other.row, one.column or other.column, one.start, other.end)


class Frame:
    """The boxes that directions stand for when they are the alternatives.

    "Left" beside "right" is a half; beside "centre" it is a third; beside "upper left" and "centre" it is one of nine.
    """

    def __init__(self, alternatives: Iterable[Direction]) -> None:
        all_ = list(alternatives)
        corners = any(one.corner for one in all_)
        edges = any(not one.corner and not one.half and not one.alone for one in all_)
        middles = any("middle" in (one.row, one.column) for one in all_)
        self._thirds = middles or (corners and edges)
        self._nine = corners and (middles or edges)
        halves = any(one.half for one in all_)
        columns = any(one.column in ("left", "right") for one in all_)
        rows = any(one.row in ("upper", "lower") for one in all_)
        # "Top, bottom, left, right" are the four sides as seen from the middle.
        self._sides = edges and rows and columns and not (corners or middles or halves)
        self._only_rows = rows and not columns
        self._only_columns = columns and not rows

    def box(self, direction: Direction) -> Box:
        """Return x0, y0, x1, y1 of a direction in the unit square; outer borders lie at infinity."""
        row, column = direction.row, direction.column
        if direction.alone:
            row = None if self._only_columns else row
            column = None if self._only_rows else column
        elif self._nine and not direction.half:
            row, column = row or "middle", column or "middle"
        thirds = self._thirds and not direction.half
        y0, y1 = _axis(row, "upper", "lower", thirds=thirds)
        x0, x1 = _axis(column, "left", "right", thirds=thirds)
        return x0, y0, x1, y1

    def membership(self, place: Place, direction: Direction) -> float:
        """Return how well a direction names a place, 0 to 1."""
        centre = middle(place)
        if self._sides and centre is not None and not direction.corner and not direction.alone:
            return _side((centre[0] - 0.5, centre[1] - 0.5), direction)
        x0, y0, x1, y1 = self.box(direction)
        if place.share is not None:
            x, y = place.share
            return _inside(x, x0, x1) * _inside(y, y0, y1)
        known = directions(place.name)
        if not known:
            return 0.0
        left, top, right, bottom = _cell(known[0])
        return _overlap(left, right, x0, x1) * _overlap(top, bottom, y0, y1)


def middle(place: Place) -> tuple[float, float] | None:
    """Return the x, y of a place's middle as shares of its scene; from its name if nothing better is known."""
    if place.share is not None:
        return place.share
    known = directions(place.name)
    if not known:
        return None
    left, top, right, bottom = _cell(known[0])
    return (left + right) / 2, (top + bottom) / 2


def alignment(vector: tuple[float, float], direction: Direction) -> float:
    """Return how well a direction names a vector (x, y down), 0 to 1; 1 where they agree within some 15 degrees."""
    towards = direction.vector
    length = math.hypot(*vector)
    if towards is None or length == 0:
        return 0.05
    cosine = max(-1.0, min(1.0, (vector[0] * towards[0] + vector[1] * towards[1]) / length))
    off = math.degrees(math.acos(cosine))
    return max(0.005, math.exp(-((max(0.0, off - 10) / 22) ** 2)))


def _side(vector: tuple[float, float], direction: Direction) -> float:
    """Return how well one of the four sides names a place, seen from the middle; in the middle all are alike."""
    sides = (Direction("upper", None), Direction("lower", None), Direction(None, "left"), Direction(None, "right"))
    fits = {(side.row, side.column): alignment(vector, side) for side in sides}
    certain = math.hypot(*vector) / (math.hypot(*vector) + BLUR)
    own = fits.get((direction.row, direction.column), 0.0) / math.fsum(fits.values())
    return certain * own + (1 - certain) / 4


def spelt_out(text: str) -> str:
    """Return a text in lower case with "NW" and "S" written out; positions of directions are those in this text."""

    def long(match: re.Match[str]) -> str:
        first, second, one = match.groups()
        return _LONG[one] if one else f"{_LONG[first]}-{_LONG[second]}"

    stripped = text.strip().rstrip(".)").lstrip("(")
    if re.fullmatch(r"[nsew]|[ns][- ]?[ew]|[utlb][lr]", stripped, re.IGNORECASE):
        text = text.upper()
    text = _HIGH_LOW.sub(lambda match: "upper" if match[0].lower() in ("up", "high") else "lower", text)
    text = _CORNER.sub(lambda match: f"{_ROWS[match[1]]} {_COLUMNS[match[2]]}", text)
    return _SHORT.sub(long, text).lower()


def _free(text: str, start: int) -> bool:
    return start == 0 or not text[start - 1].isalpha()


def _fits(kinds: Sequence[str], following: str) -> bool:
    """Return whether a word goes on with the direction; "left, right" and "top and bottom" are two."""
    axis = {"upper": "y", "lower": "y", "left": "x", "right": "x", "middle": "m"}
    return len(kinds) == 1 and axis[kinds[0]] != axis[following]


def _direction(kinds: Sequence[str], start: int, end: int, *, half: bool) -> Direction:
    row: Row | None = "upper" if "upper" in kinds else "lower" if "lower" in kinds else None
    column: Column | None = "left" if "left" in kinds else "right" if "right" in kinds else None
    if "middle" in kinds:
        row, column = row or "middle", column or "middle"
    return Direction(row, column, start, end, half)


def _axis(name: str | None, first: str, last: str, *, thirds: bool) -> tuple[float, float]:
    if name is None:
        return -math.inf, math.inf
    if name == first:
        return -math.inf, 1 / 3 if thirds else 0.5
    if name == last:
        return 2 / 3 if thirds else 0.5, math.inf
    return 1 / 3, 2 / 3


def _cell(direction: Direction) -> Box:
    """Return where an object may lie of which only the part's name is known."""
    thirds = "middle" in (direction.row, direction.column)
    y0, y1 = _axis(direction.row, "upper", "lower", thirds=thirds)
    x0, x1 = _axis(direction.column, "left", "right", thirds=thirds)
    return max(0.0, x0), max(0.0, y0), min(1.0, x1), min(1.0, y1)


def _inside(value: float, low: float, high: float) -> float:
    near, far = (_normal((high - value) / blur) - _normal((low - value) / blur) for blur in (BLUR, _FAR_BLUR))
    return (1 - _FAR) * near + _FAR * far


def _normal(value: float) -> float:
    return 0.5 * (1 + math.erf(value / math.sqrt(2)))


def _overlap(start: float, end: float, low: float, high: float) -> float:
    return max(0.0, min(end, high) - max(start, low)) / (end - start)
