"""`imagerag watch`: ask questions again when a new acquisition covers their area.

Only the options and the look of results are here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import _completion as completion
from imagerag_assets.cli import _options as cli_options
from imagerag_assets.cli import _render as render
from imagerag_assets.cli._command import Debug, Json, command_of, need_subcommand, plain, remember
from imagerag_assets.cli._names import Stored, check_question
from imagerag_assets.errors import SettingsError
from imagerag_assets.questions.question import Question

if TYPE_CHECKING:
    from rich.console import RenderableType

NOT_STANDING = {"mode": "a standing question is about scenes that are still to come, so there are no known regions"}
"""Fields of a question with an option in `imagerag ask` and none in `imagerag watch add`, each with the reason."""

watch_app = typer.Typer()


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    app.add_typer(watch_app, name="watch")


@watch_app.callback(invoke_without_command=True)
def watch(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """Ask questions again when a new acquisition covers their area.

    Such a question is called a standing question.
    Dagster's daemon asks it; `imagerag dev` starts the daemon.
    """
    remember(ctx, as_json, debug)
    need_subcommand(ctx)


@watch_app.command()
@cli_options.question_options(leave_out=NOT_STANDING)
def add(
    ctx: typer.Context,
    question: Annotated[str, typer.Argument(help="The question, in plain words.")] = "",
    name: Annotated[str, typer.Option(help="Name from which the id is made; default: the question.")] = "",
    later: Annotated[bool, typer.Option("--later", help="Do not ask now; wait for the next acquisition.")] = False,
    as_json: Json = False,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Save a standing question and ask it for the first time."""
    command = command_of(ctx, as_json, debug)
    asked = Question(question, **cli_options.read_options(typed))
    check_question(command.settings, asked)
    with command.waiting("starting") as progress, command.runner(progress) as runner:
        from imagerag_assets.orchestration.watches import add_watch

        done = add_watch(runner, asked, name=name, ask_now=not later)
    command.finish(done, added)


