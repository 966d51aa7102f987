"""`imagerag concepts`: name a kind of thing by examples, and list, show or remove such concepts.

Only the options and the look of results are here; the work is in `concepts` and `questions.concept_examples`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import _completion as completion
from imagerag_assets.cli._command import Debug, Json, command_of, need_subcommand, plain, remember
from imagerag_assets.cli._confirm import confirmed
from imagerag_assets.cli._render import Document, facts_of, stacked, table_of
from imagerag_assets.errors import ConceptError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from imagerag_assets.concepts.crops import Crop
    from imagerag_assets.installation.platform import Platform

Name = Annotated[str, typer.Argument(help="Name of the concept, e.g. pumpjack; in questions it is my:pumpjack.")]

concepts_app = typer.Typer()


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    app.add_typer(concepts_app, name="concepts")


@concepts_app.callback(invoke_without_command=True)
def concepts(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """Name kinds of things by examples, and ask for them as my:NAME.

    Example: imagerag concepts add pumpjack --scene field --box 512,640,600,720
    """
    remember(ctx, as_json, debug)
    need_subcommand(ctx)


@concepts_app.command()
def add(
    ctx: typer.Context,
    name: Name,
    answer: Annotated[
        str | None, typer.Option(help="Id of an answer whose cues are examples.", autocompletion=completion.answers)
    ] = None,
    cue: Annotated[
        list[int] | None, typer.Option(min=1, help="Rank of a cue of --answer; repeatable; default: all of them.")
    ] = None,
    scene: Annotated[str | None, typer.Option(help="Scene key of --box.", autocompletion=completion.scenes)] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(metavar="X0,Y0,X1,Y1", help="Part of --scene, in native pixels from its upper left; repeatable."),
    ] = None,
    patch: Annotated[list[str] | None, typer.Option(help="Id of a patch; repeatable.")] = None,
    file: Annotated[list[Path] | None, typer.Option(help="Picture file; repeatable.")] = None,
    negative: Annotated[
        bool, typer.Option("--negative", help="These are examples of what it is not (thumbs down).")
    ] = False,
    word: Annotated[str | None, typer.Option(help="What people call it; default: its name.")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Add examples to a concept; the first ones make it.

    A cue of an answer: imagerag concepts add pumpjack --answer 20260504T101500-1a2b --cue 1
    A wrong cue: imagerag concepts add pumpjack --answer 20260504T101500-1a2b --cue 2 --negative
    """
    command = command_of(ctx, as_json, debug)
    if (scene is None) != (not box):
        raise ConceptError("--scene and --box belong together", fix="Give both: --scene KEY --box X0,Y0,X1,Y1")
    if cue and answer is None:
        raise ConceptError("--cue needs --answer", fix="Give the id of the answer: --answer ID --cue 1")
    boxes = [parse_box(each) for each in box or ()]
    with command.changing() as platform:
        from imagerag_assets.concepts.store import add_examples
        from imagerag_assets.concepts.types import Sign, concept_name

        kept = concept_name(name)
        sign: Sign = "negative" if negative else "positive"
        crops = _crops(platform, answer, cue or (), scene, boxes, patch or (), file or ())
        if not crops and word is None:
            raise ConceptError("Nothing is shown", fix="Give --answer, --scene with --box, --patch or --file")
        made = add_examples(platform, kept, [(sign, crop) for crop in crops], word=word).to_dict()
    command.finish({"concept": made}, shown)


