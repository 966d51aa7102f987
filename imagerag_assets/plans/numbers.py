"""Numbers in words: "just one", "2-4", "more than two", "a dozen", "between 200 m and 0.5 km", "about a quarter".

A quantity is an interval, as a text that names a number rarely means one number only.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, replace

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_SINGLE = {
    **{word: value for value, word in enumerate(_ONES)},
    **{word: 20 + 10 * value for value, word in enumerate(_TENS)},
    "fourty": 40,
    "nought": 0,
    "nil": 0,
    "zilch": 0,
}
_WORD = "|".join(sorted([*_SINGLE, *_SCALES], key=len, reverse=True))

_LENGTH = r"(?=\s(?:kilomet|met|mile|hectare|square ))"
_SETS = {
    rf"half an?{_LENGTH}": (0.5, 0.5),
    rf"(?:a )?quarter of an?{_LENGTH}": (0.25, 0.25),
    rf"an?{_LENGTH}": (1, 1),
    r"(?:an? )?(?:few|couple of|several) hundred": (200, 900),
    r"(?:an? )?(?:few|couple of|several) thousand": (2000, 9000),
    r"half a dozen": (6, 6),
    r"(?:a|one) dozen": (12, 12),
    r"two dozen": (24, 24),
    r"three dozen": (36, 36),
    r"dozens(?: of)?": (20, 150),
    r"hundreds(?: of)?": (100, 1000),
    r"thousands(?: of)?": (1000, 10_000),
    r"(?:an? |one )?(?:couple|pair)(?: of)?": (2, 2),
    r"(?:an? )?(?:quite )?few": (2, 6),
    r"a handful(?: of)?": (3, 7),
    r"some": (1, math.inf),
    r"several|a number of|multiple|various": (3, 12),
    r"many|lots of|a lot(?: of)?|plenty(?: of)?|numerous": (8, math.inf),
    r"both": (2, 2),
    r"(?:a |the )?(?:single|sole|lone|solitary|lonely)(?: one)?|once": (1, 1),
    r"twice|(?:a )?duo": (2, 2),
    r"(?:a )?(?:trio|threesome)|thrice|triplets?": (3, 3),
    r"(?:a )?(?:quartet|foursome)|two pairs": (4, 4),
    r"(?:a )?quintet|(?:a )?fivesome": (5, 5),
    r"three pairs": (6, 6),
    r"(?:just|only) the one": (1, 1),
    r"none|no|not (?:any|one)|not a single(?: one)?|without(?: any)?|n[o0]thing": (0, 0),
}
_FRACTIONS = {
    r"(?:one|1) in (?:two|2)": (50, 50),
    r"(?:one|1) in (?:three|3)": (100 / 3, 100 / 3),
    r"(?:one|1) in (?:four|4)": (25, 25),
    r"(?:one|1) in (?:five|5)": (20, 20),
    r"(?:one|1) in (?:ten|10)": (10, 10),
    r"(?:nearly|almost|virtually) (?:all|everything|the whole|the entire)": (85, 99.9),
    r"three[ -]quarters?": (75, 75),
    r"two[ -]thirds?": (200 / 3, 200 / 3),
    r"(?:a|one)[ -]third": (100 / 3, 100 / 3),
    r"(?:a|one)[ -]quarter": (25, 25),
    r"(?:a|one)[ -]fifth": (20, 20),
    r"(?:a|one)[ -]tenth": (10, 10),
    r"(?:a |one[ -])?half(?! a dozen)(?!-?\s*(?:of the (?:image|picture|scene)\s*$))": (50, 50),
    r"most(?: of)?|the majority": (50, 100),
    r"(?:a )?minority": (0, 50),
}
LENGTHS = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), 1.0),
    **dict.fromkeys(("km", "kms", "kilometre", "kilometres", "kilometer", "kilometers", "klick", "klicks"), 1000.0),
    **dict.fromkeys(("mi", "mile", "miles"), 1609.344),
    **dict.fromkeys(("nm", "nmi", "nautical mile", "nautical miles"), 1852.0),
    **dict.fromkeys(("ft", "foot", "feet"), 0.3048),
    **dict.fromkeys(("yd", "yds", "yard", "yards"), 0.9144),
}
"""Metres of each unit of length."""
_UNITS: dict[str, tuple[str, float]] = {
    **{unit: ("m", metres) for unit, metres in LENGTHS.items()},
    **dict.fromkeys(("px", "pixel", "pixels"), ("px", 1.0)),
    **dict.fromkeys(("%", "percent", "per cent"), ("%", 1.0)),
    **dict.fromkeys(("m²", "m2", "sq m", "square metres", "square meters"), ("m²", 1.0)),
    **dict.fromkeys(("km²", "km2", "sq km", "square kilometres", "square kilometers"), ("m²", 1e6)),
    **dict.fromkeys(("ha", "hectare", "hectares"), ("m²", 1e4)),
}
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_DIGITS = r"\d{1,3}(?:[,\u202f ]\d{3})+(?!\d)|\d+(?:\.\d+)?"
_SPELT = rf"(?:{_WORD})(?:(?:[ -]| and )(?:{_WORD}))*"
_SET = "|".join(f"(?:{pattern})" for pattern in (*_SETS, *_FRACTIONS))
# PRE_ stands for the name of a number; a range has two.
_NUMBER = (
    rf"(?:\b(?P<PRE_set>{_SET})\b|(?P<PRE_digits>{_DIGITS})|\b(?P<PRE_spelt>{_SPELT})\b)"
    rf"(?:\s?(?P<PRE_unit>{_UNIT})(?![a-z0-9]))?"
)
_RANGE = re.compile(
    rf"(?:\b(?P<word>between|from)\s+)?{_NUMBER.replace('PRE_', 'a')}"
    r"\s*(?P<link>-|–|—|\.\.\.?|\bto\b|\band\b|\bor\b|\bthrough\b)\s*"
    rf"{_NUMBER.replace('PRE_', 'b')}"
)
_ONE = re.compile(_NUMBER.replace("PRE_", "a"))

_MORE = (
    r"more than|higher than|in excess of|over|above|greater than|larger than|exceed(?:s|ed|ing)?"
    r"|surpass(?:es|ing)?|upwards of|beyond|>"
)
_AT_LEAST = r"at least|no (?:fewer|less) than|not (?:fewer|less) than|a minimum of|minimum|min\.?|≥|>="
_LESS = r"less than|lower than|fewer than|under|below|smaller than|<"
_AT_MOST = r"at (?:the )?most|as many as|up to|no more than|not more than|a maximum of|maximum|max\.?|≤|<=|within"
_EXACTLY = re.compile(r"\bno more(?:,| and| or)? (?:no|and no|nor) (?:fewer|less) than\b")
_ANYBODY = re.compile(
    r"\s+(?:(?:can|could|may|might|must|would|should|will|has to)\b|(?:finds|sees|spots|notices|looks|needs|gets)\b)"
)
_ABOUT = r"about|around|roughly|approximately|approx\.?|circa|ca\.?|some|nearly|almost|close to|~|≈|an estimated|maybe"
_BEFORE = re.compile(
    rf"(?:(?P<atleast>{_AT_LEAST})|(?P<atmost>{_AT_MOST})|(?P<more>{_MORE})|(?P<less>{_LESS})|(?P<about>{_ABOUT}))"
    r"\s*(?:only |just |a )?$"
)
_AFTER = re.compile(
    r"^\s*(?:(?P<atleast>or (?:more|above|over|greater)|at least\b|upwards?\b|\+|and (?:more|above|up)|plus\b)"
    r"|(?P<atmost>or (?:fewer|less|under|below)|at (?:the )?most\b))"
)


@dataclass(frozen=True)
class Quantity:
    """A number that a text names."""

    low: float
    high: float
    start: int
    end: int
    """Where it stands in the text, in characters."""
    unit: str = ""
    """"m", "px", "%", "m²", or empty for a number of things."""
    vague: bool = False
    """Whether the text itself leaves the number open: "a few", "about 20"."""

    def holds(self, value: float) -> bool:
        """Return whether the quantity allows a value."""
        return self.low - 1e-9 <= value <= self.high + 1e-9


def quantities(text: str) -> list[Quantity]:
    """Return the numbers that a text names, in digits or words, in their order."""
    low = _EXACTLY.sub(lambda match: "exactly".ljust(len(match[0])), text.lower())
    found: list[Quantity] = []
    at = 0
    while at < len(low):
        match = _RANGE.search(low, at)
        single = _ONE.search(low, at)
        if single is None:
            break
        if match is not None and match.start() <= single.start():
            quantity = _range(match)
            if quantity is not None:
                found.append(_bounded(low, quantity))
                at = found[-1].end
                continue
        if _inside_a_word(low, single) or _pronoun(low, single):
            at = single.end()
            continue
        found.append(_bounded(low, _single(single)))
        at = max(found[-1].end, at + 1)
    # "no more than 3" names 3 only: what stands before a number belongs to it.
    return [
        each for each, later in itertools.pairwise([*found, None]) if each and (not later or later.start > each.start)
    ]


def spelt(text: str) -> int | None:
    """Return the value of a number in words, "one hundred and forty", or None."""
    total = part = 0
    words = [word for word in re.split(r"[\s-]+", text.lower()) if word != "and"]
    for word in words:
        if word in _SINGLE:
            part += _SINGLE[word]
        elif word == "hundred":
            part = max(part, 1) * 100
        elif word in _SCALES:
            total, part = total + max(part, 1) * _SCALES[word], 0
        else:
            return None
    return total + part if words else None


def _inside_a_word(text: str, match: re.Match[str]) -> bool:
    """Return whether digits belong to a name, such as "B2" or "L-1"."""
    before = text[match.start() - 1 : match.start()]
    return match["adigits"] is not None and (before.isalnum() or before in ("_", "."))


def _pronoun(text: str, match: re.Match[str]) -> bool:
    """Return whether "one" stands for a thing or for people: "the red one", "this one", "one sees it"."""
    if match["aspelt"] == "one" and _ANYBODY.match(match.string, match.end()):
        return True
    before = r"\b(?:an?|the|this|that|another|each|every|which|any)\s+(?:(?!only\b)\w+\s+)?$"
    return match["aspelt"] == "one" and re.search(before, text[: match.start()]) is not None


def _value(match: re.Match[str], name: str) -> tuple[float, float, str, bool]:
    """Return the lowest and highest value, the unit and whether it is vague."""
    unit, factor = _UNITS.get(match[f"{name}unit"] or "", ("", 1.0))
    if match[f"{name}digits"] is not None:
        value = float(re.sub(r"[,\u202f ]", "", match[f"{name}digits"]))
        return value * factor, value * factor, unit, False
    if match[f"{name}set"] is not None:
        for table, its_unit in ((_SETS, unit), (_FRACTIONS, "%")):
            for pattern, (low, high) in table.items():
                known = re.compile(pattern).match(match.string, match.start(f"{name}set"))
                if known is not None and known.end() == match.end(f"{name}set"):
                    return low * factor, high * factor, its_unit, low != high
    value = float(spelt(match[f"{name}spelt"] or "") or 0)
    return value * factor, value * factor, unit, False


def _single(match: re.Match[str]) -> Quantity:
    low, high, unit, vague = _value(match, "a")
    return Quantity(low, high, match.start(), match.end(), unit, vague)


def _range(match: re.Match[str]) -> Quantity | None:
    """Return the quantity of a range, or None where two numbers only stand beside each other."""
    (low, low_high, unit, _), (high_low, high, last_unit, _) = _value(match, "a"), _value(match, "b")
    if not unit and last_unit:  # "0.2 to 0.5 km"
        factor = _UNITS.get(match["bunit"] or "", ("", 1.0))[1]
        low, low_high = low * factor, low_high * factor
    elif unit != last_unit:
        return None
    link = match["link"]
    if low_high >= high_low or (link == "and" and match["word"] != "between"):
        return None
    if link == "or" and high_low - low_high > 1:
        return None
    return Quantity(low, high, match.start(), match.end(), last_unit)


def _bounded(text: str, quantity: Quantity) -> Quantity:
    """Return the quantity with what stands before and after it: "more than", "or more", "about"."""
    step = 1e-6 if quantity.unit else 1
    low, high = quantity.low, quantity.high
    after = _AFTER.match(text[quantity.end :])
    if after is not None:
        end = quantity.end + after.end()
        changed = replace(quantity, high=math.inf, end=end) if after["atleast"] else replace(quantity, low=0, end=end)
        return replace(changed, vague=True)
    before = _BEFORE.search(text[: quantity.start])
    if before is None:
        return quantity
    start = before.start()
    if before["atleast"]:
        return replace(quantity, high=math.inf, start=start, vague=True)
    if before["atmost"]:
        return replace(quantity, low=0, start=start, vague=True)
    if before["more"]:
        return replace(quantity, low=high + step, high=math.inf, start=start, vague=True)
    if before["less"]:
        return replace(quantity, low=0, high=max(0, low - step), start=start, vague=True)
    return replace(quantity, low=0.8 * low, high=1.2 * high, start=start, vague=True)
