"""The noun phrases of a text, by closed word lists (`lexicon.py`).  The text stays data."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from imagerag_assets.plans import lexicon
from imagerag_assets.plans.thesaurus import known_run, look_up, singular, vocabulary

MAX_CHARACTERS = 2000
"""Characters of a question that are read: no real question is longer, and this bounds the work."""
OF_CHOICES = re.compile(r"\b(?:which|what|one|any) of (?:these|those|the following|the (?:options|choices))\b")
"""Words, in lower case, that refer to the choices of a question."""
MAX_WORDS = 6
"""Of a phrase; encoders were trained on short ones."""
MAX_PHRASE_CHARACTERS = 120
_DETERMINERS = lexicon.words("a an the any some no this that these those")
TOKEN = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*|[^\w\s]|_", re.UNICODE)


def shortened(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the beginning of a text, of `MAX_CHARACTERS` at most and up to a whole word, and a note if it was cut."""
    if len(text) <= MAX_CHARACTERS:
        return text, ()
    note = f"Only the first {MAX_CHARACTERS} characters of the question were read"
    return text[:MAX_CHARACTERS].rsplit(None, 1)[0], (note,)


def clean(text: str) -> str:
    """Normalise to NFKC, turn control and format characters into blanks, and runs of blanks into one."""
    text = unicodedata.normalize("NFKC", text)
    return " ".join("".join(" " if unicodedata.category(c)[0] == "C" else c for c in text).split())


def noun_phrases(text: str) -> list[str]:
    """Return the noun phrases of a text, in order, each once: lower case, head noun singular, adjectives kept."""
    chunks: list[_Chunk] = []
    words: list[str] = []
    after_with = False
    tokens = [token.replace("’", "'") for token in TOKEN.findall(text.lower())]
    named = 0
    for index, token in enumerate([*tokens, "."]):
        named = max(named - 1, known_run(tokens, index) if index < len(tokens) else 0)
        following = tokens[index + 1] if index + 1 < len(tokens) else ""
        if named:
            words.append(token)  # within a name of several words, "parking lot"
        elif token in {"and", "or"} and words and words[-1] in lexicon.COLOURS and following in lexicon.COLOURS:
            words.append(token)  # "red and white ship"
        elif words and ((token == "full" and following == "of") or (token == "of" and words[-1] == "full")):
            words.append(token)  # "harbor full of boats"
        elif (
            token == "space"
            and following.isalpha()
            and not lexicon.is_known(following)
            and not _is_amount(tokens, index)
        ):
            words.append(token)  # "space shuttle", but not "how much space"
        elif token in lexicon.KEPT_WITH_MODIFIER and _describes(words):
            words.append(token)  # "residential area", but not "which area"
        elif _ends_phrase(token, words) or (words and _is_verb_of(words, token, following)):
            if words:
                chunks.append(_Chunk(tuple(words), after_with))
                words, after_with = [], False
            after_with = token == "with" or (after_with and token in {"a", "an", "the", *lexicon.NUMBERS})
        elif token.endswith("'s"):
            chunks.append(_Chunk((*words, token.removesuffix("'s")), after_with))
            words, after_with = [], False
        else:
            words.append(token)
    return _joined(chunks)


@dataclass(frozen=True)
class _Chunk:
    """A run of words that may be a noun phrase."""

    words: tuple[str, ...]
    after_with: bool


def _is_amount(tokens: Sequence[str], at: int) -> bool:
    return at > 0 and tokens[at - 1] in {"much", "more", "most", "less", "least", "little", "enough", "take", "takes"}


def _ends_phrase(token: str, words: Sequence[str]) -> bool:
    if not token[0].isalnum() or lexicon.is_known(token) or _never_names(token):
        return True
    # "parked cars" is a phrase; "ships | parked in the harbor" ends one
    return token in lexicon.PARTICIPLES and bool(words) and not all(lexicon.is_modifier(word) for word in words)


def _is_verb_of(words: Sequence[str], token: str, following: str) -> bool:
    """Return whether a word after a name says what it does: "the shot captures a dam", "pools fall in the west"."""
    ends = following in lexicon.FUNCTION or following in lexicon.POSITION or not following[:1].isalnum()
    if token.endswith("ing"):  # "a person walking on the road", but not "a car parking"
        return ends and _is_doing(token) and look_up(words[-1]).known and not look_up(f"{words[-1]} {token}").known
    if not _has_verb(token):
        return False
    if following in _DETERMINERS:
        return True
    plural = singular(words[-1]) != words[-1]
    done = token.endswith("ed") and following != token  # "ponds recorded"
    return plural and not look_up(token).known and (done or ends)


@lru_cache(maxsize=4096)
def _is_doing(word: str) -> bool:
    """Return whether a word is a form in -ing of a verb."""
    from lemminflect import getAllLemmas

    return any(lemma != word for lemma in getAllLemmas(word).get("VERB", ()))


@lru_cache(maxsize=4096)
def _has_verb(word: str) -> bool:
    from lemminflect import getAllLemmas

    return "VERB" in getAllLemmas(word)


@lru_cache(maxsize=4096)
def _never_names(word: str) -> bool:
    """Return whether a word is in the dictionary, and only as a verb or an adverb."""
    from lemminflect import getAllLemmas  # reads its tables: a third of a second

    if word in vocabulary() or singular(word) in vocabulary():
        return False
    kinds = getAllLemmas(word)
    base = kinds.get("VERB", ("",))[0] == word  # "floating" and "parked" describe
    return bool(kinds) and not {"NOUN", "PROPN", "ADJ"} & kinds.keys() and ("VERB" not in kinds or base)


def _describes(words: Sequence[str]) -> bool:
    return any(word not in lexicon.COLOURS and word not in lexicon.GENERIC_MODIFIERS for word in words)


def _joined(chunks: Iterable[_Chunk]) -> list[str]:
    """Return the phrases of chunks: drop modifiers alone, join "X with red roof"."""
    phrases: list[list[str]] = []
    for chunk in chunks:
        words = list(chunk.words)
        while words and (words[0] in lexicon.GENERIC_MODIFIERS or words[0] in {"and", "or", "of"}):
            words.pop(0)
        named = any(not lexicon.is_modifier(word) and word not in {"and", "or"} for word in words)
        while words and (
            words[-1] in lexicon.PARTICIPLES
            or words[-1] in {"and", "or", "of"}
            or (named and words[-1] in lexicon.COLOURS and not words[-2].endswith("ing"))
        ):  # "is the ship red or blue"
            words.pop()
        if not words or all(lexicon.is_modifier(word) or word in {"and", "or"} for word in words):
            continue
        words = [*words[-MAX_WORDS:-1], lexicon.singular(words[-1])] if "of" not in words else words[-MAX_WORDS:]
        if chunk.after_with and phrases and words[-1] in lexicon.PARTS:
            phrases[-1] = [*phrases[-1], "with", *words]
        else:
            phrases.append(words)
    whole = [words for words in phrases if words[-1] not in lexicon.PARTS or "with" in words]
    return _unique(" ".join(words)[:MAX_PHRASE_CHARACTERS] for words in whole or phrases)


def _unique(phrases: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(phrase for phrase in phrases if phrase))
