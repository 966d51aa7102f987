"""The things that a text names, each by the text's own word and by the phrase that is looked for."""

from __future__ import annotations

import re

from imagerag_assets.plans.noun_phrases import noun_phrases
from imagerag_assets.plans.plan import Thing
from imagerag_assets.plans.thesaurus import look_up, may_be_noun, may_be_verb, singular

_LEADING = re.compile(r"^(?:the|a|an|any|some|all|every|each|those|these|that|this|my|our|other)\s+")


def things_of(text: str) -> tuple[Thing, ...]:
    """Return the things that a text names, in order, each once."""
    found: dict[str, Thing] = {}
    asks = re.match(r"(?:does|do|did|can|could|will|would)\b", text)
    for phrase in (
        part for whole in noun_phrases(text) for part in _told_apart(_without_verb(whole) if asks else whole)
    ):
        if _is_thing(phrase):
            thing = thing_of(phrase)
            found.setdefault(thing.phrase, thing)
    known = [phrase for phrase, thing in found.items() if look_up(thing.name).known]
    return tuple(thing for phrase, thing in found.items() if not known or phrase in known or not _is_verb(thing.name))


def _is_verb(name: str) -> bool:
    """Return whether a single word beside known things is a verb: "did somebody build a road?"."""
    return " " not in name and may_be_verb(name)


def thing_of(name: str) -> Thing:
    """Return one thing by its name."""
    words = _LEADING.sub("", " ".join(name.lower().split())).split()
    if words and "of" not in words and "with" not in words:
        words[-1] = singular(words[-1])
    own = " ".join(words)[:120] or name
    found = look_up(own)
    return Thing(name=own, look_for="" if found.look_for == own else found.look_for[:120])


def _without_verb(phrase: str) -> str:
    """Return a run of words without the verb after a name: "does a river flow"."""
    words = phrase.split()
    before = " ".join(words[:-1])
    if len(words) > 1 and not look_up(phrase).known and look_up(before).known and may_be_verb(words[-1]):
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
    return look_up(phrase).known or may_be_noun(phrase.split()[-1])
