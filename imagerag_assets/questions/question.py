"""A question as a person or a script asks it: its options, their validation, and reading a file of questions."""

from __future__ import annotations

import json
import math
import pathlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from imagerag_assets.errors import InputError, QuestionError
from imagerag_assets.patches.divisions import DEFAULT_PAPER_DIVISION, PAPER_DIVISIONS
from imagerag_assets.stores.milvus_filter import EVERYTHING, Filter

Mode = Literal["imagerag", "global", "oracle"]
Path = Literal["auto", "fast", "slow", "none"]
Algorithm = Literal["default", "paper"]
Window = tuple[int, int, int, int]
_LETTER = re.compile(r"[A-Za-z0-9]{1,8}")


@dataclass(frozen=True)
class Question:
    """One question with its options; constructing it checks them.

    Raises:
        QuestionError: an option has no meaning.
    """

    question: str
    choices: Mapping[str, str] = field(default_factory=dict)
    scenes: tuple[str, ...] = ()
    """Scene keys looked at; empty: all."""
    bbox: tuple[float, float, float, float] | None = None
    """west, south, east, north in degrees."""
    datetime: str | None = None
    """START/END, each a date or time of RFC 3339, or '..'; one date alone is that day."""
    path: Path = "auto"
    top_k: int | None = None
    retrieval: Algorithm = "default"
    """`paper`: the published algorithm."""
    division: str | None = None
    """Of `paper`, which fills it in; otherwise patches are those of the collection."""
    answer: bool = True
    """False: only look for cues."""
    mode: Mode = "imagerag"
    """`global` shows the model no cues, `oracle` those of `roi`: none, if that is empty, since nothing is there."""
    id: str | None = None
    roi: Sequence[Window] | None = None
    like: str | None = None
    """A picture file or a patch id: cues are what looks like it.  The question may be empty then."""
    after: str | None = None
    """Id of an answer that this question follows up: what it leaves open is taken from there."""

    def __post_init__(self) -> None:
        if self.like is not None:
            self._check_example()
        elif not isinstance(self.question, str) or not self.question.strip():
            raise QuestionError("The question is empty", fix='Ask something, e.g. "Where is the tennis court?"')
        for letter, text in self.choices.items():
            if not _LETTER.fullmatch(letter) or not isinstance(text, str) or not text.strip():
                raise QuestionError(f"Choice {letter!r} is not usable", fix="Give choices as LETTER=TEXT, e.g. A=red")
        if len(self.choices) == 1:
            raise QuestionError("One choice is no choice", fix="Give at least two, or none")
        for name, value, allowed in (
            ("path", self.path, get_args(Path)),
            ("mode", self.mode, get_args(Mode)),
            ("retrieval", self.retrieval, get_args(Algorithm)),
        ):
            if value not in allowed:
                raise QuestionError(f"{name} {value!r} is not known", fix=f"Use one of: {', '.join(allowed)}")
        if self.retrieval == "paper" and self.division is None:
            object.__setattr__(self, "division", DEFAULT_PAPER_DIVISION)
        if self.division not in ((None,) if self.retrieval == "default" else PAPER_DIVISIONS):
            raise QuestionError(
                f"division {self.division!r} is not one of retrieval {self.retrieval!r}",
                fix=f"Use one of {', '.join(PAPER_DIVISIONS)} with retrieval paper; otherwise set IMAGERAG_DIVISION",
            )
        if self.top_k is not None and not 1 <= self.top_k <= 50:
            raise QuestionError(f"{self.top_k} cues cannot be given", fix="Use a top-k of 1 to 50")
        if self.mode == "oracle" and not (self.roi is not None and len(self.scenes) == 1):
            raise QuestionError("Mode oracle needs a roi and exactly one scene", fix="Give both, or another mode")
        for window in self.roi or ():
            if len(window) != 4 or window[0] >= window[2] or window[1] >= window[3]:
                raise QuestionError(
                    f"roi {list(window)} is not x0, y0, x1, y1", fix="Give native pixels, x0 < x1, y0 < y1"
                )
        if self.bbox is not None and len(self.bbox) != 4:
            raise QuestionError(f"The area {self.bbox} has not four numbers", fix="Give W,S,E,N in degrees")
        interval(self.datetime)

    def options(self) -> dict[str, Any]:
        """Everything but the question, its choices and its id, JSON-able; :meth:`from_record` takes it back."""
        return {
            "scenes": list(self.scenes),
            "bbox": None if self.bbox is None else list(self.bbox),
            "datetime": self.datetime,
            "path": self.path,
            "top_k": self.top_k,
            "retrieval": self.retrieval,
            "division": self.division,
            "answer": self.answer,
            "mode": self.mode,
            "roi": None if self.roi is None else [list(window) for window in self.roi],
            "like": self.like,
            "after": self.after,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Question:
        """The question that an answer's record answers, as it was asked.

        Raises:
            QuestionError: it cannot be asked any more.
        """
        given = {"mode": record.get("mode", "imagerag"), **(record.get("options") or {})}
        tuples = {
            "scenes": tuple(given.get("scenes") or ()),
            "bbox": tuple(given["bbox"]) if given.get("bbox") else None,
            "roi": [tuple(window) for window in given["roi"]] if given.get("roi") else None,
        }
        known = {name: value for name, value in given.items() if name in cls.__dataclass_fields__}
        choices = dict(record.get("choices") or {})
        return cls(record["question"], **{**known, **tuples, "choices": choices, "id": record.get("id")})

    def _check_example(self) -> None:
        if not self.like or self.retrieval != "default" or self.mode != "imagerag" or self.path not in ("auto", "fast"):
            raise QuestionError(
                "A question by example needs a picture or patch id, and goes with no other retrieval, mode or path",
                fix="Leave those options out",
            )
        if not self.question.strip():
            object.__setattr__(self, "answer", False)  # nothing was asked about what is found

    @property
    def scope(self) -> Filter:
        """Scenes, area and time as one filter.

        Raises:
            InputError: the area is not on the globe.
        """
        where = EVERYTHING.scene_in(self.scenes) if self.scenes else EVERYTHING
        if self.bbox is not None:
            where = where.bbox_intersects(*self.bbox)
        start, end = interval(self.datetime)
        return where if start is None and end is None else where.acquired_between(start, end)


def interval(text: str | None) -> tuple[int | None, int | None]:
    """START/END as epoch milliseconds, None for an open end.

    Raises:
        QuestionError: it is no such range.
    """
    if text is None:
        return None, None
    ends = text.split("/")
    if len(ends) == 1:
        ends = ends * 2
    if len(ends) != 2:
        raise QuestionError(
            f"The time range {text!r} is not START/END", fix="E.g. 2026-01-01/2026-06-30, or ../2026-06-30"
        )
    start, end = _moment(ends[0], text, end=False), _moment(ends[1], text, end=True)
    if start is not None and end is not None and end < start:
        raise QuestionError(f"The time range {text!r} ends before it starts", fix="Give START/END")
    return start, end


def _moment(value: str, text: str, *, end: bool) -> int | None:
    if value in ("", ".."):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise QuestionError(
            f"{value!r} in the time range {text!r} is not a date", fix="Use e.g. 2026-05-04 or 2026-05-04T10:30:00Z"
        ) from None
    if end and len(value) == len("2026-05-04"):
        moment += timedelta(days=1) - timedelta(milliseconds=1)  # a day counts whole
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return math.floor(moment.timestamp() * 1000)


def read_lines(file: pathlib.Path) -> list[str]:
    """The lines of a file of questions; blank ones are left out.

    Raises:
        InputError: it cannot be read.
    """
    try:
        # Not `splitlines`: a question may hold U+2028 and other separators that JSON lets stand in a string.
        return [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The questions cannot be read: {error}", fix="Give a JSONL file in UTF-8", file=file
        ) from None


def parse_line(line: str, number: int, options: Question, mode: Mode = "imagerag") -> Question:
    """One line of a batch file in a mode; what the line does not say comes from `options`.

    Raises:
        QuestionError: the line is not such a question; the message names its number.
    """
    try:
        given: Any = json.loads(line)
    except ValueError as error:
        raise QuestionError(f"Line {number} is not JSON: {error}", fix="Write one JSON object a line") from None
    if not isinstance(given, dict) or not isinstance(given.get("question"), str):
        raise QuestionError(f"Line {number} has no question", fix='Write {"id": ..., "question": ...}')
    changes: dict[str, Any] = {
        "question": given["question"],
        "id": None if given.get("id") is None else str(given["id"]),
    }
    if given.get("scene") is not None:
        changes["scenes"] = (str(given["scene"]),)
    if given.get("choices"):
        if not isinstance(given["choices"], dict):
            raise QuestionError(f"Line {number} has choices that are no object", fix='Write {"A": "red", "B": "blue"}')
        changes["choices"] = {str(letter): text for letter, text in given["choices"].items()}
    changes["mode"] = mode
    if mode == "oracle":
        try:
            changes["roi"] = [tuple(int(value) for value in window) for window in given.get("roi") or ()]
        except (TypeError, ValueError):
            raise QuestionError(
                f"Line {number} has a roi that is no list of windows", fix="Write [[x0, y0, x1, y1]]"
            ) from None
        if given.get("roi") is None:
            changes |= {"mode": "global", "roi": None}  # nobody said where it is, or that it is nowhere
    try:
        return replace(options, **changes)
    except QuestionError as error:
        raise QuestionError(f"Line {number}: {error.message}", fix=error.fix) from None
