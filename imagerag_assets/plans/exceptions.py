"""What a question leaves out: "besides the dam, ...", "everything except houses", "all vehicles but the trucks"."""

from __future__ import annotations

import re

from imagerag_assets.plans import lexicon
from imagerag_assets.plans.reordering import NAME
from imagerag_assets.plans.things import is_known, things_of

_BUT = (
    r"(?:except(?:ing)?(?: for)?|excluding|other than|apart from|aside from|besides|but for|save for|barring|"
    r"with the exception of|not (?:counting|including)|leaving (?:out|aside)|ignoring|disregarding)"
)
_DETERMINERS = r"(?:(?:the|an?|any|those|all|this) )*"
_APART = re.compile(
    rf"^(?:{_BUT}|in addition to) (?P<what>{_DETERMINERS}{NAME}), "
    r"(?=(?:is|are|do|does|can|how|where|what|which|any|list|show|count)\b)",
    re.IGNORECASE,
)
_EVERYTHING = re.compile(
    rf"\b(?P<all>everything|anything|all (?:the )?(?:things|objects)|what is there) (?:{_BUT}|but) "
    rf"(?P<what>{_DETERMINERS}{NAME})(?=[,.?;!]|$| (?:visible|present|there|in|on|at|near)\b)",
    re.IGNORECASE,
)
_ALL = re.compile(r"\b(?:all|every|each|any)\b", re.IGNORECASE)
_END = (
    r"(?=[,.?;!]|$| (?:are|is|do|does|did|can|could|in|on|at|near|within|there|you|we|i|have|has|"
    r"and (?:where|how|what|which|is|are|count|show|find|list))\b)"
)
_OF_KIND = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf",? (?P<said>(?:{_BUT}|(?P<but>but)|(?:(?:that|which) (?:are|is)|are)(?: not|n't)) {_DETERMINERS}"
        rf"(?P<what>{NAME})){_END}",
        rf",(?P<said> {_DETERMINERS}(?P<what>{NAME}) (?:excluded|excepted|aside))(?=[,.?;!]|$),?",
    )
)
"""Behind the name of things, some of which are left out: "vehicles other than trucks", "ships, ferries excluded"."""
_PLACE = re.compile(rf"^(?:(?:in|on|at|to) )?(?:the )?(?:{'|'.join(sorted(lexicon.POSITION))}|middle|cent(?:re|er))\b")


def without_exceptions(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a question without what it leaves out, which is never looked for, and a note where that may be missed.

    "Besides the dam, is there a lake?" asks nothing of the dam.  Of "vehicles except trucks" the vehicles are looked
    for; which of them are trucks no plan can say.  Parts of the scene that are left out stay, and surroundings of
    things too (`areas.py`).
    """
    for pattern, rest in ((_APART, ""), (_EVERYTHING, r"\g<all>")):
        found = pattern.search(text)
        if found is not None and not _PLACE.match(found["what"].lower()):
            text = f"{text[: found.start()]}{found.expand(rest)}{text[found.end() :]}"
    notes: list[str] = []
    for pattern in _OF_KIND:
        found = pattern.search(text)
        if found is None or not _is_left_out(found, text[: found.start()].lower()):
            continue
        notes.append(f"{found['said'].strip()!r} is not taken out: what is found may include it")
        text = f"{text[: found.start()]}{text[found.end() :]}"
    return text, tuple(notes)


def _is_left_out(found: re.Match[str], before: str) -> bool:
    """Return whether things are left out of those that are named before."""
    what = found["what"].lower()
    named = not lexicon.is_known(what.split()[0]) and any(map(is_known, things_of(what)))
    only_some = found.groupdict().get("but") is None or _ALL.search(before) is not None
    return named and bool(things_of(before)) and only_some
