"""English grammar for sentences: plural and singular, articles, lists, numbers with their noun.

Only words; what is said is decided in `sentence.py`.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Sequence

_WORDS = """
water land farmland grassland woodland wasteland grass sand snow ice soil vegetation smoke traffic fog mud
gravel asphalt concrete rubble debris greenery shade cropland shrubland infrastructure equipment machinery
wildlife livestock housing haze pavement terrain foliage algae foam
"""
_MASS = frozenset(_WORDS.split())
"""Nouns that English does not count; a number of them is a number of places."""
_PLURALS = {"person": "people"}
"""Plurals that people use and that are not the first one of lemminflect."""
_VOWEL = re.compile(
    r"(?!u(?:ni(?!n|m)|s(?!h|-)|r[aeiou]|t[eio]|-|k|b[io])|eu|ewe|one\b|one-|once)[aeiou]|h(?:our|onest|onou?r|eir)|x-|[fhlmnrsx]-"
)
"""Words that begin with the sound of a vowel: "island", "hour", "x-ray"; not "unit", "European", "one-way"."""
_LINKS = re.compile(r"\s(?:of|in|at|on|near|with|under|by|for|from|to|without|along|beside|behind|over|around)\s")


def _split(name: str) -> tuple[str, str]:
    """Return what ends in the noun itself, and the rest: "field", " of wheat"."""
    link = _LINKS.search(name)
    return (name[: link.start()], name[link.start() :]) if link and link.start() else (name, "")


def _last(name: str) -> tuple[str, str]:
    """Return what stands before the last word of a noun, and that word: "small-", "vehicle"."""
    start = re.search(r"[^\s-]*$", name)
    at = start.start() if start else len(name)
    return name[:at], name[at:]


@functools.lru_cache(4096)
def _one_of(word: str) -> str:
    """Return the singular of a word; a singular stays as it is."""
    from lemminflect import getAllLemmas, getLemma  # reads its tables: a third of a second

    known = getAllLemmas(word, upos="NOUN").get("NOUN", ())
    if known:
        return word if word in known else str(known[0])
    # Of words that it does not know: a guess, which is sure for a plain s only.
    guessed = getLemma(word, upos="NOUN")[0]
    return str(guessed) if re.search(r"[^su]s$", word) else word


def is_plural(name: str) -> bool:
    """Return whether a name has the form of a plural and not also that of a singular: "train tracks", "people"."""
    word = _last(_split(name.lower())[0])[1]
    return word == "people" or (len(word) > 2 and _one_of(word) != word)


def is_mass(name: str) -> bool:
    """Return whether English does not count it: "water", "dense vegetation"."""
    return re.split(r"[\s-]", _split(name.lower())[0])[-1] in _MASS


@functools.lru_cache(4096)
def plural(name: str) -> str:
    """Return the plural of a name; a plural stays as it is."""
    noun, rest = _split(name)
    before, word = _last(noun)
    if not re.search(r"[A-Za-z]$", word) or is_plural(noun) or is_mass(noun) or word.lower().endswith("craft"):
        return name
    if word.isupper():
        return f"{before}{word}s{rest}"  # "SUVs"
    from lemminflect import getInflection

    many = _PLURALS.get(word) or next(iter(getInflection(word, tag="NNS")), f"{word}s")
    return f"{before}{many}{rest}"


@functools.lru_cache(4096)
def singular(name: str) -> str:
    """Return the singular of a name; a singular stays as it is."""
    noun, rest = _split(name)
    if not is_plural(noun):
        return name
    before, word = _last(noun)
    return f"{before}{'person' if word == 'people' else _one_of(word)}{rest}"


@functools.lru_cache(4096)
def article(name: str) -> str:
    """Return a name with its indefinite article; plurals and mass nouns have none."""
    if is_plural(name) or is_mass(name) or not name[:1].isalpha():
        return name
    first = name.split()[0]
    spelt = len(first) <= 4 and first.isupper()  # spoken letter by letter: "an SUV"
    sound = first[0] in "AEFHILMNORSX" if spelt else bool(_VOWEL.match(first.lower()))
    return f"{'an' if sound else 'a'} {name}"


def was(name: str, count: float = 1) -> str:
    """Return "was" or "were" for so many of it."""
    return "was" if is_mass(name) or (count == 1 and not is_plural(name)) else "were"


def looks(name: str) -> str:
    """Return "is" or "are" for one of it."""
    return "are" if is_plural(name) else "is"


def number(value: float) -> str:
    """Return a number in digits with no more places than it deserves: 140, 12.3, 0.042."""
    if abs(value - round(value)) < 1e-9 or abs(value) >= 100:
        return f"{round(value)}"
    digits = 1 if abs(value) >= 1 else 2 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(digits, 6)}f}".rstrip("0").rstrip(".")


def counted(name: str, count: int) -> str:
    """Return a number with its noun: "1 ship", "3 ships", "2 places with water"."""
    if is_mass(name):
        return f"{count} {'place' if count == 1 else 'places'} with {name}"
    return f"{count} {singular(name) if count == 1 else plural(name)}"


def joined(parts: Iterable[str], last: str = "and") -> str:
    """Return a list in words: "a, b and c"."""
    words = list(parts)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""


def sentence(text: str) -> str:
    """Return a text with a capital at its start and a full stop at its end."""
    text = " ".join(text.split())
    if not text:
        return ""
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def paragraph(sentences: Sequence[str]) -> str:
    """Return sentences as one text, each said once."""
    return " ".join(dict.fromkeys(filter(None, map(sentence, sentences))))
