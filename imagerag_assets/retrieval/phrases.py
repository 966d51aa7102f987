"""From a question (and its choices) to the short noun phrases that are looked for.

Rules come first; KeyBERT with the sentence encoder (`keywords`) helps where they find nothing, or too much.  Only words
here: no embedding of pictures, no search.  The text stays data; it is never formatted into code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from imagerag_assets.errors import QuestionError
from imagerag_assets.plans import lexicon
from imagerag_assets.plans.noun_phrases import (
    MAX_CHARACTERS,
    MAX_PHRASE_CHARACTERS,
    MAX_WORDS,
    OF_CHOICES,
    TOKEN,
    clean,
    noun_phrases,
    shortened,
)
from imagerag_assets.plans.regions import Region, regions_of
from imagerag_assets.retrieval.keywords import extract_keywords, most_telling

if TYPE_CHECKING:
    from imagerag_assets.encoders.sentence import SentenceEncoder
    from imagerag_assets.retrieval.by_example import Sought

Kind = Literal["position", "count", "presence", "colour", "compare", "change", "describe", "other"]

_MAX_CANDIDATES = 60

_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("change", re.compile(
        r"\bchang(e|es|ed|ing)\b|\b(between|on|at|of) (the|these|both) (two |both )?(dates|times|years|acquisitions)\b"
        r"|\bthan (it was |there were |they were )?(before|earlier|previously)\b|\bbefore and after\b")),
    ("count", re.compile(r"\b(how many|number of|count (of|the|all)|total of)\b|^\s*count\b")),
    ("colour", re.compile(r"\bcolou?rs?\b")),
    ("position", re.compile(
        r"\bwhere\b|\b(which|what) (part|quadrant|corner|side|area|section|region|direction|half)\b|\blocat(ed|ion)\b"
        r"|\bposition(ed)?\b|\bsituated\b")),
    ("compare", re.compile(
        r"\bcompar|\bdifferences?\b|\b(more|fewer|less|larger|smaller|bigger|longer|taller|closer|wider)\b.*\bthan\b"
        r"|\bwhich .*\b(larger|smaller|bigger|longer|closer)\b|\b(more|fewer) of\b|\b(more|fewer)\b.*\bor\b")),
    ("presence", re.compile(
        r"\b(is|are) there\b|\b(which|what) of (these|the following|those)\b|\b(contain|include|exist|visible|present)"
        r"|\bcan .*\bbe (seen|found|spotted)\b|\b(can|do) you see\b|\bdoes .*\b(show|feature|have)\b")),
    ("describe", re.compile(r"\bdescri(be|ption)\b|\bcaption\b|\btheme\b|\bsummar|\bwhat (is|does) (shown|this|the) "
                            r"(image|picture|scene|photo)|\bwhat is (shown|depicted)|\bwhat do you see\b")),
)  # fmt: skip
_WANTS_ALL = re.compile(r"\b(all (of )?the|all|every|each|more|fewer)\b|^\s*list\b")
_NOT_A_TARGET = re.compile(
    r"\b(not|n[o']t|none|no such|doesn.?t|isn.?t|aren.?t|cannot|can.?t|absent|neither|both|unknown|unsure|"
    r"don.?t know|all of|yes|no|true|false)\b"
)


@dataclass(frozen=True)
class Analysis:
    """What a question is about."""

    question: str
    """The question as asked, without control characters and surrounding blanks."""
    phrases: tuple[str, ...]
    """What to look for, most important first; empty: nothing can be retrieved."""
    kind: Kind
    """What is asked about it."""
    wants_all: bool
    """Whether every occurrence matters, not just the best ones."""
    notes: tuple[str, ...] = ()
    """What a person should know about the analysis, one line each."""
    region: Region | None = None
    """The part of the scene that it is about; None: all of it."""
    shown: Mapping[str, Sought] = field(default_factory=lambda: MappingProxyType({}))
    """How patches are scored for the phrases that are concepts: by what was shown for them, not by words."""


def analyse_question(
    question: str, choices: Mapping[str, str], *, max_phrases: int, sentences: SentenceEncoder | None
) -> Analysis:
    """Find what a question looks for, and what it asks about it.

    Phrases come from the question.  They come from its choices if the question says "which of these" or names no
    target.  Choices that are places, numbers, colours or refusals never count.

    Args:
        question: Any text in any alphabet; of more than `MAX_CHARACTERS` the beginning is used, with a note.
        choices: Letter to text; may be empty.
        max_phrases: At most this many phrases.
        sentences: Sentence encoder for KeyBERT; None: the remaining words make one phrase.

    Raises:
        QuestionError: the question is blank.
    """
    cleaned = clean(question)
    if not cleaned:
        raise QuestionError("The question is empty", fix='Ask something, e.g. "Where is the tennis court?"')
    text, cut = shortened(cleaned)
    notes = list(cut)
    lowered = text.lower()
    kind = _kind(lowered, choices)
    own = noun_phrases(text)
    offered: list[str] = []
    if OF_CHOICES.search(lowered) or not own:
        offered = [phrase for choice in choices.values() for phrase in _choice_phrases(choice)]
    phrases = _unique([*offered, *own])
    if not phrases:
        phrases = _last_resort(text, sentences)
    if len(phrases) > max_phrases:
        notes.append(f"{len(phrases)} phrases were found; the {max_phrases} most telling are used")
        if sentences is None:
            phrases = phrases[:max_phrases]
        else:
            phrases = most_telling(text, phrases[:_MAX_CANDIDATES], max_phrases, sentences)
    regions = () if kind == "position" else regions_of(lowered)  # "where" may ask for a region, and then names none
    if len(regions) > 1:
        names = ", ".join(region.name for region in regions)
        notes.append(f"Several parts of the scene are named ({names}): all of it is looked at")
    wants_all = kind == "count" or bool(_WANTS_ALL.search(lowered))
    return Analysis(cleaned, tuple(phrases), kind, wants_all, tuple(notes), regions[0] if len(regions) == 1 else None)


def _choice_phrases(choice: str) -> list[str]:
    """Return the phrases of a choice: none for refusals, places, numbers and colours."""
    text = clean(choice)[:MAX_CHARACTERS]
    return [] if _NOT_A_TARGET.search(text.lower()) else noun_phrases(text)[:2]


def _kind(question: str, choices: Mapping[str, str]) -> Kind:
    for kind, pattern in _KINDS:
        if pattern.search(question):
            return kind
    words = [set(TOKEN.findall(clean(c).lower())) for c in choices.values() if not _NOT_A_TARGET.search(c.lower())]
    if words and all(word and word <= lexicon.POSITION for word in words):
        return "position"
    if words and all(word and all(lexicon.is_number(w) for w in word) for word in words):
        return "count"
    if words and all(word and word <= lexicon.COLOURS for word in words):
        return "colour"
    return "other"


def _last_resort(text: str, sentences: SentenceEncoder | None) -> list[str]:
    """Return phrases of the words that the rules could not place; none if every word is a word of questions."""
    words = (word.replace("’", "'") for word in TOKEN.findall(text.lower()))
    left = [word for word in words if word[0].isalnum() and not lexicon.is_known(word)]
    if not left:
        return []
    joined = " ".join(left[:MAX_WORDS])[:MAX_PHRASE_CHARACTERS]
    if sentences is None:
        return [joined]
    ngrams = (2, 4) if len(left) > 4 else (1, 4)
    return _unique(extract_keywords(" ".join(left), ngrams, sentences)) or [joined]


def _unique(phrases: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(phrase for phrase in phrases if phrase))
