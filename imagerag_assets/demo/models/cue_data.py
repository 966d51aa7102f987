"""Make cue-instruction data for the demo's multimodal model: questions as they look after retrieval, with answers.

A sample consists of a made-up scene (which objects, how many, where), the cues that a retrieval with known hit and
error rates would find in it, and a question.  Some samples have no cues or the true ones, as in the modes `global` and
`oracle`.  Others ask whether one cue shows what it was found for, or ask for a description.  The pixels come from
chips; an object is far too small to be seen in an overview, so any overview will do.  No file is read and no model is
run here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from imagerag_assets.answering.findings import NO, YES, confirmation, findings
from imagerag_assets.answering.types import CueView, Finding
from imagerag_assets.training.cue_noise import (
    _NOT_SHOWN,
    FALSE_CUE,
    FOUND,
    MAX_CUES,
    draw_confidence,
    freely,
    phrases_of,
    shuffled,
)
from imagerag_assets.training.question_maker import KINDS, QUADRANTS, DemoQuestion, Placed, QuestionMaker

# Shares of samples that confirm a cue, that describe in words, that have no cues, and that have the true cues.
CONFIRM, TELL, GLOBAL, ORACLE = 0.12, 0.06, 0.1, 0.1
_DOT = Image.new("RGB", (1, 1))
_DESCRIBE = ("Describe the {}.", "Describe the {} in the {}.", "What does the {} look like?", "Tell me about the {}.")
_CHANGE = (
    "What changed between these two dates here?",
    "What has changed here?",
    "What is different between the two dates?",
    "What changed near the {}?",
)
_SIDES = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west", *QUADRANTS)


@dataclass(frozen=True)
class World:
    """A vocabulary with its pictures.

    plurals: plural of every class that may be asked for; colours: colours of a class; chips: indices of the pictures of
    a class, by (class, colour); backgrounds: indices of pictures without any such class; overviews: indices of
    overviews.
    """

    plurals: Mapping[str, str]
    colours: Mapping[str, Sequence[str]]
    chips: Mapping[tuple[str, str | None], np.ndarray]
    backgrounds: np.ndarray
    overviews: np.ndarray


@dataclass(frozen=True)
class CueSample:
    """A cue of a sample: index of its picture, box (x0, y0, x1, y1 in 0-1000), phrase and confidence."""

    chip: int
    box: tuple[int, int, int, int]
    phrase: str
    confidence: float


@dataclass(frozen=True)
class Sample:
    """One training example; `reply` is what the model should say, in words.  A confirmation has no overview."""

    kind: str
    overview: int | None
    cues: tuple[CueSample, ...]
    question: str
    choices: dict[str, str]
    reply: str
    found: tuple[Finding, ...] = ()

    def views(self) -> tuple[CueView, ...]:
        """Return the cues in the form that a prompt takes, without their pictures."""
        return tuple(CueView(_DOT, cue.box, cue.phrase, cue.confidence) for cue in self.cues)


def sample(world: World, rng: np.random.Generator, *, kind: str | None = None, noise: float = 1.0) -> Sample:
    """Draw one example.

    Args:
        world: Vocabulary and pictures to draw from.
        rng: Source of every random choice.
        kind: Kind of question, asked with cues; default: any kind in any mode.
        noise: Factor on how often the retrieval misses or errs; 0 for the first lessons.
    """
    chance = rng.random()
    if kind is None and chance < CONFIRM:
        return _confirmation(world, rng)
    if kind is None and chance < CONFIRM + TELL:
        return _telling(world, rng)
    while True:
        placed = _scene(world, rng)
        maker = QuestionMaker(placed, (1000, 1000), world.plurals, world.colours, rng)
        chosen = kind or str(rng.choice(KINDS))
        question = maker.make(chosen)
        if question:
            break
    phrases = phrases_of(question)
    cues: tuple[CueSample, ...] = ()
    known: list[str] = []
    if kind is not None or chance < 1 - GLOBAL - ORACLE:
        cues, known = _retrieve(world, placed, phrases, rng, noise), phrases
    elif chance < 1 - GLOBAL:
        cues, known = _true_cues(world, placed, question, rng), phrases if len(phrases) == 1 else []
    text, choices, reply = freely(question, rng) if rng.random() < 0.25 else shuffled(question, rng)
    made = Sample(chosen, int(rng.choice(world.overviews)), cues, text, choices, reply)
    return replace(made, found=findings(known, made.views(), choices))


def _confirmation(world: World, rng: np.random.Generator) -> Sample:
    """Ask whether a cue shows what it was found for; half of the cues do."""
    phrase, shown = str(rng.choice(list(world.plurals))), bool(rng.random() < 0.5)
    if shown:
        ours = [key for key in world.chips if key[0] == phrase]
        cue = _cue(int(rng.choice(world.chips[ours[int(rng.integers(len(ours)))]])), _anywhere(rng), phrase, True, rng)
    else:
        cue = _false_cue(world, phrase, rng)
    asked = confirmation(CueView(_DOT, cue.box, cue.phrase, cue.confidence))
    return Sample("confirm", None, (cue,), asked.question, dict(asked.choices), asked.choices[YES if shown else NO])


def _telling(world: World, rng: np.random.Generator) -> Sample:
    """Ask for a description, or for what changed between two dates; the reply says where, in words."""
    name, change = str(rng.choice(list(world.plurals))), bool(rng.random() < 0.4)
    phrase = "change" if change else name
    pool = np.concatenate([world.backgrounds, *world.chips.values()])
    cues = tuple(_cue(int(rng.choice(pool)), _anywhere(rng), phrase, True, rng) for _ in range(int(rng.integers(0, 5))))
    forms = _CHANGE if change else _DESCRIBE
    text = forms[int(rng.integers(len(forms)))].format(name, str(rng.choice(_SIDES)))
    made = Sample("change" if change else "describe", int(rng.choice(world.overviews)), cues, text, {}, _NOT_SHOWN)
    found = findings([phrase], made.views(), {})
    places = found[0].places
    if len(places) == 1:
        reply = f"it changed in 1 place: {places[0]}" if change else f"there is 1, in the {places[0]}"
    else:
        reply = f"it changed in {len(places)} places: " if change else f"there are {len(places)}: "
        reply += ", ".join(places)
    return replace(made, found=found, reply=reply if places else _NOT_SHOWN)


def _true_cues(
    world: World, placed: Sequence[Placed], question: DemoQuestion, rng: np.random.Generator
) -> tuple[CueSample, ...]:
    """Return the regions of a question as mode `oracle` shows them; with several phrases, each is called "region"."""
    phrases = phrases_of(question)
    names = question.name.split(" / ")
    name = phrases[0] if len(phrases) == 1 else "region"
    cues = [
        CueSample(int(rng.choice(world.chips[one.name, one.colour])), one.window, name, 1.0)
        for one in placed
        if one.name in names
    ]
    return tuple(cues[:MAX_CUES])


def _scene(world: World, rng: np.random.Generator) -> list[Placed]:
    names = [
        str(n) for n in rng.choice(list(world.plurals), min(len(world.plurals), int(rng.integers(2, 8))), replace=False)
    ]
    placed = []
    for order, name in enumerate(names):
        for _ in range(1 if order < 2 else int(rng.integers(1, 5))):
            colour = str(rng.choice(list(world.colours[name]))) if world.colours.get(name) else None
            side = int(rng.integers(20, 120))
            x, y = (int(v) for v in rng.integers(0, 1000 - side, 2))
            placed.append(Placed(name, world.plurals[name], colour, (x, y, x + side, y + side)))
    return placed


def _retrieve(
    world: World, placed: Sequence[Placed], phrases: Sequence[str], rng: np.random.Generator, noise: float
) -> tuple[CueSample, ...]:
    cues = []
    for phrase in phrases:
        for one in placed:
            if one.name == phrase and rng.random() >= (1 - FOUND) * noise:
                chip = int(rng.choice(world.chips[one.name, one.colour]))
                cues.append(_cue(chip, _nudged(one.window, rng), phrase, True, rng))
        while rng.random() < FALSE_CUE * noise:
            cues.append(_false_cue(world, phrase, rng))
    return tuple(sorted(cues, key=lambda c: -c.confidence)[:MAX_CUES])


def _cue(chip: int, box: tuple[int, int, int, int], phrase: str, right: bool, rng: np.random.Generator) -> CueSample:
    return CueSample(chip, box, phrase, draw_confidence(right, rng))


def _false_cue(world: World, phrase: str, rng: np.random.Generator) -> CueSample:
    """Draw a cue that does not show its phrase; most show nothing in particular."""
    others = [i for (name, _), i in world.chips.items() if name != phrase]
    pool = world.backgrounds if rng.random() < 0.6 else others[int(rng.integers(len(others)))]
    return _cue(int(rng.choice(pool)), _anywhere(rng), phrase, False, rng)


def _anywhere(rng: np.random.Generator) -> tuple[int, int, int, int]:
    side = int(rng.integers(40, 140))
    x, y = (int(v) for v in rng.integers(0, 1000 - side, 2))
    return x, y, x + side, y + side


def _nudged(window: Sequence[int], rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Return the window of a patch that covers much of an object, shifted by up to a quarter and of another size."""
    x0, y0, x1, y1 = window
    side = (x1 - x0) * rng.uniform(0.9, 1.6)
    cx, cy = (x0 + x1) / 2 + rng.uniform(-0.25, 0.25) * side, (y0 + y1) / 2 + rng.uniform(-0.25, 0.25) * side
    box = (cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2)
    a, b, c, d = (int(min(1000, max(0, round(v)))) for v in box)
    return a, b, c, d
