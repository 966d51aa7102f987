"""The recipes that are offered: they load, and the memory that the docs state is what the estimate gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from transformers import InternVLConfig, Qwen3VLConfig

from imagerag_assets.training.lora_recipe import load_recipe
from tests.conftest import PROJECT
from tests.lora_memory import estimate

RECIPES = sorted((PROJECT / "infra" / "recipes").glob("*.toml"))
TEXT = {
    "hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
    "intermediate_size": 12288, "vocab_size": 151936, "tie_word_embeddings": False,
}  # fmt: skip
VISION = {
    "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16, "out_hidden_size": 4096
}  # fmt: skip


def config_of(model: str) -> Any:
    """The published sizes of the recipes' models; both have Qwen3-8B as their language part."""
    if "InternVL" in model:
        return InternVLConfig(text_config=TEXT | {"model_type": "qwen3"}, tie_word_embeddings=False)
    return Qwen3VLConfig(text_config=TEXT, vision_config=VISION, tie_word_embeddings=False)


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_the_docs_state_what_a_recipe_needs(file: Path) -> None:
    recipe = load_recipe(file)
    docs = (PROJECT / "docs" / "finetuning.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{re.escape(file.name)}` \| ([\d,]+) \| (.*) \|$", docs, re.MULTILINE)
    assert row, f"no row of {file.name}"
    found = estimate(config_of(recipe.model), recipe, int(row[1].replace(",", "")))
    stated = [float(value) for value in row[2].split("|")]
    assert stated == [round(value, 1) for value in (found.weights, found.adapter, found.activations, found.total)]


def test_the_estimate_grows_with_what_it_is_made_of() -> None:
    recipe = load_recipe(RECIPES[0])
    config = config_of(recipe.model)
    base = estimate(config, recipe, 2048)
    more = estimate(config, recipe.model_copy(update={"rank": 64, "batch": 2}), 2048)
    assert (more.adapter, more.activations) == pytest.approx((2 * base.adapter, 2 * base.activations))
    kept = estimate(config, recipe.model_copy(update={"checkpointing": False}), 2048)
    assert kept.activations > 5 * base.activations
    assert estimate(config, recipe.model_copy(update={"dtype": "4bit"}), 2048).weights < 0.45 * base.weights
