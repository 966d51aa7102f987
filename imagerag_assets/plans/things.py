"""The things that a text names, each by the text's own word and by the phrase that is looked for."""

from __future__ import annotations

import re
from typing import cast

from imagerag_assets.plans import lexicon
from imagerag_assets.plans.noun_phrases import noun_phrases
from imagerag_assets.plans.plan import End, Thing
from imagerag_assets.plans.thesaurus import has_verb, look_up, may_be_noun, may_be_verb, singular
from imagerag_assets.plans.unseen import is_unseen

_LEADING = re.compile(r"^(?:the|a|an|any|some|all|every|each|those|these|that|this|my|our|other)\s+")
_ENDS: dict[str, End] = {
    r"north(?:ern)?-?most|most (?:northern|northerly)|(?:furthest|farthest)[ -]north": "north",
    r"south(?:ern)?-?most|most (?:southern|southerly)|(?:furthest|farthest)[ -]south": "south",
    r"east(?:ern)?-?most|most (?:eastern|easterly)|(?:furthest|farthest)[ -]east": "east",
    r"west(?:ern)?-?most|most (?:western|westerly)|(?:furthest|farthest)[ -]west": "west",
    r"left-?most": "left",
    r"right-?most": "right",
    r"(?:top|upper)-?most|topmost": "top",
    r"(?:bottom|lower)-?most|bottommost": "bottom",
}
_SHARED = re.compile(
    r"\b(?P<first>[a-z]+(?:, [a-z]+)*),? (?P<link>(?:and|or|than|vs|versus)(?: the)?) "
    r"(?P<second>[a-z]+) (?P<head>[a-z]+)\b"
)
_ENDS_WITH_VERB = re.compile(
    r"^where\b.*\b(?:do|does|did|can|could|will|would) "
    r"(?P<who>(?:the |any |some |these |those )?[a-z' -]+?) (?P<verb>[a-z]+)\s*$"
)
_OWNER = re.compile(r"\b(?:(?:the|my|our|an?) )?(?P<owner>[a-z]+)'s (?=[a-z])")
_ACTION = re.compile(
    r"\b((?:can|could|may|might|must|should|will|would|do|did|does|to) "
    r"(?:i|we|you|they|one|people|somebody|someone) )(\w+)"
)
_EXTREME = re.compile("|".join(rf"(?P<{end}>\b(?:{words})\b)" for words, end in _ENDS.items()))


def things_of(text: str) -> tuple[Thing, ...]:
    """Return the things that a text names, in order, each once; "the northernmost ship" is one of the ships."""
    found: dict[tuple[str, End | None], Thing] = {}
    extremes = list(_EXTREME.finditer(text))
    starts = [0, *(each.end() for each in extremes)]
    ends = [*(each.start() for each in extremes), len(text)]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        things = _named(text[start:end], text)
        if number and things:
            one, pick = things[0], extremes[number - 1]
            own = f"{pick[0]} {one.name}"[:120]
            things = (Thing(name=own, look_for=one.phrase, pick=cast("End", pick.lastgroup)), *things[1:])
        for thing in things:
            found.setdefault((thing.phrase, thing.pick), thing)
    return tuple(found.values())


def _named(text: str, asked: str) -> tuple[Thing, ...]:
    """Return the things that a piece of a text names, of which none is only one of several."""
    found: dict[str, Thing] = {}
    ends = _ENDS_WITH_VERB.search(text)
    if ends is not None and has_verb(ends["verb"]) and noun_phrases(ends["who"]) and not _is_name_end(ends):
        text = text[: ends.start("verb")]
    text = _OWNER.sub(lambda each: each[0] if look_up(singular(each["owner"])).known else " ", text)
    text = _ACTION.sub(lambda each: " " if has_verb(each[2]) else each[0], text)
    asks = re.search(r"\b(?:does|do|did|can|could|will|would)\b", asked)
    for phrase in (
        part for whole in noun_phrases(text) for part in _told_apart(_without_verb(whole, asks is not None))
    ):
        if _is_thing(phrase):
            thing = thing_of(phrase)
            found.setdefault(thing.phrase, thing)
    known = [phrase for phrase, thing in found.items() if look_up(thing.name).known]
    seen = [phrase for phrase, thing in found.items() if not is_out_of_sight(thing)]
    return tuple(
        thing
        for phrase, thing in found.items()
        if (not known or phrase in known or not _is_verb(thing.name, text)) and (not seen or phrase in seen)
    )


