"""A question as a person or a script asks it, with all its options.

The options are defined only here.  The command line, the launchpad, a line of a file of questions, a stored watch and
an answer record are made from `Question` and read back by it.  What each of them leaves out is listed where it is made.
Nothing heavy is imported, because `imagerag --help` reads this module.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, field_validator, model_validator

from imagerag_assets.errors import InputError, QuestionError
from imagerag_assets.patches.names import PAPER, PAPER_DEFAULT, PaperDivision
from imagerag_assets.plans.plan import plan_from_json
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus_filter import EVERYTHING, Filter

Mode = Literal["imagerag", "global", "oracle"]
Path = Literal["auto", "fast", "slow", "none"]
Algorithm = Literal["default", "paper"]
Window = tuple[int, int, int, int]
Bbox = tuple[float, float, float, float]
_LETTER = re.compile(r"[A-Za-z0-9]{1,8}")
_HALF = re.compile("[\ud800-\udfff]")
"""Half a character, which JSON may hold, and files and tokenizers refuse."""
_SHOWN = 80  # characters of a value in an error
_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "finite_number": "a finite number",
}
"""What is expected where pydantic reports these kinds of error."""


class _RefusedError(ValueError):
    """A value that cannot be used, for pydantic to report with its field."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message, self.fix = message, fix


