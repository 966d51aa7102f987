"""Spelling: unknown words of a question are read as the nearest word of the field, or of English.

The dictionary of English words with their frequencies is symspellpy's; distances are rapidfuzz's.  Words with digits or
capitals inside, and words that are in a dictionary, are never changed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib import resources

from imagerag_assets.plans import lexicon
from imagerag_assets.plans.chat import SHORT_FORMS
from imagerag_assets.plans.thesaurus import look_up, names_known, singular, vocabulary

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SHORTEST = 3
_FREQUENT = lexicon.words(
    "how many where what which there show find count number near the north south east west left right upper lower"
)
"""Words that most questions hold."""
_PLAIN = re.compile(r"[A-Za-z][a-z]+|[A-Z]+")
_RARER = 20
"""How much rarer a word is than another one of the same letters, for which it is taken then."""
_MOST_CORRECTED = 40
"""Words of one text that are looked up at most."""


@dataclass(frozen=True)
class Spelled:
    """A text with its words corrected."""

    text: str
    notes: tuple[str, ...]
    """One line for each correction."""
    unknown: tuple[str, ...]
    """Words that are in no dictionary and like none."""


def correct(text: str, names: Collection[str] = ()) -> Spelled:
    """Correct the words of a text that are in no dictionary.

    Args:
        text: A question.
        names: Further names that are right as they are, e.g. those of a knowledge base.
    """
    notes: dict[str, None] = {}
    unknown: dict[str, None] = {}

    @cache
    def own() -> frozenset[str]:
        return frozenset(word for name in names for word in name.lower().split())

    def fixed(match: re.Match[str]) -> str:
        word = match[0]
        low = word.lower().replace("’", "'")
        if (apart := _told_apart(low)) is not None:
            notes[f"{word!r} is read as {apart!r}"] = None
            return apart
        if (
            low not in SHORT_FORMS
            and not (match.start() > 0 and word[0].isupper() and not word.isupper())  # "Paris" is a name
            and _PLAIN.fullmatch(word)
            and (meant := _rarely_meant(low)) is not None
            and low not in own()
        ):
            notes[f"{word!r} is read as {meant!r}"] = None
            return meant
        if (
            len(notes) + len(unknown) >= _MOST_CORRECTED
            or low in SHORT_FORMS
            or is_word(low)
            or not _PLAIN.fullmatch(word)
            or low in own()
        ):
            return word
        if len(low) < _SHORTEST or text[: match.start()].rstrip()[-1:].isdigit():  # what follows a number may be a unit
            return word
        better = nearest(low, own())
        if better is None:
            unknown[low] = None
            return word
        notes[f"{word!r} is read as {better!r}"] = None
        return better

    corrected = _beside(_WORD.sub(fixed, _beside(text, notes)), notes)
    return Spelled(corrected, tuple(notes), tuple(word for word in unknown if word in corrected.lower()))


def _beside(text: str, notes: dict[str, None]) -> str:
    """Correct real words that stand where a name has another one: "golf corse"."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    words = list(_WORD.finditer(text))[:_MOST_CORRECTED]
    for one, other in itertools.pairwise(words):
        for known, wrong, partners in (
            (one[0].lower(), other[0], _pairs()[0]), (other[0].lower(), one[0], _pairs()[1]),
        ):  # fmt: skip
            meant = partners.get(known, frozenset())
            if known in lexicon.FUNCTION or lexicon.is_modifier(known):
                continue  # "white" says nothing of the "cars" behind it
            if not meant or len(wrong) < _SHORTEST or lexicon.is_known(wrong.lower()) or wrong.lower() in meant:
                continue
            near = process.extractOne(wrong.lower(), sorted(meant), scorer=OSA.distance, score_cutoff=1)
            if near is None or (wrong.lower() in _field() and not _one_letter(wrong.lower(), near[0])):
                continue
            if frequency(wrong.lower()) <= _RARER * frequency(near[0]):  # "and put" is no "putt"
                notes[f"{wrong!r} is read as {near[0]!r}"] = None
                return _beside(re.sub(rf"\b{re.escape(wrong)}\b", near[0], text, count=1), notes)
    return text


def _one_letter(wrong: str, meant: str) -> bool:
    """Return whether two words of the field differ in one letter behind the first: "gulf course"."""
    return len(wrong) == len(meant) > _SHORTEST and wrong[0] == meant[0]


def _told_apart(word: str) -> str | None:
    """Return a name of two words that was written as one: "parkinglot"."""
    if look_up(word).known:
        return None
    halves = ((word[:at], word[at:]) for at in range(3, len(word) - 2))
    return next((f"{one} {two}" for one, two in halves if look_up(f"{one} {two}").known and is_word(one)), None)