def is_out_of_sight(thing: Thing) -> bool:
    """Return whether a thing is one that no picture shows, as far as a dictionary knows: "policy", "my boss"."""
    return not is_known(thing) and is_unseen(singular(thing.name.split()[-1]))


def is_known(thing: Thing) -> bool:
    """Return whether the thesaurus has a thing, or the last words of its name."""
    words = thing.name.split()
    return any(look_up(" ".join(words[start:])).known for start in range(len(words)))


def with_heads(text: str) -> str:
    """Return a text with the head of a name for each that shares it: "tennis and basketball courts" are two names."""
    return _SHARED.sub(_headed, text)


def _headed(found: re.Match[str]) -> str:
    first, link, second, head = found.group("first", "link", "second", "head")
    names = [each.strip() for each in first.split(",") if each.strip()]
    coloured = {*names, second} <= lexicon.COLOURS
    if coloured and link == "and" and len(names) == 1:
        return found[0]  # "red and white ships" are each of both colours
    if coloured:
        return f"{', '.join(f'{each} {head}' for each in names)} {link} {second} {head}"
    if not look_up(f"{second} {head}").known or any(look_up(singular(each)).known for each in names):
        return found[0]
    if not all(look_up(f"{each} {head}").known for each in names):
        return found[0]
    return f"{', '.join(f'{each} {head}' for each in names)} {link} {second} {head}"


def _is_name_end(ends: re.Match[str]) -> bool:
    """Return whether what may be a verb is the last word of a name: "storage tank"."""
    return look_up(f"{ends['who'].split()[-1]} {ends['verb']}").known


def _is_verb(name: str, text: str) -> bool:
    """Return whether a single word beside known things is a verb: "did somebody build a road?"."""
    noun = re.search(
        rf"\b(?:the|an?|this|that|these|those|any|some|each|every|no) {re.escape(name)}(?:e?s)?\b"
        rf"|\b(?:and|or|than|of|many|more|fewer|most|vs|versus) {re.escape(name)}e?s\b",
        text,
    )
    return " " not in name and noun is None and may_be_verb(name)


def thing_of(name: str) -> Thing:
    """Return one thing by its name."""
    if _EXTREME.search(name) and (things := things_of(name)):
        return things[0]
    words = _LEADING.sub("", " ".join(name.lower().split())).split()
    if words and "of" not in words and "with" not in words:
        words[-1] = singular(words[-1])
    own = " ".join(words)[:120] or name
    found = look_up(own)
    return Thing(name=own, look_for="" if found.look_for == own else found.look_for[:120])


def _without_verb(phrase: str, asks: bool) -> str:
    """Return a run of words without the verb after a name: "does a river flow", "how many pools fall"."""
    words = phrase.split()
    before = " ".join(words[:-1])
    plural = len(words) > 1 and singular(words[-2]) != words[-2]
    if (
        len(words) > 1
        and (asks or plural)
        and not look_up(phrase).known
        and is_known(Thing(name=before))
        and may_be_verb(words[-1])
    ):
        return before
    return phrase


def _told_apart(phrase: str) -> list[str]:
    """Return the names of a run of words: "ships harbour" is two, as a plural ends a name."""
    words = phrase.split()
    for at in range(1, len(words)):
        first, rest = words[:at], words[at:]
        plural = singular(first[-1]) != first[-1] and not look_up(phrase).known
        if plural and look_up(" ".join(first)).known and look_up(" ".join(rest)).known and "of" not in words:
            return [" ".join(first), *_told_apart(" ".join(rest))]
    return [phrase]


def _is_thing(phrase: str) -> bool:
    """Return whether a phrase names a thing: its last word is a noun, or all of it has an entry."""
    return is_known(Thing(name=phrase)) or may_be_noun(phrase.split()[-1])
