"""Fine-tuning a multimodal LLM with LoRA on cue-instruction data, through trl and peft.

A model is loaded and prompted by the back end that answers questions, so it learns from exactly what it will be given;
the loss is on the reply alone.  A run is a folder: ``run.json`` says of what, ``checkpoints/`` let a killed run go on,
``curve.csv`` and ``curve.svg`` show how it goes, ``adapter/`` is there when it is done.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import json
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from imagerag_assets.answering import MllmOptions, open_mllm
from imagerag_assets.answering.adapters import CONFIG, NOTES, WEIGHTS, adapter_digest
from imagerag_assets.answering.transformers_backend import TransformersMllm
from imagerag_assets.answering.transformers_loading import out_of_memory
from imagerag_assets.errors import InputError, ModelError
from imagerag_assets.objects.aside import folder_aside, replace_text
from imagerag_assets.settings import is_server
from imagerag_assets.training.curve import CSV, PLOT, Curve
from imagerag_assets.training.instruct_set import TRAIN, VALIDATION, Example, digest_of, read_examples
from imagerag_assets.training.lora_recipe import LoraRecipe

try:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PrinterCallback, TrainerCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer
except ImportError as error:
    raise ModelError(
        f"training needs {error.name}, which is not installed", fix="Run: pip install 'imagerag-assets[train]'"
    ) from None

RUN, CHECKPOINTS, ADAPTER = "run.json", "checkpoints", "adapter"
_COMPLETE = "complete"  # in a checkpoint: the trainer writes its files one by one
_LANGUAGE = "language_model"
_IGNORED = -100  # a label without loss
_LOG_EVERY = 10  # steps

Progress = Callable[[int, int, str], None]


def finetune(
    recipe: LoraRecipe, data: Path, out: Path, *, device: str = "auto", progress: Progress | None = None
) -> dict[str, Any]:
    """Train an adapter, or go on where a run in the same folder stopped.

    Args:
        recipe: What is trained, and how.
        data: A folder that `instruct_data.build_dataset` made.
        out: Folder of the run.
        device: Torch device, or "auto".
        progress: Called with steps done, their number, and the last loss.

    Returns:
        What `imagerag train lora` prints.

    Raises:
        InputError: the data cannot be used, the folder is of another run, or the recipe does not fit the model.
        ModelError: the model cannot be loaded, or does not fit the memory.
    """
    started = time.perf_counter()
    train, validation = read_examples(data, TRAIN), read_examples(data, VALIDATION)
    if is_server(recipe.model):
        raise InputError(
            "A served model cannot be trained", fix="Give the model's folder or hub id", model=recipe.model
        )
    mllm = open_mllm(recipe.model, MllmOptions(revision=recipe.revision, dtype=recipe.dtype, device=device))
    run = {"recipe": recipe.model_dump(mode="json"), "data": digest_of(data), "base_revision": mllm.revision}
    _claim(out, run)
    resumed = None
    if not (out / ADAPTER).exists():
        checkpoint = last_checkpoint(out)
        resumed = _step_of(checkpoint) if checkpoint else None
        if resumed != recipe.steps:  # the trainer would make a step more after the last one
            shown = _spread(validation, recipe.validation_examples)
            trainer = _trainer(mllm, recipe, data, out, train, shown, progress)
            try:
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                raise ModelError(
                    "training ran out of memory",
                    fix="Use a smaller batch, checkpointing = true, dtype = '4bit', or data with a smaller overview",
                    model=recipe.model,
                ) from None
        _keep(out, run | {"base": mllm.name, "steps": recipe.steps})
    curve = Curve.of(_read(out / ADAPTER / NOTES)["history"])
    return {
        "adapter": str(out / ADAPTER),
        "revision": adapter_digest(out / ADAPTER),
        "base": {"name": mllm.name, "revision": mllm.revision},
        "data": {"folder": str(data), "digest": run["data"], "train": len(train), "validation": len(validation)},
        "steps": recipe.steps,
        "resumed_from": resumed,
        "loss": curve.ends("loss"),
        "validation_loss": curve.ends("validation_loss"),
        "validation_accuracy": curve.ends("validation_accuracy"),
        "curve": {"table": str(out / CSV), "plot": str(out / PLOT)},
        "seconds": round(time.perf_counter() - started, 3),
    }


def last_checkpoint(out: Path) -> Path | None:
    """The newest checkpoint that was written whole; None: there is none."""
    found = [mark.parent for mark in (out / CHECKPOINTS).glob(f"checkpoint-*/{_COMPLETE}")]
    return max(found, key=_step_of, default=None)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


class Collator:
    """Examples to a batch: each prompt as the back end encodes it, its reply behind it; padded on the right.

    Returns a mapping of tensors: those with a value a token, and ``labels``, are (batch, tokens); the pictures of all
    examples follow each other.
    """

    def __init__(self, mllm: TransformersMllm, examples: Sequence[Example], folder: Path) -> None:
        self._mllm, self._examples, self._folder = mllm, examples, folder
        self._pad = int(mllm.processor.tokenizer.pad_token_id or 0)

    def __call__(self, rows: Sequence[Mapping[str, int]]) -> dict[str, torch.Tensor]:
        batch: dict[str, list[torch.Tensor]] = {}
        per_token: set[str] = {"labels"}
        for row in rows:
            example = self._examples[row["example"]]
            inputs, reply = self._mllm.lesson(example.prompt(self._folder), example.answer)
            ids = inputs["input_ids"]
            tail = torch.tensor([reply], device=ids.device)
            for name, value in inputs.items():
                if value.shape == ids.shape:
                    # A reply is text, and seen: 0 in what marks pictures, 1 in the mask.
                    more = tail if name == "input_ids" else torch.full_like(tail, name == "attention_mask")
                    value = torch.cat([value, more.to(value.dtype)], 1)
                    per_token.add(name)
                batch.setdefault(name, []).append(value)
            batch.setdefault("labels", []).append(torch.cat([torch.full_like(ids, _IGNORED), tail], 1))
        return {
            name: self._padded(name, values) if name in per_token else torch.cat(values)
            for name, values in batch.items()
        }

    def _padded(self, name: str, values: Sequence[torch.Tensor]) -> torch.Tensor:
        fill = {"labels": _IGNORED, "input_ids": self._pad}.get(name, 0)
        rows = [value[0] for value in values]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=fill)


class _Watch(TrainerCallback):
    """Marks whole checkpoints, keeps the curve on disk, and reports progress."""

    def __init__(self, out: Path, progress: Progress | None) -> None:
        self._out, self._progress = out, progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step >= state.max_steps:  # also where the last step is none of those that are validated
            control.should_log = control.should_evaluate = control.should_save = True
        if self._progress is not None:
            loss = next((entry["loss"] for entry in reversed(state.log_history) if "loss" in entry), None)
            self._progress(state.global_step, state.max_steps, "training" if loss is None else f"loss {loss:.3f}")

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        (self._out / CHECKPOINTS / f"checkpoint-{state.global_step}" / _COMPLETE).touch()

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        Curve.of(state.log_history).write(self._out)


def _trainer(
    mllm: TransformersMllm,
    recipe: LoraRecipe,
    data: Path,
    out: Path,
    train: Sequence[Example],
    validation: Sequence[Example],
    progress: Progress | None,
) -> Any:
    on_cpu = mllm.model.device.type == "cpu"
    config = SFTConfig(
        output_dir=str(out / CHECKPOINTS),
        max_steps=recipe.steps,
        per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=recipe.batch,
        gradient_accumulation_steps=recipe.accumulate,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(recipe.warmup * recipe.steps),
        gradient_checkpointing=recipe.checkpointing,
        bf16=not on_cpu and mllm.model.dtype == torch.bfloat16,
        use_cpu=on_cpu,
        seed=recipe.seed,
        logging_steps=min(_LOG_EVERY, recipe.evaluate_every),
        eval_strategy="steps",
        eval_steps=recipe.evaluate_every,
        eval_on_start=True,
        save_strategy="steps",
        save_steps=recipe.evaluate_every,
        save_total_limit=2,  # while one is written the one before is whole
        max_length=None,  # pictures must not be cut off
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        dataloader_pin_memory=False,  # the back end puts inputs where the model is
        report_to="none",
        disable_tqdm=True,
    )
    # One list, so that a number tells an example of either.
    collator = Collator(mllm, [*train, *validation], data)
    try:
        trainer = SFTTrainer(
            model=mllm.model,
            args=config,
            data_collator=collator,
            train_dataset=Dataset.from_dict({"example": list(range(len(train)))}),
            eval_dataset=Dataset.from_dict({"example": list(range(len(train), len(train) + len(validation)))}),
            processing_class=mllm.processor,
            peft_config=_lora(mllm.model, recipe),
            callbacks=[_Watch(out, progress)],
        )
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"The recipe does not fit the model: {reason}", fix="Change it", model=recipe.model) from None
    trainer.remove_callback(PrinterCallback)  # standard output is the command's
    return trainer


def _lora(model: Any, recipe: LoraRecipe) -> LoraConfig:
    """An adapter of the language part: what is to be learned is to use cues, not to see."""
    names = "|".join(re.escape(name) for name in recipe.targets)
    pattern = re.compile(rf".*{_LANGUAGE}.*\.(?:{names})")
    found = {name.rpartition(".")[2] for name, _ in model.named_modules() if pattern.fullmatch(name)}
    if missing := [name for name in recipe.targets if name not in found]:
        layers = (name.rpartition(".")[2] for name, each in model.named_modules()
                  if isinstance(each, torch.nn.Linear) and _LANGUAGE in name)  # fmt: skip
        raise InputError(
            f"The model's language part has no layer {', '.join(missing)}",
            fix=f"Targets: {', '.join(dict.fromkeys(layers)) or 'none; the model is of no known family'}",
            model=recipe.model,
        )
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=pattern.pattern,
        task_type="CAUSAL_LM",
    )


def _claim(out: Path, run: Mapping[str, Any]) -> None:
    """Say of what the folder is, or raise InputError where it is of something else."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        try:
            before = json.loads((out / RUN).read_text(encoding="utf-8"))
        except FileNotFoundError:
            replace_text(out / RUN, json.dumps(run, ensure_ascii=False, indent=1))
            return
    except (OSError, ValueError) as error:
        raise InputError(f"The folder of the run cannot be used: {error}", fix="Give another one", folder=out) from None
    other = [name for name in run if before.get(name) != run[name]]
    if other:
        raise InputError(
            f"The folder is of a run with another {' and '.join(other)}", fix="Give a new folder", folder=out
        )


def _spread(examples: Sequence[Example], most: int) -> list[Example]:
    """At most so many, from everywhere in the list: it is ordered by scene."""
    count = min(most, len(examples))
    return [examples[index * len(examples) // count] for index in range(count)]


def _keep(out: Path, notes: Mapping[str, Any]) -> None:
    """Make the adapter of the last checkpoint, with what has to be known of it; it appears when it is complete."""
    checkpoint = last_checkpoint(out)
    assert checkpoint is not None  # the last step writes one
    # Where the model lay on this machine is of no use elsewhere.
    config = _read(checkpoint / CONFIG) | {"base_model_name_or_path": notes["recipe"]["model"]}
    history = _read(checkpoint / "trainer_state.json")["log_history"]
    with folder_aside(out / ADAPTER) as aside:
        shutil.copyfile(checkpoint / WEIGHTS, aside / WEIGHTS)
        for name, content in ((CONFIG, config), (NOTES, dict(notes) | {"history": history})):
            (aside / name).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
