"""A plan in words: what the question was understood to ask, one line for each part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from imagerag_assets.plans import plan as p
from imagerag_assets.plans.whereabouts import region
from imagerag_assets.plans.wording import is_mass, joined, number, plural

_PART: TypeAdapter[p.Part] = TypeAdapter(p.Part)
_FARTHEST = {"top": "topmost", "bottom": "bottommost", "left": "leftmost", "right": "rightmost"}


def plan_words(steps: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return a line for each part of a plan, as a record has it; a part of an unknown kind is called by its name."""
    return tuple(map(_line, steps))


def _line(step: Mapping[str, Any]) -> str:
    try:
        part = _PART.validate_python(step)
    except ValidationError:  # of a later version
        return str(step.get("op") or "something else")
    asked, mark, after = _asked(part).partition(": ")
    place = region(part.region)
    if place and asked.endswith("?"):
        asked = f"{asked[:-1]} {place}?"
    elif place:
        asked = f"{asked} {place}"
    needed = f", if part {part.when + 1} is true" if part.when is not None else ""
    return f"{asked}{mark}{after}{needed}"


def _asked(part: p.Part) -> str:
    match part:
        case p.Exists():
            return f"Is there no {_one(part.thing)}?" if part.negated else f"Look for {_name(part.thing)}"
        case p.Count():
            bounds = [
                f"at least {part.at_least}" if part.at_least is not None else "",
                f"at most {part.at_most}" if part.at_most is not None else "",
            ]
            asked = f"Count the places with {_many(part.thing)}" if part.places else f"Count {_many(part.thing)}"
            checked = joined(filter(None, bounds))
            return f"{asked}: are there {checked}?" if checked else asked
        case p.Where():
            return f"Find where {_name(part.thing)} lies"
        case p.Which():
            what = "are not there" if part.negated else "are there"
            return f"Which of {joined(map(_many, part.among))} {what}"
        case p.Compare():
            what = joined(map(_many, part.among))
            if part.by == "area":
                ground = {"more": "more ground", "fewer": "less ground", "equal": "the same ground"}[part.wanted]
                return f"Compare the area of {what}: which cover {ground}"
            return f"Compare {what}: " + (
                "are there as many" if part.wanted == "equal" else f"which are there {part.wanted} of"
            )
        case p.Nearest():
            far = "farthest from" if part.farthest else "nearest to"
            return f"Find the {_one(part.thing)} {far} the {_one(part.to)}"
        case p.Distance():
            return f"Measure from {_name(part.thing)} to {_name(part.to)}"
        case p.Relative():
            if part.relation is None:
                return f"Find where {_name(part.thing)} lies, seen from {_name(part.to)}"
            return (
                f"Is {_name(part.thing)} {'not ' if part.negated else ''}{_relation(part.relation)} {_name(part.to)}?"
            )
        case p.Share():
            return f"Measure how much of the ground is {_many(part.thing)}"
        case p.Density():
            return f"Count {_many(part.thing)} per square kilometre"
        case p.ListThings():
            return "List what is there"
        case p.Describe():
            return f"Describe {_name(part.thing)}" if part.thing else "Describe what is there"
        case p.Attribute():
            return f"Find the {part.name} of {'what lies around ' if part.around else ''}{_name(part.thing)}"
        case p.Change():
            return f"Find what changed: {_many(part.thing)}" if part.thing else "Find what changed"


def _relation(name: str) -> str:
    return {
        "above": "above", "below": "below", "near": "near", "inside": "inside", "left": "left of", "right": "right of",
    }.get(name, f"{name} of")  # fmt: skip


def _one(thing: p.Thing) -> str:
    ends = {**_FARTHEST, **{side: f"{side}ernmost" for side in ("north", "south", "east", "west")}}
    return " ".join(filter(None, (ends.get(thing.pick or ""), thing.name)))


def _name(thing: p.Thing) -> str:
    return f"the {_one(thing)}" + _looked_for(thing)


def _many(thing: p.Thing) -> str:
    name = thing.name if is_mass(thing.name) else plural(thing.name)
    return name + _looked_for(thing)


def _looked_for(thing: p.Thing) -> str:
    return f" (looked for as “{thing.phrase}”)" if thing.phrase != thing.name else ""


def result_words(result: Mapping[str, Any]) -> str:
    """Return what was computed for a part, in a few words; empty where the sentence of the answer has it all."""
    kind, value = result.get("kind"), result.get("value")
    if result.get("skipped"):
        return "not looked at: the part that it depends on is not true"
    outcome = {"not_found": "not found", "unrecognised": "not recognisable by this encoder",
               "rejected": "found, and rejected on a closer look"}.get(str(result.get("outcome")))  # fmt: skip
    if kind == "count" and value is not None:
        low, high = result.get("low"), result.get("high")
        return f"{value}" + (f", between {low} and {high}" if low is not None and (low, high) != (value, value) else "")
    if outcome:
        best = result.get("best")
        return outcome + (f"; the best candidate had {round(100 * best)} %" if best else "")
    if kind == "distance" and result.get("metres") is not None:
        return f"{number(result['metres'])} m"
    if kind == "exists":
        return "found" if value else "not found"
    if kind == "where":
        return joined(dict.fromkeys(str(place.get("name")) for place in result.get("places") or ()))
    if kind in ("attribute", "share", "density") and value is not None:
        return f"{number(value)} %" if kind == "share" else number(value) if isinstance(value, float) else str(value)
    return ""
