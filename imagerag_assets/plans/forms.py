"""Questions like a form: "tanks -> count, beach -> yes/no", "1) ships: how many? 2) dam: where?".

Names and what is asked of them stand beside each other, without a sentence around them.  Each is said as a question of
its own; a text that has anything else in it is no form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from imagerag_assets.plans import lexicon
from imagerag_assets.plans.noun_phrases import noun_phrases
from imagerag_assets.plans.things import is_known, things_of

_PLURAL = r"(?:the|its|their|your|a|an|any|all|exact|total|please|just|also|only)"
_PICTURE = r"(?: (?:in|on|within) (?:the|this|that) (?:image|picture|photo|scene|frame|map))?"
_ASKED: dict[str, re.Pattern[str]] = {
    ask: re.compile(rf"(?:{_PLURAL} )*(?:{words})(?: please| here| exactly)?")
    for ask, words in {
        "exists": r"(?:is it |are they |if |whether )?(?:present|visible|there|in sight|seen|shown)(?: or "
        r"(?:not|absent|missing))?"
        r"|presence|present or absent|yes or no|true or false|any|exists?|in it|detected|found|got any",
        "count": r"how many(?: of (?:them|those|these|it))?(?: are there)?|(?:head ?)?counts?|numbers?"
        r"|quantity|qty|tally|totals?"
        r"|amount|how many in total|number of them|no",
        "where": r"where(?:abouts)?(?: is it| are they)?|(?:loca|posi)tions?|(?:in )?which (?:part|corner"
        r"|quarter|side|area)|"
        r"coordinates|place",
        "colour": r"(?:what |which )?colou?rs?",
    }.items()
}
_OF: dict[str, re.Pattern[str]] = {
    "exists": re.compile(r"(?:presence of|any|is there|are there|existence of) (?P<name>.+)"),
    "count": re.compile(
        r"(?:(?:the )?(?:total |exact )?(?:number|count|tally|total|amount|quantity)s? of|how many|count) "
        r"(?P<name>.+?)(?: (?:are|is) there)?"
    ),
    "where": re.compile(r"(?:(?:the )?(?:location|position|place|whereabouts|coordinates)s? of|where (?:is"
    r"|are)) (?P<name>.+)"),
    "colour": re.compile(r"(?:the )?colou?rs? of (?P<name>.+)"),
}  # fmt: skip
_BEHIND: dict[str, re.Pattern[str]] = {
    "exists": re.compile(r"(?P<name>.+?) (?:present|visible|yes or no|in sight)"),
    "count": re.compile(r"(?P<name>.+?) (?:count|number|quantity|tally|total|how many)"),
    "where": re.compile(r"(?P<name>.+?) (?:location|position|whereabouts|where)"),
    "colour": re.compile(r"(?P<name>.+?) colou?r"),
}
_SAID = {"exists": "is there {}?", "count": "how many {} are there?", "where": "where are the {}?",
         "colour": "what colour are the {}?"}  # fmt: skip
_HEADER = re.compile(
    r"(?:(?:please|kindly|just|a|an|the|my|our|your|me|us|in|out|following|short|quick|of|for|this|with|back|i|we|only)\s*)*"
    r"(?:report|reports|checklist|check|fill|form|fields?|list|survey|summary|give|need|needed|want|wanted|output|return|answer|answers|"
    r"questions?|tell|inventory|items?|tasks?|todo|inspection|request|query|needs|checks)?"
    rf"(?:\s*(?:in|me|us|back|out|the following|as follows|these|needed|wanted|items|fields|form"
    rf"|please)){{0,2}}{_PICTURE}"
)
_YES_NO = re.compile(r"\b(?:y(?:es)?\s*/\s*n(?:o)?|yes\s+or\s+no|y or n|yes,? no)\b")
_TRUE_FALSE = re.compile(r"\b(?:t/f|true/false)\b")
_NUMBERED = re.compile(
    r"(?:^|(?<=[\s;,.?!:]))(?:\(?(?:\d{1,2}|[a-h]|i{1,3}|iv|v)\)|\d{1,2}\.(?=\s)|q\d:?|[•*]|-(?=\s))\s*"
)
_BREAK = re.compile(r"\s*(?:->|=>|→|>>|[:;,.?!()=|/\n\[\]{}+]|\s[-–—]+\s|(?<=\w)[-–—]+\s|\band\b|&|\bplus\b)\s*")
_MOST = 24
"""Pieces of a text that may be a form."""


@dataclass
class _Form:
    """What was read so far."""

    done: list[tuple[str, str]] = field(default_factory=list)
    """What is asked, and of which name, in order."""
    names: list[str] = field(default_factory=list)
    """Names of which nothing is asked yet."""
    asked: str | None = None
    """What is asked of the names that follow, in a text that says this first."""
    closed: bool = False
    """Whether something was asked of the names."""


def read_form(text: str) -> str | None:
    """Return a form as questions, "how many tanks are there? is there a beach?"; None: the text is no form.

    Args:
        text: In lower case.
    """
    plain = _TRUE_FALSE.sub("true or false", _YES_NO.sub("yes or no", text))
    marked = _NUMBERED.search(plain) is not None
    plain = _NUMBERED.sub("\n", plain)
    pieces = list(_pieces(plain))
    if not 2 <= len([piece for piece, _ in pieces if piece]) <= _MOST:
        return None
    form = _Form()
    paired = headed = False
    for number, (piece, end) in enumerate(pieces):
        if not piece:
            continue
        kind = _kind(piece)
        paired = paired or end == "="
        if kind is None:
            if number == 0 and _HEADER.fullmatch(piece) and end in (":", "\n", "-", "–", "—", "."):
                headed = True
                continue
            return None
        ask, name = kind
        if ask is not None and name is not None:
            if form.names and not form.closed:
                return None
            form.asked = None
            form.done.append((ask, name))
            form.names, form.closed = [name], True
            paired = paired or (end == "?" and _BEHIND[ask].fullmatch(piece) is not None)
        elif ask is not None:
            if form.names:
                form.done += [(ask, each) for each in form.names]
                form.closed = paired = True
            else:
                form.asked = ask
        elif name is not None and form.asked is not None:
            form.done.append((form.asked, name))
            paired = True
        elif name is not None:
            if form.closed:
                form.names, form.closed = [], False
            form.names.append(name)
            if end == "?" and number + 1 < len(pieces) and _asks(pieces[number + 1 :]) is None:
                form.done += [("exists", each) for each in form.names]
                form.closed = True
    asked = list(dict.fromkeys(form.done))
    several = len({name for _, name in asked}) > 1
    if (
        (form.names and not form.closed)
        or len(asked) < 2
        or not (paired or marked or headed)
        or not (several or marked)
    ):
        return None
    return " ".join(_questions(asked))


def _questions(asked: Sequence[tuple[str, str]]) -> list[str]:
    there = {name for ask, name in asked if ask == "exists"}
    return [
        ("if so, " if ask in ("count", "where") and name in there else "") + _SAID[ask].format(name)
        for ask, name in asked
    ]


def _pieces(text: str) -> list[tuple[str, str]]:
    """Return the pieces of a text, each with the sign that ends it."""
    found: list[tuple[str, str]] = []
    at = 0
    for sign in _BREAK.finditer(text):
        found.append((" ".join(text[at : sign.start()].split()), sign[0].strip()[:1] or "\n"))
        at = sign.end()
    found.append((" ".join(text[at:].split()), ""))
    return [each for each in found if each[0] or each[1] == "?"]


def _asks(pieces: Sequence[tuple[str, str]]) -> str | None:
    """Return what the next piece asks, where it asks something and names nothing."""
    piece = next((piece for piece, _ in pieces if piece), "")
    kind = _kind(piece)
    return kind[0] if kind is not None and kind[1] is None else None


def _kind(piece: str) -> tuple[str | None, str | None] | None:
    """Return what a piece asks and what it names; None: it is neither, or a sentence."""
    for ask, pattern in _ASKED.items():
        if pattern.fullmatch(piece):
            return ask, None
    for table in (_OF, _BEHIND):
        for ask, pattern in table.items():
            found = pattern.fullmatch(piece)
            if found is not None and _is_name(found["name"]):
                return ask, _name(found["name"])
    return (None, _name(piece)) if _is_name(piece) else None


def _is_name(text: str) -> bool:
    """Return whether a text is nothing but the name of one thing."""
    bare = _name(text)
    phrases, things = noun_phrases(bare), things_of(bare)
    if len(phrases) != 1 or len(things) != 1 or not is_known(things[0]):
        return False
    return len(bare.split()) == len(phrases[0].split()) and not set(bare.split()) & lexicon.VERBS


def _name(text: str) -> str:
    return re.sub(rf"^(?:{_PLURAL} )+", "", text).strip()
