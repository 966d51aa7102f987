"""The noise of real retrieval in training data: confidences, wrong cues, missing cues, and words about them."""

from __future__ import annotations

import numpy as np

from imagerag_assets.answering.findings import article
from imagerag_assets.training.question_maker import ABSENT, DemoQuestion

FOUND = 0.9  # how often an instance is among the cues
FALSE_CUE = 0.12  # how often a phrase brings a cue that shows something else
MAX_CUES = 8
_NOT_SHOWN = "the imagery does not show it"


def phrases_of(question: DemoQuestion) -> list[str]:
    if question.kind == "presence":
        return [text for text in question.choices.values() if text != ABSENT]
    return question.name.split(" / ")


def draw_confidence(right: bool, rng: np.random.Generator) -> float:
    """How confident a retrieval is of a cue that is right, or of one that is wrong."""
    return float(rng.beta(6, 1.2) if right else rng.beta(4, 2))


def shuffled(question: DemoQuestion, rng: np.random.Generator) -> tuple[str, dict[str, str], str]:
    """The choices in another order, sometimes without the one that says it is absent."""
    texts = list(question.choices.values())
    if ABSENT in texts and question.answer_text != ABSENT and rng.random() < 0.2:
        texts.remove(ABSENT)
    if rng.random() < 0.5:
        texts = [str(t) for t in rng.permutation(texts)]
    return question.question, dict(zip("ABCDEFGH", texts, strict=False)), question.answer_text


def freely(question: DemoQuestion, rng: np.random.Generator) -> tuple[str, dict[str, str], str]:
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
