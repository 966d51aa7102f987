"""A small file of labels for `imagerag calibrate`: what a scene shows, and where, and what it does not show.

JSON lines, or CSV with a header (a name that ends in `.csv`), with `phrase`, `scene`, and `box` (native pixels: x0, y0,
x1, y1) or `absent`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from imagerag_assets.errors import ImageRAGError, InputError
from imagerag_assets.evaluation.calibrate import Target
from imagerag_assets.json_text import read_json
from imagerag_assets.objects.local_files import read_text

Box = tuple[float, float, float, float]
_FIX = 'Write {"phrase": "tennis court", "scene": KEY, "box": [x0, y0, x1, y1]}, or "absent": true in place of a box'
_YES = frozenset(("1", "true", "yes", "absent", "x"))
_NO = frozenset(("", "0", "false", "no", "none"))


def read_labels(path: Path, size: Callable[[str], tuple[int, int]]) -> list[Target]:
    """Read the labels in a file: one target for each phrase and scene.

    Args:
        path: The file.
        size: Returns (width, height) of a scene in native pixels; raises an `ImageRAGError` for an unknown one.

    Raises:
        InputError: the file cannot be read, a line is not a label, or two lines contradict each other.
    """
    found: dict[tuple[str, str], list[Box]] = {}
    absent: dict[tuple[str, str], int] = {}
    for number, value in _rows(path):
        phrase, scene = (" ".join(str(value.get(name) or "").split()) for name in ("phrase", "scene"))
        if not phrase or not scene:
            raise InputError("A label needs a phrase and a scene", fix=_FIX, line=number, file=path)
        try:
            width, height = size(scene)
        except ImageRAGError as error:
            raise InputError(f"{error.message}: {scene[:200]}", fix="See: imagerag scenes", line=number) from None
        key, box, missing = (scene, phrase), value.get("box"), _flag(value.get("absent"), number, path)
        if missing == (box not in (None, "", [])):
            raise InputError("A label is either a box or absent", fix=_FIX, line=number, file=path)
        windows = found.setdefault(key, [])
        if missing:
            absent.setdefault(key, number)
        else:
            windows.append(_box(box, width, height, number, path))
        if key in absent and windows:
            raise InputError(
                f"{phrase!r} is labelled as absent from {scene} and as seen there",
                fix="Take one of the two out",
                lines=f"{absent[key]} and {number}" if absent[key] != number else number,
                file=path,
            )
    if not found:
        raise InputError("The file holds no label", fix=_FIX, file=path)
    return [Target(scene, phrase, tuple(windows)) for (scene, phrase), windows in found.items()]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each label with its line."""
    try:
        text = read_text(path).removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The labels cannot be read: {error}", fix="Check the path", file=path) from None
    if path.suffix.lower() == ".csv":
        rows = csv.DictReader(text.splitlines())
        for row in rows:
            yield rows.line_num, dict(row)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = read_json(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise InputError("Not a label", fix=_FIX, line=number, file=path)
        yield number, value


def _flag(value: Any, number: int, path: Path) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    text = str(value).strip().lower()
    if text not in _YES | _NO:
        raise InputError(f"absent is true or false, not {text[:40]!r}", fix=_FIX, line=number, file=path)
    return text in _YES


def _box(value: Any, width: int, height: int, number: int, path: Path) -> Box:
    """Return a box, cut at the scene's edges."""
    try:
        parts = value.replace(",", " ").strip("[] ").split() if isinstance(value, str) else value
        x0, y0, x1, y1 = (float(each) for each in parts)
    except (TypeError, ValueError):
        raise InputError("A box is four numbers", fix=_FIX, line=number, file=path) from None
    cut = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    if not (cut[0] < cut[2] and cut[1] < cut[3]):  # also true of NaN
        raise InputError(
            f"The box is empty, or outside its scene of {width} x {height} pixels", fix=_FIX, line=number, file=path
        )
    return cut