def _rarely_meant(word: str) -> str | None:
    """Return the word of the field for a name like it, "forrest", and for a rare word of the same letters, "tress"."""
    from lemminflect import getAllLemmas
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    if len(word) < 5 or word in _field() or word not in _frequencies():
        return None
    near = process.extractOne(word, sorted(_field()), scorer=OSA.distance, score_cutoff=1)
    if near is None or near[0][0] != word[0]:
        return None
    swapped = sorted(near[0]) == sorted(word) and _frequencies().get(near[0], 0) > _RARER * _frequencies()[word]
    doubled = _undoubled(near[0]) == _undoubled(word) and not getAllLemmas(word)
    return near[0] if swapped or doubled else None  # a "henge" is no "hedge", and a "croft" no "craft"


def _undoubled(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", word)


def is_word(word: str) -> bool:
    """Return whether a word in lower case is English or a word of the field."""
    from lemminflect import getAllLemmas

    plain = word.removesuffix("'s").replace("'", "")
    if word in _field() or plain in _field() or plain in _frequencies():
        return True
    one = singular(plain)
    return bool(getAllLemmas(plain)) or (one != plain and one in _frequencies())


def frequency(word: str) -> int:
    """Return how often an English word occurs in a large body of text; 0: it is in no dictionary."""
    return _frequencies().get(word, 0)


def english_words() -> tuple[str, ...]:
    """Return the words of the English dictionary."""
    return tuple(_frequencies())


def nearest(word: str, names: Collection[str] = ()) -> str | None:
    """Return the word that was probably meant; None: nothing is near.

    A word of the field is preferred to another one of the same distance, and to one a step nearer that is rare.  Two
    words of the field that were written as one are told apart.
    """
    from lemminflect import getAllLemmas
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    meant = process.extractOne(word, sorted(_asked()), scorer=OSA.distance, score_cutoff=1)
    for at in range(3, len(word) - 2):
        if meant is None and word[:at] in _field() and word[at:] in _field() and {word[:at], word[at:]} & _named():
            return f"{word[:at]} {word[at:]}"
    spoken = next(
        (each for each in (f"{word[:-1]}ks", f"{word[:-1]}cks") if word[-1] == "x" and each in _named()), None
    )
    if spoken is not None:
        return spoken  # "tanx"
    most = 1 if len(word) < 5 else 2
    found: list[tuple[float, str]] = []
    for words, cost in ((sorted({*_field(), *names}), 0.0), (list(_frequencies()), 0.9)):
        for other, distance, _ in process.extract(word, words, scorer=OSA.distance, score_cutoff=most, limit=20):
            if distance > 1 and other[0] != word[0] and sorted(other) != sorted(word):
                continue  # an "oasthouse" is no "boathouse"
            if cost and not lexicon.is_known(other) and not getAllLemmas(other):
                continue  # a name: a "qanat" is no "Anat"
            first = 0.3 if other[0] != word[0] else 0.0  # the first letter is seldom wrong
            # Letters are left out, doubled and swapped more often than they are replaced.
            first += 0.2 if len(other) == len(word) and sorted(other) != sorted(word) else 0.0
            first -= 0.1 if sorted(other) == sorted(word) else 0.0
            first -= 0.3 if word.endswith("z") and other.endswith("s") else 0.0
            first -= 0.2 if other in _FREQUENT else 0.0
            often = _frequencies().get(other, 0) + 1
            rarity = min(0.6, 2e5 / often) if cost else 0.0 if other in _asked() else 0.05
            found.append((distance + cost + first + rarity, other))
    return min(found)[1] if found else None


@cache
def _pairs() -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """Return the words that follow a word in a name of the thesaurus, and those that precede it, with plurals."""
    after: dict[str, set[str]] = {}
    before: dict[str, set[str]] = {}
    for name in names_known():
        words = name.split()
        for one, other in itertools.pairwise(words):
            after.setdefault(one, set()).update((other, *_plurals(other)))
            before.setdefault(other, set()).add(one)
    return (
        {word: frozenset(others) for word, others in after.items()},
        {word: frozenset(others) for word, others in before.items()},
    )


@cache
def _field() -> frozenset[str]:
    """Return words of the field and of questions, with plurals."""
    return _named() | _asked() | {"harbour", "harbours"}  # the thesaurus keeps the American spelling


@cache
def _asked() -> frozenset[str]:
    """Return words of questions."""
    asked = lexicon.FUNCTION | lexicon.VERBS | lexicon.META | lexicon.POSITION | lexicon.COLOURS | lexicon.NUMBERS
    asked |= lexicon.ADJECTIVES | lexicon.PARTICIPLES
    return frozenset(word for word in asked if "-" not in word and "'" not in word)


@cache
def _plurals(word: str) -> tuple[str, ...]:
    from lemminflect import getInflection

    return tuple(getInflection(word, "NNS")) or (f"{word}s",)


@cache
def _named() -> frozenset[str]:
    """Return the words of names, with plurals."""
    words = {word for word in vocabulary() if len(word) > 2}
    return frozenset(words | {plural for word in words for plural in _plurals(word)})


@cache
def _frequencies() -> dict[str, int]:
    """Return English words with how often they occur."""
    file = resources.files("symspellpy").joinpath("frequency_dictionary_en_82_765.txt")
    pairs = (line.split() for line in file.read_text(encoding="utf-8-sig").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
