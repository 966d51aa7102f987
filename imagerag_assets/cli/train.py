"""`imagerag train data` and `imagerag train lora`: make training data from labelled scenes, and train adapters on it.

Only the options and the look of results are here; the work is in `training.instruct_data` and `training.finetune`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli._command import Debug, Json, command_of, need_subcommand, plain, remember
from imagerag_assets.cli._render import Document, facts_of, stacked

if TYPE_CHECKING:
    from rich.console import RenderableType

train_app = typer.Typer()


def register(app: typer.Typer) -> None:
    """Add `train data` and `train lora`."""
    app.add_typer(train_app, name="train")
    train_app.command("data")(data)
    train_app.command("lora")(lora)


@train_app.callback(invoke_without_command=True)
def train(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """Train a multimodal LLM to use its cues.

    First make training data with `imagerag train data`, then train with `imagerag train lora`.
    """
    remember(ctx, as_json, debug)
    need_subcommand(ctx)


def data(
    ctx: typer.Context,
    labels: Annotated[
        Path, typer.Argument(help="JSONL with scene, class and window, or GeoJSON with the property class.")
    ],
    out: Annotated[Path, typer.Option(help="New folder for the data.")],
    source: Annotated[str | None, typer.Option(help="STAC source of the scenes; default: the ingested scenes.")] = None,
    questions: Annotated[int, typer.Option(min=1, help="Number of questions to make.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same folder.")] = 0,
    missed: Annotated[float, typer.Option(min=0, max=1, help="Share of objects that get no cue.")] = 0.1,
    false_cues: Annotated[float, typer.Option(min=0, max=1, help="Share of phrases that get a wrong cue.")] = 0.15,
    free: Annotated[
        float, typer.Option(min=0, max=1, help="Share of questions without choices, answered in words.")
    ] = 0.25,
    confirm: Annotated[
        float, typer.Option(min=0, max=1, help="Share of questions that ask whether one cue is right.")
    ] = 0.2,
    validation: Annotated[float, typer.Option(min=0.01, max=0.5, help="Share of scenes kept for validation.")] = 0.1,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Make training data from labelled scenes.

    Each example holds an overview, cues with boxes, a question and the right answer.
    Cues are the parts of a scene that a model sees as evidence.
    """
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
    folder: Annotated[Path, typer.Argument(metavar="DATA", help="Folder that `imagerag train data` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; an interrupted run continues.")],
    config: Annotated[Path | None, typer.Option(help="TOML recipe; options take precedence over it.")] = None,
    model: Annotated[str | None, typer.Option(help="'demo', a folder, or a Hub id; default: demo.")] = None,
    revision: Annotated[str | None, typer.Option(help="Revision of the Hub id to use.")] = None,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16, float16 or 4bit; default: auto.")] = None,
    steps: Annotated[int | None, typer.Option(help="Number of updates of the adapter; default: 500.")] = None,
    batch: Annotated[int | None, typer.Option(help="Number of examples in a batch; default: 1.")] = None,
    accumulate: Annotated[int | None, typer.Option(help="Number of batches for each update; default: 16.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Highest learning rate; default: 0.0001.")] = None,
    rank: Annotated[int | None, typer.Option(help="Rank of the adapter; default: 32.")] = None,
    alpha: Annotated[int | None, typer.Option(help="The adapter is scaled by alpha / rank; default: 64.")] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="Name of a layer to adapt, e.g. q_proj; repeatable; default: all linear language layers."),
    ] = None,
    checkpointing: Annotated[
        bool | None,
        typer.Option(help="Compute activations again to save memory; takes a third more time; default: on."),
    ] = None,
    evaluate_every: Annotated[
        int | None, typer.Option(help="Steps between validations, each with a checkpoint; default: 50.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Random seed of the adapter's first values and the order of examples; default: 0."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Fine-tune a multimodal LLM with LoRA.

    To answer questions with the adapter, set IMAGERAG_MLLM_ADAPTER to its folder.
    """
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
    """Show what is in the folder."""
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
    """Show where the adapter is, and how the losses changed."""

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
