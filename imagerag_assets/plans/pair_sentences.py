"""The sentences of operations on two things: nearest, distance and relative place."""

from __future__ import annotations

from imagerag_assets.plans.plan import Distance, Nearest, Relation, Relative
from imagerag_assets.plans.result import DistanceResult, NearestResult, RelativeResult
from imagerag_assets.plans.whereabouts import Whereabouts, metres
from imagerag_assets.plans.wording import looks, plural, was

UNSURE = 0.5
"""Below this confidence an answer is more likely wrong than right, and says "possibly"."""


def nearest(where: Whereabouts, asked: Nearest, result: NearestResult) -> list[str]:
    """Return which one of a thing is nearest to another, or farthest from it."""
    thing, to = asked.thing.name, asked.to.name
    if result.place is None:
        return [f"which {thing} is {'farthest from' if result.farthest else 'nearest to'} the {to} could not be told"]
    which = "farthest from" if result.farthest else "nearest to"
    told = f"the {thing} {which} the {to} {was(thing)} found {where.one(result.place)}"
    if result.metres is not None:
        told += f", {metres(result.metres)} from the {to}"
    return [f"{told}; the {to} {looks(to)} {where.one(result.to)}" if result.to else told]


def distance(where: Whereabouts, asked: Distance, result: DistanceResult) -> list[str]:
    """Return how far two things are apart."""
    thing, to = asked.thing.name, asked.to.name
    if result.metres is None and result.pixels is None:
        return [f"the distance between the {thing} and the {to} could not be measured"]
    far = metres(result.metres) if result.metres is not None else f"{round(result.pixels or 0)} pixels"
    pair = f"the {thing} and the {to}" if thing != to else f"the nearest two {plural(thing)}"
    told = f"{pair} are {far} apart, from middle to middle"
    if result.metres is None:
        told += ", in an image without a known scale"
    if result.ends:
        one, two = result.ends
        names = (f"the {thing}", f"the {to}") if thing != to else ("one", "the other")
        told += f": {names[0]} {where.one(one)}, {names[1]} {where.one(two)}"
    return [told]


def relative(where: Whereabouts, asked: Relative, result: RelativeResult) -> list[str]:
    """Return where a thing is, seen from another one, or whether it is where the question says."""
    thing, to = asked.thing.name, asked.to.name
    found = result.found or (result.relation if result.value or not result.asked else None)
    if result.asked and result.relation and result.value is not None:
        holds = result.value
        head = "Yes: " if holds != result.negated else "No: "
        if holds:
            told = f"{head}the {thing} {looks(thing)} {relation(result.relation)} the {to}"
        else:
            really = f", but {relation(found)} it" if found and found != result.relation else ""
            told = f"{head}the {thing} {looks(thing)} not {relation(result.relation)} the {to}{really}"
    elif found:
        told = f"the {thing} {looks(thing)} {relation(found)} the {to}"
    else:
        told = f"how the {thing} lies to the {to} could not be told"
    if result.confidence is not None and result.confidence < UNSURE:
        told = f"possibly {told.removeprefix('Yes: ').removeprefix('No: ')}"
    if result.ends:
        one, two = result.ends
        told += f" (the {thing} {where.one(one)}, the {to} {where.one(two)})"
    return [told]


def relation(word: Relation) -> str:
    """Return a relation as a preposition: "north-west of", "above", "in"."""
    alone = {"above": "above", "below": "below", "near": "near", "inside": "in"}
    return alone.get(word, f"{'to the ' if word in ('left', 'right') else ''}{word} of")
