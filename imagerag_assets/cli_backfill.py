"""`imagerag backfill`, `imagerag rollback` and `imagerag explain`: moving to another encoder, and what work will cost.

What can be typed and how results look; the work is in `pipelines.backfill`, `pipelines.switching`, `pipelines.explain`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets import cli_run
from imagerag_assets.cli_render import Document, facts_of, stacked, table_of
from imagerag_assets.cli_run import Collections, Debug, Json, Limit, Scenes, Source, command_of, plain

if TYPE_CHECKING:
    from rich.console import RenderableType


def register(app: typer.Typer) -> None:
    """Add `backfill`, `rollback` and `explain`."""
    app.command("backfill")(backfill)
    app.command("rollback")(rollback)
    app.command("explain")(explain)


def backfill(
    ctx: typer.Context,
    encoder: Annotated[str | None, typer.Option(help="Registry name; default: the one chosen.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what there is to do, and do nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Switch although a check of quality fails.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Embed every scene with another encoder beside the one in use, check the result, and switch to it."""
    command = command_of(ctx, as_json, debug)
    if dry_run:
        with command.platform() as platform:
            from imagerag_assets.pipelines.backfill import make_plan

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


def explain(
    ctx: typer.Context,
    source: Source,
    scene: Scenes = None,
    collection: Collections = None,
    limit: Limit = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """What an ingest of a source would read, embed and store, without doing it."""
    command = command_of(ctx, as_json, debug)
    with command.progress("looking at scenes") as progress, command.platform() as platform:
        from imagerag_assets.pipelines.explain import explain as look

        found = look(
            platform, source, collections=collection or (), scenes=scene or (), limit=limit, progress=progress
        ).to_dict()
    command.finish(found, explained, code=cli_run.SOME_FAILED if found["totals"]["failed"] else cli_run.DONE)


def backfilled(document: Document) -> RenderableType:
    """What was, or would be, done; the gate; and what is in use."""
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
        return f"[dim]nothing was done; in use: {before}[/]"
    if document["switched"]:
        forced = " (forced)" if document["forced"] else ""
        return f"[bold]switched[/] from {before} to {after}{forced}; undo: imagerag rollback"
    if document["gate"] is None:
        return f"in use already: {after}"
    return f"[red]not switched[/]: {before} stays in use"


def rolled_back(document: Document) -> RenderableType:
    """What is in use again."""
    before, after = document["alias"]["before"], document["alias"]["after"]
    return f"back to [bold]{plain(document['encoder'])}[/]: from {plain(before)} to {plain(after)}"


def explained(document: Document) -> RenderableType:
    """Each scene with its cost, and the totals."""
    columns = ("scene", "", "pixels", "patches", "files", "vectors", "time")
    rows = [_row(each["scene"], each["state"], _pixels(each), each) for each in document["scenes"]]
    totals = document["totals"]
    states = ", ".join(f"{totals[name]:,} {name}" for name in ("new", "changed", "incomplete", "current", "failed"))
    rows.append(_row("total", "", "", totals))
    encoders = ", ".join(each["name"] for each in document["encoders"])
    failed = [f"[red]{plain(each['scene'])}[/]: {plain(each['error'])}" for each in document["scenes"] if each["error"]]
    line = f"[bold]{states}[/]; encoder: {plain(encoders)}, {plain(document['division'])}"
    return stacked(table_of(columns, rows), line, *failed)


def _row(name: str, state: str, pixels: str, cost: Document) -> tuple[object, ...]:
    read, vectors = size(cost["bytes_read"]), size(cost["vector_bytes"])
    return name, state, pixels, cost["patches"], read, vectors, duration(cost["seconds"])


def _pixels(scene: Document) -> str:
    return f"{scene['width_px']:,} x {scene['height_px']:,}" if scene["width_px"] else ""


def size(count: int | None) -> str:
    """Bytes for a person."""
    if count is None:
        return "unknown"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def duration(seconds: float) -> str:
    """Seconds for a person."""
    if seconds < 120:
        return f"{seconds:,.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60:,} h {minutes % 60} min"
