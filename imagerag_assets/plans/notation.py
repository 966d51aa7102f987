"""A plan in one short line, as a small language model writes it, and the grammar of such lines.

    count: big round tank @ upper left; exists: car
    exists!: ship; relative[north]: dam > lake; compare[count,more]: tree, house
    nearest-far: house > runway; where: harbour^north; attribute[colour]: roof; count[>=3]: ship @ around(pier,200m) ?0

Parts are separated by semicolons.  After a thing, `@` gives the region and `?0` the part that must be true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import cast

from imagerag_assets.plans import plan as p
from imagerag_assets.plans.numbers import LENGTHS
from imagerag_assets.plans.things import thing_of

NO_QUESTION = "none"
"""The line of a text that is no question about imagery."""
_NEAR_M = 500.0
"""Metres that "near the pier" means where nobody says otherwise."""
_MAX_WORDS = 5
_PARTS = (
    "upper left", "upper middle", "upper right", "middle left", "centre", "middle right", "lower left", "lower middle",
    "lower right", "upper", "lower", "left", "right", "north-east", "north-west", "south-east", "south-west", "north",
    "south", "east", "west",
)  # fmt: skip
_SIDES = (
    "north-east", "north-west", "south-east", "south-west", "north", "south", "east", "west", "above", "below", "left",
    "right",
)  # fmt: skip
_ENDS = ("north", "south", "east", "west", "left", "right", "top", "bottom")
_UNITS = ("m", "km", "mi", "ft", "yd")
_PART = re.compile(
    r"(?P<op>[a-z]+)(?P<far>-far)?(?P<negated>!)?(?:\[(?P<arg>[^\]]*)\])?(?:: (?P<things>[^@?]+?))?"
    r"(?: @ (?P<region>[^?]+?))?(?: \?(?P<when>\d))?"
)
_AROUND = re.compile(rf"around\((?P<thing>[^,]+),(?:\*|(?P<number>\d+(?:\.\d+)?)(?P<unit>{'|'.join(_UNITS)})?)\)")
_BETWEEN = re.compile(r"between\((?P<thing>[^,]+), (?P<other>[^,]+)\)")
_BEYOND = re.compile(rf"(?P<side>{'|'.join(_SIDES)}) of (?P<thing>.+)")
_NUMBER_OF_THINGS = {"which": (2, p.MAX_THINGS), "compare": (2, p.MAX_THINGS), "list": (0, 0), "describe": (0, 1),
                     "change": (0, 1), "nearest": (2, 2), "distance": (2, 2), "relative": (2, 2)}  # fmt: skip


def read(line: str, near: Callable[[str], float] = lambda _: _NEAR_M) -> p.Plan:
    """Read a plan from its line.

    Args:
        line: One line.
        near: From the name of a thing to the metres that are near it.

    Raises:
        ValueError: The line is no plan.
    """
    if line.strip() == NO_QUESTION:
        return p.Plan(by="model")
    parts = [_read_part(each.strip(), near) for each in line.split(";")]
    return p.Plan.model_validate({"parts": parts, "by": "model"})


def write(plan: p.Plan, *, spoken: bool = False) -> str | None:
    """Write a plan as its line; None if the line has no sign for something in it (a box in degrees, a range).

    Args:
        plan: The plan.
        spoken: Whether distances are left out, as the question has no number: "near the pier".
    """
    if not plan.parts:
        return NO_QUESTION
    parts = [_write_part(part, spoken) for part in plan.parts]
    return None if None in parts else "; ".join(cast("list[str]", parts))


def grammar(words: Collection[str]) -> str:
    """Return the grammar of the lines whose things consist of these words, in llguidance's form of Lark.

    Args:
        words: Words in lower case; at least one.
    """
    spelt = "|".join(re.escape(word).replace("/", r"\/") for word in sorted(words, key=len, reverse=True))
    alternatives = {name: " | ".join(f'"{each}"' for each in values) for name, values in (
        ("region", _PARTS), ("side", _SIDES), ("end", _ENDS), ("unit", _UNITS))}  # fmt: skip
    return rf"""start: "{NO_QUESTION}" | part ("; " part){{0,{p.MAX_PARTS - 1}}}
part: one (" @ " region)? (" ?" /[0-6]/)?
one: ("exists" | "exists!" | "count" bound? | "where" | "share" | "density" | attribute) ": " thing
   | ("which" | "which!" | compare) ": " thing (", " thing){{1,4}}
   | ("nearest" | "nearest-far" | "distance" | relative) ": " thing " > " thing
   | "list" | ("describe" | "change") (": " thing)?
compare: "compare[" ("count" | "area") "," ("more" | "fewer" | "equal") "]"
relative: "relative" "!"? ("[" (side | "near" | "inside") "]")?
bound: "[places]" | "[" (">=" | "<=" | "=") /[0-9]{{1,4}}/ "]"
attribute: "attribute[" /[a-z]{{3,16}}/ "]"
region: {alternatives["region"]} | "around(" thing "," ("*" | /[0-9]{{1,5}}(\.[0-9]{{1,2}})?/ unit?) ")"
   | side " of " thing | "between(" thing ", " thing ")"
