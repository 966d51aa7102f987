"""Name how the answers to a file are scored: figures of two protocols cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imagerag_assets.evaluation.cases import Case

_NAMES = {
    "imagerag": "own questions",
    "mme-realworld": "MME-RealWorld",
    "lrs-vqa": "LRS-VQA",
    "xlrs-bench": "XLRS-Bench",
}
_ONE = "letters only (the choice with the highest score; no text is parsed)"
_SEVERAL = (
    "letters only, all right ones and no other where a category allows several (those with at least an even share)"
)


def protocol_of(format: str, file: Path, cases: Sequence[Case]) -> str:
    """Return the benchmark with its split, how often each question is asked, and what counts as right, in one line.

    Args:
        format: Name of the file's format.
        file: The file; its name says which split of a benchmark it is.
        cases: Its questions.
    """
    scored = []
    if any(case.choices for case in cases):
        scored.append(_SEVERAL if any(case.several for case in cases) else _ONE)
    free = [case for case in cases if not case.choices]
    if any(case.truth is not None for case in free):
        scored.append("free answers by their result and their sentence")
    if any(case.truth is None and case.answer is not None for case in free):
        scored.append("free answers that are the same words")
    return "; ".join([f"{_split(format, file)}, {len(cases)} questions", "pass@1", *scored])


def _split(format: str, file: Path) -> str:
    name = _NAMES.get(format, format)
    if format == "imagerag":
        return name
    lite = "-Lite" if "lite" in file.stem.lower() else ""
    part = " Remote Sensing" if format == "mme-realworld" else ""
    return f"{name}{lite}{part} ({file.name})"
