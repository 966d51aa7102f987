"""Prompts: one template per model family, each with the family's own way to write a box.

A prompt is a list of parts, pictures and text, in order.  Text that people wrote (question, choices, phrases) is
inserted with the model's control tokens broken up, so it never becomes a picture, a role or an instruction of ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from PIL import Image

from imagerag_assets.answering.types import Prompt

Part = str | Image.Image
Box = tuple[int, int, int, int]
_BETWEEN = " -_.·"


@dataclass(frozen=True)
class Family:
    """How one family of models writes a box given on the 0-1000 scale."""

    name: str
    box: Callable[[Box], str]


FAMILIES: dict[str, Family] = {
    "internvl": Family("internvl", lambda b: f"<box>[[{b[0]}, {b[1]}, {b[2]}, {b[3]}]]</box>"),
    "qwen": Family("qwen", lambda b: f'{{"bbox_2d": [{b[0]}, {b[1]}, {b[2]}, {b[3]}]}}'),
    "generic": Family("generic", lambda b: f"box x {b[0]} to {b[2]}, y {b[1]} to {b[3]} (of 1000)"),
}


def family_of(model_type: str) -> Family:
    """Return the family of a `config.json` model type; `generic` for unknown ones."""
    return next((f for key, f in FAMILIES.items() if model_type.startswith(key)), FAMILIES["generic"])


def build_parts(
    prompt: Prompt, family: Family, control_tokens: Sequence[str] = (), *, in_words: bool = False
) -> list[Part]:
    """Build the user's turn: overview, cues with box, phrase and confidence, what was found, question and choices.

    Args:
        control_tokens: Tokens of the model that untrusted text must not be able to spell.
        in_words: The model names its choice in words, not by letter.
    """

    def safe(text: str) -> str:
        return break_tokens(" ".join(text.split()), control_tokens)

    parts: list[Part] = []
    if prompt.overview is not None:
        parts += ["Scene: ", prompt.overview, "\n"]
    for number, cue in enumerate(prompt.cues, 1):
        where = family.box(cue.box)
        parts += [f"Cue {number}: ", cue.picture, f" at {where}: {safe(cue.phrase)}, confidence {cue.confidence:.1f}\n"]
    for finding in prompt.found:
        places = f"{len(finding.places)} at {', '.join(finding.places)}" if finding.places else "none"
        parts.append(f"Found: {safe(finding.phrase)}: {places}\n")
    parts.append(f"Question: {safe(prompt.question)}\n")
    for letter, text in prompt.choices.items():
        parts.append(f"{letter}. {safe(text)}\n")
    parts.append("Answer with the letter." if prompt.choices and not in_words else "Answer in a few words.")
    return join_text(parts)


def join_text(parts: Iterable[Part]) -> list[Part]:
    """Merge neighbouring pieces of text."""
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def break_tokens(text: str, tokens: Iterable[str]) -> str:
    """Return text in which no control token can be read: each is parted before its last character.

    What parts them is a character that no token has, a space if possible, so no token can reach across it, and nothing
    has to be looked at twice.  A token of a single character is replaced by it.

    Args:
        text: What people wrote.
        tokens: Any vocabulary.
    """
    known = {token for token in tokens if token}
    if not any(token in text for token in known):
        return text
    letters = {letter for token in known for letter in token}
    between = next((letter for letter in chain(_BETWEEN, map(chr, range(0x110000))) if _parts(letter, letters)), "")
    if not between:
        return ""
    ending: dict[str, list[str]] = {}
    for token in known:
        ending.setdefault(token[-1], []).append(token)
    kept: list[str] = []
    start = 0  # of the piece that holds no token so far
    for place, letter in enumerate(text):
        if letter in known:
            kept += (text[start:place], between)
            start = place + 1
        elif any(text.endswith(token, start, place + 1) for token in ending.get(letter, ())):
            kept += (text[start:place], between)
            start = place
    return "".join([*kept, text[start:]])


def _parts(letter: str, letters: Collection[str]) -> bool:
    return letter not in letters and (letter == " " or letter.isprintable())


def transcript(parts: Sequence[Part]) -> str:
    """Return the prompt as text to keep: each picture is a line with its size and the sha256 of its pixels."""
    return "".join(part if isinstance(part, str) else _picture_line(part) for part in parts)


def _picture_line(picture: Image.Image) -> str:
    pixels = hashlib.sha256(picture.tobytes()).hexdigest()
    return f"[picture {picture.width}x{picture.height} {picture.mode} sha256={pixels}]"