side: {alternatives["side"]}
unit: {alternatives["unit"]}
thing: WORD (" " WORD){{0,{_MAX_WORDS - 1}}} ("^" ({alternatives["end"]}))?
WORD: /{spelt}/
"""


def _read_part(text: str, near: Callable[[str], float]) -> dict[str, object]:
    found = _PART.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no part of a plan")
    op, arg = found["op"], found["arg"]
    named = [_read_thing(each) for each in re.split(r", | > ", found["things"] or "") if each]
    fewest, most = _NUMBER_OF_THINGS.get(op, (1, 1))
    if not fewest <= len(named) <= most:
        raise ValueError(f"{text!r} names {len(named)} things")
    part: dict[str, object] = {"op": op}
    if op in ("which", "compare"):
        part["among"] = named
    elif named:
        part["thing"] = named[0]
        if len(named) > 1:
            part["to"] = named[1]
    if found["negated"]:
        part["negated"] = True
    if found["far"]:
        part["farthest"] = True
    if found["region"]:
        part["region"] = _read_region(found["region"], near)
    if found["when"]:
        part["when"] = int(found["when"])
    return part | _read_argument(op, arg)


def _read_argument(op: str, arg: str | None) -> dict[str, object]:
    if op == "compare" and arg:
        by, _, wanted = arg.partition(",")
        return {"by": by, "wanted": wanted}
    if op == "attribute":
        return {"name": arg or ""}
    if op == "relative":
        return {"relation": arg}
    if op == "count" and arg == "places":
        return {"places": True}
    if op == "count" and arg:
        sign, number = (arg[:2], int(arg[2:])) if arg[1] == "=" else (arg[:1], int(arg[1:]))
        return {name: number for name, signs in (("at_least", (">=", "=")), ("at_most", ("<=", "="))) if sign in signs}
    if arg is not None:
        raise ValueError(f"{op} has no [{arg}]")
    return {}


def _read_thing(text: str) -> p.Thing:
    name, _, end = text.strip().partition("^")
    thing = thing_of(name)
    return thing if not end else thing.model_copy(update={"pick": end, "name": f"{_MOST[end]} {thing.name}"[:120],
                                                          "look_for": thing.phrase})  # fmt: skip


_MOST = {end: f"{end}ernmost" for end in _ENDS[:4]} | {end: f"{end}most" for end in _ENDS[4:]}


def _read_region(text: str, near: Callable[[str], float]) -> dict[str, object]:
    if text in _PARTS:
        return {"kind": "part", "name": text}
    if around := _AROUND.fullmatch(text):
        number, unit = around["number"], around["unit"] or "m"
        metres = near(around["thing"]) if number is None else float(number) * LENGTHS[unit]
        return {"kind": "around", "thing": _read_thing(around["thing"]), "metres": metres}
    if between := _BETWEEN.fullmatch(text):
        return {"kind": "between", "thing": _read_thing(between["thing"]), "other": _read_thing(between["other"])}
    if beyond := _BEYOND.fullmatch(text):
        return {"kind": "side", "thing": _read_thing(beyond["thing"]), "side": beyond["side"]}
    raise ValueError(f"{text!r} is no region")


def _write_part(part: p.Part, spoken: bool) -> str | None:
    named = [_write_thing(each) for field in type(part).THINGS for each in _several(getattr(part, field))]
    between = " > " if part.op in ("nearest", "distance", "relative") else ", "
    far = "-far" if getattr(part, "farthest", False) else ""
    negated = "!" if getattr(part, "negated", False) else ""
    argument = _argument(part)
    region = _write_region(part.region, spoken)
    if region is None or argument is None:
        return None
    things = f": {between.join(named)}" if named else ""
    when = "" if part.when is None else f" ?{part.when}"
    return f"{part.op}{far}{negated}{argument}{things}{region}{when}"


def _several(value: p.Thing | tuple[p.Thing, ...] | None) -> tuple[p.Thing, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _argument(part: p.Part) -> str | None:
    """Return what an operation has in brackets; None: there is no sign for it ("between 3 and 6 ships")."""
    if isinstance(part, p.Compare):
        if part.measure or part.times:
            return None
        return f"[{part.by},{part.wanted}]"
    if isinstance(part, p.Attribute):
        return f"[{part.name}]"
    if isinstance(part, p.Relative) and part.relation is not None:
        return f"[{part.relation}]"
    if isinstance(part, p.Count):
        if part.places:
            return "[places]"
        if part.at_most is None:
            return f"[>={part.at_least}]" if part.at_least is not None else ""
        if part.at_least == part.at_most:
            return f"[={part.at_most}]"
        return None if part.at_least else f"[<={part.at_most}]"
    return ""


def _write_thing(thing: p.Thing) -> str:
    if thing.pick is None:
        return thing.name
    return f"{thing.name.removeprefix(_MOST[thing.pick]).strip()}^{thing.pick}"


def _write_region(region: p.Region | None, spoken: bool) -> str | None:
    if region is None:
        return ""
    if isinstance(region, p.PartOfScene):
        return f" @ {region.name}"
    if isinstance(region, p.Around):
        return f" @ around({_write_thing(region.thing)},{'*' if spoken else f'{region.metres:g}'})"
    if isinstance(region, p.Beyond):
        return f" @ {region.side} of {_write_thing(region.thing)}"
    if isinstance(region, p.Between):
        return f" @ between({_write_thing(region.thing)}, {_write_thing(region.other)})"
    return None
