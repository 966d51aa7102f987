"""Read what a sentence says: numbers, parts of the scene, names, and whether it says that a thing is there.

Strict and simple on purpose, and independent of the code that writes sentences: a judge that shares its words would
agree with its mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_NUMBERS = {word: value for value, word in enumerate(_WORDS)} | {
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "single": 1,
    "both": 2,
}  # fmt: skip
_NUMBER = rf"\d+(?:,\d{{3}})*(?:\.\d+)?|\b(?:{'|'.join(_NUMBERS)})\b"
_UNIT = r"(?:k?m|(?:kilo)?met(?:re|er)s?|px|pixels?|ha|hectares?|feet|ft|miles?|%|percent|per cent|degrees?|°)"
_NOT_COUNTS = (
    r"-?\d+\.\d+\s*°?\s*[NS]\s*,?\s*-?\d+\.\d+\s*°?\s*[EW]\b",  # coordinates
    r"-?\d+\.\d{3,}",
    r"\b(?:confidence|sure|certain|probability)(?: of| is|:)?\s*\d*\.?\d+\s*%?",
    rf"\d[\d,.]*\s*(?:x\s*\d[\d,.]*\s*)?{_UNIT}(?:²|2)?(?![\w])",
    r"\b\d{4}-\d\d-\d\d\S*",
    r"\b(?=[\w.-]*[a-zA-Z])[\w.-]*\d[\w.-]*\b",  # scene keys
    r"\b(?:the|this|that|which|each|nearest|farthest|closest|only|other|another|any|no|every)\s+one\b",
    r"\bone (?:of|another)\b",
)
_RANGE = re.compile(
    rf"(?:\bfrom\s+|\bbetween\s+)?({_NUMBER})\s*(?:to|and|-|–)\s*({_NUMBER})(?=[\s;,.)]|$)", re.IGNORECASE
)
_IN_PLACES = re.compile(rf"\s(?:in|at) (?:{_NUMBER}) (?:\w+ )?(?:places|sites|spots|locations)\b", re.IGNORECASE)
_TOLERANCE = 0.06
"""How far, as a share of the scene, a middle may lie beyond the border of the part that is named."""

_UP, _DOWN = r"(?:upper|top|north(?:ern)?)", r"(?:lower|bottom|south(?:ern)?)"
_LEFT, _RIGHT = r"(?:left|west(?:ern)?)", r"(?:right|east(?:ern)?)"
_MIDDLE = r"(?:middle|cent(?:re|er)|central)"
_GAP = r"[\s-]*(?:hand\s*)?"
_HALF, _THIRD, _CORE = "half", "third", "core"
_PARTS: tuple[tuple[str, str, str], ...] = (
    (rf"{_UP}{_GAP}{_LEFT}|\bNW\b", "low", "low"),
    (rf"{_UP}{_GAP}{_RIGHT}|\bNE\b", "high", "low"),
    (rf"{_DOWN}{_GAP}{_LEFT}|\bSW\b", "low", "high"),
    (rf"{_DOWN}{_GAP}{_RIGHT}|\bSE\b", "high", "high"),
    (rf"{_UP}{_GAP}{_MIDDLE}|{_MIDDLE}{_GAP}{_UP}", "mid", "low"),
    (rf"{_DOWN}{_GAP}{_MIDDLE}|{_MIDDLE}{_GAP}{_DOWN}", "mid", "high"),
    (rf"{_MIDDLE}{_GAP}{_LEFT}|{_LEFT}{_GAP}{_MIDDLE}", "low", "mid"),
    (rf"{_MIDDLE}{_GAP}{_RIGHT}|{_RIGHT}{_GAP}{_MIDDLE}", "high", "mid"),
    (_MIDDLE, "mid", "mid"),
    (_UP, "any", "low"),
    (_DOWN, "any", "high"),
    (_LEFT, "low", "any"),
    (_RIGHT, "high", "any"),
)
_PART = re.compile(
    "|".join(rf"(?P<p{number}>(?<![\w-])(?:{pattern})(?![\w]))" for number, (pattern, *_) in enumerate(_PARTS)),
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"\b(?:no|not|none|nothing|never|neither|nor|cannot|without|absent|zero|unable|unknown|unclear|rejected)\b|n't\b"
    r"|(?<![\d.])0(?![\d.])",
    re.IGNORECASE,
)
_ABSENCE = re.compile(
    r"\bthere(?:'s| is| are| was| were)?(?:n't| no\b| not\b| none\b| zero\b| 0\b)"
    r"|\b(?:do|does|did)(?:n't| not) (?:show|contain|feature|have|include|exist|appear|display|depict)"
    r"|\b(?:is|are)(?:n't| not) (?:there|present|in (?:the|this)|here|shown|any)\b"
    r"|\b(?:is|are) absent\b|\bhas no\b|\bfree of\b",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"[.;!?]+(?=\s|$)|,\s+(?:but|and|so|while|whereas|though|although)\s+|\s+(?:but|and)\s+(?=no\b|not\b|none\b)|\n",
    re.IGNORECASE,
)
_BARE = re.compile(r"^\W*(?:no|none|nope|nothing|0|zero|nil)\W*$", re.IGNORECASE)
_LEAD = re.compile(r"^\s*(yes|no)\s*[,:.;!-]+\s*", re.IGNORECASE)
_FORBIDDEN = re.compile(
    r"\bcues?\b|<\s*/?\s*(?:box|ref|img|image|p|s)\b|\[\[|\]\]|<\||\bpatch_id\b|\bsub-?patch\b|\bembedding|\bnull\b|\bNaN\b"
    r"|```|\{['\"]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class PartOfScene:
    """A part of the scene that a sentence names."""

    words: str
    across: str
    """low (left), mid, high (right) or any."""
    down: str
    """low (upper), mid, high (lower) or any."""

    def holds(self, x: float, y: float) -> bool:
        """Return whether a point lies in it, given as shares of width and height, y down."""
        thirds = "mid" in (self.across, self.down) and self.across != self.down
        return _within(self.across, x, thirds=thirds) and _within(self.down, y, thirds=thirds)


def _within(span: str, value: float, *, thirds: bool) -> bool:
    if span == "any":
        return True
    if span == "mid":
        return 0.25 - _TOLERANCE <= value <= 0.75 + _TOLERANCE
    border = 0.5 if not thirds else 0.4
    return value <= border + _TOLERANCE if span == "low" else value >= 1 - border - _TOLERANCE


@dataclass(frozen=True)
class Numbers:
    """The counts that a text says."""

    values: tuple[float, ...]
    ranges: tuple[tuple[float, float], ...]
    """Lower and upper end of each interval."""
    of_parts: tuple[tuple[float, PartOfScene], ...]
    """Numbers that belong to a part of the scene: "2 in the upper left"."""


def numbers(text: str) -> Numbers:
    """Return the counts in a text, without coordinates, measures, confidences, dates, names of scenes and places.

    "About 90 ships in 13 places" says 90, but "ships in 13 places" says 13.
    """
    left = _IN_PLACES.sub(" ", text)
    left = left if re.search(_NUMBER, left, re.IGNORECASE) else text
    for pattern in _NOT_COUNTS:
        left = re.sub(pattern, " ", left)
    ranges = []
    for match in list(_RANGE.finditer(left)):
        low, high = _value(match[1]), _value(match[2])
        if low <= high:
            ranges.append((low, high))
            left = left.replace(match[0], " ", 1)
    of_parts, values = [], []
    for match in re.finditer(_NUMBER, left, re.IGNORECASE):
        after = left[match.end() :]
        near = re.match(r"(?:\s+[\w-]+){0,3}?\s+(?:in|on|at) the\s+", after)
        part = _PART.match(after, near.end()) if near else None
        if part and not re.search(_NUMBER, after[: near.end()] if near else "", re.IGNORECASE):
            of_parts.append((_value(match[0]), _part(part)))
        values.append(_value(match[0]))
    return Numbers(tuple(values), tuple(ranges), tuple(of_parts))


def _value(text: str) -> float:
    word = text.lower()
    return float(_NUMBERS[word]) if word in _NUMBERS else float(word.replace(",", ""))


def parts_of_scene(text: str) -> tuple[PartOfScene, ...]:
    """Return the parts of the scene that a text names; "north of the river" names none."""
    plain = re.sub(_NOT_COUNTS[0], " ", text)
    found = []
    for match in _PART.finditer(plain):
        before, after = plain[: match.start()], plain[match.end() :]
        inside = re.search(r"\b(?:in|on|at|near|towards?|across)\s+(?:the|its)\s+(?:\w+\s+)?$", before, re.IGNORECASE)
        if re.match(r"\s+of\b(?! the (?:picture|image|imagery|scene|area|map|photo))", after) and not inside:
            continue  # a relation to another thing
        found.append(_part(match))
    return tuple(dict.fromkeys(found))


def _part(match: re.Match[str]) -> PartOfScene:
    number = next(int(name[1:]) for name, words in match.groupdict().items() if words is not None)
    return PartOfScene(match[0].lower(), *_PARTS[number][1:])


def singular(word: str) -> str:
    """Return a word without the ending of an English plural."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("s", "")):
        if word.endswith(ending) and len(word) > len(ending) + 1 and not word.endswith(("ss", "us", "is")):
            return word[: -len(ending)] + instead
    return word.removesuffix("es") if word.endswith("sses") else word


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case and the singular."""
    return [singular(word) for word in re.findall(r"[^\W\d_]+", text.lower().replace("'s", ""))]


def names_any(text: str, names: Iterable[str]) -> bool:
    """Return whether a text has one of these names, in the singular or the plural."""
    said = f" {' '.join(words_of(text))} "
    joined = said.replace(" ", "")
    return any(
        f" {' '.join(words_of(name))} " in said or (" " in name and "".join(words_of(name)) in joined) for name in names
    )


def same_name(phrase: str, names: Iterable[str]) -> bool:
    """Return whether a phrase that was looked for is one of these names, perhaps with more words: "big round tank"."""
    words = set(words_of(phrase))
    return any(set(words_of(name)) <= words for name in names if words_of(name))


def number_of(text: str, names: Iterable[str]) -> float | None:
    """Return the number that stands before a name, at most two words apart: "3 big tanks"."""
    names = tuple(names)
    for match in re.finditer(_NUMBER, text, re.IGNORECASE):
        after = re.match(r"(?:\s+[\w-]+){1,4}", text[match.end() :])
        words = after[0].split() if after else []
        for end in range(1, len(words) + 1):
            if re.fullmatch(_NUMBER, words[end - 1], re.IGNORECASE):
                break
            if names_any(" ".join(words[:end]), names):
                return _value(match[0])
    return None


def clauses(text: str) -> list[str]:
    """Split a text where another statement may begin."""
    return [each.strip() for each in _BETWEEN.split(text) if each.strip()]


def about(text: str, names: Sequence[str], others: Sequence[Sequence[str]] = ()) -> str:
    """Return the part of a text that is about one thing: all of it, unless other things are asked about too."""
    if not any(names_any(text, other) for other in others):
        return text
    own = [clause for clause in clauses(text) if names_any(clause, names)]
    apart = [clause for clause in own if not any(names_any(clause, other) for other in others)]
    return ". ".join(apart or own)


def lead(text: str) -> str | None:
    """Return "yes" or "no" if a text begins with it."""
    match = _LEAD.match(text)
    if match:
        return match[1].lower()
    bare = text.strip().lower().strip(".!")
    return bare if bare in ("yes", "no") else None


def without_lead(text: str) -> str:
    """Return a text without "yes" or "no" before its first statement."""
    return _LEAD.sub("", text)


def is_negative(text: str) -> bool:
    """Return whether a text says no, none, not found, cannot, ..."""
    return bool(_NEGATIVE.search(without_lead(text)))


def asserts_absence(text: str) -> bool:
    """Return whether a text says as a fact that something is not there, or nothing but "no" or "0"."""
    return bool(_BARE.match(text) or _ABSENCE.search(text) or (lead(text) == "no"))


def forbidden_words(text: str) -> tuple[str, ...]:
    """Return the internal words in a text, which no person should read."""
    return tuple(dict.fromkeys(match[0].strip() for match in _FORBIDDEN.finditer(text)))
