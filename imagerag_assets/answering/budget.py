"""The token budget of a prompt: what its parts cost, whether they fit, and what is left out first if they do not.

Each back end counts tokens in its own way; nothing here knows a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from imagerag_assets.answering.types import Prompt, Reply
from imagerag_assets.errors import ModelError


@dataclass(frozen=True)
class Budget:
    """What a prompt costs, in tokens."""

    overview: int
    cues: tuple[int, ...]
    """Each cue's picture with its line, in the prompt's order."""
    text: int
    """The rest of the prompt."""
    reply: int
    """Room for the reply."""
    context: int | None
    """Most that prompt and reply may cost together; None: a server did not say."""
    estimated: bool = False
    """Whether this is an estimate, not a count by the model's own tokenizer."""

    @property
    def total(self) -> int:
        """Prompt and reply."""
        return self.overview + sum(self.cues) + self.text + self.reply

    @property
    def over(self) -> int:
        """How many tokens are too many; 0: the prompt fits, as far as is known."""
        return 0 if self.context is None else max(0, self.total - self.context)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON-able form that answer records keep."""
        return {
            "overview": self.overview,
            "cues": list(self.cues),
            "text": self.text,
            "reply": self.reply,
            "total": self.total,
            "context": self.context,
            "estimated": self.estimated,
        }

    def __str__(self) -> str:
        cues = "+".join(map(str, self.cues)) or "0"
        about = "about " if self.estimated else ""
        parts = f"overview {self.overview}, cues {cues}, text {self.text}, reply {self.reply}"
        return f"{about}{self.total} of {self.context or 'unknown'} tokens: {parts}"


class TooLargeError(ModelError):
    """A prompt exceeds the context, or the memory.

    Args:
        message: As for every error, like `fix` and `ids`.
        what: The limit that it exceeds, for a note.
        budget: Its cost, if that is known.
    """

    def __init__(
        self, message: str, *, what: str = "the context", budget: Budget | None = None, fix: str = "", **ids: Any
    ) -> None:
        super().__init__(message, fix=fix, **ids)
        self.what, self.budget = what, budget


def answer_with_less(prompt: Prompt, answer: Callable[[Prompt], Reply], least_px: int) -> Reply:
    """Call `answer` with the prompt and, while it is too large, with less of it; notes say what is missing.

    Args:
        answer: Asks the model; raises TooLargeError.
        least_px: As in :func:`smaller`.

    Raises:
        TooLargeError: not even the question alone fits.
    """
    shown, what = prompt, ""
    while True:
        try:
            reply = answer(shown)
        except TooLargeError as error:
            less = smaller(shown, least_px, error.budget)
            if less is None:
                raise
            shown, what = less, error.what
        else:
            return replace(reply, notes=(*left_out(prompt, shown, what), *reply.notes))


def smaller(prompt: Prompt, least_px: int, budget: Budget | None = None) -> Prompt | None:
    """Return the prompt with less in it; None: nothing is left that could go.

    First the overview is reduced, because the cues show what it is too coarse for.  Then the least confident cues go:
    as many as the budget needs, or one if its excess is not known.

    Args:
        least_px: Side, in pixels, of one tile of the model, to which the overview is reduced.
        budget: Cost of `prompt`.
    """
    if prompt.overview is not None and max(prompt.overview.size) > least_px:
        return replace(prompt, overview=bounded(prompt.overview, least_px))
    if not prompt.cues:
        return None
    costs, over = (budget.cues, budget.over) if budget is not None else ((), 0)
    return replace(prompt, cues=prompt.cues[: -_enough(costs, over)])


def bounded(picture: Image.Image, side: int) -> Image.Image:
    """Return the picture with at most `side` pixels a side, in the same shape."""
    if max(picture.size) <= side:
        return picture
    scale = side / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC)


def left_out(asked: Prompt, shown: Prompt, why: str) -> tuple[str, ...]:
    """Return notes on what the model was not shown; `why` is the limit, e.g. "the context of 1024 tokens"."""
    notes: list[str] = []
    if asked.overview is not None and shown.overview is not None and shown.overview.size != asked.overview.size:
        notes.append(f"The overview was reduced to {max(shown.overview.size)} px to fit {why}")
    if missing := len(asked.cues) - len(shown.cues):
        notes.append(f"{missing} of {len(asked.cues)} cues, the least confident, did not fit {why}")
    return tuple(notes)


def _enough(costs: Sequence[int], over: int) -> int:
    """Return how many of the last cues cost at least `over`; at least one."""
    number = 1
    while number < len(costs) and sum(costs[-number:]) < over:
        number += 1
    return number
