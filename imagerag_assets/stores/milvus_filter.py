"""Build Milvus filter expressions; no other module writes them.

A filter is a conjunction of positive predicates (`not in` has returned extra rows on servers), with every literal
encoded: Milvus Lite has no templates, and nothing a person typed may become part of an expression.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from imagerag_assets.errors import InputError

UNKNOWN_TIME = -(2**62)
"""`acquired_at` of a patch whose scene has no date: before everything, and no date anyone asks for."""
UNKNOWN_CLOUD = -1.0
"""`cloud_fraction` of a patch of unknown cloud cover."""
NOWHERE = (999.0, 999.0, -999.0, -999.0)
"""west, south, east, north of a patch without georeference: inverted, so that it meets no area."""


def literal(value: str | float) -> str:
    """Write `value` as a literal of a Milvus expression.

    Raises:
        InputError: a string with control characters, or a number that is not finite.
    """
    if isinstance(value, str):
        # Milvus reads the escapes \\n, \\r, \\t, \\" and \\\\ only; JSON writes others for further control characters.
        if any((ord(char) < 32 and char not in "\n\r\t") or 0xD800 <= ord(char) < 0xE000 for char in value):
            raise InputError("A text to look up holds control characters", text=repr(value[:80]))
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{value} is not a number to look up")
    return repr(value)


@dataclass(frozen=True)
class Filter:
    """A conjunction of predicates.  Each method returns a longer one; the empty filter matches everything."""

    clauses: tuple[str, ...] = ()
    scenes: tuple[str, ...] | None = None
    """The only scenes whose rows can match; None: those of any."""

    @property
    def expression(self) -> str:
        """The Milvus expression; empty when everything matches."""
        return " and ".join(f"({clause})" for clause in self.clauses)

    def __bool__(self) -> bool:
        return bool(self.clauses)

    def one_of(self, field: str, values: Iterable[str | int]) -> Self:
        """Match rows whose `field` has one of `values`; an empty list matches nothing."""
        return self._and(f"{field} in [{', '.join(literal(value) for value in dict.fromkeys(values))}]")

    def scene_in(self, scene_keys: Iterable[str]) -> Self:
        """Match patches of these scenes."""
        keys = tuple(dict.fromkeys(scene_keys))
        only = keys if self.scenes is None else tuple(key for key in self.scenes if key in set(keys))
        return replace(self.one_of("scene_key", keys), scenes=only)

    def level_at_most(self, level: int) -> Self:
        """Patches of this level and finer ones."""
        return self._and(f"level <= {literal(int(level))}")

    def bbox_intersects(self, west: float, south: float, east: float, north: float) -> Self:
        """Match patches that intersect an area, edges included.

        Args:
            west: Degrees; greater than `east` for an area across the antimeridian.
            south: Degrees.
            east: Degrees.
            north: Degrees.

        Raises:
            InputError: not finite, south of north, or off the globe.
        """
        for value, limit in ((west, 180), (east, 180), (south, 90), (north, 90)):
            if not math.isfinite(value) or abs(value) > limit:
                raise InputError(
                    f"The area {west},{south},{east},{north} is not on the globe", fix="Give W,S,E,N in degrees"
                )
        if south > north:
            raise InputError(
                f"The area {west},{south},{east},{north} has its south above its north", fix="Give W,S,E,N in degrees"
            )
        w, s, e, n = (literal(float(value)) for value in (west, south, east, north))
        # A patch across the antimeridian has west > east, and is two boxes: west..180 and -180..east.
        across = f"(west <= {e} and east >= {w}) or (west > east and (west <= {e} or east >= {w}))"
        if west > east:  # two areas, which all such patches meet; a patch without georeference meets neither
            either = f"(east >= {w} and west <= 180.0) or (west <= {e} and east >= -180.0)"
            across = f"{either} or (west > east and west <= 180.0)"
        return self._and(across)._and(f"south <= {n} and north >= {s}")

    def window_intersects(self, x0: int, y0: int, x1: int, y1: int) -> Self:
        """Match patches whose window intersects a half-open one, in native pixels of their scene."""
        left, top, right, bottom = (literal(int(value)) for value in (x0, y0, x1, y1))
        return self._and(f"x0 < {right} and x1 > {left} and y0 < {bottom} and y1 > {top}")

    def any_of(self, filters: Iterable[Filter]) -> Self:
        """Match rows that match at least one of some filters, none of them empty."""
        return self._and(" or ".join(f"({each.expression})" for each in filters))

    def acquired_between(self, start: int | None, end: int | None) -> Self:
        """Match patches acquired in a closed interval of epoch milliseconds; None is open.  Undated ones never match.

        Raises:
            InputError: the interval ends before it starts.
        """
        if start is not None and end is not None and end < start:
            raise InputError(f"The time range {start}..{end} ends before it starts", fix="Give START/END")
        lower = f"acquired_at > {UNKNOWN_TIME}" if start is None else f"acquired_at >= {literal(int(start))}"
        return self._and(lower if end is None else f"{lower} and acquired_at <= {literal(int(end))}")

    def cloud_at_most(self, fraction: float) -> Self:
        """Match patches known to have at most this cloud cover (0-1)."""
        return self._and(f"cloud_fraction <= {literal(float(fraction))} and cloud_fraction >= 0.0")

    def _and(self, clause: str) -> Self:
        return replace(self, clauses=(*self.clauses, clause))


EVERYTHING = Filter()
