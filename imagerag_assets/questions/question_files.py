"""Files of questions: one JSON object a line, as `imagerag ask --batch` and `imagerag evaluate` read them.

A line may hold every field of a `Question` but those in `NOT_IN_A_LINE`, and `scene` for a single scene.  What a line
does not say comes from the command's options.  `docs/questions.md` describes the format for people.
"""

from __future__ import annotations

import difflib
import pathlib
from collections.abc import Mapping
from io import TextIOWrapper
from typing import Any

from pydantic import ValidationError

from imagerag_assets.errors import InputError, QuestionError
from imagerag_assets.json_text import read_json
from imagerag_assets.objects.local_files import open_file
from imagerag_assets.questions.question import Mode, Question, explain
from imagerag_assets.settings import Settings

NOT_IN_A_LINE = {
    "retrieval": "the method is one for the whole file, so that its figures can be compared",
    "division": "it belongs to the method",
    "mode": "it is one for the whole file",
    "answer": "in a line it is the right answer, which `imagerag evaluate` reads",
}
"""Fields of a question that a line may not set, and why."""
TRUTH = ("kind", "class", "answer", "truth")
"""Keys of a line that say what is known about the answer.  `imagerag evaluate` reads them; asking ignores them."""
KEYS = (*(name for name in Question.model_fields if name not in NOT_IN_A_LINE), "scene", *TRUTH)
"""Every key that a line may have."""


def read_lines(file: pathlib.Path, settings: Settings) -> list[str]:
    """Return the lines of a file of questions, without blank ones.

    Raises:
        InputError: The file cannot be read, or has too many lines, or one that is too long.
    """
    most, longest = settings.limit_batch_lines, settings.limit_document_bytes
    lines: list[str] = []
    try:
        # Not `splitlines`: a question may hold U+2028 and other separators that JSON lets stand in a string.
        with TextIOWrapper(open_file(file, settings), encoding="utf-8") as opened:
            pieces = iter(lambda: opened.readline(longest + 1), "")
            for number, line in enumerate(pieces, 1):
                if len(line) > longest:
                    raise InputError(f"Line {number} has more than {longest:,} characters",
                                     fix="Shorten it, or raise IMAGERAG_LIMIT_DOCUMENT_BYTES", file=file)  # fmt: skip
                if not line.strip():
                    continue
                if len(lines) == most:
                    raise InputError(f"The file has more than {most:,} questions",
                                     fix="Split it, or raise IMAGERAG_LIMIT_BATCH_LINES", file=file)  # fmt: skip
                lines.append(line.removesuffix("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The questions cannot be read: {error}", fix="Give a JSONL file in UTF-8", file=file
        ) from None
    return lines


def parse_line(line: str, number: int, options: Question, mode: Mode = "imagerag") -> Question:
    """Return the question of a line.

    Args:
        line: The line.
        number: Its number, for errors.
        options: What the line does not say.
        mode: Mode ``oracle`` shows the line's `roi`; a line without one is asked in mode ``global``.

    Raises:
        QuestionError: The line is no such question.  The message names the line and the key.
    """
    try:
        given: Any = read_json(line)
    except ValueError as error:
        raise QuestionError(f"Line {number} is not JSON: {error}", fix="Write one JSON object a line") from None
    try:
        if not isinstance(given, dict):
            raise QuestionError("it is no JSON object", fix='Write {"id": ..., "question": ...}')
        changes: dict[str, Any] = {"question": "", "mode": mode} | fields_of(given)
        if not (isinstance(changes["question"], str) and (changes["question"] or changes.get("like"))):
            raise QuestionError("it has no question", fix='Write {"id": ..., "question": ...}')
        if mode == "oracle" and changes.get("roi") is None:
            changes["mode"] = "global"  # nobody said where it is, or that it is nowhere
        asked = options.but(**changes)
    except QuestionError as error:
        key = explain(error.__cause__)[0] if isinstance(error.__cause__, ValidationError) else ""
        where = f"Line {number}" if key in error.message else f"Line {number}, {key}"
        raise QuestionError(f"{where}: {error.message}", fix=error.fix) from None
    return asked if mode == "oracle" else asked.but(roi=None)


def fields_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a line says, as fields of a question; null says nothing.

    Raises:
        QuestionError: The line has a key that is not known, or names scenes twice.
    """
    for key in given:
        if key in NOT_IN_A_LINE and key not in TRUTH:
            raise QuestionError(f"{key!r} cannot be set in a line", fix=f"Give --{key} with the command instead")
        if key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, 1)
            raise QuestionError(
                f"unknown key {key!r}", fix=f"Did you mean {close[0]!r}?" if close else f"Use: {', '.join(KEYS)}"
            )
    fields = {name: value for name, value in given.items() if value is not None and name not in TRUTH}
    if "scene" in fields:
        if "scenes" in fields:
            raise QuestionError("both 'scene' and 'scenes' are given", fix="Give one of them")
        fields["scenes"] = [str(name) if isinstance(name := fields.pop("scene"), int) else name]
    return fields
