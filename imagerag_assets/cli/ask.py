"""`imagerag ask`: ask one question, or a file of questions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import _options as cli_options
from imagerag_assets.cli import _render as render
from imagerag_assets.cli._command import Command, Debug, Json, command_of
from imagerag_assets.cli._names import check_question
from imagerag_assets.cli.show import make_page, open_page
from imagerag_assets.errors import InputError
from imagerag_assets.questions.question import Question

NOT_WITH_BATCH = {"choices": "choice", "like": "like", "after": "after", "plan": "plan"}
"""Fields of a question that belong in the lines of a file of questions, and their options."""


def register(app: typer.Typer) -> None:
    """Add `ask`."""
    app.command("ask")(ask)


@cli_options.question_options()
def ask(
    ctx: typer.Context,
    question: Annotated[str | None, typer.Argument(help="The question, in plain words.")] = None,
    batch: Annotated[
        Path | None, typer.Option(help="File of questions (JSONL), one for each line; needs --out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write the answers to (JSONL), one for each line.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the answer's page in the browser.")] = False,
    as_json: Json = False,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Ask a question about the ingested scenes, or a file of questions with --batch IN --out OUT.

    An answer comes with cues: parts of the scenes that show what the question asks about.
    `imagerag trace` shows how an answer was made.
    """
    command = command_of(ctx, as_json, debug)
    if batch is not None:
        if open_it:
            raise InputError("--open cannot be used with --batch", fix="Show one of the answers: imagerag show ID")
        for option in NOT_WITH_BATCH.values():
            if typed[option]:
                raise InputError(f"--{option} cannot be used with --batch", fix="Write it into the lines of the file")
    without_words = typed["like"] is not None or typed["plan"] is not None
    if question is None and not without_words and batch is None and out is None:
        question = cli_options.asked_on_terminal(command)
    cli_options.check_one_of(question or "" if without_words else question, batch, out)
    options = cli_options.read_options(typed)
    asked = Question(question or "", **options) if batch is None else None
    if asked is not None:
        check_question(command.settings, asked)
    files: dict[str, str] = {}
    if asked is not None:
        # Another process has the models loaded, so this one loads nothing that is slow to import.
        from imagerag_assets.resident.client import ask_resident

        with command.waiting("asking"):
            said = ask_resident(command.settings, asked, record_run=True)
        if said is not None:
            command.finish(said["answer"], partial(render.answer, files=said["files"]))
            _open(command, said["answer"], open_it)
            return
    with command.waiting("starting") as progress, command.runner(progress) as runner:
        if asked is None:
            assert batch is not None and out is not None
            common = {name: value for name, value in options.items() if name not in NOT_WITH_BATCH}
            done = runner.ask_batch(batch, out, **common)
        else:
            # Here, as records take long to import.
            from imagerag_assets.questions.answer_records import evidence_files

            record = runner.ask(asked)
            done, files = record.to_dict(), evidence_files(runner.platform, record)
    code = cli_run.SOME_FAILED if done.get("failed") else cli_run.DONE
    command.finish(done, partial(render.answer, files=files) if batch is None else render.batch, code=code)
    _open(command, done, open_it)


def _open(command: Command, answer: render.Document, open_it: bool) -> None:
    if open_it:
        page, _ = make_page(command, answer["answer_id"], local=True)
        open_page(page)