class Question(BaseModel):
    """One question with its options.

    The text may be given by position: ``Question("Where is the pier?", top_k=5)``.

    Raises:
        QuestionError: An option cannot be used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str = Field(default="", description="The question, in plain words")
    choices: dict[str, str] = Field(
        default={}, description="Choices by letter, e.g. A: red; without choices, the answer is free text"
    )
    scenes: tuple[str, ...] = Field(
        default=(), description="Search only the scenes with these scene keys; default: all scenes"
    )
    bbox: Bbox | None = Field(default=None, description="Search only this area: west, south, east, north in degrees")
    datetime: str | None = Field(
        default=None,
        description="Search only scenes acquired in START/END, e.g. 2024-01-01/2024-06-30; .. leaves an end open",
    )
    path: Path = Field(
        default="auto",
        description="How to find cues: by the words (fast), by known examples (slow), fast before slow (auto), or none",
    )
    top_k: Annotated[int, Strict()] | None = Field(
        default=None,
        ge=1,
        le=50,
        description="Show at most this many cues for a question about one thing; default: IMAGERAG_TOP_K",
    )
    retrieval: Algorithm = Field(
        default="default",
        description="Retrieval method: imagerag's own (default), or that of the ImageRAG paper (paper)",
    )
    division: PaperDivision | None = Field(
        default=None, description="How retrieval paper cuts scenes into patches; default: cc"
    )
    answer: Annotated[bool, Strict()] = Field(default=True, description="Answer the question; if false, only find cues")
    mode: Mode = Field(
        default="imagerag",
        description="What to answer from: cues (imagerag), only the overview (global), or known regions, roi (oracle)",
    )
    id: str | None = Field(default=None, description="An id of your own, kept in the answer's record")
    roi: tuple[Window, ...] | None = Field(
        default=None,
        description="For mode oracle: regions x0, y0, x1, y1 in native pixels; an empty list means that there is none",
    )
    like: str | None = Field(
        default=None, description="Find what looks like this picture file, or like the patch with this id"
    )
    after: str | None = Field(
        default=None, description="Follow up on the answer with this id: reuse its phrases, scenes and area"
    )
    cloud_at_most: float | None = Field(
        default=None, ge=0, le=100, description="Search only scenes known to have at most this cloud cover, in percent"
    )

    plan: str | None = Field(
        default=None, description="Compute these operations, given as a JSON list, instead of reading the question"
    )

    ASKED: ClassVar = frozenset({"question", "choices", "id"})
    """Fields at the top of an answer's record; the rest is its ``options``."""
    ADDED: ClassVar = frozenset({"cloud_at_most", "plan"})
    """Fields added after version 0.1; a record has them only if they are set, since older records lack these keys."""

    def __init__(self, /, question: str = "", **options: Any) -> None:
        try:
            super().__init__(question=question, **options)
        except ValidationError as error:
            _, message, fix = explain(error)
            raise QuestionError(message, fix=fix) from error

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: dict[str, Any]) -> dict[str, Any]:
        for name, value in given.items():  # the name of a file may be of any bytes
            if name != "like" and any(_HALF.search(text) for text in _texts(value)):
                raise _RefusedError(f"{name} has half a character in it", "Write it as text in UTF-8")
        if given.get("retrieval") == "paper" and given.get("division") is None:
            given = given | {"division": PAPER_DEFAULT}
        if given.get("like") is not None and not str(given.get("question")).strip():
            given = given | {"answer": False}  # nothing is asked about what is found
        return given

    def check_length(self, settings: Settings) -> None:
        """Refuse texts and lists that are too long.

        Raises:
            QuestionError: it is.
        """
        most = settings.limit_question_chars
        texts = [("The question", self.question), *((f"Choice {key}", text) for key, text in self.choices.items())]
        texts += [(name, getattr(self, name) or "") for name in ("datetime", "id", "like", "after", "plan")]
        texts += [("The name of a scene", scene) for scene in self.scenes]
        for what, text in texts:
            if len(text) > most:
                raise QuestionError(f"{what} has {len(text):,} characters; at most {most:,} are read",
                                    fix="Shorten it, or raise IMAGERAG_LIMIT_QUESTION_CHARS")  # fmt: skip
        for name, values in (("scenes", self.scenes), ("choices", self.choices), ("roi", self.roi or ())):
            if len(values) > settings.limit_question_values:
                raise QuestionError(f"{name} has {len(values):,} entries; at most {settings.limit_question_values:,}"
                                    " are read", fix="Give fewer, or raise IMAGERAG_LIMIT_QUESTION_VALUES")  # fmt: skip

    @field_validator("question")
    @classmethod
    def _blank(cls, text: str) -> str:
        return text if text.strip() else ""

    @field_validator("choices", mode="before")
    @classmethod
    def _usable(cls, choices: object) -> object:
        if not isinstance(choices, Mapping):
            raise _RefusedError(f"The choices {_shown(choices)} are not an object", 'Write {"A": "red", "B": "blue"}')
        for letter, text in choices.items():
            if not _LETTER.fullmatch(str(letter)) or not isinstance(text, str) or not text.strip():
                raise _RefusedError(f"Choice {letter!r} is not usable", "Give choices as LETTER=TEXT, e.g. A=red")
        if len(choices) == 1:
            raise _RefusedError("A question needs at least two choices (got one)", "Add another, or leave choices out")
        return dict(choices)

    @field_validator("bbox", mode="before")
    @classmethod
    def _on_the_globe(cls, area: object) -> object:
        if area is None or (isinstance(area, Sequence) and not area):
            return None
        if isinstance(area, str) or not isinstance(area, Sequence) or len(area) != 4:
            raise _RefusedError(f"The area {_shown(area)} does not have four numbers", "Give W,S,E,N in degrees")
        if any(isinstance(value, str | bool) for value in area):
            raise _RefusedError(f"The area {_shown(area)} is not numbers", "Give W,S,E,N in degrees")
        with _refusing():
            try:
                EVERYTHING.bbox_intersects(*(float(value) for value in area))
            except (TypeError, ValueError, OverflowError):
                raise _RefusedError(f"The area {_shown(area)} is not numbers", "Give W,S,E,N in degrees") from None
        return tuple(area)

    @field_validator("datetime", mode="before")
    @classmethod
    def _a_range(cls, text: object) -> object:
        if isinstance(text, str):
            with _refusing():
                interval(text or None)
        return text or None

    @field_validator("id", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("roi", mode="before")
    @classmethod
    def _windows(cls, regions: object) -> object:
        if regions is None:
            return None
        try:
            windows = [tuple(int(value) for value in window) for window in regions]  # type: ignore[attr-defined]
        except (TypeError, ValueError, OverflowError):
            raise _RefusedError(f"roi {_shown(regions)} is not a list of windows", "Write [[x0, y0, x1, y1]]") from None
        for window in windows:
            if len(window) != 4 or window[0] >= window[2] or window[1] >= window[3]:
                raise _RefusedError(f"roi {list(window)} is not x0, y0, x1, y1", "Give native pixels, x0 < x1, y0 < y1")
        return windows

    @field_validator("plan", mode="before")
    @classmethod
    def _a_plan(cls, plan: object) -> object:
        if plan is None or plan == "":
            return None
        text = plan if isinstance(plan, str) else json.dumps(plan)
        with _refusing():
            plan_from_json(text)
        return text

    @model_validator(mode="after")
    def _together(self) -> Self:
        """Check options that depend on each other."""
        if self.like is not None:
            if not self.like or self.retrieval != "default" or self.mode != "imagerag" or self.path in ("slow", "none"):
                raise _RefusedError(
                    "A question by example needs a picture or patch id, and allows no other retrieval, mode or path",
                    "Leave those options out",
                )
        elif not self.question and self.plan is None:
            raise _RefusedError("The question is empty", 'Ask something, e.g. "Where is the tennis court?"')
        if self.division not in (PAPER if self.retrieval == "paper" else (None,)):
            raise _RefusedError(
                f"division {self.division!r} is not one of retrieval {self.retrieval!r}",
                f"Use one of {', '.join(PAPER)} with retrieval paper; otherwise set IMAGERAG_DIVISION",
            )
        if self.mode == "oracle" and not (self.roi is not None and len(self.scenes) == 1):
            raise _RefusedError("Mode oracle needs a roi and exactly one scene", "Give both, or another mode")
        return self

    def but(self, **changes: Any) -> Self:
        """Return this question with some fields changed.

        Raises:
            QuestionError: A changed field cannot be used.
        """
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | changes)

    def options(self) -> dict[str, Any]:
        """Return everything except the text, the choices and the id, as JSON; :meth:`from_record` reads it back."""
        options = self.model_dump(mode="json", exclude=set(self.ASKED))
        return {name: value for name, value in options.items() if value is not None or name not in self.ADDED}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Question:
        """Return the question that an answer's record answers, as it was asked.

        Args:
            record: JSON of an answer's record.

        Raises:
            QuestionError: It can no longer be asked, e.g. because a later version wrote an option unknown to this one.
        """
        given = {"mode": record.get("mode", "imagerag"), **(record.get("options") or {})}
        given = {name: value for name, value in given.items() if value is not None}
        top = {"choices": record.get("choices") or {}, "id": record.get("id")}
        return cls(record["question"], **{**given, **top})

    @property
    def scope(self) -> Filter:
        """Scenes, area, time and cloud cover as one filter; of an interval, the start counts."""
        return self.scope_with(())

    @property
    def start(self) -> int | None:
        """Start of the time, in epoch milliseconds; None: there is none."""
        return interval(self.datetime)[0]

    def scope_with(self, begun_before: Sequence[str]) -> Filter:
        """Return scenes, area, time and cloud cover as one filter.

        Args:
            begun_before: Scenes whose interval meets the time, although it begins earlier.
        """
        where = EVERYTHING.scene_in(self.scenes) if self.scenes else EVERYTHING
        if self.bbox is not None:
            where = where.bbox_intersects(*self.bbox)
        start, end = interval(self.datetime)
        if start is not None or end is not None:
            moments = EVERYTHING.acquired_between(start, end)
            intervals = [EVERYTHING.scene_in(begun_before)] if begun_before else []
            where = where.any_of([moments, *intervals]) if intervals else where.acquired_between(start, end)
        return where if self.cloud_at_most is None else where.cloud_at_most(self.cloud_at_most / 100)


