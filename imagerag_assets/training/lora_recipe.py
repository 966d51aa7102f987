"""Settings of a fine-tuning run (model, sizes, rates), from a TOML file, from options, or from both."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagerag_assets.errors import InputError
from imagerag_assets.objects.local_files import read_text

LANGUAGE_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class LoraRecipe(BaseModel):
    """One run of `imagerag train lora`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field("demo", min_length=1, description="'demo', a folder, or a hub id")
    revision: str | None = Field(None, description="Pinned revision of a hub id")
    dtype: Literal["auto", "float32", "bfloat16", "float16", "4bit"] = Field(
        "auto", description="Weights of the model; 4bit (QLoRA) needs bitsandbytes and a CUDA device"
    )
    steps: int = Field(500, ge=1, le=1_000_000, description="Number of updates of the adapter")
    batch: int = Field(1, ge=1, le=1024, description="Examples per batch")
    accumulate: int = Field(16, ge=1, le=4096, description="Batches per update")
    learning_rate: float = Field(1e-4, gt=0, le=1, description="Peak rate, before a cosine to zero")
    warmup: float = Field(0.03, ge=0, lt=1, description="Share of the steps during which the rate rises")
    rank: int = Field(32, ge=1, le=1024, description="Rank of the adapter's matrices")
    alpha: int = Field(64, ge=1, le=4096, description="The adapter is scaled by alpha / rank")
    dropout: float = Field(0.05, ge=0, lt=1, description="Dropout on the adapter's inputs")
    targets: tuple[str, ...] = Field(
        LANGUAGE_LAYERS, min_length=1, description="Names of the linear layers to adapt in the language part"
    )
    checkpointing: bool = Field(True, description="Compute activations again instead of keeping them")
    evaluate_every: int = Field(50, ge=1, description="Steps between validations, each with a checkpoint")
    validation_examples: int = Field(200, ge=1, description="Maximum number of examples to validate on")
    seed: int = Field(0, ge=0, le=2**31, description="Seed of the adapter's first values and of the example order")


def load_recipe(file: Path | None, **options: object) -> LoraRecipe:
    """Read the recipe from a file; options that are not None replace its values.

    Raises:
        InputError: the file cannot be read, or a value is unknown or out of range; the message names it.
    """
    values: dict[str, object] = {}
    if file is not None:
        try:
            values = tomllib.loads(read_text(file))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"The recipe cannot be read: {error}", fix="Give a TOML file", file=file) from None
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return LoraRecipe.model_validate(values | given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        known = ", ".join(LoraRecipe.model_fields)
        raise InputError(f"{name} of the recipe is not valid: {first['msg']}", fix=f"Known names: {known}") from None
