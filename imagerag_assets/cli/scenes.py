"""`imagerag scenes`: list the ingested scenes, show one, and remove scenes.

Only the options and the look of results are here; the work is in `ingestion.inventory`, `lineage.scene_facts`,
`scenes.pictures` and `ingestion.remove`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import _completion as completion
from imagerag_assets.cli._command import Collections, Command, Debug, Json, command_of, plain, remember
from imagerag_assets.cli._confirm import confirmed
from imagerag_assets.cli._render import Document, facts_of, place, stacked, table_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from imagerag_assets.ingestion.inventory import SceneFilter

PAGE = 50
"""Scenes of a page in a table."""
_NOTE = 60  # characters of the notes in a table

Keys = Annotated[
    list[str],
    typer.Argument(help="Scene key, as `imagerag scenes` lists it; several at once.", autocompletion=completion.scenes),
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        help="List only scenes from this source, or below it; also the name of a watched one; repeatable.",
        autocompletion=completion.sources,
    ),
]
Acquired = Annotated[str | None, typer.Option(help="List only scenes acquired in this time, START/END.")]
Area = Annotated[str | None, typer.Option(help="List only scenes that meet this area, in degrees.", metavar="W,S,E,N")]
Most = Annotated[
    int | None, typer.Option(min=1, help="List at most this many scenes a page; default: 50, or all with --json.")
]
Page = Annotated[int, typer.Option(min=1, help="Page to list.")]

scenes_app = typer.Typer(invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Add `scenes`."""
    app.add_typer(scenes_app, name="scenes")


