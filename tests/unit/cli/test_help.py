"""Help texts name the defaults that apply where an option is left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
from typer.models import OptionInfo

from imagerag_assets.cli import sources, train
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
