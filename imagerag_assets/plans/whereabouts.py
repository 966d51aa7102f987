"""Places in words: parts of the picture, the scene's title, coordinates and sizes, grouped.

Numbers are those of the places that are given; `sentence.py` says what they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from imagerag_assets.plans.plan import AllOf, Around, Away, Between, Beyond, Outside, PartOfScene, Region
from imagerag_assets.plans.result import WHOLE, Place
from imagerag_assets.plans.wording import joined, number, plural

DETAILED = 3
"""So many places are given with coordinates and sizes; more would bury the answer."""
_GROUPS = 4
_PARTS = {
    "upper": "in the upper part",
    "lower": "in the lower part",
    "left": "on the left",
    "right": "on the right",
    WHOLE: "all over the scene",
}
_SIDES = {"above": "above", "below": "below", "left": "to the left of", "right": "to the right of"}
_SCENES = 6


def part(name: str) -> str:
    """Return a part of the scene as a phrase: "in the upper left"."""
    return _PARTS.get(name, f"in the {name}")


def region(given: Region | None) -> str | None:
    """Return a region of a plan in words: "within 500 m of the river"; None for everywhere."""
    if isinstance(given, Around):
        return f"within {metres(given.metres)} of the {given.thing.name}"
    if isinstance(given, Away):
        return f"more than {metres(given.metres)} from the {given.thing.name}"
    if isinstance(given, Beyond):
        return f"{_SIDES.get(given.side, f'{given.side} of')} the {given.thing.name}"
    if isinstance(given, Between):
        one, other = given.thing, given.other
        return f"between the {one.name} and the {other.name}" if one != other else f"between {plural(one.name)}"
    if isinstance(given, PartOfScene):
        return part(given.name)
    if isinstance(given, Outside):
        return f"outside of the {given.name}"
    if isinstance(given, AllOf):
        return joined(region(each) or "" for each in given.of)
    if given is None:
        return None
    west, south, east, north = given.bbox
    return f"between {west:g} and {east:g} degrees of longitude and {south:g} and {north:g} of latitude"


def metres(value: float) -> str:
    """Return a length on the ground; long ones also in kilometres."""
    if value >= 10_000:
        return f"{round(value)} m ({value / 1000:.1f} km)"
    return f"{round(value)} m" if value >= 10 else f"{number(value)} m"


def area(value: float) -> str:
    """Return an area given in square metres."""
    return f"{number(value / 1e6)} km²" if value >= 100_000 else f"{number(value)} m²"


def coordinates(lonlat: tuple[float, float]) -> str:
    """Return lon, lat in degrees as "48.12345 N, 11.12345 E"."""
    lon, lat = lonlat
    return f"{abs(lat):.5f} {'N' if lat >= 0 else 'S'}, {abs(lon):.5f} {'E' if lon >= 0 else 'W'}"


def details(place: Place) -> str:
    """Return coordinates and size as far as they are known: "at 48.12345 N, 11.12345 E, in an area of 20 m x 25 m"."""
    known = [f"at {coordinates(place.lonlat)}"] if place.lonlat is not None else []
    if place.size_m is not None:
        known.append(f"in an area of {' x '.join(metres(side) for side in place.size_m)}")
    return ", ".join(known)


class Whereabouts:
    """Say where things are, with the scenes by the titles that a person sees."""

    def __init__(self, scenes: Mapping[str, str], *, one_scene: bool) -> None:
        self.scenes = scenes
        self.one_scene = one_scene

    def title(self, scene: str) -> str:
        """Return the title of a scene, or its key."""
        return self.scenes.get(scene) or scene

    def one(self, place: Place) -> str:
        """Return where one object is: "in the upper left of Harbour A, at 48.12345 N, 11.12345 E"."""
        where = part(place.name) if self.one_scene else f"{part(place.name)} of {self.title(place.scene)}"
        more = details(place)
        return f"{where}, {more}" if more else where

    def several(self, places: Sequence[Place], total: int, *, known: str | None = None) -> str:
        """Return where objects are, grouped, after a mark: ", both in the lower left", ": 2 in ... and 1 in ...".

        Args:
            places: Those that are known.
            total: How many are said to be there; unless it is the number of places, groups are named without numbers.
            known: The region in words, where the sentence has named it already.
        """
        if not places:
            return ""
        if len(places) == 1 == total:
            place = places[0]
            if known == part(place.name) and self.one_scene:
                return f", {details(place)}" if details(place) else ""
            return f", {self.one(place)}"
        if len(places) != total:
            return self._mainly(places, known)
        if self.one_scene:
            detailed = len(places) <= DETAILED
            text = self._parts(places, detailed=detailed)
            if {part(place.name) for place in places} == {known}:
                return self._bracket(places) if detailed else ""
            return f"{':' if text[0].isdigit() else ','} {text}"
        by_scene = self._by_scene(places)
        if len(by_scene) == 1:
            text = self._parts(places, detailed=len(places) <= DETAILED)
            return f" in {self.title(places[0].scene)}{':' if text[0].isdigit() else ','} {text}"
        told = [
            f"{len(group)} in {self.title(scene)} ({self._inside(group, detailed=len(places) <= DETAILED)})"
            for scene, group in by_scene[:_SCENES]
        ]
        rest = by_scene[_SCENES:]
        if rest:
            told.append(f"{sum(len(group) for _, group in rest)} in {_other(len(rest))}")
        return f": {joined(told)}"

    def without(self, places: Sequence[Place]) -> str:
        """Return the scenes in which no place is: "in Harbour B and Harbour C"; empty: there is none, or one scene."""
        if self.one_scene or not places:
            return ""
        found = {place.scene for place in places}
        return self.named([scene for scene in self.scenes if scene not in found], of_many="other ")

    def everywhere(self) -> str:
        """Return all scenes: "in Harbour A and Harbour B"; empty for one."""
        return "" if self.one_scene else self.named(list(self.scenes))

    def named(self, scenes: Sequence[str], *, of_many: str = "") -> str:
        """Return scenes by name, or their number if there are many."""
        if not scenes:
            return ""
        if len(scenes) > _SCENES:
            return f"in the {len(scenes)} {of_many}scenes"
        return f"in {joined(self.title(scene) for scene in scenes)}"

    def _by_scene(self, places: Sequence[Place]) -> list[tuple[str, list[Place]]]:
        order = {scene: number for number, scene in enumerate(self.scenes)}
        groups: dict[str, list[Place]] = {}
        for place in places:
            groups.setdefault(place.scene, []).append(place)
        return sorted(groups.items(), key=lambda item: (-len(item[1]), order.get(item[0], len(order))))

    def _parts(self, places: Sequence[Place], *, detailed: bool) -> str:
        groups: dict[str, list[Place]] = {}
        for place in places:
            groups.setdefault(place.name, []).append(place)
        ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
        if len(ordered) == 1:
            name, group = ordered[0]
            lead = {1: "", 2: "both "}.get(len(group), "all ")
            return f"{lead}{part(name)}{self._bracket(group) if detailed else ''}"
        told = [f"{len(group)} {part(name)}{self._bracket(group) if detailed else ''}" for name, group in ordered]
        if len(told) > _GROUPS + 1:
            rest = sum(len(group) for _, group in ordered[_GROUPS:])
            told = [*told[:_GROUPS], f"{rest} elsewhere"]
        return joined(told)

    def _inside(self, group: Sequence[Place], *, detailed: bool) -> str:
        """Return where the objects of one scene are, for a bracket."""
        if len(group) == 1 and detailed and (more := details(group[0])):
            return f"{part(group[0].name)}, {more}"
        return self._parts(group, detailed=detailed)

    @staticmethod
    def _bracket(group: Sequence[Place]) -> str:
        known = [text for text in map(details, group) if text]
        return f" ({'; '.join(known)})" if known else ""

    def _mainly(self, places: Sequence[Place], known: str | None) -> str:
        if self.one_scene:
            names = Counter(place.name for place in places)
            told = [part(name) for name, _ in names.most_common(3)]
            if told == [known]:
                return ""
            return f", {'mainly ' if len(names) > 1 else ''}{joined(told)}"
        scenes = [scene for scene, _ in self._by_scene(places)]
        return f", {'mainly ' if len(scenes) > 3 else ''}in {joined(self.title(scene) for scene in scenes[:3])}"


def _other(count: int) -> str:
    return "another scene" if count == 1 else f"{count} other scenes"
