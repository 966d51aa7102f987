"""Which levels of a scene are too coarse for an encoder to recognise anything, as a filter and as a check of a row.

The filter keeps coarse patches from taking the place of finer ones among the candidates; the check decides what the
filter cannot: scenes beyond its limit, and windows whose ground distance differs from their scene's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from imagerag_assets.scenes.ground import DEGREE_M
from imagerag_assets.stores.milvus_filter import Filter

ALWAYS_SEARCHED = 2
"""Finest levels of a scene's patches that are always searched: nothing finer of it exists."""
MAX_SCENES = 2_000
"""Scenes that a filter names at most: a longer expression takes longer to parse than it saves."""
_ANY_LEVEL = 127
_ROOM = 1.01
"""Windows of one level differ a little; the check decides those this close to the limit."""


def coarsest_level(pixel_m: float | None, coarsest_m: float, finest: int = 0) -> int:
    """Return the coarsest level of a scene that is searched.

    Args:
        pixel_m: Metres that a native pixel covers; None: unknown, so every level is searched.
        coarsest_m: Metres a pixel beyond which the encoder recognises nothing.
        finest: Level of the scene's smallest patches.
    """
    if pixel_m is None or pixel_m <= 0:
        return _ANY_LEVEL
    return max(finest + ALWAYS_SEARCHED - 1, math.floor(math.log2(coarsest_m * _ROOM / pixel_m)))


def fine_enough(
    where: Filter, distances: Mapping[str, float | None], coarsest_m: float, finest: Mapping[str, int] | None = None
) -> Filter:
    """Narrow a filter to levels that are not too coarse, scene by scene.

    Args:
        where: The filter.
        distances: Metres that a native pixel covers, by scene key, of every scene that the filter may let through.
        coarsest_m: As in :func:`coarsest_level`.
        finest: Level of the smallest patches, by scene key; 0 where it is missing.
    """
    scenes: dict[int, list[str]] = {}
    for key, metres in distances.items():
        scenes.setdefault(coarsest_level(metres, coarsest_m, (finest or {}).get(key, 0)), []).append(key)
    if not scenes:
        return where
    least = min(scenes)
    if sum(len(keys) for level, keys in scenes.items() if level > least) > MAX_SCENES:
        least = max(scenes)
    above = [Filter().scene_in(keys).level_at_most(level) for level, keys in scenes.items() if level > least]
    if above:
        return where.any_of([Filter().level_at_most(least), *above])
    return where.level_at_most(least) if least < _ANY_LEVEL else where


def too_coarse(row: Mapping[str, Any], coarsest_m: float, finest: Callable[[str], int] | None = None) -> bool:
    """Return whether a row of a patch collection is too coarse, by the size of its window on the ground.

    Args:
        row: With its scene, level, window and box.
        coarsest_m: As in :func:`coarsest_level`.
        finest: Gives the level of a scene's smallest patches; None: it is 0.
    """
    if row["level"] < ALWAYS_SEARCHED or row.get("south") is None:
        return False
    pixels = (row["y1"] - row["y0"]) / 2.0 ** row["level"]
    if not (row["north"] - row["south"]) * DEGREE_M / pixels > coarsest_m:
        return False
    return finest is None or row["level"] >= finest(row["scene_key"]) + ALWAYS_SEARCHED