def explain(error: ValidationError) -> tuple[str, str, str]:
    """Return the first field that pydantic refused, what is wrong with it, and how to fix it."""
    first = error.errors(include_url=False)[0]
    name, kind, value = ".".join(str(part) for part in first["loc"][:1]), first["type"], first.get("input")
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, _RefusedError):
        return name, cause.message, cause.fix
    if kind == "extra_forbidden":
        return name, f"A question has no option {name!r}", f"Use one of: {', '.join(Question.model_fields)}"
    if kind == "literal_error":
        return name, f"{name} {_shown(value)} is not known", f"Use {first['ctx']['expected']}"
    if name == "top_k" and kind in ("greater_than_equal", "less_than_equal"):
        return name, f"top_k {value} is out of range", "Use a top-k of 1 to 50"
    if name == "cloud_at_most" and kind in ("greater_than_equal", "less_than_equal"):
        return name, f"cloud_at_most {value} is not a percentage", "Use 0 to 100"
    return name, f"{name} {_shown(value)} is not {_EXPECTED.get(kind, 'usable')}", "Correct it, or leave it out"


def interval(text: str | None) -> tuple[int | None, int | None]:
    """Return START/END as epoch milliseconds, with None for an open end.

    Raises:
        QuestionError: The text is not such a range.
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
        if end and "T" not in value and ":" not in value:
            moment += timedelta(days=1, milliseconds=-1)  # the whole day counts
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return math.floor(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise QuestionError(
            f"{value!r} in the time range {text!r} is not a date", fix="Use e.g. 2026-05-04 or 2026-05-04T10:30:00Z"
        ) from None


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn an input error into one that pydantic reports with its field."""
    try:
        yield
    except InputError as error:
        raise _RefusedError(error.message, error.fix) from None


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in a value of JSON, names among them."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, Mapping):
            waiting += [*each, *each.values()]
        elif isinstance(each, list | tuple):
            waiting += each


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
