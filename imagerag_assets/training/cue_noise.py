"""Bring the noise of real retrieval into training data: confidences, wrong and missing cues, reworded questions."""

from __future__ import annotations

import numpy as np

from imagerag_assets.answering.findings import article
from imagerag_assets.training.question_maker import ABSENT, DemoQuestion

FOUND = 0.9  # share of instances that are among the cues
FALSE_CUE = 0.12  # chance that a phrase brings a cue that shows something else
MAX_CUES = 8
_NOT_SHOWN = "the imagery does not show it"


def phrases_of(question: DemoQuestion) -> list[str]:
    """Return the phrases that a question looks for."""
    if question.kind == "presence":
        return [text for text in question.choices.values() if text != ABSENT]
    return question.name.split(" / ")


def draw_confidence(right: bool, rng: np.random.Generator) -> float:
    """Draw the confidence that a retrieval gives to a right or a wrong cue."""
    return float(rng.beta(6, 1.2) if right else rng.beta(4, 2))


def shuffled(question: DemoQuestion, rng: np.random.Generator) -> tuple[str, dict[str, str], str]:
    """Put the choices in another order, and sometimes leave out the one for an absent object.

    Returns:
        Question, choices by letter, and the text of the right choice.
    """
    texts = list(question.choices.values())
    if ABSENT in texts and question.answer_text != ABSENT and rng.random() < 0.2:
        texts.remove(ABSENT)
    if rng.random() < 0.5:
        texts = [str(t) for t in rng.permutation(texts)]
    return question.question, dict(zip("ABCDEFGH", texts, strict=False)), question.answer_text


def freely(question: DemoQuestion, rng: np.random.Generator) -> tuple[str, dict[str, str], str]:
    """Reword the question so that it is answered in words.

    Returns:
        Question, no choices, and the answer.
    """
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
