"""A part of each scene that a clause names: "in the upper left", "NW part only", "top right-hand corner"."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from imagerag_assets.plans import lexicon
from imagerag_assets.plans.plan import PartName

# word: how far down, how far right, by compass
_DIRECTIONS: dict[str, tuple[str, str, bool]] = {
    **dict.fromkeys(("upper", "top", "uppermost", "topmost"), ("upper", "", False)),
    **dict.fromkeys(("lower", "bottom", "lowermost", "bottommost"), ("lower", "", False)),
    **dict.fromkeys(("left", "leftmost"), ("", "left", False)),
    **dict.fromkeys(("right", "rightmost"), ("", "right", False)),
    **dict.fromkeys(("middle", "centre", "center", "central"), ("middle", "middle", False)),
    **dict.fromkeys(("north", "northern", "northerly"), ("north", "", True)),
    **dict.fromkeys(("south", "southern", "southerly"), ("south", "", True)),
    **dict.fromkeys(("west", "western", "westerly"), ("", "west", True)),
    **dict.fromkeys(("east", "eastern", "easterly"), ("", "east", True)),
}
_SHORT = {
    **dict.fromkeys(("ne", "northeast", "northeastern"), ("north", "east")),
    **dict.fromkeys(("nw", "northwest", "northwestern"), ("north", "west")),
    **dict.fromkeys(("se", "southeast", "southeastern"), ("south", "east")),
    **dict.fromkeys(("sw", "southwest", "southwestern"), ("south", "west")),
}
COMPASS = r"(?:north|south)[ -]?(?:east|west)(?:ern)?|north(?:ern)?|south(?:ern)?|east(?:ern)?|west(?:ern)?"
"""Pattern of a compass direction in lower case."""
_NOUNS = lexicon.words(
    "part half third quarter quadrant corner side edge border margin rim boundary area region section portion "
    "zone sector end"
)
_EDGES = lexicon.words("edge border margin rim boundary")
_PICTURES = lexicon.words("image picture photo photograph scene frame view map tile area region footage ground it")
_LINKS = frozenset(("and", "or", ",", "/", "&", "versus", "vs", "plus", "both", "then"))
_LEADING = lexicon.words("in at on to along near within inside across around towards toward from of over for")
_FILLERS = lexicon.words("the its very far extreme dead just only looking this that exact")
_ENDS = lexicon.FUNCTION | lexicon.VERBS | lexicon.PARTICIPLES | {"only", "part"}
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[^\w\s-]")


def side_of(words: str) -> str:
    """Return a direction as a plan names it: "north-east" for "north eastern", "left" for "left"."""
    plain = words.replace("ern", "").replace(" ", "-")
    return re.sub(r"^(north|south)(east|west)$", r"\1-\2", plain)


def part_in(text: str) -> tuple[PartName, str] | None:
    """Return the part of the scene that a clause names, and the clause without it; None: none, or several.

    A direction counts only if it is one of the picture: "on the left", not "on the left of the pier", "the left wing"
    or "north of the river".

    Args:
        text: In lower case.
    """
    tokens, found = _found(text)
    if len(found) != 1:
        return None
    name, start, end = found[0]
    return name, _without(text, tokens, start, end)


def parts_in(text: str) -> tuple[tuple[PartName, ...], str] | None:
    """Return the parts of the scene that a clause names side by side, "in the north and in the south"; None: others.

    Args:
        text: In lower case.
    """
    tokens, found = _found(text)
    between = [{token[0] for token in tokens[one[2] : other[1]]} for one, other in itertools.pairwise(found)]
    joined = all(words and words <= _LINKS for words in between)
    names = tuple(dict.fromkeys(name for name, _, _ in found))
    if len(names) < 2 or len(names) < len(found) or not joined:
        return None
    return names, _without(text, tokens, found[0][1], found[-1][2])


def _found(text: str) -> tuple[list[re.Match[str]], list[tuple[PartName, int, int]]]:
    """Return the words of a clause, and each part of the scene among them with the words where it begins and ends."""
    tokens = list(_TOKEN.finditer(text))
    plain = [token[0] for token in tokens]
    found: list[tuple[PartName, int, int]] = []
    at = 0
    while at < len(plain):
        part = _part_at(plain, at)
        if part is None:
            at += 1
            continue
        name, end = part
        start = at
        while start and (plain[start - 1] in _FILLERS or plain[start - 1] in _LEADING):
            start -= 1
        found.append((name, start, end))
        at = end
    return tokens, found


def _without(text: str, tokens: Sequence[re.Match[str]], start: int, end: int) -> str:
    rest = f"{text[: tokens[start].start()]} {text[tokens[end - 1].end() :]}"
    return " ".join(rest.split()).strip(" ,:")


def _part_at(plain: Sequence[str], at: int) -> tuple[PartName, int] | None:
    meant: list[tuple[str, str, bool]] = []
    end = at
    short = plain[at] in _SHORT
    if short:
        meant = [_DIRECTIONS[each] for each in _SHORT[plain[at]]]
        end += 1
    while end < len(plain) and len(meant) < 3 and not short and plain[end] in _DIRECTIONS:
        meant.append(_DIRECTIONS[plain[end]])
        end += 1
    if not 1 <= len(meant) <= 2:
        return None
    end += end < len(plain) and plain[end] == "hand"
    noun = end < len(plain) and plain[end] in _NOUNS
    edge = noun and plain[end] in _EDGES
    end += noun
    name = _name(meant)
    if name is None or (edge and name == "centre"):
        return None
    return (name, _end(plain, at, end, len(meant), noun)) if _end(plain, at, end, len(meant), noun) else None


def _end(plain: Sequence[str], at: int, end: int, directions: int, noun: bool) -> int:
    """Return where the words of a part of the scene end; 0: they name none."""
    short = plain[at] in _SHORT
    if end < len(plain) and plain[end] == "of":
        after = end + 1
        while after < len(plain) and plain[after] in {"the", "this", "that", "whole", "entire", "each", "every", "all"}:
            after += 1
        return after + 1 if after < len(plain) and plain[after].removesuffix("s") in _PICTURES else 0
    back = at - 1
    article = False
    while back >= 0 and plain[back] in _FILLERS:
        article = article or plain[back] in {"the", "its"}
        back -= 1
    following = plain[end] if end < len(plain) else ""
    closed = not following or not following[0].isalnum() or following in _ENDS
    if noun:
        return end
    if following in {"than", "from"}:
        return 0
    if back >= 0 and plain[back] in _LEADING and (article or directions == 2 or short):
        return end if closed or (directions == 2 and not short) else 0
    if directions == 2 and not short:
        return end
    alone = back < 0 or not plain[back][0].isalnum() or not following
    middle = _DIRECTIONS.get(plain[at], ("", "", False))[0] == "middle"
    middle = middle and not {"a", "an"} & set(plain[max(0, at - 4) : at])  # "a visitor centre" is no part of the scene
    return end if closed and ((middle and alone) or (short and (at == 0 or not following))) else 0


def _name(meant: Sequence[tuple[str, str, bool]]) -> PartName | None:
    centre = any(each[0] == each[1] for each in meant)
    if len({each[2] for each in meant}) > 1 and not centre:
        return None
    downs = [each[0] for each in meant if each[0]]
    rights = [each[1] for each in meant if each[1]]
    if len(meant) == 2:
        downs = [each for each in downs if each != "middle"] or downs
        rights = [each for each in rights if each != "middle"] or rights
    if len(set(downs)) > 1 or len(set(rights)) > 1:
        return None
    down, right = (downs or [""])[0], (rights or [""])[0]
    if down == right == "middle":
        return "centre"
    if any(each[2] for each in meant):
        return "-".join(each for each in (down, right) if each and each != "middle")  # type: ignore[return-value]
    return " ".join(each for each in (down, right) if each)  # type: ignore[return-value]
