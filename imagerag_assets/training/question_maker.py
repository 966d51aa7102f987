"""Make multiple-choice questions with known answers from the objects in a scene.

Everything is a pure function of the truth.  The demo and the training of its multimodal model share the wording.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imagerag_assets.answering.findings import article

LETTERS = "ABCDEFGH"
QUADRANTS = ("upper left", "upper right", "lower left", "lower right")
ABSENT = "This image does not feature it"
KINDS = ("position", "count", "colour", "presence", "compare", "absent")


@dataclass(frozen=True)
class Placed:
    """An object in a scene: its class, colour if it has one, and native pixel window (x0, y0, x1, y1)."""

    name: str
    plural: str
    colour: str | None
    window: tuple[int, int, int, int]


@dataclass(frozen=True)
class DemoQuestion:
    """A question, its lettered choices, the right letter, and the windows that show the answer."""

    kind: str
    name: str
    question: str
    choices: dict[str, str]
    answer: str
    roi: tuple[tuple[int, int, int, int], ...]

    @property
    def answer_text(self) -> str:
        """Text of the right choice."""
        return self.choices[self.answer]

    def to_dict(self, scene: str, number: int) -> dict[str, Any]:
        """Return one line of a question file, as `imagerag ask --batch` and the benchmark scripts read it."""
        return {
            "id": f"{scene}-{number:02d}",
            "scene": scene,
            "kind": self.kind,
            "class": self.name,
            "question": self.question,
            "choices": self.choices,
            "answer": self.answer,
            "roi": [list(window) for window in self.roi],
        }


def quadrant(window: Sequence[int], width: int, height: int) -> str:
    """Return the quarter of the scene that contains the centre of a window."""
    x0, y0, x1, y1 = window
    return QUADRANTS[2 * int((y0 + y1) / 2 >= height / 2) + int((x0 + x1) / 2 >= width / 2)]


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _lettered(options: Sequence[str], right: str) -> tuple[dict[str, str], str]:
    return dict(zip(LETTERS, options, strict=False)), LETTERS[list(options).index(right)]


class QuestionMaker:
    """Make questions about one scene.

    Args:
        placed: The objects in the scene.
        size: (width, height) of the scene in pixels.
        vocabulary: The plural of every class that may be asked about, by name.
        colours: The possible colours of each class, by name.
        rng: Picks the classes, the wording and the distractors.
    """

    def __init__(
        self,
        placed: Sequence[Placed],
        size: tuple[int, int],
        vocabulary: Mapping[str, str],
        colours: Mapping[str, Sequence[str]],
        rng: np.random.Generator,
    ) -> None:
        self._by_name: dict[str, list[Placed]] = {}
        for one in placed:
            self._by_name.setdefault(one.name, []).append(one)
        self._size, self._vocabulary, self._colours, self._rng = size, vocabulary, colours, rng
        self._absent = [name for name in vocabulary if name not in self._by_name]

    def make(self, kind: str) -> DemoQuestion | None:
        """Make one question of a kind; return None if the scene offers no occasion for it."""
        makers: dict[str, Callable[[], DemoQuestion | None]] = {
            "position": self._position,
            "count": self._count,
            "colour": self._colour,
            "presence": self._presence,
            "compare": self._compare,
            "absent": self._position_of_absent,
        }
        return makers[kind]()

    def _windows(self, *names: str) -> tuple[tuple[int, int, int, int], ...]:
        return tuple(one.window for name in names for one in self._by_name.get(name, ()))

    def _ask_position(self, name: str, kind: str, right: str) -> DemoQuestion:
        text = _pick(self._rng, ("In which part of the image is the {}?", "Where in the image is the {}?")).format(name)
        choices, letter = _lettered((*QUADRANTS, ABSENT), right)
        return DemoQuestion(kind, name, text, choices, letter, self._windows(name))

    def _position(self) -> DemoQuestion | None:
        single = [name for name, found in self._by_name.items() if len(found) == 1]
        if not single:
            return None
        name = _pick(self._rng, single)
        return self._ask_position(name, "position", quadrant(self._by_name[name][0].window, *self._size))

    def _position_of_absent(self) -> DemoQuestion | None:
        return self._ask_position(_pick(self._rng, self._absent), "absent", ABSENT) if self._absent else None

    def _count(self) -> DemoQuestion | None:
        names = [name for name, found in self._by_name.items() if len(found) <= 4]
        if not names:
            return None
        name = _pick(self._rng, names)
        forms = (
            f"How many {self._vocabulary[name]} are there in the image?",
            f"How many separate sites with {article(name)} are there in the image?",
        )
        choices, letter = _lettered(("1", "2", "3", "4", ABSENT), str(len(self._by_name[name])))
        return DemoQuestion("count", name, _pick(self._rng, forms), choices, letter, self._windows(name))

    def _colour(self) -> DemoQuestion | None:
        names = [name for name, found in self._by_name.items() if len(found) == 1 and found[0].colour]
        if not names:
            return None
        name = _pick(self._rng, names)
        right = self._by_name[name][0].colour
        assert right is not None
        options = list(self._rng.permutation(list(self._colours[name])))
        subject = f"roof of the {name}" if name == "warehouse" else name
        choices, letter = _lettered([str(option) for option in options], right)
        return DemoQuestion(
            "colour", name, f"What is the colour of the {subject}?", choices, letter, self._windows(name)
        )

    def _presence(self) -> DemoQuestion | None:
        if len(self._absent) < 3 or not self._by_name:
            return None
        name = _pick(self._rng, list(self._by_name))
        options = [name, *(str(n) for n in self._rng.choice(self._absent, 3, replace=False))]
        options = [str(option) for option in self._rng.permutation(options)]
        choices, letter = _lettered((*options, ABSENT), name)
        text = "Which of these can be seen in the image?"
        return DemoQuestion("presence", name, text, choices, letter, self._windows(name))

    def _compare(self) -> DemoQuestion | None:
        if len(self._by_name) < 2:
            return None
        first, second = (str(n) for n in self._rng.choice(list(self._by_name), 2, replace=False))
        plural = self._vocabulary[first], self._vocabulary[second]
        difference = len(self._by_name[first]) - len(self._by_name[second])
        right = plural[0] if difference > 0 else plural[1] if difference < 0 else "the same number"
        choices, letter = _lettered((*plural, "the same number"), right)
        text = f"Which are there more of in the image, {plural[0]} or {plural[1]}?"
        return DemoQuestion("compare", f"{first} / {second}", text, choices, letter, self._windows(first, second))