@concepts_app.command("list")
def list_(ctx: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """List the concepts with the number of their examples.

    Example: imagerag concepts list --json
    """
    command = command_of(ctx, as_json, debug)
    with command.platform() as platform:
        from imagerag_assets.concepts.store import list_concepts

        found = [concept.to_dict() for concept in list_concepts(platform)]
    command.finish({"concepts": found}, listed)


@concepts_app.command()
def show(
    ctx: typer.Context,
    name: Name,
    version: Annotated[int | None, typer.Option(min=1, help="An earlier version; default: the one in use.")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show a concept: its examples, where they were cut, and the files of their crops.

    Example: imagerag concepts show pumpjack --version 1
    """
    command = command_of(ctx, as_json, debug)
    with command.platform() as platform:
        from imagerag_assets.concepts.store import latest_version, load_concept
        from imagerag_assets.concepts.types import crop_key

        found = load_concept(platform, name, version)
        document = found.to_dict()
        for example in document["examples"]:
            example["crop"] = platform.store.url(crop_key(found.name, example["id"]))
        latest = latest_version(platform, found.name)
    command.finish({"concept": document, "latest": latest}, shown)


@concepts_app.command()
def remove(
    ctx: typer.Context,
    name: Name,
    example: Annotated[
        str | None, typer.Option(help="Take only the example with this id out of it; default: the whole concept.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Remove a concept, or one of its examples; what earlier answers were made with stays.

    Example: imagerag concepts remove pumpjack --example 1f0c5ad2e94b7733
    """
    command = command_of(ctx, as_json, debug)
    with command.changing() as platform:
        from imagerag_assets.concepts.store import load_concept, remove_concept, remove_example

        concept = load_concept(platform, name)
        if example is None and not confirmed(command, f"Remove {concept.phrase} and its examples", yes=yes):
            command.finish({"concept": concept.to_dict(), "changed": False}, shown, code=cli_run.FAILED)
            return
        left = (
            remove_concept(platform, concept.name)
            if example is None
            else remove_example(platform, concept.name, example)
        )
        document = left.to_dict()
    command.finish({"concept": document, "changed": True}, shown)


def parse_box(text: str) -> tuple[int, int, int, int]:
    """Return X0,Y0,X1,Y1 as numbers.

    Raises:
        ConceptError: the text is not four whole numbers.
    """
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().lstrip("-").isdecimal() for part in parts):
        raise ConceptError(f"The box {text[:60]!r} is not X0,Y0,X1,Y1", fix="Give four whole numbers of native pixels")
    x0, y0, x1, y1 = (int(part) for part in parts)
    return x0, y0, x1, y1


def _crops(
    platform: Platform,
    answer: str | None,
    cues: Sequence[int],
    scene: str | None,
    boxes: Sequence[tuple[int, int, int, int]],
    patches: Sequence[str],
    files: Sequence[Path],
) -> list[Crop]:
    from imagerag_assets.questions import concept_examples as examples

    found = [] if answer is None else examples.crops_of_cues(platform, answer, cues)
    if scene is not None:
        found += [examples.crop_of_box(platform, scene, box) for box in boxes]
    found += [examples.crop_of_patch(platform, each) for each in patches]
    return found + examples.crops_of_files(files)


def listed(document: Document) -> RenderableType:
    """Show a line for each concept."""
    rows = [
        (each["phrase"], each["version"], each["positive"], each["negative"], each["word"], each["made_at"])
        for each in document["concepts"]
    ]
    if not rows:
        return "no concepts; make one with: imagerag concepts add NAME --answer ID --cue 1"
    return table_of(("concept", "version", "good", "bad", "word", "since"), rows)


def shown(document: Document) -> RenderableType:
    """Show one concept with its examples."""
    concept = document["concept"]
    if concept["removed"]:
        return plain(f"{concept['phrase']} was removed (version {concept['version']})")
    facts = {name: concept[name] for name in ("phrase", "version", "word", "made_at", "digest")}
    rows = [(each["id"], each["sign"], *_from(each["origin"]), each.get("crop")) for each in concept["examples"]]
    return stacked(facts_of(facts), table_of(("example", "sign", "from", "where", "crop"), rows))


def _from(origin: dict[str, Any]) -> tuple[str | None, str]:
    window = origin["window"]
    return origin["scene"] or origin["file"], ", ".join(map(str, window)) if window else ""
