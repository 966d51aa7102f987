"""What goes into a multimodal LLM and what comes back; plain data, no model code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from PIL import Image

MOST_JSON = 320
"""Largest number of tokens of a reply that is JSON by a schema: a plan of several parts."""


@dataclass(frozen=True)
class CueView:
    """A cue as the model sees it.

    picture: RGB, the patch; box: (x0, y0, x1, y1) on the 0-1000 scale of the overview, y down; confidence: 0 to 1.
    """

    picture: Image.Image
    box: tuple[int, int, int, int]
    phrase: str
    confidence: float


@dataclass(frozen=True)
class Finding:
    """What was found of one phrase: the part of the scene of each place, as "upper left"; empty: nothing was found."""

    phrase: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class Prompt:
    """One question with its evidence.

    overview: None when no scene is in scope; cues: best first; found: what was looked for, and where it is;
    think: the model reasons in words before it answers.
    """

    question: str
    choices: Mapping[str, str] = field(default_factory=dict)
    overview: Image.Image | None = None
    cues: tuple[CueView, ...] = ()
    found: tuple[Finding, ...] = ()
    think: bool = False


@dataclass(frozen=True)
class Reply:
    """What the model said.

    text: the answer in words; choice: the letter, for a multiple-choice question; scores: probability of each letter;
    confidence: of the choice, or the mean token probability of a generated text, None where a server tells neither;
    cues_shown: how many cues fitted; prompt: what the model was given, with a line that stands for each picture
    (`prompts.transcript`); tokens: what the prompt's parts cost (`budget.Budget.to_dict`); reasoning: what the model
    said before it answered.
    """

    text: str
    choice: str | None
    scores: Mapping[str, float]
    confidence: float | None
    cues_shown: int
    prompt: str
    notes: tuple[str, ...] = ()
    tokens: Mapping[str, object] = field(default_factory=dict)
    reasoning: str | None = None

    @property
    def prompt_sha256(self) -> str:
        """sha256 of the prompt: of its text and, through their lines, of its pictures."""
        return hashlib.sha256(self.prompt.encode()).hexdigest()


class Mllm(Protocol):
    """A multimodal LLM back end.

    One whose judgement of cues was measured may have an attribute `denial_odds`, float: how much likelier it is to deny
    a cue that is wrong than one that is right.  What another one denies counts for nothing.
    """

    name: str
    revision: str

    def answer(self, prompt: Prompt) -> Reply:
        """Choose among the choices, or say the answer in words.

        Raises:
            ModelError: the model failed, or its reply is unusable.
        """
        ...


def box_of(window: tuple[int, int, int, int], width: int, height: int) -> tuple[int, int, int, int]:
    """Return a native pixel window (x0, y0, x1, y1) on the 0-1000 scale of its scene, clipped to the scene."""
    x0, y0, x1, y1 = window

    def scaled(value: int, side: int) -> int:
        return min(1000, max(0, round(1000 * value / side)))

    return scaled(x0, width), scaled(y0, height), scaled(x1, width), scaled(y1, height)
