"""Rules and a small language model together: which of the two has read a question.

The rules' plan stands where the model finds it likely enough.  Elsewhere the model writes its own, whose things can
only consist of the question's words.  What the rules refuse for the language, an order or a unit stays refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from pydantic import ValidationError

from imagerag_assets.plans import lexicon, notation, refusals
from imagerag_assets.plans import plan as p
from imagerag_assets.plans.activities import said_as_things
from imagerag_assets.plans.areas import box_of, reach_of
from imagerag_assets.plans.chat import written_out
from imagerag_assets.plans.clause import says_no
from imagerag_assets.plans.numbers import LENGTHS
from imagerag_assets.plans.thesaurus import singular
from imagerag_assets.plans.things import is_known

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_MAY_DENY = re.compile(
    r"free\b|less\b|\b(?:un|dis)[a-z]+ed\b|\b(?:unless|except|exclud\w+|short of|rid of|gone|vanish\w*|clear|empty|"
    r"vacant|bare|minus|deserted|hardly|barely|fail\w*|doubt\w*|deny|denie\w*|wrong|false|instead)\b"
)
"""Other words by which a question may deny something: "treeless", "silo-free", "short of trees"."""
_SURE = -1.0
"""Logarithm of the probability from which on the rules' plan is taken as it is."""
_MARGIN = 1.0
"""How much less likely, in the logarithm, the rules' plan may be than the model's own."""
_CERTAIN = -0.3
"""Logarithm of the probability from which on the model overrules the rules where they refuse, or refuses itself."""
_SEEN = frozenset(
    {"exists", "count", "where", "which", "compare", "nearest", "distance", "relative", "share", "density", "change"}
)
"""Operations that the model may plan where the rules refuse."""
_DOUBTED = frozenset({"exists", "count", "where", "which", "describe", "list", "nearest", "distance", "relative"})
"""Operations that the rules plan by what a question names, so that the model may say that it asks something else."""
_SHORT = 14
"""Words of a question up to which every thing that it names is asked about."""
_NAMELESS = lexicon.FUNCTION | lexicon.META | lexicon.ASKED | lexicon.POSITION | lexicon.NUMBERS
"""Words that name nothing."""
_OF_LENGTHS = {word for unit in LENGTHS for word in unit.split()}
_PLAIN = _NAMELESS | lexicon.VERBS
"""Words that ask nothing of a thing beyond whether, where and how many."""


class Reader(Protocol):
    """A model that writes plans in the notation of `notation.py`."""

    def write(self, question: str, grammar: str) -> str:
        """Write the line of a question's plan.

        Raises:
            ModelError: the model failed.
        """
        ...

    def likelihood(self, question: str, lines: Sequence[str]) -> list[float]:
        """Return the natural logarithm of each line's probability."""
        ...


def read_again(plan: p.Plan, load: Callable[[], Reader | None]) -> p.Plan:
    """Return the plan of a question that the rules have read: theirs, or the model's.

    Args:
        plan: The rules' plan.
        load: Loads the model, which is not done where the rules' plan stands anyway; None: there is none.

    Raises:
        ModelError: the model failed.
    """
    if plan.unplanned is not None and not (plan.unsure or plan.for_a_word):
        return plan
    text = plan.read_as
    words = _WORD.findall(text)
    if not words or plan.sure or box_of(text) is not None or _names_more(plan, words):
        return plan
    reader = load()
    if reader is None:
        return plan
    line = notation.write(plan, spoken=not re.search(r"\d", text)) if plan.parts and not plan.for_a_word else None
    if line is None and plan.parts and not plan.for_a_word:
        return plan  # "between 3 and 6 ships": the model has no words for it
    likely = reader.likelihood(text, [line])[0] if line is not None else None
    if likely is not None and likely >= _SURE:
        return plan
    own = reader.write(text, notation.grammar(_spoken(words)))
    certain = reader.likelihood(text, [own])[0]
    if likely is not None and likely >= certain - _MARGIN:
        return plan
    notes = [*plan.notes, "Read by the language model, which reads it otherwise than the rules do"]

    def near(name: str) -> float:
        how, metres = reach_of(text, name)
        notes.append(f"{how!r} is taken as within {metres:,.0f} m")
        return metres

    try:
        read = notation.read(own, near)
    except (ValueError, ValidationError):  # it was cut off
        return plan
    if not all(_may_be_thing(thing) for thing in read.things):
        return plan  # "where is it?"
    if _is_of_scene(plan) and read.parts and not any(map(is_known, read.things)):
        return plan  # "what is the dominant land cover?"
    read = _with_metres(read, plan)
    if not read.parts:
        plain = all(_may_be_doubted(part) for part in plan.parts) and said_as_things(text) == text
        doubted = plan.parts and plain and certain >= _CERTAIN and _says_more(plan, words)
        return _refused(plan) if doubted else plan
    if _loses(plan, read, words):
        return plan
    if plan.for_a_word and not (certain >= _CERTAIN and all(part.op in _SEEN for part in read.parts)):
        return plan
    return read.model_copy(update={"notes": tuple(dict.fromkeys(notes))})


