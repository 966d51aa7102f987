"""`imagerag ask`: one question, or a file of questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import _options as cli_options
from imagerag_assets.cli import _render as render
from imagerag_assets.cli._command import Debug, Json, command_of
from imagerag_assets.cli._options import Mode, PaperDivision, Retrieval, SearchPath
from imagerag_assets.errors import InputError


def register(app: typer.Typer) -> None:
    """Add `ask`."""
    app.command("ask")(ask)


def ask(
    ctx: typer.Context,
    question: Annotated[str | None, typer.Argument(help="The question, in plain words.")] = None,
    choice: Annotated[list[str] | None, typer.Option(help="A choice, LETTER=TEXT; repeatable.")] = None,
    scene: Annotated[list[str] | None, typer.Option(help="Only this scene; repeatable.")] = None,
    bbox: Annotated[str | None, typer.Option(help="Only this area: W,S,E,N in degrees.")] = None,
    datetime: Annotated[str | None, typer.Option(help="Only scenes acquired in START/END (either may be ..).")] = None,
    path: Annotated[SearchPath, typer.Option(help="How cues are looked for.")] = SearchPath.AUTO,
    top_k: Annotated[int | None, typer.Option(min=1, max=50, help="Cues given at most; default: the setting.")] = None,
    retrieval: Annotated[Retrieval, typer.Option(help="Ours, or the published algorithm.")] = Retrieval.DEFAULT,
    division: Annotated[PaperDivision | None, typer.Option(help="For --retrieval paper.")] = None,
    like: Annotated[str | None, typer.Option(help="Find what looks like this picture file or patch id.")] = None,
    after: Annotated[str | None, typer.Option(help="Id of an answer that this question follows up.")] = None,
    no_answer: Annotated[bool, typer.Option("--no-answer", help="Only look for cues.")] = False,
    batch: Annotated[Path | None, typer.Option(help="JSONL file of questions.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSONL file for the answers, one a line.")] = None,
    mode: Annotated[Mode, typer.Option(help="What questions are answered from.")] = Mode.IMAGERAG,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Ask a question, or a file of questions with --batch IN --out OUT."""
    command = command_of(ctx, as_json, debug)
    for name, value in (("like", like), ("after", after)):
        if batch is not None and value is not None:
            raise InputError(f"--{name} does not go with --batch", fix="Ask such questions one at a time")
    cli_options.check_one_of(question if like is None else question or "", batch, out)
    options = cli_options.ask_options(
        scenes=scene or (),
        bbox=bbox,
        datetime=datetime,
        path=path.value,
        top_k=top_k,
        retrieval=retrieval.value,
        division=division.value if division else None,
        answer=not no_answer,
        mode=mode.value,
    )
    choices = cli_options.parse_choices(choice or ())
    if batch is not None and choices:
        raise InputError("--choice does not go with --batch", fix="Give the choices in the lines of the file")
    with command.progress("asking") as progress, command.runner(progress) as runner:
        from imagerag_assets.questions.ask import Question

        if batch is not None and out is not None:
            done = runner.ask_batch(batch, out, **options)
        else:
            done = runner.ask(Question(question=question or "", choices=choices, like=like, after=after, **options))
    code = cli_run.SOME_FAILED if done.get("failed") else cli_run.DONE
    command.finish(done, render.answer if batch is None else render.batch, code=code)
