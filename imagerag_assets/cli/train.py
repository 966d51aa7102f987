"""`imagerag train data` and `imagerag train lora`: training data from labelled scenes, and adapters trained on it.

What can be typed and how results look; the work is in `training.instruct_data` and `training.finetune`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli._command import Debug, Json, command_of, need_subcommand, plain, remember
from imagerag_assets.cli._render import Document, facts_of, stacked

if TYPE_CHECKING:
    from rich.console import RenderableType

train_app = typer.Typer(help="Teach a multimodal LLM to use its cues.")


def register(app: typer.Typer) -> None:
    """Add `train data` and `train lora`."""
    app.add_typer(train_app, name="train")
    train_app.command("data")(data)
    train_app.command("lora")(lora)


@train_app.callback(invoke_without_command=True)
def train(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """Teach a multimodal LLM to use its cues."""
    remember(ctx, as_json, debug)
    need_subcommand(ctx)


def data(
    ctx: typer.Context,
    labels: Annotated[Path, typer.Argument(help="JSONL (scene, class, window) or GeoJSON (property class).")],
    out: Annotated[Path, typer.Option(help="A new folder.")],
    source: Annotated[
        str | None, typer.Option(help="STAC source of the scenes; default: the scenes that were ingested.")
    ] = None,
    questions: Annotated[int, typer.Option(min=1, help="How many.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same folder.")] = 0,
    missed: Annotated[float, typer.Option(min=0, max=1, help="Share of objects without a cue.")] = 0.1,
    false_cues: Annotated[float, typer.Option(min=0, max=1, help="Share of phrases with a wrong cue.")] = 0.15,
    free: Annotated[float, typer.Option(min=0, max=1, help="Share of questions without choices.")] = 0.25,
    confirm: Annotated[float, typer.Option(min=0, max=1, help="Share of questions about one cue.")] = 0.2,
    validation: Annotated[float, typer.Option(min=0.01, max=0.5, help="Share of scenes kept to validate on.")] = 0.1,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Make cue-instruction data from labelled scenes: overview, cues with boxes, question, answer."""
    command = command_of(ctx, as_json, debug)
    notes: tuple[str, ...] = ()
    with command.progress("reading labels") as progress, command.platform() as platform:
        from imagerag_assets.training.instruct_cues import Rates
        from imagerag_assets.training.instruct_data import build_dataset
        from imagerag_assets.training.labelled_scenes import installed_scenes, source_scenes
        from imagerag_assets.training.labels import read_labels

        given, settings = read_labels(labels), platform.settings
        if source is None:
            scenes = installed_scenes(platform, given, labels)
        else:
            scenes, notes = source_scenes(settings, source, given, labels)
        about = build_dataset(
            scenes,
            given.plurals,
            out,
            questions=questions,
            seed=seed,
            rates=Rates(missed, false_cues, free, confirm, validation),
            overview_px=settings.overview_px,
            patch_px=settings.patch_px,
            progress=progress,
        )
    command.finish({"data": str(out), **about, "notes": list(notes)}, made)


def lora(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DATA", help="Folder that `imagerag train data` made.")],
    out: Annotated[Path, typer.Option(help="Folder of the run, which goes on where it stopped.")],
    config: Annotated[Path | None, typer.Option(help="TOML recipe; options go before it.")] = None,
    model: Annotated[str | None, typer.Option(help="'demo', a folder, or a hub id.")] = None,
    revision: Annotated[str | None, typer.Option(help="Pinned revision of a hub id.")] = None,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16, float16 or 4bit.")] = None,
    steps: Annotated[int | None, typer.Option(help="Updates of the adapter.")] = None,
    batch: Annotated[int | None, typer.Option(help="Examples at once.")] = None,
    accumulate: Annotated[int | None, typer.Option(help="Batches an update.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    rank: Annotated[int | None, typer.Option(help="Rank of the adapter.")] = None,
    alpha: Annotated[int | None, typer.Option(help="The adapter is scaled by alpha / rank.")] = None,
    target: Annotated[list[str] | None, typer.Option(help="A layer to adapt, e.g. q_proj; repeatable.")] = None,
    checkpointing: Annotated[bool | None, typer.Option(help="Less memory, a third more time.")] = None,
    evaluate_every: Annotated[int | None, typer.Option(help="Steps between validations and checkpoints.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of first values and order.")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Fine-tune a multimodal LLM with LoRA; use the adapter with IMAGERAG_MLLM_ADAPTER."""
    command = command_of(ctx, as_json, debug)
    options = {
        "model": model,
        "revision": revision,
        "dtype": dtype,
        "steps": steps,
        "batch": batch,
        "accumulate": accumulate,
        "learning_rate": learning_rate,
        "rank": rank,
        "alpha": alpha,
        "targets": tuple(target) if target else None,
        "checkpointing": checkpointing,
        "evaluate_every": evaluate_every,
        "seed": seed,
    }
    with command.working(), command.progress("loading the model") as progress:
        from imagerag_assets.training.lora_recipe import load_recipe

        recipe = load_recipe(config, **options)
        from imagerag_assets.training.finetune import finetune

        done = finetune(recipe, folder, out, device=command.settings.device, progress=progress)
    command.finish(done, trained)


def made(document: Document) -> RenderableType:
    """What is in the folder."""
    facts: dict[str, Any] = {
        "examples": f"{document['train']:,} to train, {document['validation']:,} to validate",
        "kinds": ", ".join(f"{count:,} {kind}" for kind, count in document["kinds"].items()),
        "cues": f"{document['cues']['true']:,} true, {document['cues']['false']:,} false",
        "scenes": f"{len(document['scenes']):,}",
        "classes": ", ".join(document["classes"]),
    }
    notes = [f"[yellow]{plain(note)}[/]" for note in document["notes"]]
    return stacked(facts_of(facts), *notes, f"[bold]{plain(document['data'])}[/]")


def trained(document: Document) -> RenderableType:
    """Where the adapter is, and how the losses went."""

    def went(name: str) -> str:
        first, last = document[name]["first"], document[name]["last"]
        return "" if first is None else f"{first:.3f} to {last:.3f}"

    resumed = document["resumed_from"]
    facts: dict[str, Any] = {
        "base": f"{document['base']['name']} ({document['base']['revision']})",
        "steps": f"{document['steps']:,}" + (f", from {resumed:,} on" if resumed else ""),
        "loss": went("loss"),
        "validation loss": went("validation_loss"),
        "validation accuracy": went("validation_accuracy"),
        "curve": document["curve"]["plot"],
    }
    line = f"[bold]IMAGERAG_MLLM_ADAPTER={plain(document['adapter'])}[/]"
    return stacked(facts_of(facts), line)
