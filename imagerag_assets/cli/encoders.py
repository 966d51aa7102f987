"""`imagerag encoders`, `backfill` and `rollback`: choose an encoder and switch to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import _completion as completion
from imagerag_assets.cli._command import Debug, Json, command_of, plain, remember
from imagerag_assets.cli._names import check_encoder
from imagerag_assets.cli._render import Document, duration, facts_of, size, stacked, table_of

if TYPE_CHECKING:
    from rich.console import RenderableType


encoders_app = typer.Typer(invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Add `encoders`, `backfill` and `rollback`."""
    app.add_typer(encoders_app, name="encoders")
    app.command("backfill")(backfill)
    app.command("rollback")(rollback)


def backfill(
    ctx: typer.Context,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Registry name of the encoder to switch to; default: the chosen encoder.",
            autocompletion=completion.encoders,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what there is to do, and how long it would take.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Switch even if a quality check fails.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Embed every scene with the chosen encoder, check the result, and switch questions over to it.

    Until every scene is complete and the checks pass, questions use the earlier encoder.
    `imagerag rollback` goes back to it after the switch.
    """
    command = command_of(ctx, as_json, debug)
    check_encoder(command.settings, encoder)
    if dry_run:
        with command.platform() as platform:
            from imagerag_assets.encoder_switch.backfill import make_plan

            plan = make_plan(platform, encoder)
        done: dict[str, Any] = plan.to_dict() | {
            "dry_run": True,
            "gate": None,
            "switched": False,
            "alias": {"before": plan.before, "after": plan.collection},
        }
    else:
        with command.progress("looking at scenes") as progress, command.runner(progress) as runner:
            done = runner.backfill(encoder, force=force) | {"dry_run": False}
    code = cli_run.DONE
    if done.get("failed"):
        code = cli_run.SOME_FAILED
    elif done["gate"] is not None and not done["switched"]:
        code = cli_run.FAILED
    command.finish(done, backfilled, code=code)


def rollback(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """Go back to the encoder and the collections that were in use before the last switch."""
    command = command_of(ctx, as_json, debug)
    with command.runner() as runner:
        done = runner.rollback()
    command.finish(done, rolled_back)


def backfilled(document: Document) -> RenderableType:
    """Show what was or would be done, the checks, and which collection is in use."""
    states = ", ".join(f"{count:,} {state}" for state, count in document["states"].items() if count)
    about = "would take" if document["estimated"] else "took"
    facts = {
        "encoder": f"{document['encoder']} ({document['fingerprint'][:12]}), {document['division']}",
        "scenes": f"{document['scenes']:,} ({states})" if states else "none",
        "patches": f"{document['patches']:,} to embed"
        if document["estimated"]
        else f"{document['patches']:,} embedded",
        "files": size(document["bytes_read"]),
        "vectors": size(document["vector_bytes"]),
        about: duration(document["seconds"]),
    }
    gate = document["gate"]
    checks = [
        ("skipped" if check["passed"] is None else "ok" if check["passed"] else "fail", check["name"], check["detail"])
        for check in (gate["checks"] if gate else ())
    ]
    failed = [f"[red]{plain(each['scene'])}[/]: {plain(each['error'])}" for each in document.get("failed", ())]
    notes = [f"[yellow]{plain(note)}[/]" for note in document["notes"]]
    return stacked(
        facts_of(facts),
        table_of(("", "check", "found"), checks) if checks else None,
        *failed,
        *notes,
        _alias(document),
    )


def _alias(document: Document) -> str:
    before, after = plain(document["alias"]["before"] or "nothing"), plain(document["alias"]["after"] or "nothing")
    if document["dry_run"]:
        return f"[dim]nothing was changed; in use: {before}[/]"
    if document["switched"]:
        forced = " (forced)" if document["forced"] else ""
        return f"[bold]switched[/] from {before} to {after}{forced}; undo: imagerag rollback"
    if document["gate"] is None:
        return f"already in use: {after}"
    return f"[red]not switched[/]: {before} stays in use"


def rolled_back(document: Document) -> RenderableType:
    """Show what is in use again."""
    before, after = document["alias"]["before"], document["alias"]["after"]
    return f"back to [bold]{plain(document['encoder'])}[/]: from {plain(before)} to {plain(after)}"


@encoders_app.callback()
def encoders(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """List the encoders, or choose one.

    An encoder turns images and texts into vectors that can be compared.
    A star marks the chosen encoder.
    """
    command = remember(ctx, as_json, debug)
    if ctx.invoked_subcommand is not None:
        return
    with command.working():
        from imagerag_assets.encoders.registry import describe_encoders

        found = describe_encoders(command.settings)
    command.finish(found, listed)


@encoders_app.command()
def use(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="Registry name of the encoder, as `imagerag encoders` lists it.", autocompletion=completion.encoders
        ),
    ],
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Choose the encoder for new embeddings.

    Scenes that it has not embedded yet become stale.
    `imagerag backfill` embeds them and switches questions over to the chosen encoder.
    """
    command = command_of(ctx, as_json, debug)
    with command.working():
        from imagerag_assets.orchestration.choose_encoder import use_encoder

        found = use_encoder(name, command.settings)
    command.finish(found, chosen)


@encoders_app.command()
def words(
    ctx: typer.Context,
    phrases: Annotated[list[str], typer.Argument(help="Words or phrases to ask about.", metavar="WORD...")],
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say which words the encoder that answers questions can tell from others, and how that is known.

    `imagerag calibrate` measures encoders that came without measured words.
    """
    command = command_of(ctx, as_json, debug)
    with command.platform() as platform:
        from imagerag_assets.retrieval.known_words import known_words

        found = known_words(platform, phrases)
    command.finish(found, judged)


def judged(document: Document) -> RenderableType:
    """Show each word with what the encoder makes of it."""
    rows = [
        (each["word"], "yes" if each["known"] else "no", f"{each['score']:.2f}", each["by"], each["nearest"])
        for each in document["words"]
    ]
    notes = [f"[yellow]{plain(note)}[/]" for note in document["notes"]]
    return stacked(table_of(("word", "told apart", "score", "by", "nearest other"), rows), *notes)


def listed(document: Document) -> RenderableType:
    """Show the registry, with the chosen encoder marked."""
    rows = [
        ("*" if each["active"] else "", each["name"], each["parameters"], each["licence"], each["description"])
        for each in document["encoders"]
    ]
    return table_of(("", "encoder", "parameters", "licence", "description"), rows)


def chosen(document: Document) -> RenderableType:
    """Show which encoder is chosen now, and what is left to do."""
    line = f"chosen encoder: [bold]{plain(document['encoder'])}[/] (before: {plain(document['before'])})"
    stale, total = document["stale"], document["scenes"]
    left = (
        f"{stale:,} of {total:,} scenes are stale. To embed them and switch questions over: [bold]imagerag backfill[/]"
    )
    note = f"[yellow]{plain(document['note'])}[/]" if document["note"] else None
    return stacked(line, left if stale else None, note)