@watch_app.command("list")
def list_(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """List the standing questions, their last answers, and when these changed."""
    command = command_of(ctx, as_json, debug)
    with command.platform() as platform:
        from imagerag_assets.standing_questions.asking import describe_watches

        found = describe_watches(platform)
    command.finish({"watches": found}, listed)


@watch_app.command()
def show(
    ctx: typer.Context,
    watch_id: Annotated[
        str,
        typer.Argument(
            help="Id of a standing question, as `imagerag watch list` prints it.", autocompletion=completion.watches
        ),
    ],
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show one standing question with all its answers."""
    command = command_of(ctx, as_json, debug)
    with command.platform() as platform:
        from imagerag_assets.standing_questions.store import load_watch, series

        found = load_watch(platform, watch_id).to_dict()
        answers = [each.to_dict() for each in series(platform, watch_id)]
    command.finish({"watch": found, "answers": answers}, shown)


@watch_app.command()
def remove(
    ctx: typer.Context,
    watch_id: Annotated[
        str,
        typer.Argument(
            help="Id of a standing question, as `imagerag watch list` prints it.", autocompletion=completion.watches
        ),
    ],
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Delete a standing question; keep the records of its answers."""
    command = command_of(ctx, as_json, debug)
    with command.runner() as runner:
        from imagerag_assets.orchestration.watches import remove_watch

        done = remove_watch(runner, watch_id)
    command.finish(done, render.facts_of)


@watch_app.command()
def run(
    ctx: typer.Context,
    watch_id: Annotated[
        list[str] | None,
        typer.Argument(
            help="Id of a standing question to ask, due or not; default: all that are due.",
            autocompletion=completion.watches,
        ),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Ask the standing questions that are due now."""
    command = command_of(ctx, as_json, debug)
    from imagerag_assets.standing_questions.store import load_watch

    for each in watch_id or ():
        load_watch(Stored.of(command.settings), each)
    with command.waiting("starting") as progress, command.runner(progress) as runner:
        from imagerag_assets.orchestration.watches import ask_watches

        done = ask_watches(runner, watch_id or ())
    command.finish(done, ran, code=cli_run.SOME_FAILED if done["failed"] else cli_run.DONE)


@watch_app.command()
def deliver(
    ctx: typer.Context,
    test: Annotated[bool, typer.Option("--test", help="Only send a test message on each channel.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also send what was given up, and the digest before its time.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Tell of changed answers that were not told yet, by webhook, mail and feed.

    Dagster's daemon does so by itself; failed messages are tried five times.
    The settings name the channels: IMAGERAG_WEBHOOK_URL, IMAGERAG_SMTP_HOST, IMAGERAG_FEED_FILE and those beside them.
    """
    command = command_of(ctx, as_json, debug)
    with command.working(), command.progress("sending"):
        from imagerag_assets.delivery.outbox import channels_of, deliver_waiting, send_test

        if not channels_of(command.settings) and command.settings.feed_file is None:
            raise SettingsError(
                "Nobody is to be told anything",
                fix="Set IMAGERAG_WEBHOOK_URL, IMAGERAG_SMTP_HOST and IMAGERAG_MAIL_TO, or IMAGERAG_FEED_FILE",
            )
        if test:
            tried = send_test(command.settings)
            done: dict[str, Any] = {"test": [{"channel": name, "error": error} for name, error in tried.items()]}
            failed = any(tried.values())
        else:
            done = deliver_waiting(Stored.of(command.settings), again=again)
            failed = any(each["error"] for kind in ("waiting", "failed") for each in done[kind])
    command.finish(done, delivered, code=cli_run.SOME_FAILED if failed else cli_run.DONE)


def delivered(document: render.Document) -> RenderableType:
    """Show what was told, what waits, and why."""
    if "test" in document:
        tried = [("fail" if each["error"] else "ok", each["channel"], each["error"]) for each in document["test"]]
        return render.table_of(("", "channel", "why"), tried) if tried else "only a feed is set up"
    rows = [
        (kind, each["watch"], each["channel"], each["answer_id"], each["error"])
        for kind in ("told", "waiting", "failed")
        for each in document[kind]
    ]
    columns = ("state", "watch", "channel", "answer", "why")
    return render.stacked(
        "another process is delivering" if document["busy"] else None,
        render.table_of(columns, rows) if rows else "nothing to tell",
        f"feed: {plain(document['feed'])}" if document["feed"] else None,
    )


def added(document: render.Document) -> RenderableType:
    """Show the id and the first answer."""
    answer, note = document["answer"], document["note"]
    return render.stacked(
        render.facts_of({"watch": document["watch"]["watch_id"], "question": document["watch"]["question"]}),
        _answers([answer]) if answer else None,
        f"[dim]{plain(note)}[/]" if note else None,
    )


def listed(document: render.Document) -> RenderableType:
    """Show one line for each question."""
    rows = [
        (
            each["watch_id"],
            each.get("question"),
            each.get("answers"),
            _said(each["last"]) if each.get("last") else None,
            each["last"]["asked_at"] if each.get("last") else None,
            each.get("changed_at"),
        )
        for each in document["watches"]
    ]
    problems = [f"[red]{plain(each['problem'])}[/]" for each in document["watches"] if each.get("problem")]
    if not rows:
        return "no standing questions"
    columns = ("watch", "question", "answers", "last answer", "asked", "changed")
    return render.stacked(render.table_of(columns, rows), *problems)


def shown(document: render.Document) -> RenderableType:
    """Show the question and its series of answers."""
    asked = {name: value for name, value in document["watch"].items() if value not in (None, [], {})}
    return render.stacked(render.facts_of(asked), _answers(document["answers"]))


def ran(document: render.Document) -> RenderableType:
    """Show what was asked, and what failed."""
    failed = [f"[red]{plain(each['watch_id'])}[/]: {plain(each['error'])}" for each in document["failed"]]
    nothing = "no standing question is due" if not (document["asked"] or failed) else None
    return render.stacked(_answers(document["asked"]) if document["asked"] else None, *failed, nothing)


def _answers(answers: list[dict[str, Any]]) -> RenderableType:
    rows = [
        (
            each["watch_id"],
            each["asked_at"],
            _said(each),
            each["count"],
            each["confidence"],
            ", ".join(f"{change['what']}: {change['before']} -> {change['after']}" for change in each["changed"]),
        )
        for each in answers
    ]
    return render.table_of(("watch", "asked", "answer", "cues", "confidence", "changed"), rows)


def _said(answer: dict[str, Any]) -> str:
    choice, text = answer["choice"], answer["answer"]
    if choice or text:
        return f"{choice}: {text}" if choice else str(text)
    return "found" if answer["found"] else "not found"
