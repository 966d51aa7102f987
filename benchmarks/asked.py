"""Make the questions that answers are measured with, about mosaics whose contents are known.

Words come from `wording/`, and the truth from the mosaics (`known_scenes.py`).  The same scene and seed give the same
questions.  `answers.py` asks them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.known_scenes import EVERYWHERE, SHOWN_BY, Scene, Window, chips, names_of, words
from benchmarks.make_mosaic import TARGETS
from benchmarks.typos import with_typos
from imagerag_assets.answering.findings import article
from imagerag_assets.evaluation.truth import Truth

LETTERS = "ABCDE"
FREE, TOOL, REWORDED = "free", "tool", ("sentence", "choices", "order")
"""Wordings: of people; of the mosaic tool; and the tool's with one thing reworded."""

Windows = Mapping[str, tuple[Window, ...]]

_APART = 0.12
"""Least distance along an axis, as a share of the scene, for a relation that nobody doubts."""
_RELATIONS = {
    "north of": ("north", (0, -1)), "south of": ("south", (0, 1)), "to the east of": ("east", (1, 0)),
    "to the west of": ("west", (-1, 0)), "left of": ("left", (-1, 0)), "to the right of": ("right", (1, 0)),
    "above": ("above", (0, -1)), "below": ("below", (0, 1)),
}  # fmt: skip
_COMPASS = ("east", "south-east", "south", "south-west", "west", "north-west", "north", "north-east")


@dataclass(frozen=True)
class Asked:
    """One question with its truth."""

    id: str
    scene: str
    kind: str
    wording: str
    question: str
    truth: Truth | None = None
    """Of a free answer."""
    choices: Mapping[str, str] = field(default_factory=dict)
    answer: str | None = None
    """The right letter."""
    windows: Windows = field(default_factory=dict)
    """Where each thing that is asked about is, by its name, in native pixels."""
    region: Window | None = None
    """A region that is pointed out, which the question is about."""
    of: str | None = None
    """Id of the question that it rewords."""
    about: str = ""
    """What of the kind it asks, for details."""


def questions(scene: Scene, seed: int, *, per_kind: int = 2, choices: int = 8) -> list[Asked]:
    """Return the questions about one mosaic.

    Args:
        scene: The mosaic.
        seed: Of the draws, beside the scene's key.
        per_kind: Free questions of each kind at most, and questions that need eyes.
        choices: Multiple-choice questions of the tool, each of which is also reworded in three ways.
    """
    maker = _Maker(scene, random.Random(f"{seed}:{scene.key}"))
    asked = [question for make in maker.kinds() for question in maker.several(make, per_kind)]
    return [*asked, *maker.chosen(choices)]


def count_question(scene: str, thing: str, number: int, seed: int, *, about: str) -> Asked:
    """Return a question how many of a thing a scene has, where there are many; a quarter more or less is right."""
    maker = _Maker(Scene(scene, (1, 1), {}), random.Random(f"{seed}:{scene}"))
    fact = {"kind": "count", "thing": thing, "value": number, "within": 0.25}
    plural = f"{thing}es" if thing.endswith(("ch", "sh", "s")) else f"{thing}s"
    said = None if thing in words()["things"] else [(thing, plural)]
    return replace(maker.ask("count", "count", [thing], [fact], said=said), about=about)


