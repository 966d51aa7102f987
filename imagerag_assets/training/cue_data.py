"""Cue-instruction data for the demo's multimodal model: what a question looks like after retrieval, with its answer.

A sample is a made-up scene (which objects, how many, where), the cues that a retrieval of known hit and error rate
would have found in it, and a question.  The pixels are chips; an object is far too small to be seen in an overview, so
any overview will do.  No file is read and no model is run here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from imagerag_assets.demo.questions import ABSENT, KINDS, DemoQuestion, Placed, QuestionMaker, article

FOUND = 0.9  # how often an instance is among the cues
FALSE_CUE = 0.12  # how often a phrase brings a cue that shows something else
MAX_CUES = 8
_NOT_SHOWN = "the imagery does not show it"


@dataclass(frozen=True)
class World:
    """A vocabulary with pictures for it.

    plurals: every class that may be asked for; colours: colours of a class; chips: indices of the pictures of a class,
    by (class, colour); backgrounds: indices of pictures of nothing that is asked for; overviews: indices of overviews.
    """

    plurals: Mapping[str, str]
    colours: Mapping[str, Sequence[str]]
    chips: Mapping[tuple[str, str | None], np.ndarray]
    backgrounds: np.ndarray
    overviews: np.ndarray


@dataclass(frozen=True)
class CueSample:
    """A cue of a sample: which picture, its box (0-1000), phrase and confidence."""

    chip: int
    box: tuple[int, int, int, int]
    phrase: str
    confidence: float


@dataclass(frozen=True)
class Sample:
    """One training example; `reply` is what the model is to say, in words."""

    kind: str
    overview: int
    cues: tuple[CueSample, ...]
    question: str
    choices: dict[str, str]
    reply: str


def sample(world: World, rng: np.random.Generator, *, kind: str | None = None, noise: float = 1.0) -> Sample:
    """One example.

    Args:
        kind: A kind of question; default: any.
        noise: Scales how often retrieval misses or errs; 0 for the first lessons.
    """
    while True:
        placed = _scene(world, rng)
        maker = QuestionMaker(placed, (1000, 1000), world.plurals, world.colours, rng)
        chosen = kind or str(rng.choice(KINDS))
        question = maker.make(chosen)
        if question:
            break
    cues = _retrieve(world, placed, _phrases(question), rng, noise)
    text, choices, reply = _freely(question, rng) if rng.random() < 0.25 else _shuffled(question, rng)
    return Sample(chosen, int(rng.choice(world.overviews)), cues, text, choices, reply)


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


def _phrases(question: DemoQuestion) -> list[str]:
    if question.kind == "presence":
        return [text for text in question.choices.values() if text != ABSENT]
    return question.name.split(" / ")


def _retrieve(
    world: World, placed: Sequence[Placed], phrases: Sequence[str], rng: np.random.Generator, noise: float
) -> tuple[CueSample, ...]:
    cues = []
    for phrase in phrases:
        for one in placed:
            if one.name == phrase and rng.random() >= (1 - FOUND) * noise:
                chip = int(rng.choice(world.chips[one.name, one.colour]))
                cues.append(CueSample(chip, _nudged(one.window, rng), phrase, float(rng.beta(6, 1.2))))
        if rng.random() < FALSE_CUE * noise:
            others = [i for (name, _), i in world.chips.items() if name != phrase]
            pool = world.backgrounds if rng.random() < 0.6 else others[int(rng.integers(len(others)))]
            side = int(rng.integers(40, 140))
            x, y = (int(v) for v in rng.integers(0, 1000 - side, 2))
            cues.append(CueSample(int(rng.choice(pool)), (x, y, x + side, y + side), phrase, float(rng.beta(4, 2))))
    return tuple(sorted(cues, key=lambda c: -c.confidence)[:MAX_CUES])


def _nudged(window: Sequence[int], rng: np.random.Generator) -> tuple[int, int, int, int]:
    """The window of a patch that covers much of an object: shifted by up to a quarter, and of another size."""
    x0, y0, x1, y1 = window
    side = (x1 - x0) * rng.uniform(0.9, 1.6)
    cx, cy = (x0 + x1) / 2 + rng.uniform(-0.25, 0.25) * side, (y0 + y1) / 2 + rng.uniform(-0.25, 0.25) * side
    box = (cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2)
    a, b, c, d = (int(min(1000, max(0, round(v)))) for v in box)
    return a, b, c, d


def _shuffled(question: DemoQuestion, rng: np.random.Generator) -> tuple[str, dict[str, str], str]:
    """The choices in another order, sometimes without the one that says it is absent."""
    texts = list(question.choices.values())
    if ABSENT in texts and question.answer_text != ABSENT and rng.random() < 0.2:
        texts.remove(ABSENT)
    if rng.random() < 0.5:
        texts = [str(t) for t in rng.permutation(texts)]
    return question.question, dict(zip("ABCDEFGH", texts, strict=False)), question.answer_text


def _freely(question: DemoQuestion, rng: np.random.Generator) -> tuple[str, dict[str, str], str]:
    """The same question to be answered in words."""
    answer = _NOT_SHOWN if question.answer_text == ABSENT else question.answer_text
    if question.kind == "presence":
        texts = [t for t in question.choices.values() if t != ABSENT]
        name = question.answer_text if rng.random() < 0.5 else str(rng.choice(texts))
        form = str(rng.choice(["Is there {} in the image?", "Can {} be seen in the scene?"]))
        return form.format(article(name)), {}, "yes" if name == question.answer_text else "no"
    text = question.question
    if question.kind in ("position", "absent") and rng.random() < 0.5:
        text = f"Where is the {question.name}?"
    elif question.kind == "colour" and rng.random() < 0.5:
        text = text.replace("What is the colour of the", "What colour is the")
    return text, {}, answer
