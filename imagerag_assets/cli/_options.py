"""Turn typed text into what the use cases take: the options of a question, choices and areas.

The options of a question are made from the fields of `Question`, with their names, types, limits and help texts.  This
module only adds how to type a list, a mapping or an area.  It does not check whether a scene exists.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import typer
from typer.models import OptionInfo

from imagerag_assets.cli import _completion as completion
from imagerag_assets.cli._command import Command as Invocation
from imagerag_assets.errors import InputError, QuestionError
from imagerag_assets.questions.question import Question

Command = TypeVar("Command", bound=Callable[..., None])
NOT_TYPED = {
    "question": "it is the command's argument",
    "id": "only a file of questions needs ids; one question is found by its answer's id",
    "roi": "regions come from a file of questions or from the launchpad",
}
"""Fields of a question without an option, each with the reason."""


@dataclass(frozen=True)
class _Typed:
    """How to type a field of a question."""

    option: str
    """The parameter's name."""
    annotation: Any
    default: Any
    read: Callable[[Any], Any]
    """Turn what was typed into the field's value."""


def _same(value: Any) -> Any:
    return value


def _typed(name: str) -> _Typed:
    """Return the option for a field of a question."""
    field = Question.model_fields[name]
    text = f"{field.description}."
    if name == "choices":
        option = typer.Option(help="A choice of the question, as LETTER=TEXT; repeatable.")
        return _Typed("choice", Annotated[list[str] | None, option], None, lambda given: parse_choices(given or ()))
    if name == "scenes":
        option = typer.Option(
            help="Search only the scene with this scene key; repeatable; default: all scenes.",
            autocompletion=completion.scenes,
        )
        return _Typed("scene", Annotated[list[str] | None, option], None, lambda given: tuple(given or ()))
    if name == "bbox":
        return _Typed("bbox", Annotated[str | None, typer.Option(help=text, metavar="W,S,E,N")], None, parse_bbox)
    if name == "answer":
        option = typer.Option("--no-answer", help="Only find cues; do not answer.")
        return _Typed("no_answer", Annotated[bool, option], False, lambda given: not given)
    limits: dict[str, Any] = {
        key: getattr(limit, at)
        for limit in field.metadata
        for key, at in (("min", "ge"), ("max", "le"))
        if hasattr(limit, at)
    }
    if name == "after":
        limits["autocompletion"] = completion.answers
    return _Typed(name, Annotated[_plain(field.annotation), typer.Option(help=text, **limits)], field.default, _same)


def _plain(annotation: Any) -> Any:
    """Return a field's type without the annotations for pydantic."""
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[0]
    inner = [each for each in get_args(annotation) if each is not NoneType]
    return _plain(inner[0]) | None if NoneType in get_args(annotation) else annotation


def question_options(
    *, only: Collection[str] | None = None, leave_out: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Give a command the options of a question, before the options of its own.

    The command takes them as ``**options`` and reads them with `read_options`.

    Args:
        only: Fields of a question that get an option; default: all except those of `NOT_TYPED`.
        leave_out: Fields that get no option.
    """
    names = [name for name in only or Question.model_fields if name not in {*NOT_TYPED, *leave_out}]
    made = [
        inspect.Parameter(each.option, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.annotation)
        for each in map(_typed, names)
    ]

    def decorate(command: Command) -> Command:
        hints = get_type_hints(command, include_extras=True)
        given = [
            each.replace(annotation=hints[each.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for each in inspect.signature(command).parameters.values()
            if each.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        arguments = [each for each in given if not _is_option(each.annotation)]
        parameters = [*arguments, *made, *(each for each in given if each not in arguments)]
        # Typer reads the signature and the annotations of a command.
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return decorate


def read_options(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the typed options as fields of a question.

    Raises:
        QuestionError: A choice or the area cannot be used.
    """
    forms = ((name, _typed(name)) for name in Question.model_fields if name not in NOT_TYPED)
    return {name: form.read(typed[form.option]) for name, form in forms if form.option in typed}


def _is_option(annotation: Any) -> bool:
    return any(isinstance(each, OptionInfo) for each in getattr(annotation, "__metadata__", ()))


def parse_choices(texts: Sequence[str]) -> dict[str, str]:
    """Return choices such as ``A=red`` as a mapping, in order.

    Raises:
        QuestionError: A text has no ``=``, an empty letter or text, or a letter that was given before.
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
    """Return ``W,S,E,N`` in degrees; west may be greater than east, across the antimeridian.

    Raises:
        QuestionError: The text is not four numbers, or the area is not on the globe.
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


def asked_on_terminal(command: Invocation) -> str | None:
    """Return the question that a person types when asked for it; None where nobody sits at a terminal."""
    if command.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    with suppress(ImportError):
        import readline  # noqa: F401 - lets the line be edited
    typed: str = typer.prompt("Your question", err=True, default="", show_default=False)
    return typed


def check_one_of(question: str | None, batch: object | None, out: object | None) -> None:
    """Check that either a question or a file of questions with a file for the answers was given.

    Raises:
        InputError: Neither or both were given, or one of the two files is missing.
    """
    if batch is None and out is None and question is None:
        raise InputError("No question was given", fix='Write: imagerag ask "QUESTION", or --batch IN --out OUT')
    if (batch is None) != (out is None):
        raise InputError("--batch and --out belong together", fix="Give both")
    if batch is not None and question is not None:
        raise InputError("A question and --batch were both given", fix="Give one of them")
