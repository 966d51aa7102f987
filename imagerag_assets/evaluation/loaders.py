"""Read question files: this project's JSONL, and MME-RealWorld (and Lite), LRS-VQA and XLRS-Bench as published.

The format is recognised from the content.  A malformed line stops the reading, and the error gives its number:
otherwise figures over part of a file would look like figures over all of it.  Missing pictures are found and reported
when they are ingested (`images`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from imagerag_assets.errors import InputError, QuestionError
from imagerag_assets.evaluation.cases import Case, Window
from imagerag_assets.evaluation.protocols import protocol_of
from imagerag_assets.evaluation.truth import Truth
from imagerag_assets.json_text import read_json
from imagerag_assets.objects.aside import replace_bytes
from imagerag_assets.objects.local_files import check_regular, read_text
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.question_files import fields_of
from imagerag_assets.stac.keys import scene_key

Format = Literal["imagerag", "mme-realworld", "lrs-vqa", "xlrs-bench"]
Row = Mapping[str, Any]

_CHOICE = re.compile(r"\(([A-Z])\)\s*(.*?)\s*(?=\([A-Z]\)|$)", re.DOTALL)
_PICTURES = {b"\xff\xd8\xff": ".jpg", b"\x89PN": ".png", b"II*": ".tif", b"MM\x00": ".tif"}
_LONGEST_NAME = 1024  # longer text is the picture itself
_KINDS = {"color": "colour"}
_REMOTE_SENSING = "Remote Sensing"


@dataclass(frozen=True)
class Loaded:
    """The cases of one file."""

    file: Path
    format: Format
    cases: tuple[Case, ...]
    left_out: int = 0
    """Number of questions that are not about overhead imagery (MME-RealWorld has other domains too)."""

    @property
    def protocol(self) -> str:
        """How the answers to this file are scored, and which part of its benchmark it is, in one line."""
        return protocol_of(self.format, self.file, self.cases)


def load_cases(files: Sequence[str | Path], *, images: Path | None = None) -> list[Loaded]:
    """Read question files.

    Args:
        files: JSON, JSONL, Parquet, or the Arrow files of a saved dataset.
        images: Folder to write embedded pictures to, unless it has them already; None: the pictures are only named.

    Raises:
        InputError: a file cannot be read, has an unknown format or a malformed line, or an id occurs twice.
    """
    loaded = [load_file(Path(file), images=images) for file in files]
    seen: dict[str, Path] = {}
    for each in loaded:
        for case in each.cases:
            if case.id in seen:
                raise InputError(
                    f"Question id {case.id!r} occurs twice, in {seen[case.id]} and in {each.file}",
                    fix="Give every question its own id",
                )
            seen[case.id] = each.file
    return loaded


def load_file(file: Path, *, images: Path | None = None) -> Loaded:
    """Read one question file; see :func:`load_cases`."""
    cases: list[Case] = []
    name: Format | None = None
    left_out = 0
    for number, row in _rows(file):
        name = name or _format_of(row, file)
        try:
            case = _PARSERS[name](_with_picture_files(row, images) if name == "xlrs-bench" else row)
        except (KeyError, TypeError, ValueError, AttributeError, QuestionError) as error:
            raise _malformed(file, number, f"is not a valid {name} question: {_reason(error)}") from None
        if case is None:
            left_out += 1
        else:
            cases.append(case if case.id else replace(case, id=f"{file.stem}:{number}"))
    if name is None:
        raise InputError("The file has no questions", fix="Give a file with questions", file=file)
    return Loaded(file, name, _with_several(cases), left_out)


def _with_several(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Mark all questions of a kind in which several letters may be right, so that the mark does not tell which do."""
    kinds = {
        case.kind for case in cases if case.choices and case.answer is not None and case.answer not in case.choices
    }
    return tuple(replace(case, several=True) if case.choices and case.kind in kinds else case for case in cases)


