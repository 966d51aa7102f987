"""What a choice says: yes or no, a number, a part of the picture, a thing, more or fewer, none of these.

A choice is read clause by clause, "2 ships in the north and 3 cars" being two claims.  What the claims are worth is in
`choice_evidence.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from imagerag_assets.plans.colours import colours_in
from imagerag_assets.plans.directions import Direction, directions_in, spelt_out
from imagerag_assets.plans.numbers import Quantity, quantities
from imagerag_assets.plans.same_things import SAME, SameThing

_YES = re.compile(
    r"^(?:yes|yep|yeah|yup|aye|sure|certainly|definitely|absolutely|true|correct|affirmative|positive|indeed"
    r"|it does|it is|they are)\b(?=\W*$|\s*[,.;:!(-])"
)
_NO = re.compile(
    r"^(?:no|nope|nah|nay|not at all|false|incorrect|wrong|negative|it does not|it doesn't|it is not|it "
    r"isn't)\b(?=\W*$|\s*[,.;:!(-])"
)
_UNKNOWN = re.compile(
    r"(?:cannot|can't|can not|unable to|impossible to|hard to) (?:be )?"
    r"(?:tell|told|say|said|determined?|judged?|know|answer|decided?)"
    r"|\bnot sure|\bunsure|\bunclear|\bunknown|\bundetermined|\bindeterminate|\bdon't know|\bdo not know"
    r"|not enough information|insufficient"
)
_NONE_OF = re.compile(
    r"none of (?:these|those|the above|them|the (?:others?|options?|choices?|listed))"
    r"|neither(?: of (?:them|these|those|the two))?\b"
    r"|something else|^another (?:answer|one)|not (?:among|one of) (?:these|those|them)|\bother\b$"
)
_SEE_ONE = re.compile(r"\b(?:see|is|has|have|find|contains?|shows?|spot) one$")
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_ALL = re.compile(
    r"(?:all|both|each|every one)(?: (?:of )?(?:them|these|those|the above|two|three|four))?(?: are)?(?: present)?"
)
_SEEN = r"(?:present|visible|there|found|exist|seen|shown?|appear|detected|contain(?:ed)?|in (?:the|this)|any)"
_ABSENT = re.compile(
    r"\babsent|\bmissing\b|\bunseen\b|\bundetected\b|\binvisible\b|\b(?:free|empty) of\b"
    r"|\b(?:cannot|can not) (?:be )?(?:seen?|find|found|spot|detect)|\bnowhere\b"
    r"|\bno (?:sign|trace|evidence|instance)s? of|\black(?:s|ing)?\b|\bnon-?existent"
    rf"|\bdevoid of|(?:\bnot|n't|\bnever|\bcannot be) (?:\w+ )?{_SEEN}"
    r"|\b(?:isn't|aren't|not) (?:in|on) (?:the|this)|\bthere (?:is|are) (?:no|not)\b|\bthere (?:isn't|aren't)"
)
_PRESENT = re.compile(
    r"\bpresent\b|\bvisible\b|\bexists?\b|\bthere (?:is|are)\b|\bcan be seen\b"
    r"|\b(?:is|are) (?:found|seen|shown|there)\b|\bappears?\b|\bdetected\b|\bshows?\b|\bcontains?\b"
    r"|\bat least (?:one|1)\b|'s (?:there|present|visible)\b|^(?:seen|found|shown)$"
)
_EQUAL = re.compile(
    r"\bequal(?:ly)?\b|\bsame\b|\bas many\b|\bidentical\b|\bno (?:difference|change)\b|\bunchanged\b|\btied?\b|\bdraw\b"
    r"|\bnothing (?:has )?changed\b|\bno changes\b"
    r"|\bstable\b|\bconstant\b"
    r"|\beven\b|\bbalanced\b|\bnot changed\b|\bneither more nor\b"
)
_UNEQUAL = re.compile(r"\bdiffer(?:ent|s)?\b|\bunequal(?:ly)?\b|\buneven\b|\bchanged\b")
_NOT_AS_MANY = re.compile(r"\bnot (?:as|so) many\b")
_MORE = re.compile(
    r"\bmore\b|\bgreater\b|\boutnumbers?\b|\bincreas(?:ed?|ing)\b|\bgrew\b|\bgrow(?:s|ing|n)\b|\brose\b|\bgained\b"
    r"|\bmajority\b|\b(?:went|gone|goes) up\b|\b(?:were|was) (?:added|built)\b|\bappeared\b"
)
_FEWER = re.compile(
    r"\bfewer\b|\bless\b|\bdecreas(?:ed?|ing)\b|\bshrank\b|\bshrink(?:s|ing)\b|\bfell\b|\bdropped\b|\blost\b|\bminority\b"
    r"|\bfewest\b|\bleast\b|\b(?:went|gone|goes) down\b|\b(?:were|was) removed\b|\b(?:disappeared|vanished)\b"
)
_WORDS = """
a an the there is are was were be been in of on at to it its this that these those can could seen see found
visible shown image picture scene imagery photo they them located situated lies lie only just exactly precisely
total altogether all i with and or any one than have has had present yes no true false more fewer less same
equal equally number numbers many as both not do does exist exists appear appears you which here some
"""
_STOP = frozenset(_WORDS.split())


@dataclass(frozen=True)
class Claim:
    """What one clause of a choice says; what it leaves open is None or empty."""

    text: str
    answer: bool | None = None
    """Yes or no."""
    present: bool | None = None
    quantity: Quantity | None = None
    places: tuple[Direction, ...] = ()
    more: Literal["more", "fewer", "equal"] | None = None
    things: tuple[str, ...] = ()
    """Things of the question that it names, in its order."""
    colours: tuple[str, ...] = ()
    """Basic colours that it names."""
    only: bool = False
    """Whether the thing is all that it says."""

    @property
    def absent(self) -> bool:
        """Whether it says that a thing is not there, and not only that it is not in a part or not more."""
        return self.present is False and not self.places and self.more is None

    @property
    def empty(self) -> bool:
        """Whether it says nothing that evidence speaks of."""
        return (
            self.answer is None
            and self.present is None
            and self.quantity is None
            and self.more is None
            and not self.places
            and not self.things
            and not self.colours
        )


@dataclass(frozen=True)
class Meaning:
    """What a choice says."""

    claims: tuple[Claim, ...]
    none_of_these: bool = False
    unknown: bool = False


def meaning(text: str, things: Sequence[str], same_thing: SameThing) -> Meaning:
    """Read a choice.

    Args:
        text: The choice.
        things: Names of what the question and its results are about.
        same_thing: How surely two names mean the same.
    """
    low = " ".join(spelt_out(text).replace("\u2019", "'").split()).strip(" .!?\"'")
    low = re.sub(r"\((e?s)\)", r"\1", low)  # "ship(s)"
    low = _in_words(low, things)
    if low in _ROMAN:
        low = str(_ROMAN.index(low) + 1)
    if _UNKNOWN.search(low):
        return Meaning((), unknown=True)
    if _NONE_OF.search(low):
        return Meaning((), none_of_these=True)
    if len(things) > 1 and _ALL.fullmatch(low):
        return Meaning(tuple(Claim(low, things=(thing,), only=True) for thing in things))
    if not quantities(low):  # "above 20" is no direction
        low = re.sub(r"\b(?:above|over)\b", "north", re.sub(r"\b(?:below|under|underneath|beneath)\b", "south", low))
    claims = [_claim(clause, things, same_thing) for clause in _clauses(low)]
    claims = _merged(claim for claim in claims if not claim.empty)
    if any(claim.answer is not None for claim in claims):
        # "Ship: yes" answers for the ship; and in "Yes, I can see one" the one is no number.
        claims = [claim for claim in claims if not claim.only and not _SEE_ONE.search(claim.text)]
    return Meaning(tuple(claims))


def _in_words(low: str, things: Sequence[str]) -> str:
    """Return a choice with signs of comparison, "ships > cars", and "the former" said in words."""
    if len(things) < 2:
        return low
    for sign, said in (
        (">", r"more \1 than \2"),
        ("<", r"fewer \1 than \2"),
        ("={1,2}", r"the same number of \1 and \2"),
    ):
        low = re.sub(rf"^([a-z][a-z' -]*?) ?{sign} ?([a-z][a-z' -]*)$", said, low)
    order = re.fullmatch(r"(?:the )?(?:(former|first)|(latter|second))(?: (?:one|thing|of (?:them|the two)))?", low)
    if order is not None and len(things) == 2:
        return things[0] if order[1] else things[1]
    return low


def _clauses(text: str) -> list[str]:
    """Return the clauses of a choice; "left and right" and "between 2 and 4" stay whole."""
    whole = [(each.start, each.end) for each in directions_in(text)]
    whole += [(each.start, each.end) for each in quantities(text)]
    cuts = [
        match.span()
        for match in re.finditer(r"\s*[,;:()]\s*|\s+(?:and|but|while|whereas)\s+", text)
        if not any(start < match.end() and match.start() < end for start, end in whole)
    ]
    clauses, at = [], 0
    for start, end in cuts:
        clauses.append(text[at:start])
        at = end
    return [clause for clause in (*clauses, text[at:]) if clause.strip()]


def _claim(text: str, things: Sequence[str], same_thing: SameThing) -> Claim:
    answer = True if _YES.search(text) else False if _NO.search(text) else None
    rest = text
    if answer is not None and re.fullmatch(r"[\w' ]+", text):
        return Claim(text, answer=answer)
    places = tuple(directions_in(rest))
    rest = blanked(rest, ((each.start, each.end) for each in places))
    numbers = [each for each in quantities(rest) if not re.search(r"\bin the m(?:aj|in)ority", rest)]
    equal = _EQUAL.search(blanked(rest, ((each.start, each.end) for each in numbers if each.high > 0))) is not None
    numbers = [] if equal else numbers
    absent = _ABSENT.search(rest) is not None
    if not absent and re.search(r"\bnot\b|n't\b", rest) and not numbers and not equal:
        absent = True
    present = False if absent else True if _PRESENT.search(rest) else None
    bare = blanked(rest, ((each.start, each.end) for each in numbers))
    more: Literal["more", "fewer", "equal"] | None = None
    if _NOT_AS_MANY.search(rest):
        more, present, absent = "fewer", None, False
    elif equal:
        more = "equal"
    elif _UNEQUAL.search(rest):
        more, present = "equal", None if present is False else False
    elif _MORE.search(bare):
        more = "more"
    elif _FEWER.search(bare):
        more = "fewer"
    quantity = _one(numbers)
    if absent or (quantity is not None and quantity.high == 0 and not quantity.unit):
        present, quantity = False, None
    named = _named(bare, things, same_thing)
    only = not places and quantity is None and more is None and present is None and answer is None
    return Claim(text, answer, present, quantity, places, more, named, colours_in(text), only and bool(named))


def _one(numbers: Sequence[Quantity]) -> Quantity | None:
    """Return the one quantity of a clause: "more than one but fewer than five" is one."""
    if not numbers:
        return None
    first = numbers[0]
    for other in numbers[1:]:
        low, high = max(first.low, other.low), min(first.high, other.high)
        if other.unit == first.unit and first.vague and other.vague and low <= high:
            first = replace(first, low=low, high=high, end=other.end)
    return first


def _merged(claims: Iterable[Claim]) -> list[Claim]:
    """Join a clause to the one before it that it goes on with: "2 ships", "in the north"; "yes", "two"."""
    merged: list[Claim] = []
    for claim in claims:
        last = merged[-1] if merged else None
        if last is None or last.answer is not None or claim.things or claim.answer is not None:
            merged.append(claim)
        elif claim.places and not last.places and claim.quantity is None and claim.present is None:
            merged[-1] = replace(last, places=claim.places, only=False)
        elif claim.quantity is not None and last.quantity is None and not claim.places:
            merged[-1] = replace(last, quantity=claim.quantity, only=False)
        else:
            # "one in the north, one in the south": of the same thing.
            merged.append(replace(claim, things=last.things))
    return merged


def _named(text: str, things: Sequence[str], same_thing: SameThing) -> tuple[str, ...]:
    return tuple(dict.fromkeys(thing for _, _, thing in mentions(text, things, same_thing)))


def mentions(text: str, things: Sequence[str], same_thing: SameThing) -> list[tuple[int, int, str]]:
    """Return where a text names things, from left to right, as start, end and the thing.

    Of names that overlap, the one that fits a thing best counts, and of those the longest.
    """
    words = list(re.finditer(r"[^\W_]+(?:['-][^\W_]+)*", text))
    scored: list[tuple[float, int, int, str]] = []
    for first in range(len(words)):
        if words[first].group() in _STOP:
            continue
        for last in range(first, min(first + 5, len(words))):
            name = text[words[first].start() : words[last].end()]
            if re.search(r"[^\w' -]|  ", name):  # over a comma, or over what was blanked
                break
            if words[last].group() in _STOP:
                continue
            score, thing = max(((same_thing(name, each), each) for each in things), default=(0.0, ""))
            if score >= SAME:
                scored.append((score, first, last, thing))
    found: list[tuple[int, int, str]] = []
    taken: set[int] = set()
    for _, first, last, thing in sorted(scored, key=lambda each: (-each[0], each[1] - each[2], each[1])):
        if taken.isdisjoint(range(first, last + 1)):
            taken.update(range(first, last + 1))
            found.append((words[first].start(), words[last].end(), thing))
    return sorted(found)


def blanked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return a text with spaces in place of what stands at the spans."""
    for start, end in spans:
        text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    return text
