"""Which part of a scene a question is about: "the harbour in the north-east", "how many in the upper left?".

This only turns words into a part of the unit square; `phrases` finds phrases, and the caller knows pixels and degrees.
Only questions name regions: a choice that names one is an answer.  Regions are cut as `answering.findings.place` names
them: halves and quarters, or thirds if a middle or an edge is meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagerag_assets.plans import lexicon

_THIRD = 1 / 3
_HALVES = {"first": (0.0, 0.5), "last": (0.5, 1.0), "middle": (0.0, 1.0)}
_THIRDS = {"first": (0.0, _THIRD), "last": (1 - _THIRD, 1.0), "middle": (_THIRD, 1 - _THIRD)}

# word: how far down, how far right, by compass
_WORDS: dict[str, tuple[str, str, bool]] = {
    **dict.fromkeys(("upper", "top", "uppermost", "topmost"), ("first", "", False)),
    **dict.fromkeys(("lower", "bottom", "lowermost", "bottommost"), ("last", "", False)),
    **dict.fromkeys(("left", "left-hand", "leftmost"), ("", "first", False)),
    **dict.fromkeys(("right", "right-hand", "rightmost"), ("", "last", False)),
    **dict.fromkeys(("middle", "centre", "center", "central"), ("middle", "middle", False)),
    **dict.fromkeys(("north", "northern"), ("first", "", True)),
    **dict.fromkeys(("south", "southern"), ("last", "", True)),
    **dict.fromkeys(("west", "western"), ("", "first", True)),
    **dict.fromkeys(("east", "eastern"), ("", "last", True)),
}
_NAMES = {
    **dict.fromkeys(("top", "uppermost", "topmost"), "upper"),
    **dict.fromkeys(("bottom", "lowermost", "bottommost"), "lower"),
    **{f"{side}{ending}": side for side in ("left", "right") for ending in ("-hand", "most")},
    **dict.fromkeys(("centre", "center", "central"), "middle"),
}
_SHORT = {"ne": "north east", "nw": "north west", "se": "south east", "sw": "south west"}
_DIRECTION = "|".join(sorted((*_WORDS, *_SHORT), key=len, reverse=True))
_PICTURE = r"(?:image|picture|photo|photograph|scene|frame|view|area|region|map|tile)"
_PLACE = re.compile(
    r"\b(?P<in>(?:in|at|on|to|along|near|within|inside|across|describe|summari[sz]e)\s+)?"
    r"(?:(?P<the>the|its)\s+)?(?:(?:far|very|extreme)\s+)?"
    rf"(?P<first>{_DIRECTION})(?:[ -]?(?P<second>{_DIRECTION}))?\b"
    r"(?:[ -](?:hand )?(?P<noun>part|half|third|quarter|quadrant|corner|side|edge|border|margin|rim|boundary|area|"
    r"region|section|portion|zone|sector|end)\b)?"
    rf"(?P<whole> of (?:the |this |that )?(?:whole |entire )?{_PICTURE}\b)?"
)
_EDGES = frozenset({"edge", "border", "margin", "rim", "boundary", "third"})
_NEXT = re.compile(r"\s+([\w'’-]+)")


@dataclass(frozen=True)
class Region:
    """A part of a scene."""

    name: str
    """In words, "upper right" or "north-east"."""
    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 as shares of the scene's width and height; y points down, or south."""
    compass: bool
    """Given by the compass, so that x is east and y is south wherever these are in the picture."""

    def holds(self, x: float, y: float) -> bool:
        """Return whether a point, in shares, lies in it; a point on a border belongs to the lower, or right, region."""
        x0, y0, x1, y1 = self.box
        return x0 <= x < (x1 if x1 < 1 else 2) and y0 <= y < (y1 if y1 < 1 else 2)


def regions_of(question: str) -> tuple[Region, ...]:
    """Return the regions of the scene that a question names, each once.

    A direction counts only if it is one of the picture: "on the left", not "on the left of the pier", "the left
    wing" or "north of the river".

    Args:
        question: In lower case.
    """
    found = (_region(match, question[match.end() :]) for match in _PLACE.finditer(question))
    return tuple({region.box: region for region in found if region is not None}.values())


def region_named(name: str) -> Region:
    """Return the region of a plain name: "upper left", "north-east", "centre", "left"."""
    return regions_of(f"in the {name} part")[0]


def _region(match: re.Match[str], rest: str) -> Region | None:
    first, second, noun = match["first"], match["second"], match["noun"]
    words = [_SHORT.get(first, first), *([second] if second else [])]
    words = " ".join(words).split()
    meant = [_WORDS[word] for word in words if word in _WORDS]
    if len(meant) < len(words) or len(words) > 2:
        return None
    if not (noun or (match["in"] and (match["the"] or second))):
        return None
    if not match["whole"] and (re.match(r"\s+of\b", rest) or (noun is None and _goes_on(rest))):
        return None
    downs, rights = {each[0] for each in meant} - {""}, {each[1] for each in meant} - {""}
    if len(words) == 2:  # "middle left": of two words each says one thing, and a middle what the other leaves open
        downs, rights = (each - {"middle"} or each for each in (downs, rights))
    if len(downs) > 1 or len(rights) > 1 or len({each[2] for each in meant}) > 1:
        return None
    thirds = noun in _EDGES or any(each[0] == each[1] for each in meant)
    cut = _THIRDS if thirds else _HALVES
    y0, y1 = cut[next(iter(downs))] if downs else (0.0, 1.0)
    x0, x1 = cut[next(iter(rights))] if rights else (0.0, 1.0)
    compass = meant[0][2]
    name = ("-" if compass else " ").join(_NAMES.get(word, word.removesuffix("ern")) for word in words)
    name = "centre" if name == "middle" else name
    return Region(f"{name} {noun}" if noun in _EDGES else name, (x0, y0, x1, y1), compass)


def _goes_on(rest: str) -> bool:
    """Return whether a noun follows that the direction belongs to: "on the left bank"."""
    following = _NEXT.match(rest)
    if following is None:
        return False
    word = following[1].replace("’", "'")
    return word not in lexicon.FUNCTION | lexicon.PARTICIPLES and (word not in lexicon.VERBS or word == "answer")
