"""Chain of thought: what a model is told if it may reason first, and which of its words are reasoning.

The reasoning has a turn of its own: the model says what it sees, then is asked for its answer, which is scored or read
as without reasoning.  So the form of the answer does not depend on how the model ends its thoughts.
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
    """Return the user's turn with the request to reason first at its end."""
    return join_text([*parts, THINK_FIRST])


def closing(choices: Mapping[str, str], *, in_words: bool) -> str:
    """Return the user's second turn, after the model has reasoned."""
    return "Now answer with the letter." if choices and not in_words else "Now answer in a few words."


def split_thoughts(text: str) -> tuple[str | None, str]:
    """Split a reply into (reasoning, answer) if the model thinks aloud between tags on its own; None: it did not."""
    if _END not in text and text.lstrip().startswith(_START):
        return text.replace(_START, "").strip(), ""  # cut short before it answered
    before, _, after = text.rpartition(_END)
    return before.replace(_START, "").strip() or None, after.strip()
