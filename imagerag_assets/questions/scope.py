"""Which patches a question looks at: its scenes, area and time, and the part of the scene that it names.

A part ("in the upper left") is another window in each scene, so the filter has a clause a scene: looking at more
candidates instead would still miss a target that many better ones elsewhere stand before.  The filter takes what meets
the part, as a large window always does, so each patch found is checked as well, by its middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.store import HasStore
from imagerag_assets.plans.regions import Region
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.whole import is_whole
from imagerag_assets.raster.geo import middle_of_box
from imagerag_assets.retrieval.coarseness import fine_enough
from imagerag_assets.retrieval.types import Keep
from imagerag_assets.scenes.intervals import begun_before
from imagerag_assets.scenes.records import list_records
from imagerag_assets.stores.milvus_filter import Filter

MAX_SCENES = 50
"""Scenes that get a clause each: a longer expression is slow to parse."""
Window = tuple[int, int, int, int]
Bbox = tuple[float, float, float, float]


@dataclass(frozen=True)
class Scope:
    """The patches that a question looks at: those that pass a filter, and of these the ones to keep."""

    where: Filter
    keep: Keep | None = None
    notes: tuple[str, ...] = ()


def filter_of(platform: HasStore, question: Question) -> Filter:
    """Return a question's scenes, area, time and cloud cover as one filter; intervals count in full.

    Raises:
        StoreError: the store cannot be listed.
    """
    return question.scope_with(begun_before(platform, question.start))


def scope_of(
    platform: Platform, question: Question, region: Region | None, viewer: Viewer, *, coarsest_m: float | None = None
) -> Scope:
    """Return the patches that a question looks at.

    Args:
        platform: The installation.
        question: Its scenes, area and time.
        region: The part of the scene that it names; None: all of it.
        viewer: Knows the scenes.
        coarsest_m: Metres a pixel beyond which patches are left out; None: none are.

    Raises:
        InputError: the question's area is not on the globe.
        StoreError: the store cannot be read.
    """
    where = filter_of(platform, question)
    if coarsest_m is not None:
        distances, scenes = platform.ground_distances, question.scenes
        finest = distances.finest_levels(platform.recipe, scenes)
        where = fine_enough(where, distances.of(scenes), coarsest_m, finest)
    if region is None:
        return Scope(where)
    notes = [f"Only the {region.name} of the scene is looked at, as the question says"]
    scenes = question.scenes or tuple(list_records(platform))
    if 0 < len(scenes) <= MAX_SCENES:
        where = where.any_of(_filter(viewer, scene, region) for scene in scenes)
    else:
        notes.append(f"Of {len(scenes)} scenes only the best candidates are looked at; name one with --scene")
    wholes: dict[str, Bbox | None] = {}

    def keep(scene: str, window: Window) -> bool:
        width, height = viewer.size(scene)
        patch_px = platform.settings.patch_px * 2.0 ** viewer.finest_level(scene)
        if max(width, height) > patch_px and is_whole(window, width, height):
            return False  # smaller patches tell which part shows it
        if scene not in wholes:
            wholes[scene] = _whole(viewer, scene) if region.compass else None
        return region.holds(*_shares(viewer, scene, window, wholes[scene]))

    return Scope(where, keep, tuple(notes))


def _filter(viewer: Viewer, scene: str, region: Region) -> Filter:
    own, (x0, y0, x1, y1) = Filter().scene_in([scene]), region.box
    whole = _whole(viewer, scene) if region.compass else None
    if whole is None:  # without a place on the ground north is up
        width, height = viewer.size(scene)
        return own.window_intersects(
            math.floor(x0 * width), math.floor(y0 * height), math.ceil(x1 * width), math.ceil(y1 * height)
        )
    west, south, _, north = whole
    span, down = _span(whole), north - south
    return own.bbox_intersects(_lon(west + x0 * span), north - y1 * down, _lon(west + x1 * span), north - y0 * down)


def _shares(viewer: Viewer, scene: str, window: Window, whole: Bbox | None) -> tuple[float, float]:
    """Return where the middle of a window lies, as shares of its scene's pixels, or of its degrees (`whole`)."""
    bbox = viewer.bbox(scene, window) if whole is not None else None
    if whole is None or bbox is None:
        width, height = viewer.size(scene)
        return (window[0] + window[2]) / 2 / width, (window[1] + window[3]) / 2 / height
    lon, lat = middle_of_box(bbox)
    return (lon - whole[0]) % 360 / _span(whole), (whole[3] - lat) / (whole[3] - whole[1])


def _whole(viewer: Viewer, scene: str) -> Bbox | None:
    return viewer.bbox(scene, viewer.record(scene).grid.window)


def _span(bbox: Bbox) -> float:
    """Return the width in degrees of longitude; west > east across the antimeridian."""
    return (bbox[2] - bbox[0]) % 360 or 360.0


def _lon(degrees: float) -> float:
    return (degrees + 180) % 360 - 180 if abs(degrees) > 180 else degrees