@scenes_app.callback()
def scenes(
    ctx: typer.Context,
    collection: Collections = None,
    source: Sources = None,
    datetime: Acquired = None,
    bbox: Area = None,
    limit: Most = None,
    page: Page = 1,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the ingested scenes, show one, or remove scenes.

    The list has item, source, time, place, size, ground distance and number of patches of each scene, and notes.
    """
    remember(ctx, as_json, debug)
    if ctx.invoked_subcommand is None:
        list_(ctx, collection, source, datetime, bbox, limit, page, as_json, debug)


@scenes_app.command("list")
def list_(
    ctx: typer.Context,
    collection: Collections = None,
    source: Sources = None,
    datetime: Acquired = None,
    bbox: Area = None,
    limit: Most = None,
    page: Page = 1,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the ingested scenes."""
    command = command_of(ctx, as_json, debug)
    with command.platform() as platform:
        from imagerag_assets.ingestion.inventory import list_scenes

        wanted = _filter(command, collection or (), source or (), datetime, bbox)
        size = limit or (None if command.as_json else PAGE)
        found = list_scenes(platform, wanted, limit=size, page=page)
    command.finish(found, listed)


@scenes_app.command()
def show(
    ctx: typer.Context,
    scene: Keys,
    out: Annotated[
        Path | None,
        typer.Option(help="PNG to write the overview to, or a folder; default: SCENE.png in the current folder."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=16, max=16384, help="Longest side of the overview; default: IMAGERAG_OVERVIEW_PX.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show everything that is known of a scene, and write an overview of it as a picture.

    That is its record, place, failures, versions, the vectors of each encoder, and the answers that used it.
    """
    command = command_of(ctx, as_json, debug)
    keys = list(dict.fromkeys(scene))
    with command.platform() as platform:
        from imagerag_assets.installation.serving import find_serving
        from imagerag_assets.lineage.scene_facts import scene_facts
        from imagerag_assets.scenes.pictures import overview_of, write_png
        from imagerag_assets.scenes.records import find_record

        found = [scene_facts(platform, key) for key in keys]
        serving = find_serving(platform, orphaned=True) if platform.has_vectors else None
        settings = platform.settings if serving is None else serving.platform.settings
        for each in found:
            record = find_record(platform, each["scene"]) if "item" in each else None
            each["picture"] = None
            if record is not None:
                target = _target(out, each["scene"], several=len(keys) > 1)
                picture, note = overview_of(platform, settings, record, size or settings.overview_px)
                write_png(picture, target)
                each["picture"] = str(target)
                each["notes"] += [note] if note else []
    command.finish({"scenes": found}, shown)


@scenes_app.command()
def remove(
    ctx: typer.Context,
    scene: Keys,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be removed.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Remove scenes, so that questions no longer find them.

    Their rows are deleted, and their source does not bring them back.
    What was embedded stays until `imagerag purge`; all answers stay.
    To have a scene again, run `imagerag ingest SOURCE --scene SCENE`.
    """
    command = command_of(ctx, as_json, debug)
    keys = list(dict.fromkeys(scene))
    with command.platform() as platform:
        from imagerag_assets.ingestion.remove import count_rows, require_known

        require_known(platform, keys)
        rows = {key: sum(of.values()) for key, of in count_rows(platform, keys).items()}
    named = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
    if dry_run:
        done = [{"scene": key, "rows": rows[key]} for key in keys]
        command.finish({"dry_run": True, "removed": done, "next": ""}, gone)
        return
    if not confirmed(command, f"Remove {named} with {sum(rows.values()):,} rows from all questions", yes=yes):
        command.finish({"dry_run": False, "removed": [], "next": ""}, gone, code=cli_run.FAILED)
        return
    with command.runner() as runner:
        from imagerag_assets.orchestration.removing import remove_registered

        done = remove_registered(runner.platform, runner.instance, keys)
    command.finish({"dry_run": False, "removed": done, "next": "imagerag purge --scene SCENE"}, gone)


def _filter(command: Command, collections: Any, sources: Any, datetime: str | None, bbox: str | None) -> SceneFilter:
    """Return what was typed as a filter; the name of a watched source stands for its address."""
    from imagerag_assets.cli._options import parse_bbox
    from imagerag_assets.ingestion.inventory import SceneFilter
    from imagerag_assets.questions.question import interval
    from imagerag_assets.watched_sources.sources import list_sources

    watched = {each.name: each.source for each in list_sources(command.settings)} if sources else {}
    start, end = interval(datetime)
    addresses = [watched.get(each, each) for each in sources]
    addresses += [os.path.abspath(each) for each in addresses if "://" not in each]  # items are named in full
    return SceneFilter(tuple(collections), tuple(addresses), start, end, parse_bbox(bbox))


def _target(out: Path | None, scene_key: str, *, several: bool) -> Path:
    """Return where the picture of a scene goes: a file that was named, or one in a folder."""
    name = f"{scene_key}.png"
    if out is None:
        return Path(name)
    folder = several or out.is_dir() or out.suffix.lower() != ".png"
    return out / name if folder else out


def listed(document: Document) -> RenderableType:
    """Show a line for each scene, and which page this is."""
    columns = ("scene", "item", "source", "acquired", "where", "pixels", "m/px", "patches", "status", "notes")
    rows = [
        (
            each["scene"],
            each["item"] if each["item"] != each["scene"] else None,
            each["source"],
            (each["acquired"] or "")[:16].replace("T", " "),
            place(each["bbox"], 4) or None,
            f"{each['width']:,} x {each['height']:,}" if each["width"] else None,
            each["gsd_m"],
            each["patches"],
            each["status"],
            _short("; ".join(each["notes"])),
        )
        for each in document["scenes"]
    ]
    total, page, pages = document["total"], document["page"], document["pages"]
    if not rows:
        return "no scenes"
    more = f"; page {page} of {pages}, the next one: --page {page + 1}" if page < pages else ""
    last = f"; page {page} of {pages}" if page == pages and pages > 1 else ""
    line = f"[bold]{total:,} {'scene' if total == 1 else 'scenes'}[/]{more}{last}"
    return stacked(table_of(columns, rows), line, "[dim]imagerag scenes show SCENE[/]")


def shown(document: Document) -> RenderableType:
    """Show the facts of each scene, its vectors, its rows, and the answers that used it."""
    return stacked(*(part for each in document["scenes"] for part in _shown(each)))


def _shown(each: Document) -> list[RenderableType | None]:
    hidden = {"footprint", "properties", "failure", "removed", "patch_tables", "embeddings", "rows", "answers",
              "notes", "bands", "files", "shown", "bbox", "width", "height"}  # fmt: skip
    facts: dict[str, object] = {name: value for name, value in each.items() if name not in hidden}
    if "width" in each:
        facts |= {
            "pixels": f"{each['width']:,} x {each['height']:,}",
            "west, south, east, north": ", ".join(f"{value:.5f}" for value in each["bbox"] or ()),
            "bands": ", ".join(f"{band['name'] or band['asset']}#{band['index']}" for band in each["bands"]),
            "shown as": each["shown"]["how"],
            "files": "; ".join(each["files"]),
            "properties": json.dumps(each["properties"], ensure_ascii=False, default=str),
        }
    embedded = [
        (part["encoder"] or part["fingerprint"], part["division"], part["version"], part["patches"],
         "yes" if part["current"] else "", part["kept"], part["stored_at"], part["problem"])
        for part in each["embeddings"]
    ]  # fmt: skip
    answers = each["answers"]
    asked = [(one["answer_id"], one["question"], one["asked_at"]) for one in answers["latest"]]
    failure = each["failure"]
    cut = [(part["division"], part["version"], part["patches"]) for part in each["patch_tables"]]
    rows = [(part["collection"], part["alias"], part["rows"]) for part in each["rows"]]
    columns = ("vectors of", "division", "version", "patches", "current", "kept", "stored at", "problem")
    return [
        facts_of(facts),
        *(f"[yellow]{plain(note)}[/]" for note in each["notes"]),
        f"[red]failed at {plain(failure['when'])}: {plain(failure['error'])}[/]" if failure else None,
        table_of(("cut into patches of", "version", "patches"), cut) if cut else None,
        table_of(columns, embedded) if embedded else None,
        table_of(("collection", "alias", "rows"), rows) if rows else "no rows",
        table_of(("answer", "question", "asked"), asked) if asked else None,
        f"used by {answers['total']:,} {'answer' if answers['total'] == 1 else 'answers'}",
    ]


def gone(document: Document) -> RenderableType:
    """Show each scene that was or would be removed."""
    rows = [(each["scene"], each["rows"]) for each in document["removed"]]
    if not rows:
        return "nothing was removed"
    said = f"[dim]what was stored stays until: {plain(document['next'])}[/]" if document["next"] else None
    return stacked(table_of(("scene", "rows"), rows), said)


def _short(text: str) -> str:
    return text if len(text) <= _NOTE else f"{text[: _NOTE - 3]}..."
