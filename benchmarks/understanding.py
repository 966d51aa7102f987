"""Measure how questions are understood: `python -m benchmarks.understanding [FILE] [--rules] [--failures]`.

Each line of FILE (`benchmarks/wording/plans.jsonl` by default) is a question and the plan that is expected of it,
a string for each part: "count: ship @ upper left", "exists!: tree" (negated), "relative[north]: pier > lighthouse".
"a|b" is either of two phrases, "ship^north" the northernmost one, "?0" says that part 0 must be true, "*" is anything.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from imagerag_assets.installation.platform import Platform
from imagerag_assets.plans.plan import (
    AllOf,
    Area,
    Around,
    Away,
    Between,
    Beyond,
    Count,
    Outside,
    Part,
    Plan,
    Region,
    Thing,
    regions_in,
)
from imagerag_assets.questions.planning import plan_of
from imagerag_assets.questions.question import Question
from imagerag_assets.settings import load_settings

WORDING = Path(__file__).parent / "wording" / "plans.jsonl"
_SYMBOL = re.compile(
    r"^(?P<op>[a-z|]+?)(?P<far>-far)?(?:\[(?P<arg>[^\]]*)\])?(?P<negated>!)?(?:: (?P<things>.*?))?(?: "
    r"@ (?P<region>.*?))?"
    r"(?: \?(?P<when>\d+|\*))?$"
)
_AS_GOOD = (
    {"ship", "boat"}, {"harbor", "marina"}, {"freeway", "highway"}, {"soccer field", "football field"},
    {"solar panel", "solar farm"}, {"wind turbine", "wind farm"}, {"airport terminal", "airport"},
    {"bridge", "footbridge"},
    {"oil refinery", "refinery"}, {"railway station", "train station"}, {"farmland", "crop field"}, {"tree", "forest"},
    {"mobile home", "caravan", "trailer"}, {"river", "canal"}, {"helicopter", "chopper"},
    {"running track", "ground track field"}, {"baseball field", "baseball diamond"},
)  # fmt: skip
"""Phrases that are as good as each other to look for."""


def score(plan: Plan, expected: Sequence[str]) -> tuple[bool, bool, bool]:
    """Return whether operations, things, and everything are right."""
    if list(expected) == ["none"]:
        right = not plan.parts and bool(plan.unplanned)
        return right, right, right
    if len(plan.parts) != len(expected):
        return False, False, False
    results = [_score_part(part, text) for part, text in zip(plan.parts, expected, strict=True)]
    return all(r[0] for r in results), all(r[1] for r in results), all(all(r) for r in results)


def _score_part(part: Part, text: str) -> tuple[bool, bool, bool]:
    wanted = _SYMBOL.match(text)
    assert wanted is not None, text
    operation = part.op in wanted["op"].split("|")
    region = part.region
    names = [each for each in re.split(r", | > ", wanted["things"] or "") if each]
    picks = "^" in (wanted["things"] or "")
    found = [f"{thing.phrase}^{thing.pick}" if picks and thing.pick else thing.phrase for thing in _own(part)]
    things = len(found) == len(names) and all(_same(phrase, name) for phrase, name in zip(found, names, strict=True))
    rest = bool(wanted["negated"]) == bool(getattr(part, "negated", False))
    rest &= bool(wanted["far"]) == bool(getattr(part, "farthest", False))
    rest &= wanted["when"] in ("*", None if part.when is None else str(part.when))
    if wanted["arg"] is not None and operation:
        arguments = wanted["arg"].split(",")
        given = {
            "relative": [getattr(part, "relation", None) or "none"],
            "compare": [getattr(part, "by", ""), getattr(part, "wanted", "")],
            "attribute": [getattr(part, "name", "")],
            "count": [_bounds(part)] if isinstance(part, Count) else [],
        }.get(part.op, [])
        rest &= arguments == given
    return operation, things, rest & _same_region(region, wanted["region"])


def _bounds(part: Count) -> str:
    if part.places:
        return "places"
    low, high = part.at_least, part.at_most
    return f"={low}" if low == high else f">={low}" if high is None else f"<={high}"


def _same(phrase: str, wanted: str) -> bool:
    return any(phrase == each or any({phrase, each} <= group for group in _AS_GOOD) for each in wanted.split("|"))


def _own(part: Part) -> list[Thing]:
    found: list[Thing] = []
    for field in type(part).THINGS:
        value = getattr(part, field)
        found += value if isinstance(value, tuple) else [value] if value is not None else []
    return found


def _same_region(region: Region | None, wanted: str | None) -> bool:
    if wanted is None or region is None:
        return wanted is None and region is None
    overlap = re.fullmatch(r"all\((.+)\)", wanted)
    if overlap:
        each = overlap[1].split(" & ")
        same = isinstance(region, AllOf) and len(region.of) == len(each)
        return same and all(_same_region(one, text) for one, text in zip(regions_in(region), each, strict=True))
    around = re.fullmatch(r"(around|away)\((.+), ?(.+)\)", wanted)
    if around:
        kind, thing, metres = around.groups()
        if not isinstance(region, Around | Away) or region.kind != kind or not _same(region.thing.phrase, thing):
            return False
        return metres == "*" or abs(region.metres - float(metres)) < 1
    box = re.fullmatch(r"bbox\((.+)\)", wanted)
    if box:
        return isinstance(region, Area) and list(region.bbox) == [float(each) for each in box[1].split(",")]
    between = re.fullmatch(r"between\((.+), ?(.+)\)", wanted)
    if between:
        ends = (region.thing.phrase, region.other.phrase) if isinstance(region, Between) else ()
        return bool(ends) and all(map(_same, ends, between.groups()))
    side = re.fullmatch(r"([a-z-]+) of (.+)", wanted)
    if side:
        return isinstance(region, Beyond) and region.side == side[1] and _same(region.thing.phrase, side[2])
    if wanted.startswith("outside "):
        return isinstance(region, Outside) and region.name == wanted.removeprefix("outside ")
    return not isinstance(region, Outside) and getattr(region, "name", None) in wanted.split("|")


def main() -> None:
    """Print the accuracy of each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=WORDING)
    parser.add_argument("--rules", action="store_true", help="leave the language model out")
    parser.add_argument("--failures", action="store_true", help="print what was misunderstood")
    options = parser.parse_args()
    settings = load_settings(planner="rules" if options.rules else "auto")
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    with Platform(settings) as platform:
        for line in options.file.read_text("utf-8").splitlines():
            case = json.loads(line)
            asked = Question(case["question"], choices=case.get("choices", {}))
            plan = plan_of(asked, reader=lambda: platform.reader)
            right = score(plan, case["expect"])
            for kind in (case["kind"], "all"):
                counts[kind] = [old + new for old, new in zip(counts[kind], (1, *right), strict=True)]
            if options.failures and not right[2]:
                print(f"{case['kind']}: {case['question']}\n    wanted {case['expect']}")
                print(f"    got    {plan.steps()} {plan.unplanned}")
    print(f"{'kind':20} {'n':>4} {'op':>5} {'thing':>6} {'all':>5}")
    for kind, (n, *shares) in counts.items():
        print(f"{kind:20} {n:4} " + " ".join(f"{each / n:5.2f}" for each in shares))


if __name__ == "__main__":
    main()
