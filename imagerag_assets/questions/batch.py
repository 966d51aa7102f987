"""Answer a file of questions, one answer a line.  How one question is answered is in `ask`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagerag_assets.errors import FingerprintError, ImageRAGError, InputError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.json_text import read_json
from imagerag_assets.objects.aside import remove_left, written_aside
from imagerag_assets.questions.ask import ask
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.question import Mode, Question
from imagerag_assets.questions.question_files import parse_line, read_lines

Progress = Callable[[int, int, str], None]


def ask_batch(
    platform: Platform, source: str | Path, output: str | Path, *, progress: Progress | None = None, **options: Any
) -> dict[str, Any]:
    """Answer a JSONL file of questions, one answer a line in the same order.

    A question that cannot be answered has a line ``{"id", "question", "error"}`` in its place.

    Args:
        source: The questions (`questions.parse_line`).
        output: Written aside and renamed when all are answered.
        progress: Called with (done, total, question).
        options: Fields of `Question`, for every line that does not say otherwise.

    Returns:
        ``{"questions": n, "failed": n, "seconds": s}``

    Raises:
        InputError: the file cannot be read, or an option has no meaning.
    """
    started = time.perf_counter()
    source, output = Path(source), Path(output)
    lines = read_lines(source, platform.settings)
    mode: Mode = options.pop("mode", "imagerag")
    # Mode oracle is checked a line at a time: its scene and region stand there.
    common = Question("?", **options)
    failed = 0
    remove_left(output.parent)
    try:
        with (
            written_aside(output) as aside,
            Viewer(platform) as viewer,
            aside.open("w", encoding="utf-8", errors="backslashreplace") as out,  # half a character becomes its code
        ):
            for number, line in enumerate(lines, 1):
                answer = _ask_line(platform, line, number, common, mode, viewer)
                failed += "error" in answer
                out.write(json.dumps(answer, ensure_ascii=False) + "\n")
                if progress:
                    progress(number, len(lines), str(answer.get("question") or "")[:60])
    except OSError as error:
        raise InputError(
            f"The answers cannot be written: {error}", fix="Give a file that can be written", file=output
        ) from None
    return {"questions": len(lines), "failed": failed, "seconds": time.perf_counter() - started}


def _ask_line(
    platform: Platform, line: str, number: int, common: Question, mode: Mode, viewer: Viewer
) -> dict[str, Any]:
    given: dict[str, Any] = {"id": None, "question": None}
    try:
        loose = read_json(line)
        if isinstance(loose, dict):
            given = {"id": loose.get("id"), "question": loose.get("question")}
    except ValueError:
        pass  # parse_line says so, with the line's number
    try:
        return ask(platform, parse_line(line, number, common, mode), viewer=viewer).to_dict()
    except FingerprintError:
        raise  # no question of the file can be answered
    except ImageRAGError as error:
        kept = {"answer_id": error.ids["answer"]} if "answer" in error.ids else {}
        return given | kept | {"error": error.to_dict()}
