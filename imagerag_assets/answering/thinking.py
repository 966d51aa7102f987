"""Chain of thought: what a model is told when it may reason first, and what of its words is reasoning.

The reasoning is a turn of its own: the model says what it sees, then is asked for its answer, which is scored or read
as without reasoning.  So the answer's form does not depend on how the model ends its thoughts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagerag_assets.answering.prompts import Part, join_text

THINK_FIRST = (
    "\nBefore you answer, say in a few sentences what the scene, the cues and what was found show about the question."
    " Do not answer yet."
)
_START, _END = "<think>", "</think>"


def asking_for_thoughts(parts: Sequence[Part]) -> list[Part]:
    """The user's turn, ending with the request to reason first."""
    return join_text([*parts, THINK_FIRST])


def closing(choices: Mapping[str, str], *, in_words: bool) -> str:
    """The user's second turn, after the model has reasoned."""
    return "Now answer with the letter." if choices and not in_words else "Now answer in a few words."


def split_thoughts(text: str) -> tuple[str | None, str]:
    """(reasoning, answer) of a reply of a model that thinks aloud between tags by itself; None: it did not."""
    if _END not in text and text.lstrip().startswith(_START):
        return text.replace(_START, "").strip(), ""  # cut short before it answered
    before, _, after = text.rpartition(_END)
    return before.replace(_START, "").strip() or None, after.strip()
