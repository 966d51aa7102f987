"""The sentence of a comparison: of which thing there is more, or fewer, or whether there is as much of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagerag_assets.plans.result import CompareResult
from imagerag_assets.plans.whereabouts import area
from imagerag_assets.plans.wording import counted, is_mass, joined, number, plural

_CLOSE = 0.1
"""How far a ratio may be from the one that a question names."""


def comparison(
    result: CompareResult,
    found: Sequence[tuple[str, float]],
    absent: Mapping[str, str],
    *,
    known: bool,
    measure: str | None = None,
    times: float | None = None,
) -> list[str]:
    """Return the sentences of a comparison.

    Args:
        result: What was computed.
        found: Name and number (or area in square metres) of each thing that was found, at least one.
        absent: Name to sentence of each thing that was not.
        known: Whether all of those that were not found could have been recognised.
        measure: "difference" or "ratio", if the question asks for it.
        times: How many times as many of the first thing the question asks for.
    """
    where = f" {result.where}" if result.where else ""
    if not absent and times is not None:
        return [_multiple(result, found, where, times)]
    if not absent:
        return [f"{_compared(result, found, where)}{_measured(result, found, measure)}"]
    have = _have(result, found, where)
    if not known:
        return [f"{have}, but I cannot compare all of them", *absent.values()]
    if len(found) > 1 or result.by == "area":
        return [have, *absent.values()]
    name, value = found[0]
    others = joined(map(plural, absent))
    if result.wanted == "fewer":
        told = f"fewer {others} than {plural(name)} ({number(value)}) were found{where}"
    else:
        head = "No: " if result.wanted == "equal" else ""
        told = f"{head}more {plural(name)} ({number(value)}) than {others} were found{where}"
    return [told, *absent.values()]


def _multiple(result: CompareResult, found: Sequence[tuple[str, float]], where: str, times: float) -> str:
    """Return whether there are so many times as many of the first thing as of the second, and how many times."""
    (name, first), (_, second) = found[:2]
    really = first / second
    head = "Yes" if abs(really / times - 1) <= _CLOSE else "No"
    return f"{head}: {_have(result, found, where)}, {number(really)} times as many {plural(name)}"


def _measured(result: CompareResult, found: Sequence[tuple[str, float]], measure: str | None) -> str:
    """Return the difference or the ratio of two numbers, behind the sentence that compares them."""
    if measure is None or len(found) != 2:
        return ""
    (_, first), (_, second) = found
    told = area if result.by == "area" else number
    if measure == "difference":
        return f": a difference of {told(abs(first - second))}"
    few, many = sorted((first, second))
    return f": {number(many / few)} to 1" if first >= second else f": 1 to {number(many / few)}"


def _compared(result: CompareResult, found: Sequence[tuple[str, float]], where: str) -> str:
    ordered = sorted(found, key=lambda item: -item[1])
    values = [value for _, value in ordered]
    head = {True: "Yes: ", False: "No: "}[values[0] == values[-1]] if result.wanted == "equal" else ""
    names = [plural(name) for name, _ in found]
    if values[0] == values[-1]:
        if result.by == "area":
            return f"{head}{joined(names)} cover equally much ground{where}: {area(values[0])} each"
        return f"{head}equally many {joined(names)} were found{where}: {number(values[0])} each"
    if result.wanted == "fewer":
        ordered.reverse()
    if ordered[0][1] == ordered[1][1]:  # two of three lead
        return f"{head}{_have(result, found, where)}"
    (top, first), rest = ordered[0], ordered[1:]
    if result.by == "area":
        word = "less" if result.wanted == "fewer" else "more"
        others = joined(f"{plural(name)} ({area(value)})" for name, value in rest)
        return f"{head}{plural(top)} {_cover(top)} {word} ground ({area(first)}) than {others}{where}"
    word = "fewer" if result.wanted == "fewer" else "more"
    others = joined(f"{plural(name)} ({number(value)})" for name, value in rest)
    return f"{head}{word} {plural(top)} ({number(first)}) than {others} were found{where}"


def _have(result: CompareResult, found: Sequence[tuple[str, float]], where: str) -> str:
    if result.by == "area":
        return f"{joined(f'{plural(name)} {_cover(name)} {area(value)}' for name, value in found)}{where}"
    one = len(found) == 1 and found[0][1] == 1
    return f"{joined(counted(name, round(value)) for name, value in found)} {'was' if one else 'were'} found{where}"


def _cover(name: str) -> str:
    return "covers" if is_mass(name) else "cover"
