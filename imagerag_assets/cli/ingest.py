"""`imagerag ingest` and `imagerag explain`: ingest a source, or say what that would take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import _render as render
from imagerag_assets.cli._command import (
    Collections,
    Debug,
    Json,
    LayerBox,
    LayerDate,
    LayerZoom,
    Limit,
    Scenes,
    Source,
    command_of,
    plain,
)
from imagerag_assets.cli._names import check_encoder, check_source
from imagerag_assets.cli._render import Document, duration, size, stacked, table_of
from imagerag_assets.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType


_SMALLEST = 6
"""Sizes of patches that are named."""


def register(app: typer.Typer) -> None:
    """Add `ingest` and `explain`."""
    app.command("ingest")(ingest)
    app.command("explain")(explain)


def ingest(
    ctx: typer.Context,
    source: Source,
    scene: Scenes = None,
    collection: Collections = None,
    limit: Limit = None,
    bbox: LayerBox = None,
    zoom: LayerZoom = None,
    date: LayerDate = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Ingest the new and changed scenes of a source, so that questions can find them.

    Each scene is checked, cut into patches, embedded, and indexed in Milvus.
    Imagery is read where it is and not copied.
    A scene without a pixel that holds data is empty: it is kept, and questions find nothing in it.
    A scene that was removed with `imagerag scenes remove` is left out unless --scene names it.
    An interrupted ingest continues where it stopped.
    """
    command = command_of(ctx, as_json, debug)
    started = time.perf_counter()
    source = _with_options(source, bbox, zoom, date)
    check_source(command.settings, source)
    check_encoder(command.settings)
    results: list[dict[str, Any]] = []
    missed = False
    with command.waiting("looking for scenes") as progress, command.runner(progress) as runner:
        for result in runner.ingest_source(source, collections=collection or (), scenes=scene or (), limit=limit):
            results.append(result.to_dict())
            missed |= result.missed
            if progress is not None:
                progress(0, 0, f"{len(results)} scenes; {result.scene} {result.status}")
    statuses = ("ingested", "skipped", "empty", "failed")
    counts = {status: sum(r["status"] == status for r in results) for status in statuses}
    patches = sum(result["patches"] for result in results)
    totals = {**counts, "patches": patches, "seconds": round(time.perf_counter() - started, 3)}
    code = cli_run.SOME_FAILED if missed else cli_run.DONE
    command.finish({"scenes": results, "totals": totals}, render.ingest, code=code)


def explain(
    ctx: typer.Context,
    source: Source,
    scene: Scenes = None,
    collection: Collections = None,
    limit: Limit = None,
    bbox: LayerBox = None,
    zoom: LayerZoom = None,
    date: LayerDate = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what an ingest of a source would read, embed and store, and how long it would take."""
    command = command_of(ctx, as_json, debug)
    source = _with_options(source, bbox, zoom, date)
    check_source(command.settings, source)
    with command.waiting("looking at scenes") as progress, command.platform() as platform:
        from imagerag_assets.ingestion.explain import explain as look

        found = look(
            platform, source, collections=collection or (), scenes=scene or (), limit=limit, progress=progress
        ).to_dict()
    command.finish(found, explained, code=cli_run.SOME_FAILED if found["totals"]["failed"] else cli_run.DONE)


def _with_options(source: str, bbox: str | None, zoom: int | None, date: str | None) -> str:
    """Return a source with the options of an online layer.

    Raises:
        InputError: the options were given for something else.
    """
    if bbox is None and zoom is None and date is None:
        return source
    from imagerag_assets.online_layers.address import is_layer, layer_source

    named = layer_source(source, bbox=bbox, zoom=zoom, date=date)
    if not is_layer(named):
        raise InputError(
            "--bbox, --zoom and --date are for online layers",
            fix="Leave them out, or give an address like https://host/{z}/{x}/{y}.png",
        )
    return named


def explained(document: Document) -> RenderableType:
    """Show each scene with its cost, and the totals."""
    columns = ("scene", "", "pixels", "patches", "files", "vectors", "time")
    rows = [_row(each["scene"], each["state"], _pixels(each), each) for each in document["scenes"]]
    totals = document["totals"]
    states = ", ".join(
        f"{totals[name]:,} {name}"
        for name in ("new", "changed", "incomplete", "current", "removed", "failed")
        if name != "removed" or totals[name]
    )
    rows.append(_row("total", "", "", totals))
    encoders = ", ".join(each["name"] for each in document["encoders"])
    failed = [f"[red]{plain(each['scene'])}[/]: {plain(each['error'])}" for each in document["scenes"] if each["error"]]
    line = f"[bold]{states}[/]; encoder: {plain(encoders)}, {plain(document['division'])}"
    return stacked(table_of(columns, rows), line, *_smallest(document), *failed, *render.made_notes(document))


def _smallest(document: Document) -> list[str]:
    """Say what the smallest patches are, and of how many scenes; nothing where they are counted in pixels."""
    scenes: dict[str, list[str]] = {}
    for each in document["scenes"]:
        if why := each.get("smallest_patch"):
            scenes.setdefault(why, []).append(each["scene"])
    many = sorted(scenes, key=lambda why: -len(scenes[why]))
    lines = [
        f"smallest patch: {plain(why)} ({plain(scenes[why][0])}"
        f"{f' and {len(scenes[why]) - 1:,} more' if len(scenes[why]) > 1 else ''})"
        for why in many[:_SMALLEST]
    ]
    rest = sum(len(scenes[why]) for why in many[_SMALLEST:])
    return [*lines, f"smallest patch of {rest:,} more scenes: see --json"] if rest else lines


def _row(name: str, state: str, pixels: str, cost: Document) -> tuple[object, ...]:
    read, vectors = size(cost["bytes_read"]), size(cost["vector_bytes"])
    return name, state, pixels, cost["patches"], read, vectors, duration(cost["seconds"])


def _pixels(scene: Document) -> str:
    return f"{scene['width_px']:,} x {scene['height_px']:,}" if scene["width_px"] else ""
