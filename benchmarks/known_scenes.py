"""What the mosaics show, and the words and chips of `wording/` that questions about them are made with."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from benchmarks.make_mosaic import TARGETS
from imagerag_assets.errors import InputError

WORDING = Path(__file__).parent / "wording"
Window = tuple[int, int, int, int]

EVERYWHERE = {"large building", "road intersection", "parking lot"}
"""Things that chips of other classes show too, so that nobody can say how many there are, or that there is none."""
SHOWN_BY = {"freeway": {"overpass"}, "runway": {"airplane"}, "tennis court": {"road intersection"}}
"""Things that chips of these classes show too."""


@dataclass(frozen=True)
class Scene:
    """What a mosaic shows."""

    key: str
    size: tuple[int, int]
    """Width and height in pixels."""
    cells: Mapping[str, tuple[tuple[Window, str], ...]]
    """Window and chip of each cell by thing."""
    lines: tuple[Mapping[str, Any], ...] = ()
    """The tool's questions."""

    @classmethod
    def read(cls, truth: Path) -> Scene:
        """Read the truth of a mosaic.

        Raises:
            InputError: an earlier version stitched it.
        """
        known = json.loads(truth.read_text(encoding="utf-8"))
        cells: dict[str, list[tuple[Window, str]]] = {}
        for cell in known["cells"]:
            if "chip" not in cell:
                raise InputError(
                    "The mosaics were stitched by an earlier version, which kept no chips",
                    fix="Give another --work folder",
                    file=truth,
                )
            x0, y0, x1, y1 = cell["window"]
            cells.setdefault(TARGETS[cell["class"]], []).append(((x0, y0, x1, y1), cell["chip"]))
        asked = truth.with_name(f"{truth.stem}.questions.jsonl").read_text(encoding="utf-8").splitlines()
        height, width = known["size"]
        found = {name: tuple(each) for name, each in cells.items()}
        return cls(truth.stem, (width, height), found, tuple(map(json.loads, asked)))

    def windows(self, thing: str) -> tuple[Window, ...]:
        """Return where a thing is."""
        return tuple(window for window, _ in self.cells.get(thing, ()))

    def places(self, thing: str) -> tuple[tuple[float, float], ...]:
        """Return the middle of each as shares of width and height."""
        width, height = self.size
        return tuple(((x0 + x1) / 2 / width, (y0 + y1) / 2 / height) for x0, y0, x1, y1 in self.windows(thing))

    def doubtful(self, thing: str) -> bool:
        """Return whether other cells show a thing too, or may."""
        return thing in EVERYWHERE or bool(SHOWN_BY.get(thing, set()) & self.cells.keys())

    @cached_property
    def absent(self) -> tuple[str, ...]:
        """Things that no cell shows."""
        return tuple(thing for thing in TARGETS.values() if thing not in self.cells and not self.doubtful(thing))

    @cached_property
    def sure(self) -> tuple[str, ...]:
        """Things of which every place is known."""
        return tuple(thing for thing in self.cells if not self.doubtful(thing))

    @cached_property
    def single(self) -> tuple[str, ...]:
        """Things that are in one place."""
        return tuple(thing for thing in self.sure if len(self.cells[thing]) == 1)

    def number(self, thing: str) -> int | None:
        """Return how many objects of a thing there are, or None if a chip's number is not known."""
        if self.doubtful(thing):
            return None
        counts = chips()["count"]
        each = [
            counts.get(chip, None if _class_of(chip) in counted_classes() else 1)
            for _, chip in self.cells.get(thing, ())
        ]
        return None if None in each else sum(each)


@cache
def words() -> Mapping[str, Any]:
    """Return people's wording: `wording/answers-second.toml`, as the failures of `answers.toml` were read."""
    return tomllib.loads((WORDING / "answers-second.toml").read_text(encoding="utf-8"))


@cache
def chips() -> Mapping[str, Any]:
    """Return `wording/chips.toml`."""
    return tomllib.loads((WORDING / "chips.toml").read_text(encoding="utf-8"))


@cache
def counted_classes() -> frozenset[str]:
    """Return the classes whose chips show different numbers of objects."""
    return frozenset(map(_class_of, chips()["count"]))


def _class_of(chip: str) -> str:
    return chip.rstrip("0123456789")


def names_of(thing: str) -> tuple[str, ...]:
    """Return every name of a thing that people or answers use, the plain one of the mosaics included."""
    said = [each for pair in words()["things"].get(thing, ()) for each in pair]
    return tuple(dict.fromkeys([thing, *said, *words()["accept"].get(thing, ())]))
