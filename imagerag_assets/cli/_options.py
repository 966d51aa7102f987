"""From what was typed to what the use cases take: choices, areas, and the options of questions.

Only parsing and its errors; whether a scene, division or path exists is decided where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from imagerag_assets.errors import InputError, QuestionError


class SearchPath(StrEnum):
    """How cues are looked for."""

    AUTO = "auto"
    FAST = "fast"
    SLOW = "slow"
    NONE = "none"


class Retrieval(StrEnum):
    """Whose retrieval is used."""

    DEFAULT = "default"
    PAPER = "paper"


class PaperDivision(StrEnum):
    """Divisions of the paper."""

    VIT = "vit"
    CC = "cc"
    GRID = "grid"


class Mode(StrEnum):
    """What a file of questions is answered from."""

    IMAGERAG = "imagerag"
    GLOBAL = "global"
    ORACLE = "oracle"


def parse_choices(texts: Sequence[str]) -> dict[str, str]:
    """``A=red`` and so on, in order.

    Raises:
        QuestionError: no ``=``, an empty letter or text, or a letter given twice.
    """
    choices: dict[str, str] = {}
    for text in texts:
        letter, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not letter or not value:
            raise QuestionError(f"--choice {text!r} is not LETTER=TEXT", fix='Write e.g. --choice "A=red"')
        if letter in choices:
            raise QuestionError(f"Choice {letter!r} is given twice", fix="Give each letter once")
        choices[letter] = value
    return choices


def parse_bbox(text: str | None) -> tuple[float, float, float, float] | None:
    """``W,S,E,N`` in degrees; west may be greater than east, across the antimeridian.

    Raises:
        QuestionError: not four numbers, or not on the globe.
    """
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise QuestionError(f"--bbox {text!r} is not W,S,E,N", fix="Give four numbers in degrees") from None
    on_globe = -180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90  # false for NaN
    if not on_globe:
        raise QuestionError(
            f"--bbox {text!r} is not on the globe", fix="Give west,south,east,north in degrees, south below north"
        )
    return west, south, east, north


def check_one_of(question: str | None, batch: object | None, out: object | None) -> None:
    """A question, or a file of questions with a file for the answers.

    Raises:
        InputError: neither, both, or half.
    """
    if batch is None and out is None and question is None:
        raise InputError("There is no question", fix='Write: imagerag ask "QUESTION", or --batch IN --out OUT')
    if (batch is None) != (out is None):
        raise InputError("--batch and --out belong together", fix="Give both")
    if batch is not None and question is not None:
        raise InputError("A question and --batch were both given", fix="Give one of them")


def ask_options(
    *,
    scenes: Sequence[str],
    bbox: str | None,
    datetime: str | None,
    path: str,
    top_k: int | None,
    retrieval: str,
    division: str | None,
    answer: bool,
    mode: str,
) -> dict[str, Any]:
    """Options as keyword arguments of a `Question`.

    Raises:
        QuestionError: the area cannot be used.
    """
    return {
        "scenes": tuple(scenes),
        "bbox": parse_bbox(bbox),
        "datetime": datetime or None,
        "path": path,
        "top_k": top_k,
        "retrieval": retrieval,
        "division": division,
        "answer": answer,
        "mode": mode,
    }
