"""Kinds that a picture is not asked to tell apart: who asks for fighter jets gets the airplanes, and is told so.

`kinds.toml` has the names.  The search looks for the wider thing; an answer that found it names the wider thing and
says that the kind was not determined.  Of a thing that was not found the kind is named, as none of it was found either.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from imagerag_assets.plans.plan import Exists, Part, Plan, Thing, Which
from imagerag_assets.plans.result import CompareResult, ExistsResult, Result, WhichResult
from imagerag_assets.plans.thesaurus import key_of, kind_of
from imagerag_assets.plans.wording import article, is_mass, joined, plural


def wider_thing(thing: Thing) -> str | None:
    """Return what is looked for in place of a kind of it, "airplane" for "fighter jet"; None: it is no kind."""
    wider = kind_of(thing.name)
    return thing.look_for if wider is not None and thing.look_for.endswith(wider) else None


def told_apart(plan: Plan, names: Collection[str]) -> Plan:
    """Return a plan that looks for a kind by its own name, if the knowledge base has that.

    Of the others it notes what is looked for instead.

    Args:
        plan: What a question asks.
        names: Of the knowledge base.
    """
    kinds = [thing for thing in plan.things if wider_thing(thing)]
    if not kinds:
        return plan
    known = {key_of(name) for name in names}
    own = {thing: thing.model_copy(update={"look_for": ""}) for thing in kinds if key_of(thing.name) in known}
    notes = [
        f"{thing.name!r} is looked for as {thing.look_for!r}: its kinds are not told apart"
        for thing in kinds
        if thing not in own
    ]
    parts = tuple(_with_things(part, own) for part in plan.parts)
    return plan.model_copy(update={"parts": parts, "notes": (*plan.notes, *notes)})


def in_general(plan: Plan, results: Sequence[Result]) -> tuple[Plan, tuple[Result, ...], dict[str, str]]:
    """Return a plan and its results with the wider thing in the place of each kind that was found as one.

    Returns:
        Plan, results, and by the phrase of each wider thing a sentence that says what is not known.
    """
    general = {
        thing: thing.model_copy(update={"name": thing.look_for})
        for thing in plan.things
        if wider_thing(thing) and _is_found(thing, plan, results)
    }
    if not general:
        return plan, tuple(results), {}
    told = [_of_part(part, result, general) for part, result in zip(plan.parts, results, strict=True)]
    kinds: dict[str, list[str]] = {}
    for thing in general:
        kinds.setdefault(thing.phrase, []).append(thing.name)
    parts = tuple(part for part, _ in told)
    return (
        plan.model_copy(update={"parts": parts}),
        tuple(result for _, result in told),
        {wide: _not_known(wide, names) for wide, names in kinds.items()},
    )


def _not_known(wide: str, kinds: Sequence[str]) -> str:
    looked = f"only {plural(wide)} in general {'was' if is_mass(wide) else 'were'} looked for"
    any_of = f"whether any of {'it' if is_mass(wide) else 'them'} is {joined(map(article, kinds), 'or')}"
    return f"{looked}: {any_of} is not known"


def _is_found(thing: Thing, plan: Plan, results: Sequence[Result]) -> bool:
    return any(
        result.outcome == "found" and not result.skipped and not {thing.name, thing.phrase} & result.missing.keys()
        for part, result in zip(plan.parts, results, strict=True)
        if thing in part.things
    )


def _of_part(part: Part, result: Result, general: Mapping[Thing, Thing]) -> tuple[Part, Result]:
    kinds = [thing for thing in part.things if thing in general]
    if not kinds or result.outcome != "found":
        return part, result
    alike = len({thing.phrase for thing in part.things}) < len(part.things)
    if alike and not isinstance(part, Which):  # it would be compared with itself
        there = Exists(thing=general[kinds[0]], region=part.region, when=part.when)
        common = result.model_dump(include={"outcome", "cues", "confidence", "where"})
        return there, ExistsResult(**common, phrase=there.thing.phrase, value=True)
    part = _with_things(part, general)
    names = {thing.name: wide.name for thing, wide in general.items()}
    if isinstance(result, WhichResult):
        values = tuple(dict.fromkeys(names.get(name, name) for name in result.values))
        return part, result.model_copy(update={"values": values})
    if isinstance(result, CompareResult) and result.more is not None:
        return part, result.model_copy(update={"more": names.get(result.more, result.more)})
    return part, result


def _with_things(part: Part, others: Mapping[Thing, Thing]) -> Part:
    """Return a part with other things in the place of some; those that its region is described by stay."""
    changed = {}
    for field in part.THINGS:
        value = getattr(part, field)
        if isinstance(value, tuple):
            changed[field] = tuple(dict.fromkeys(others.get(thing, thing) for thing in value))
        elif value is not None:
            changed[field] = others.get(value, value)
    return part.model_copy(update=changed)
