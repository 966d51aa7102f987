"""`imagerag calibrate`: fit thresholds on the installation's own imagery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagerag_assets.cli import _completion as completion
from imagerag_assets.cli._command import Debug, Json, command_of, plain
from imagerag_assets.cli._render import Document, facts_of, stacked

if TYPE_CHECKING:
    from rich.console import RenderableType


def register(app: typer.Typer) -> None:
    """Add `calibrate`."""
    app.command()(calibrate)


def calibrate(
    ctx: typer.Context,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Registry name of the encoder; default: the one that answers questions.",
            autocompletion=completion.encoders,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines or CSV with phrase, scene, and box (x0, y0, x1, y1 in native pixels) or absent.",
            metavar="FILE",
        ),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Fit how sure a cue must be, on the scenes that are ingested.

    It works without labels, and better with a few.
    Encoders that were calibrated on labels keep those thresholds unless you give labels.
    """
    command = command_of(ctx, as_json, debug)
    with command.progress("looking at candidates") as progress, command.changing() as platform:
        from imagerag_assets.evaluation.calibrate_imagery import calibrate_encoder
        from imagerag_assets.evaluation.calibration_labels import read_labels

        read = None if labels is None else lambda viewer: read_labels(labels, viewer.size)
        done = calibrate_encoder(platform, encoder, labels=read, progress=progress)
    command.finish(done, calibrated)


def calibrated(document: Document) -> RenderableType:
    """Show the calibration in use, and how it was made."""
    state = "stored" if document["stored"] else "unchanged"
    facts = {
        "encoder": f"{document['encoder']} ({document['fingerprint'][:12]}), {document['division']}",
        "calibration": f"{document['calibration']} ({document['kind']}, {state})",
        "cues from": f"{document['threshold']:.2f}",
        "candidates": f"{document['candidates']:,}",
    }
    return stacked(facts_of(facts), *[plain(note) for note in document["notes"]])
