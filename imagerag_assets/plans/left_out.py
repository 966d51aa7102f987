"""What a question asks and a plan leaves out: one of its things, their number, where they are, which of them.

A reader, by rules or a model, may stop after the first half of "harbours: present? count?".  What is missing is added
from the question's own words; what is planned stays as it is.  The words are fewer than those that tell what a clause
asks (`operations.py`), where "show me" and "a number of" may be all there is: here they may be politeness.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from imagerag_assets.plans import lexicon
from imagerag_assets.plans import plan as p
from imagerag_assets.plans.attribute_operations import asks_surroundings
from imagerag_assets.plans.clauses import clauses_of
from imagerag_assets.plans.thesaurus import singular
from imagerag_assets.plans.things import is_known, things_of

_NUMBER = re.compile(
    rf"\b(?:how many(?! {lexicon.OF_SCENES})"
    r"|(?<!a )(?<!an )numbers?|counts?|counted|counting|quantity|quantities|tally|tallies|totals?"
    r"|figures)\b"
)
_PLACE = re.compile(
    r"\bwhere(?:abouts)?\b(?! (?:applicable|possible|available|appropriate|necessary))"
    r"|\blocat(?:ion|e)s?\b|\blocali[sz]e\b|\bpositions?\b|\bpoint (?:me|us) to\b"
    r"|\b(?:which|what) (?:bit|part|corner|side|quarter|quadrant|area|section|half|end|zone|region)s?\b"
)
_WHICH = re.compile(
    r"\bwhich (?:of|ones?|is|are|isn't|aren't|thing|things|class|do|does|can)\b|\bwhich\W*$"
    r"|\bwhat is (?:not|missing|absent)|\bname the one\b|\bodd one out\b"
)
_NOT = re.compile(r"\b(?:not|isn't|aren't|absent|missing|without|doesn't|don't|lacks?|lacking|never)\b")
_SHARE = re.compile(
    r"\b(?:share|percent\w*|proportion|fraction|areas?|cover\w*|land|space|ground|surface|of the|room)\b|%"
)
_BETWEEN = re.compile(r"\b(?:between|betwixt|from|among|amid|midway|halfway|separat\w+|in the middle)\b")
_SHOWN = (
    r"\b(?:show|find|list|locate|mark|highlight|point (?:to|at|out)|pinpoint|display|outline|map|spot)(?: (?:me|us))?"
    r"(?: (?:the|all|of|any|every|each|an?|these|those|out|up))* "
)
"""Before the name of a thing whose places are wanted."""
_TERSE = 11
"""Words of a question up to which nothing in it is told, and everything asked."""
_ASKS = re.compile(
    r"(?:and |also )?(?:how|where|which|what|is|are|do|does|can|show|find|count|list|compare|any|locate|mark|"
    r"describe)\b"
)
_SIMPLE = ("exists", "count", "where")
_NUMBERED = ("count", "compare", "density", "share", "change")
_PLACED = ("where", "relative", "nearest", "distance", "change")


def completed(plan: p.Plan, rules: p.Plan) -> p.Plan:
    """Return a plan with what the question asks beside it.

    Args:
        plan: The plan that stands.
        rules: What the rules read, with the text that they read.
    """
    text = rules.read_as
    if not plan.parts or plan.unplanned is not None or not text:
        return plan
    parts: Sequence[p.Part] = [_as_said(part, text) for part in plan.parts]
    parts = _with_lost_things(parts, rules.parts, text)
    parts = _which(parts, text)
    parts = _with_place(_with_number(parts, text), text)
    plan = plan if tuple(parts) == plan.parts else plan.model_copy(update={"parts": tuple(parts[: p.MAX_PARTS])})
    return plan.model_copy(update={"notes": (*plan.notes, *_unread(plan, text))})


def _unread(plan: p.Plan, text: str) -> Iterator[str]:
    """Yield a note for each clause that asks about known things of which none is in the plan."""
    planned = {word for thing in plan.things for name in (thing.name, thing.phrase) for word in name.split()}
    planned |= {singular(word) for word in planned}
    clauses = clauses_of(text)
    for clause in clauses if len(clauses) > 1 else ():
        known = [thing for thing in things_of(clause) if is_known(thing) and thing.phrase != "person"]
        words = {word for thing in known for name in (thing.name, thing.phrase) for word in name.split()}
        if known and _ASKS.match(clause) and not words & planned:
            yield f"Nothing was understood of {clause!r}"


def _as_said(part: p.Part, text: str) -> p.Part:
    """Return a part without a region that no word of the question names; "how much harbours" asks for their number."""
    if isinstance(part.region, p.Between) and not _BETWEEN.search(text):
        part = part.model_copy(update={"region": None})
    if isinstance(part, p.Share) and "how much" in text and not _SHARE.search(text):
        part = p.Count(thing=part.thing, region=part.region, when=part.when)
    if isinstance(part, p.Compare) and part.wanted == "equal" and "at least as " in text:
        part = part.model_copy(update={"wanted": "more"})
    if isinstance(part, p.Attribute) and asks_surroundings(part.name, text):
        part = part.model_copy(update={"around": True})
    return part


def _with_lost_things(parts: Sequence[p.Part], others: Sequence[p.Part], text: str) -> Sequence[p.Part]:
    """Return parts with those of another reading whose things are known and are in no part.

    In longer questions people tell of things beside those that they ask about.
    """
    names = [thing.name for part in parts for thing in part.things]
    phrases = {thing.phrase for part in parts for thing in part.things}

    def lost(thing: p.Thing) -> bool:
        own = set(thing.name.split())
        new = thing.phrase not in phrases and thing.phrase != "person"
        return new and is_known(thing) and not any(own & set(name.split()) for name in names)

    if len(re.findall(r"\w+", text)) > _TERSE and not (_WHICH.search(text) and _NOT.search(text)):
        return parts
    missing = [part for part in others if part.things and all(map(lost, part.things)) and part.when is None]
    if not missing or any(part.op not in _SIMPLE for part in (*parts, *missing)):
        return parts
    first = min((text.find(name) for name in names if name in text), default=0)
    before = [part for part in missing if 0 <= text.find(part.things[0].name) < first]
    after = [part for part in missing if part not in before]
    return [*before, *_later(parts, len(before)), *after]


def _later(parts: Sequence[p.Part], by: int) -> Iterator[p.Part]:
    """Yield parts that stand behind so many others from now on."""
    for part in parts:
        yield part if part.when is None else part.model_copy(update={"when": part.when + by})


def _which(parts: Sequence[p.Part], text: str) -> Sequence[p.Part]:
    """Return one part where the question is which of several things is not there."""
    things = tuple(dict.fromkeys(thing for part in parts for thing in part.things))
    plain = all(part.op in _SIMPLE and part.region is None for part in parts) and not _NUMBER.search(text)
    if not plain or not 2 <= len(things) <= p.MAX_THINGS or not (_WHICH.search(text) and _NOT.search(text)):
        return parts
    return [p.Which(among=things, negated=True)]


def _with_number(parts: Sequence[p.Part], text: str) -> Sequence[p.Part]:
    """Return parts with the number of the one thing, or of each, if the question asks for numbers."""
    if not _NUMBER.search(text) or any(part.op not in _SIMPLE for part in parts):
        return parts
    placed = _PLACE.search(text) is not None
    if any(part.op in _NUMBERED for part in parts):
        if placed or len(parts) == 1:
            return parts
        of_each = (
            p.Count(thing=each.thing, region=each.region)
            if isinstance(each, p.Where) and not _is_shown(each, text)
            else each
            for each in parts
        )
        return list(dict.fromkeys(of_each))
    return _and_then(parts if placed else [part for part in parts if part.op != "where"], parts, p.Count)


def _is_shown(part: p.Where, text: str) -> bool:
    """Return whether a question asks to see a thing, beside the number of another: "mark the quay, count the ships"."""
    return re.search(_SHOWN + re.escape(part.thing.name), text) is not None


def _with_place(parts: Sequence[p.Part], text: str) -> Sequence[p.Part]:
    """Return parts with where the one thing is, if the question asks for places."""
    counted = any(isinstance(part, p.Count) and part.places for part in parts)
    if counted or not _PLACE.search(text) or any(part.op not in _SIMPLE or part.op in _PLACED for part in parts):
        return parts
    return _and_then(parts, parts, p.Where)


def _and_then(kept: Sequence[p.Part], parts: Sequence[p.Part], more: type[p.Count] | type[p.Where]) -> Sequence[p.Part]:
    """Return parts with one more about their thing, if all are about one, in one region, and none denies it."""
    things = {thing for part in parts for thing in part.things}
    regions = {part.region for part in parts}
    if len(things) != 1 or len(regions) != 1 or any(getattr(part, "negated", False) for part in parts):
        return parts
    whether = next((number for number, part in enumerate(kept) if isinstance(part, p.Exists)), None)
    return [*kept, more(thing=things.pop(), region=regions.pop(), when=whether)]