def _rows(file: Path) -> Iterator[tuple[int, Row]]:
    """Yield the entries of a JSON list, the lines of JSONL or the rows of a table, numbered from 1."""
    if file.suffix in (".parquet", ".arrow"):
        yield from _table_rows(file)
        return
    try:
        text = read_text(file)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The questions cannot be read: {error}", fix="Give JSON or JSONL in UTF-8", file=file
        ) from None
    if text.lstrip().startswith("["):
        try:
            found = list(enumerate(read_json(text), start=1))
        except ValueError as error:
            raise InputError(f"The file is not valid JSON: {error}", fix="Download it again", file=file) from None
    else:
        found = [(number, _json(line, file, number)) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    for number, row in found:
        if not isinstance(row, dict):
            raise _malformed(file, number, "is not a JSON object")
        yield number, row


def _json(line: str, file: Path, number: int) -> Any:
    try:
        return read_json(line)
    except ValueError as error:
        raise _malformed(file, number, f"is not JSON: {error}") from None


def _table_rows(file: Path) -> Iterator[tuple[int, Row]]:
    """Yield the rows of Parquet, or of an Arrow file saved by `datasets`, one at a time, since they hold pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        check_regular(file)
        with pa.memory_map(str(file)) as source:
            batches = (
                pq.ParquetFile(source).iter_batches(64) if file.suffix == ".parquet" else pa.ipc.open_stream(source)
            )
            for batch in batches:
                for index in range(batch.num_rows):
                    number += 1
                    yield number, batch.slice(index, 1).to_pylist()[0]
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"The questions cannot be read: {error}", fix="Download the file again", file=file) from None


def _malformed(file: Path, number: int, what: str) -> InputError:
    return InputError(f"Line {number} of {file} {what}", fix="Correct the line or remove it")


def _reason(error: Exception) -> str:
    return f"it has no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)


def _format_of(row: Row, file: Path) -> Format:
    if "Question_id" in row:
        return "mme-realworld"
    if "multi-choice options" in row:
        return "xlrs-bench"
    if "ground_truth" in row and "text" in row:
        return "lrs-vqa"
    if "question" in row:
        return "imagerag"
    raise InputError(
        "The format of the file is unknown",
        fix="Give JSONL with the keys that docs/questions.md lists, or MME-RealWorld, LRS-VQA or XLRS-Bench",
        file=file,
    )


def _imagerag(row: Row) -> Case:
    """Read a line as `imagerag ask --batch` does, and its truth: ``kind``, ``answer``, ``truth`` and ``roi``."""
    given = fields_of({**row, "question": row["question"]})
    choices = {str(letter): str(text) for letter, text in given.get("choices", {}).items()}
    answer = _answer(row.get("answer"), choices)
    if choices and row.get("truth") is not None:
        raise ValueError("it has both choices and a truth; the answer among choices is a letter")
    Question(**given)  # raises if a value is not valid
    roi, _ = given.pop("roi", None), given.pop("choices", None)
    return Case(
        id=_text(given.pop("id", None)),
        question=str(given.pop("question")),
        kind=_text(row.get("kind")) or "other",
        scenes=tuple(str(scene) for scene in given.pop("scenes", ())),
        choices=choices,
        answer=answer,
        roi=None if roi is None else tuple(_window(box) for box in roi),
        truth=None if row.get("truth") is None else _truth(row["truth"]),
        options=given,
    )


def _truth(given: object) -> Truth:
    try:
        return Truth.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(["truth", *(str(part) for part in first["loc"])])
        raise ValueError(f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None


def _answer(given: object, choices: Mapping[str, str]) -> str | None:
    """Return the right letter or text; of a list of letters all of them, sorted and joined."""
    if given is None or not choices:
        return None if given is None else str(given)
    letters = sorted({str(letter) for letter in given} if isinstance(given, list) else {str(given)})
    for letter in letters:
        if letter not in choices:
            raise ValueError(f"its answer {letter!r} is not one of its choices")
    if len(letters) > 1 and any(len(letter) > 1 for letter in choices):
        raise ValueError("several choices are right, and their keys are not single letters")
    return "".join(letters) or None


def _mme_realworld(row: Row) -> Case | None:
    """Read https://huggingface.co/datasets/yifanzhang114/MME-RealWorld; Lite has the same fields.

    Only the copies annotated by the authors of ImageRAG have ``gt_toi`` (x0, y0, x1, y1) and ``img_size`` (width,
    height), both in pixels.
    """
    if row["Subtask"] != _REMOTE_SENSING:
        return None
    roi = None
    if row.get("gt_toi") is not None:
        width, height = (int(side) for side in row["img_size"])
        roi = (_window_inside([round(value) for value in row["gt_toi"]], width, height),)
    kind = str(row["Category"]).rsplit("/", 1)[-1]
    return _benchmark_case(
        "mme-realworld",
        row["Question_id"],
        [row["Image"]],
        question=str(row["Text"]),
        kind=_KINDS.get(kind, kind),
        choices=_choices(row["Answer choices"]),
        answer=str(row["Ground truth"]).strip(),
        roi=roi,
    )


def _lrs_vqa(row: Row) -> Case:
    """Read https://huggingface.co/datasets/ll-13/LRS-VQA: free answers, which are right if the words are the same.

    The authors' script also accepts WordNet synonyms, which need a corpus that this project does not ship.
    """
    return _benchmark_case(
        "lrs-vqa",
        row["question_id"],
        [row["image"]],
        question=str(row["text"]),
        kind=str(row["category"]),
        answer=str(row["ground_truth"]),
    )


def _xlrs_bench(row: Row) -> Case:
    """Read https://huggingface.co/datasets/initiacms/XLRS-Bench-lite: tables with embedded pictures, or JSONL.

    If several letters are right, an answer is right if it gives all of them and no other, as the authors' script
    scores it.
    """
    choices = _choices(row["multi-choice options"])
    letters = set(re.findall(r"[A-Z]", str(row["answer"])))
    if not letters or not letters <= set(choices):
        raise ValueError(f"its answer {row['answer']!r} is not made of letters of its choices")
    return _benchmark_case(
        "xlrs-bench",
        row["index"],
        row["image"],
        question=str(row["question"]),
        kind=str(row["category"]),
        choices=choices,
        answer="".join(sorted(letters)),
    )


def _with_picture_files(row: Row, folder: Path | None) -> Row:
    """Replace the pictures of a row with file names; they come as names, as ``{"path", "bytes"}``, or in base64."""
    given = row.get("image") or row.get("image_path")
    names = []
    for number, picture in enumerate(given if isinstance(given, list) else [given]):
        data = picture.get("bytes") if isinstance(picture, dict) else _base64(picture)
        name = picture.get("path") if isinstance(picture, dict) else picture
        if data is not None:
            name = f"{row['index']}-{number}{_PICTURES.get(bytes(data[:3]), '.img')}"
            if folder is not None and not (folder / name).exists():
                _write(folder / name, data)
        if not name:
            raise ValueError("it has no picture")
        names.append(name)
    return {**row, "image": names}


def _base64(text: object) -> bytes | None:
    """Decode the picture in a text; return None if the text is a file name."""
    if not isinstance(text, str) or len(text) < _LONGEST_NAME:
        return None
    return base64.b64decode(text.rpartition(",")[2], validate=True)


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(path, data)
    except OSError as error:
        raise InputError(f"A picture cannot be written: {error}", fix="Give another folder", file=path) from None


def _benchmark_case(benchmark: Format, id: object, images: Sequence[str], **values: Any) -> Case:
    paths = tuple(Path(str(image)) for image in images)
    scenes = tuple(scene_key(benchmark, path.stem) for path in paths)
    return Case(id=f"{benchmark}/{id}", scenes=scenes, images=paths, **values)


_PARSERS: dict[Format, Callable[[Row], Case | None]] = {
    "imagerag": _imagerag,
    "mme-realworld": _mme_realworld,
    "lrs-vqa": _lrs_vqa,
    "xlrs-bench": _xlrs_bench,
}


def _choices(given: object) -> dict[str, str]:
    """Read choices written as "(A) text", in a list or one after another in one text."""
    text = "\n".join(str(each) for each in given) if isinstance(given, list) else str(given)
    choices = {letter: " ".join(words.split()) for letter, words in _CHOICE.findall(text)}
    if len(choices) < 2 or not all(choices.values()):
        raise ValueError(f"its choices are not written as '(A) text': {text[:80]!r}")
    return choices


def _window(box: Sequence[float]) -> Window:
    x0, y0, x1, y1 = (int(value) for value in box)
    if x0 >= x1 or y0 >= y1:
        raise ValueError(f"the box {list(box)} is not x0, y0, x1, y1")
    return x0, y0, x1, y1


def _window_inside(box: Sequence[float], width: int, height: int) -> Window:
    """Return a region in pixels of a picture of this size."""
    window = _window(box)
    if min(window[:2]) < 0 or window[2] > width or window[3] > height:
        raise ValueError(f"the region {list(box)} lies outside of the picture of {width} x {height} px")
    return window


def _text(value: object) -> str:
    return "" if value is None else str(value)