class _Maker:
    """Draw questions about one scene."""

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        self.scene, self.rng = scene, rng
        self._made = 0

    def kinds(self) -> tuple[Callable[[], Asked | None], ...]:
        """Return a maker of questions for each kind; those of one kind with several forms take turns."""
        return (
            self.presence, self.count, self.position, self.negation, self.two_part, self.comparison, self.relative,
            self.absent, self.unknown, self.typos, self.attribute, self.which, self.look,
        )  # fmt: skip

    def several(self, make: Callable[[], Asked | None], number: int) -> Iterator[Asked]:
        """Yield different questions of one kind."""
        seen: set[str] = set()
        for _ in range(6 * number):
            asked = make()
            if asked is not None and len(seen) < number and asked.question not in seen:
                seen.add(asked.question)
                yield asked

    # Free questions about one thing

    def presence(self) -> Asked | None:
        thing = self._one(tuple(self.scene.cells))
        return None if thing is None else self.ask("presence", "presence", [thing], [_exists(thing, True)])

    def count(self) -> Asked | None:
        thing = self._one([thing for thing in self.scene.sure if self.scene.number(thing)])
        return None if thing is None else self.ask("count", "count", [thing], [self._number(thing)])

    def position(self) -> Asked | None:
        thing = self._one([thing for thing in self.scene.sure if len(self.scene.cells[thing]) <= 2])
        return None if thing is None else self.ask("position", "position", [thing], [self._where(thing)])

    def absent(self) -> Asked | None:
        thing = self._one(self.scene.absent)
        family = self.rng.choice(("presence", "count", "position"))
        return None if thing is None else self.ask("absent", family, [thing], [_exists(thing, False)])

    def unknown(self) -> Asked:
        name, plural = self.rng.choice(words()["unknown"]["things"])
        family = self.rng.choice(("presence", "count", "position"))
        return self.ask("unknown", family, [name], [_exists(name, False)], said=[(name, plural)])

    def typos(self) -> Asked | None:
        family = self.rng.choice(("presence", "count", "position"))
        plain = {"presence": self.presence, "count": self.count, "position": self.position}[family]()
        if plain is None:
            return None
        question = with_typos(plain.question, self.rng)
        return Asked(plain.id, plain.scene, "typos", FREE, question, plain.truth, windows=plain.windows, about=family)

    def negation(self) -> Asked | None:
        if self.rng.random() < 0.3 and len(self.scene.sure) > 1 and self.scene.absent:
            there, gone = self.rng.sample(self.scene.sure, 2), self.rng.choice(self.scene.absent)
            things = self.rng.sample([*there, gone], 3)
            fact = {"kind": "which", "among": things, "values": [thing for thing in things if thing != gone]}
            return self.ask("negation", "negation_which", things, [fact])
        there_is = self.rng.random() < 0.6
        thing = self._one(tuple(self.scene.cells) if there_is else self.scene.absent)
        return (
            None
            if thing is None
            else self.ask("negation", "negation", [thing], [_exists(thing, there_is, negated=True)])
        )

    # Several things or parts

    def two_part(self) -> Asked | None:
        form = self.rng.choice(("number", "place", "counts", "mixed"))
        counted = [thing for thing in self.scene.sure if self.scene.number(thing)]
        if form == "counts":
            if len(counted) < 2:
                return None
            things = self.rng.sample(counted, 2)
            return self.ask("two-part", "two_part_counts", things, [self._number(thing) for thing in things])
        if form == "mixed":
            thing = self._one(self.scene.single)
            there_is = self.rng.random() < 0.6
            other = self._one([each for each in (self.scene.cells if there_is else self.scene.absent) if each != thing])
            if thing is None or other is None:
                return None
            facts = [self._where(thing), _exists(other, there_is)]
            return self.ask("two-part", "two_part_mixed", [thing, other], facts)
        if self.rng.random() < 0.2:
            thing = self._one(self.scene.absent)
            return None if thing is None else self.ask("two-part", f"two_part_{form}", [thing], [_exists(thing, False)])
        thing = self._one(counted if form == "number" else self.scene.single)
        if thing is None:
            return None
        more = self._number(thing) if form == "number" else self._where(thing)
        return self.ask("two-part", f"two_part_{form}", [thing], [_exists(thing, True), more])

    def comparison(self) -> Asked | None:
        numbers = {thing: number for thing in self.scene.sure if (number := self.scene.number(thing))}
        pairs = [(a, b) for a in numbers for b in numbers if numbers[a] != numbers[b]]
        if not pairs:
            return None
        pair = self.rng.choice(pairs)
        fact = {"kind": "compare", "things": pair, "values": [numbers[thing] for thing in pair]}
        return self.ask("comparison", "comparison", pair, [fact])

    def relative(self) -> Asked | None:
        if len(self.scene.single) < 2:
            return None
        pair = self.rng.sample(self.scene.single, 2)
        (x, y), (to_x, to_y) = (self.scene.places(thing)[0] for thing in pair)
        apart = (x - to_x, y - to_y)
        if self.rng.random() < 0.35:
            if math.hypot(*apart) < 2 * _APART:
                return None
            turn = round(math.atan2(apart[1], apart[0]) / (math.pi / 4)) % 8
            fact = {"kind": "relative", "things": pair, "relation": _COMPASS[turn], "asked": False}
            return self.ask("relative place", "relative_which_way", pair, [fact])
        relation, (name, (across, down)) = self.rng.choice(list(_RELATIONS.items()))
        along = across * apart[0] + down * apart[1]
        if abs(along) < _APART:
            return None
        fact = {"kind": "relative", "things": pair, "relation": name, "value": along > 0}
        return self.ask("relative place", "relative", pair, [fact], relation=relation)

    # Questions that need eyes

    def attribute(self) -> Asked | None:
        """Ask for a colour in free words."""
        found = self._seen([look for look in chips()["look"] if look["name"] == "colour"])
        if found is None:
            return None
        look, thing, answer = found
        others = look.get("others", {})
        wrong = [word for each in look["choices"] if each != answer for word in (each, *others.get(each, ()))]
        fact = {"kind": "attribute", "thing": thing, "values": [answer, *others.get(answer, ())], "others": wrong}
        text = self.rng.choice(look["questions"])
        return self.ask("attribute", text, [thing], [fact])

    def look(self) -> Asked | None:
        """Ask among choices for something that nobody can compute from what was found."""
        found = self._seen(chips()["look"])
        if found is None:
            return None
        look, thing, answer = found
        name, plural = self.rng.choice(words()["things"][thing])
        question = self.rng.choice(look["questions"]).format(**_slots(name, plural))
        options = self.rng.sample(look["choices"], len(look["choices"]))
        return self._among("eyes", question, options, answer, {thing: self.scene.windows(thing)}, about=look["name"])

    def which(self) -> Asked | None:
        """Ask what a region shows that is pointed out."""
        thing = self._one(self.scene.sure)
        if thing is None:
            return None
        region = self.rng.choice(self.scene.windows(thing))
        near = {thing, *SHOWN_BY.get(thing, set()), *EVERYWHERE}
        others = [each for each in TARGETS.values() if each not in near and thing not in SHOWN_BY.get(each, set())]
        options = [self._name(each)[0] for each in (thing, *self.rng.sample(others, 3))]
        right = options[0]
        self.rng.shuffle(options)
        text = self._text("eyes.which")
        return self._among("eyes", text, options, right, {thing: (region,)}, region=region, about="which")

    def _seen(self, looks: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], str, str] | None:
        """Return a look, its thing and its answer, where every chip of the thing in the scene has the same answer."""
        fit = []
        for look in looks:
            thing = TARGETS[look["class"]]
            answers = {look["answers"].get(chip) for _, chip in self.scene.cells.get(thing, ())}
            if len(answers) == 1 and None not in answers:
                fit.append((look, thing, answers.pop()))
        return self.rng.choice(fit) if fit else None

    # The tool's multiple-choice questions, and their rewordings

    def chosen(self, number: int) -> list[Asked]:
        """Return some of the tool's questions, kinds in turn, each followed by its rewordings."""
        by_kind: dict[str, list[Mapping[str, Any]]] = {}
        for line in self.rng.sample(self.scene.lines, len(self.scene.lines)):
            by_kind.setdefault(line["kind"], []).append(line)
        drawn: list[Mapping[str, Any]] = []
        while len(drawn) < number and any(by_kind.values()):
            drawn += [lines.pop() for lines in by_kind.values() if lines][: number - len(drawn)]
        return [each for line in drawn for each in self._wordings(line)]

    def _wordings(self, line: Mapping[str, Any]) -> Iterator[Asked]:
        thing, kind = TARGETS[line["class"]], line["kind"]
        windows = {thing: self.scene.windows(thing)}
        options, right = list(line["choices"].values()), line["choices"][line["answer"]]
        plain = self._among(kind, line["question"], options, right, windows, wording=TOOL)
        yield plain
        slots = _slots(*self._name(thing))
        text = self._text(f"sentence.{'position' if kind == 'absent' else kind}").format(**slots)
        yield self._among(kind, text, options, right, windows, wording="sentence", of=plain.id)
        said = {option: self._option(option) for option in options}
        yield self._among(
            kind, line["question"], list(said.values()), said[right], windows, wording="choices", of=plain.id
        )
        shuffled = self.rng.sample(options, len(options))
        yield self._among(kind, line["question"], shuffled, right, windows, wording="order", of=plain.id)

    def _option(self, option: str) -> str:
        if option in words()["choices"]:
            return str(self.rng.choice(words()["choices"][option]))
        return self._name(option)[0]

    # Words and facts

    def _one(self, things: Sequence[str]) -> str | None:
        return self.rng.choice(list(things)) if things else None

    def _name(self, thing: str) -> tuple[str, str]:
        name, plural = self.rng.choice(words()["things"][thing])
        return name, plural

    def _text(self, key: str) -> str:
        families: Any = words()
        for part in key.split("."):
            families = families[part]
        return str(self.rng.choice(self.rng.choice(list(families.values()))))

    def _where(self, thing: str) -> dict[str, Any]:
        return {"kind": "where", "thing": thing, "places": self.scene.places(thing)}

    def _number(self, thing: str) -> dict[str, Any]:
        number, places = self.scene.number(thing), self.scene.places(thing)
        return {"kind": "count", "thing": thing, "value": number, "places": places if number == len(places) else ()}

    def ask(
        self,
        kind: str,
        family: str,
        things: Sequence[str],
        facts: Sequence[Mapping[str, Any]],
        *,
        said: Sequence[tuple[str, str]] | None = None,
        relation: str = "",
    ) -> Asked:
        """Return a free question: a sentence of a family, or a sentence itself, with the names of things in it."""
        named = list(said or map(self._name, things))
        template = family if "{" in family else self._text(family)
        question = template.format(**_slots(*named[0], *(named[1] if len(named) > 1 else ())), relation=relation,
                                   third=named[2][0] if len(named) > 2 else "")  # fmt: skip
        names = {
            thing: tuple(dict.fromkeys([*own, *names_of(thing)])) for thing, own in zip(things, named, strict=True)
        }
        truth = Truth.model_validate({"facts": list(facts), "names": names})
        windows = {thing: self.scene.windows(thing) for thing in things}
        about = family if "{" not in family else ""
        return Asked(self._id(kind), self.scene.key, kind, FREE, question, truth, windows=windows, about=about)

    def _among(
        self,
        kind: str,
        question: str,
        options: Sequence[str],
        right: str,
        windows: Windows,
        *,
        wording: str = FREE,
        **more: Any,
    ) -> Asked:
        """Return a multiple-choice question."""
        choices = dict(zip(LETTERS, options, strict=False))
        answer = LETTERS[list(options).index(right)]
        return Asked(
            self._id(kind), self.scene.key, kind, wording, question, None, choices, answer, windows=windows, **more
        )

    def _id(self, kind: str) -> str:
        self._made += 1
        return f"{self.scene.key}/{kind}/{self._made:03d}"


def _exists(thing: str, value: bool, *, negated: bool = False) -> dict[str, Any]:
    return {"kind": "exists", "thing": thing, "value": value, "negated": negated}


def _slots(name: str, plural: str, other: str = "", others: str = "") -> dict[str, str]:
    return {
        "thing": name,
        "things": plural,
        "a_thing": article(name),
        "other": other,
        "others": others,
        "an_other": article(other) if other else "",
    }
