"""Other names of things in overhead imagery: from the word of a question to the phrase that is looked for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from lemminflect import getAllLemmas, getLemma

from imagerag_assets.plans import lexicon


@dataclass(frozen=True)
class Named:
    """What a name stands for."""

    look_for: str
    """The phrase that is looked for."""
    known: bool
    """Whether the thesaurus has the name."""


def look_up(name: str) -> Named:
    """Return what a name stands for: "big round tanks" is a "storage tank"; a name that is not known stays as it is.

    Words that no patch shows more of ("big", "separate") are left out until what remains has an entry.  Words that say
    what it looks like ("red car") are kept before the entry's phrase.
    """
    words = _key(name).split()
    for start in range(len(words)):
        if all(word in _PLAIN for word in words[:start]):
            found = _entries().get(" ".join(words[start:]))
            if found is not None:
                return Named(found, known=True)
    for start in range(1, len(words)):
        found = _entries().get(" ".join(words[start:]))
        if found is not None and all(lexicon.is_modifier(word) for word in words[:start]):
            kept = [word for word in words[:start] if word not in _PLAIN]
            return Named(" ".join([*kept, found]), known=True)
    for start in range(1, len(words)):
        found = _entries().get(" ".join(words[start:]))
        if found is not None and all(_only_describes(word) for word in words[:start]):
            return Named(" ".join([*words[:start], found]), known=True)
    joined = _joined(words) or _in_base_form(words)
    return look_up(joined) if joined is not None else Named(" ".join(words) or name, known=False)


def kind_of(name: str) -> str | None:
    """Return the thing that a name is a kind of, "airplane" for "white fighter jet"; None: it is none."""
    words = _key(name).split()
    return next((wide for at in range(len(words)) if (wide := _kinds().get(" ".join(words[at:])))), None)


def key_of(name: str) -> str:
    """Return what is the same for a name's singular and plural: its words in lower case, the head in the singular."""
    return _key(name)


def _only_describes(word: str) -> bool:
    """Return whether a word is an adjective and nothing else: "proper", "ordinary"."""
    return getAllLemmas(word).keys() == {"ADJ"}


def _in_base_form(words: Sequence[str]) -> str | None:
    """Return a name with the base form of a participle before it, "golfing green", if that is known."""
    made = [getLemma(word, "VERB")[0] if word.endswith("ing") else word for word in words[:-1]]
    name = " ".join([*made, *words[-1:]])
    return name if made != list(words[:-1]) and name in _entries() else None


def _joined(words: Sequence[str]) -> str | None:
    """Return a name with two of its words as one, "basket ball court", if that is known."""
    for at in range(len(words) - 1):
        name = " ".join([*words[:at], words[at] + words[at + 1], *words[at + 2 :]])
        if name in _entries():
            return name
    return None


def singular(word: str) -> str:
    """Return the singular of a noun in lower case; other words come back unchanged."""
    if word in lexicon.INVARIANT or len(word) < 3:
        return word
    lemmas = getLemma(word, "NOUN", lemmatize_oov=False)
    if not lemmas:
        plain = lexicon.singular(word)
        return plain if plain in vocabulary() or not getAllLemmas(word) else word
    return min(lemmas, key=lambda lemma: (lemma not in vocabulary(), len(lemma) < len(word) - 3))


def may_be_noun(word: str) -> bool:
    """Return whether a word is a noun, or one that is in no dictionary."""
    kinds = getAllLemmas(word)
    return not kinds or "NOUN" in kinds or "PROPN" in kinds


def has_verb(word: str) -> bool:
    """Return whether a word is the base form of a verb, whatever else it is: "moor", "park"."""
    return word in getAllLemmas(word).get("VERB", ())


def may_be_verb(word: str) -> bool:
    """Return whether a word is the base form of a verb, and no word of a name."""
    return has_verb(word) and not look_up(word).known


@cache
def vocabulary() -> frozenset[str]:
    """Return every word of the thesaurus."""
    return frozenset(word for name in _entries() for word in name.replace("-", " ").split())


def names_known() -> tuple[str, ...]:
    """Return every name of the thesaurus, in its singular."""
    return tuple(_entries())


def known_run(words: Sequence[str], at: int) -> int:
    """Return how many words from `at` on are the longest known name of several words; 0: none begins there."""
    longest = max(_longest().get(words[at], 0), _longest().get(singular(words[at]), 0))
    for length in range(min(longest, len(words) - at), 1, -1):
        run = words[at : at + length]
        if " ".join(_in_singular(run)) in _entries():
            return length
    return 0


def _in_singular(words: Sequence[str]) -> list[str]:
    """Return a name with its head in the singular: "court for tennis", "parking lot"."""
    made, head = list(words), _head(words)
    made[head] = singular(made[head])
    return made


def _head(words: Sequence[str]) -> int:
    """Return where the word stands that says what a name is of: the last one, or the one before "of"."""
    return next((at - 1 for at, word in enumerate(words) if at and word in ("of", "for", "with")), len(words) - 1)


@cache
def _longest() -> dict[str, int]:
    """Return the number of words of the longest name that begins with each word, of names of several words."""
    found: dict[str, int] = {}
    for name in _entries():
        words = name.split()
        if len(words) > 1:
            found[words[0]] = max(found.get(words[0], 0), len(words))
    return found


@cache
def things() -> tuple[str, ...]:
    """Return the phrases that are looked for, of all entries."""
    return tuple(dict.fromkeys(_entries().values()))


_PLAIN = lexicon.words(
    """
    big large small little tiny huge great long short tall round circular square rectangular separate single individual
    many several various different visible parked moored standing old new main nearby other few
    """
)
"""Modifiers that are left out before a known name: they do not decide what it is."""


@cache
def _entries() -> dict[str, str]:
    """Return the phrase that is looked for, by every name in its singular."""
    return dict(_read())


def _read() -> Iterator[tuple[str, str]]:
    for group in _list("thesaurus.toml").values():
        for phrase, others in group.items():
            for name in (*others, phrase):
                yield _key(name, bare=True), phrase


@cache
def _kinds() -> dict[str, str]:
    """Return the phrase that is looked for, by every name of a kind of it in its singular."""
    return {_key(name, bare=True): phrase for phrase, names in _list("kinds.toml").items() for name in names}


def _list(file: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("imagerag_assets.plans").joinpath(file).read_text(encoding="utf-8"))


def _key(name: str, *, bare: bool = False) -> str:
    """Return a name in lower case, its last word in the singular."""
    words = name.lower().replace("-", " ").replace("harbour", "harbor").split()
    if words and bare:
        head = _head(words)
        words[head] = lexicon.singular(words[head])
    return " ".join(words if bare or not words else _in_singular(words))
