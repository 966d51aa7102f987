"""Help: commands in groups, examples, and the defaults that apply where an option is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer.main
from typer.models import OptionInfo

from imagerag_assets.cli import main, sources, train
from imagerag_assets.cli._examples import EXAMPLES
from imagerag_assets.cli._help import GROUPS
from imagerag_assets.cli.app import app
from imagerag_assets.training.lora_recipe import LoraRecipe
from imagerag_assets.watched_sources.sources import WatchedSource, parse_duration

RECIPE = {name: field.default for name, field in LoraRecipe.model_fields.items()}
ENTRY = WatchedSource("port", "s3://bucket")


def defaults_in_help(command: Callable[..., None]) -> dict[str, str]:
    """The default that the help of each option names."""
    said: dict[str, str] = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        options = [each for each in get_args(hint)[1:] if isinstance(each, OptionInfo)] if is_annotated(hint) else []
        for option in options:
            if found := re.search(r"; default: (.+)\.$", option.help or ""):
                said[name] = found[1]
    return said


def is_annotated(hint: Any) -> bool:
    return get_origin(hint) is Annotated


@pytest.mark.parametrize(
    "name",
    ["model", "dtype", "steps", "batch", "accumulate", "learning_rate", "rank", "alpha", "evaluate_every", "seed"],
)
def test_train_lora(name: str) -> None:
    said = defaults_in_help(train.lora)[name]
    assert type(RECIPE[name])(said) == RECIPE[name]


def test_train_lora_keeps_no_activations() -> None:
    assert defaults_in_help(train.lora)["checkpointing"] == "on"
    assert RECIPE["checkpointing"] is True


def test_sources_add() -> None:
    said = defaults_in_help(sources.add)
    assert (int(said["max_new"]), int(said["every"])) == (ENTRY.max_new, ENTRY.every)
    assert parse_duration(said["look_back"]) == ENTRY.look_back
    assert (said["fresh_within"], ENTRY.fresh_within) == ("no expectation", None)


def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each command that is not a group, and each group that does something of its own."""
    for name, child in command.commands.items():
        if hasattr(child, "commands"):
            yield from walk(child, f"{path} {name}")
        else:
            yield f"{path} {name}", child


def test_each_command_has_a_group_and_an_example_that_fits(capsys: pytest.CaptureFixture[str]) -> None:
    made = typer.main.get_command(app)
    names = [name for name, _ in walk(made, "imagerag")]
    assert [name for name in names if not EXAMPLES.get(name)] == []
    assert [line for lines in EXAMPLES.values() for line in lines if len(line) > 86] == []
    grouped = {name for group in GROUPS.values() for name in group}
    assert set(made.commands) <= grouped  # type: ignore[attr-defined]
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert text.index("│ ask ") < text.index("│ ingest ") < min(text.index(f"│ {name} ") for name in ("demo", "train"))


def test_switches_for_research_are_shown_on_request_and_always_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "--help"]) == main(["ask", "--help-all"]) == 0
    plain, _, full = capsys.readouterr().out.partition("Usage: imagerag ask")[2].partition("Usage: imagerag ask")
    assert "--scene" in plain and "--help-all" in plain and 'imagerag ask "How many' in plain
    for name in ("--retrieval", "--division", "--mode", "--path", "--plan"):
        assert name not in plain and name in full
    assert main(["ask", "where?", "--retrieval", "defaulted"]) == 2
    assert "Did you mean 'default'?" in capsys.readouterr().err


def test_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["words", "--json"]) == 0
    words = json.loads(capsys.readouterr().out)["words"]
    assert len(words) == 5 and all(each["word"] and each["meaning"] for each in words)
    assert main(["words", "Cues"]) == 0
    assert capsys.readouterr().out.startswith("cue")