def _is_of_scene(plan: p.Plan) -> bool:
    """Return whether a plan asks to describe the scene, and nothing of a thing."""
    return bool(plan.parts) and all(isinstance(part, p.Describe) and part.thing is None for part in plan.parts)


def _with_metres(own: p.Plan, plan: p.Plan) -> p.Plan:
    """Return the model's plan with the distances that the rules have read: a number in words is computed, not "
    "guessed.
    """
    around = [part.region for part in plan.parts if isinstance(part.region, p.Around)]
    known = {region.thing.phrase: region.metres for region in around}
    parts = [
        part.model_copy(update={"region": region.model_copy(update={"metres": known[region.thing.phrase]})})
        if isinstance(region := part.region, p.Around) and region.thing.phrase in known
        else part
        for part in own.parts
    ]
    return own.model_copy(update={"parts": tuple(parts)})


def _may_be_doubted(part: p.Part) -> bool:
    return part.op in _DOUBTED or (isinstance(part, p.Attribute) and part.name == "condition")


def _loses(plan: p.Plan, own: p.Plan, words: Sequence[str]) -> bool:
    """Return whether the model's plan lacks a thing or the region of a short question, or denies what that does not.

    In longer questions people tell of things that they do not ask about.
    """
    things = {thing.phrase for part in plan.parts if isinstance(part, p.Which) for thing in part.among}
    if things - {thing.phrase for thing in own.things} and all(map(is_known, plan.things)):
        return True  # "which of these is missing: ..." asks about all of them
    if _bounds(plan) - _bounds(own):
        return True  # numbers in words are computed, not guessed
    said = " ".join(words)
    denies = any(isinstance(part, p.Exists) and part.negated for part in own.parts)
    if denies and not says_no(said) and not _MAY_DENY.search(said):
        return True  # "are there any trees at all?" denies nothing
    if len(_regions(plan)) > len(_regions(own)):
        return True  # "in the north or near the river"
    if plan.unplanned is not None or len(words) > _SHORT or not all(map(is_known, plan.things)):
        return False
    if {thing.phrase for thing in plan.things} - {thing.phrase for thing in own.things}:
        return True
    if any(part.region for part in plan.parts) and not any(part.region for part in own.parts):
        return True
    asked = {part.thing for part in plan.parts if isinstance(part, p.Where) and part.region is None}
    placed = [part.thing for part in own.parts if isinstance(part, p.Where) and isinstance(part.region, p.PartOfScene)]
    if any(placed.count(thing) > 1 for thing in asked):
        return True  # "in the upper left or the lower right?" asks for the place, not for each of them
    denied, own_denied = ({part.thing for part in each.parts if isinstance(part, p.Exists) and part.negated}
                          for each in (plan, own))  # fmt: skip
    whether = {part.thing for part in plan.parts if isinstance(part, p.Exists)}
    return bool(denied) and denied < whether and own_denied != denied


def _regions(plan: p.Plan) -> set[p.Single]:
    return {each for part in plan.parts for each in p.regions_in(part.region)}


def _bounds(plan: p.Plan) -> set[tuple[int | None, int | None]]:
    """Return the numbers of which a plan asks whether there are so many."""
    counts = [part for part in plan.parts if isinstance(part, p.Count)]
    return {(part.at_least or None, part.at_most) for part in counts} - {(None, None)}


def _refused(plan: p.Plan) -> p.Plan:
    """Return that a question with these things cannot be answered from imagery."""
    known = [thing for thing in plan.things if is_known(thing)]
    why = f"This cannot be read from imagery; {refusals.nearest_question(known)}."
    return p.Plan(by="model", unplanned=why, notes=plan.notes)


def _says_more(plan: p.Plan, words: Collection[str]) -> bool:
    """Return whether a question has a word with a meaning that its plan lacks: "is there water?" has none."""
    planned = _spoken([word for thing in plan.things for word in _WORD.findall(f"{thing.name} {thing.phrase}")])
    if any(isinstance(each, p.Around) for part in plan.parts for each in p.regions_in(part.region)):
        planned |= _OF_LENGTHS
    said = _WORD.findall(written_out(" ".join(words).casefold()))  # "lol" says nothing
    return any(word not in _PLAIN and not _spoken([word]) & planned for word in said)


def _names_more(plan: p.Plan, words: Collection[str]) -> bool:
    """Return whether a plan names a thing of which the question has no word: it comes from the choices."""
    spoken = _spoken(words)
    return any(not spoken & set(_WORD.findall(thing.name)) for thing in plan.things)


def _spoken(words: Collection[str]) -> set[str]:
    """Return words of a question, and what they are made of, with their singulars: "silo-free", "the bay's"."""
    parts = {part for word in words for part in re.split(r"['’-]", word) if len(part) > 1}
    return {*words, *parts, *map(singular, {*words, *parts})}


def _may_be_thing(thing: p.Thing) -> bool:
    """Return whether a name has a word that names something: "it", "where" and "many" name nothing."""
    return is_known(thing) or any(word not in _NAMELESS | lexicon.PARTICIPLES for word in thing.name.split())
