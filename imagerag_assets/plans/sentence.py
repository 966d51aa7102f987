"""The answer that a person reads, written from results alone, so that it cannot contradict them.

Every part and every thing that was asked is spoken of, by the question's own word.  Not found is not absent: of a thing
that was not found a sentence says only that.  `part_sentences.py` has the sentence of each operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from imagerag_assets.plans.kinds import in_general
from imagerag_assets.plans.part_sentences import Teller
from imagerag_assets.plans.plan import Change, Count, Describe, Exists, PartName, PartOfScene, Plan, Where
from imagerag_assets.plans.result import CountResult, ExistsResult, Result
from imagerag_assets.plans.same_things import SameThing, same_thing
from imagerag_assets.plans.whereabouts import region
from imagerag_assets.plans.wording import paragraph, plural

_HALVES: tuple[PartName, ...] = ("left", "right", "upper", "lower")
Mixed = Literal["found", "not_found", "unrecognised", "rejected", "mixed"]


def say(
    plan: Plan,
    results: Sequence[Result],
    *,
    scenes: Mapping[str, str],
    one_scene: bool,
    same_thing: SameThing = same_thing,
    too_small: Mapping[str, float] = MappingProxyType({}),
) -> str:
    """Return the answer in words.

    Args:
        plan: What was asked.
        results: One for each part, in their order.
        scenes: Scene key to the title that a person sees, of all scenes in scope.
        one_scene: Whether the question is about one scene, whose title then is left out.
        same_thing: How surely two names mean the same thing, 0 to 1; for the words of a model.
        too_small: Phrases that are too small for every scene, with the metres that a pixel covers.

    Raises:
        ValueError: `results` has another length than the plan.
    """
    if len(plan.parts) != len(results):
        raise ValueError(f"The plan has {len(plan.parts)} parts, but there are {len(results)} results")
    plan, results, not_known = in_general(plan, results)
    teller = Teller(
        plan,
        results,
        scenes,
        one_scene=one_scene,
        same_thing=same_thing,
        in_general=not_known.keys(),
        too_small=too_small,
    )
    sentences: list[str] = []
    done: set[int] = set()
    for number in range(len(results)):
        if number in done:
            continue
        together = _together(plan, results, number)
        done.update(together)
        sentences += teller.group(together) if len(together) > 1 else teller.part(number)
    sentences += [*_where_most(plan, results), *not_known.values()]
    if plan.unplanned:
        sentences.append(plan.unplanned)
    return paragraph(sentences) or "I could not work out what to look for."


def _where_most(plan: Plan, results: Sequence[Result]) -> list[str]:
    """Return in which of several parts of the scene there is most of the one thing that is counted in each."""
    counts = [
        (region(part.region), result.value or 0)
        for part, result in zip(plan.parts, results, strict=True)
        if isinstance(part, Count) and isinstance(result, CountResult) and isinstance(part.region, PartOfScene)
        and not result.skipped and result.outcome in ("found", "not_found")
    ]  # fmt: skip
    if len(counts) < max(2, len(plan.parts)) or len(plan.things) != 1:
        return []
    name = plural(plan.things[0].name)
    halves = [(region(PartOfScene(name=half)), number) for half in _HALVES for where, number in counts
              if where == region(PartOfScene(name=half))]  # fmt: skip
    if len(counts) == len(halves) == len(_HALVES):  # left and upper overlap, so that only the two of a pair compare
        return [*_ranked(name, halves[:2]), *_ranked(name, halves[2:])]
    return _ranked(name, counts)


def _ranked(name: str, counts: Sequence[tuple[str | None, int]]) -> list[str]:
    ordered = sorted(counts, key=lambda each: -each[1])
    (most, first), (other, second) = ordered[:2]
    if first == second:
        return []
    if len(counts) == 2:
        return [f"more {name} were found {most} than {other}"]
    fewest = f", and fewest {ordered[-1][0]}" if ordered[-1][1] < ordered[-2][1] else ""
    return [f"most {name} were found {most}{fewest}"]


def outcome_of(results: Sequence[Result]) -> Mixed:
    """Return the outcome of all parts together; of parts that were skipped nothing is known."""
    outcomes = {result.outcome for result in results if not result.skipped}
    if len(outcomes) == 1:
        return next(iter(outcomes))
    return "mixed" if outcomes else "unrecognised"


def _together(plan: Plan, results: Sequence[Result], first: int) -> list[int]:
    """Return the parts that one sentence answers: whether there is a thing, how many and where."""
    part, result = plan.parts[first], results[first]
    if not isinstance(part, (Exists, Count, Where)) or result.skipped:
        return [first]
    together = [first]
    for number in range(first + 1, len(results)):
        other, its = plan.parts[number], results[number]
        if isinstance(other, (Describe, Change)) or not isinstance(other, (Exists, Count, Where)):
            continue
        same = other.thing == part.thing and other.region == part.region
        if not same or any(type(other) is type(plan.parts[earlier]) for earlier in together):
            continue
        # A part that was skipped because this very thing was not found has been answered with it.
        waited = its.skipped and other.when in together and isinstance(results[other.when], ExistsResult)
        if waited or (its.outcome == result.outcome and not its.skipped):
            together.append(number)
    return together
