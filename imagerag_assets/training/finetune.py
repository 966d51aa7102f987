"""Fine-tune a multimodal LLM with LoRA on cue-instruction data, through trl and peft.

The back end that answers questions also loads and prompts the model here, so the model learns from exactly what it
will be given.  Only the reply counts in the loss.  A run is a folder: ``run.json`` says what is trained on what,
``checkpoints/`` let a killed run continue, ``curve.csv`` and ``curve.svg`` show the progress, and ``adapter/`` appears
at the end.
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
from imagerag_assets.objects.aside import folder_aside, remove_left, replace_text
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
        f"Training needs {error.name}, which is not installed", fix="Run: pip install 'imagerag-assets[train]'"
    ) from None

RUN, CHECKPOINTS, ADAPTER = "run.json", "checkpoints", "adapter"
_COMPLETE = "complete"  # marks a complete checkpoint, since the trainer writes its files one by one
_LANGUAGE = "language_model"
_IGNORED = -100  # label of a token that does not count in the loss
_LOG_EVERY = 10  # steps

Progress = Callable[[int, int, str], None]


def finetune(
    recipe: LoraRecipe, data: Path, out: Path, *, device: str = "auto", progress: Progress | None = None
) -> dict[str, Any]:
    """Train an adapter, or continue where a run in the same folder stopped.

    Args:
        recipe: What to train, and how.
        data: A folder that `instruct_data.build_dataset` made.
        out: Folder of the run.
        device: Torch device, or "auto".
        progress: Called with the steps done, the number of steps, and the last loss.

    Returns:
        The document that `imagerag train lora` prints.

    Raises:
        InputError: the data cannot be used, the folder belongs to another run, the model is on a server, or the recipe
            does not fit the model.
        ModelError: the model cannot be loaded, or does not fit in memory.
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
        if resumed != recipe.steps:  # after the last step, the trainer would make one more
            shown = _spread(validation, recipe.validation_examples)
            trainer = _trainer(mllm, recipe, data, out, train, shown, progress)
            try:
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                raise ModelError(
                    "Training ran out of memory",
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
    """Return the newest complete checkpoint; None if there is none."""
    found = [mark.parent for mark in (out / CHECKPOINTS).glob(f"checkpoint-*/{_COMPLETE}")]
    return max(found, key=_step_of, default=None)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


class Collator:
    """Batch examples: each prompt as the back end encodes it, followed by its reply, and padded on the right.

    Calling it returns a mapping of tensors.  Those with one value per token, and ``labels``, are (batch, tokens); the
    pictures of all examples are concatenated.
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
                    # A reply is text that is attended to: 0 where pictures are marked, 1 in the attention mask.
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
    """Mark complete checkpoints, keep the curve on disk, and report progress."""

    def __init__(self, out: Path, progress: Progress | None) -> None:
        self._out, self._progress = out, progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step >= state.max_steps:  # even if the last step is not due for validation
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
        save_total_limit=2,  # while one is being written, the one before is complete
        max_length=None,  # pictures must not be cut off
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        dataloader_pin_memory=False,  # the back end already puts inputs on the model's device
        report_to="none",
        disable_tqdm=True,
    )
    # One list, so that an index identifies an example of either set.
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
    trainer.remove_callback(PrinterCallback)  # only the command writes to standard output
    return trainer


def _lora(model: Any, recipe: LoraRecipe) -> LoraConfig:
    """Adapt the language part only: the model has to learn to use cues, not to see."""
    names = "|".join(re.escape(name) for name in recipe.targets)
    pattern = re.compile(rf".*{_LANGUAGE}.*\.(?:{names})")
    found = {name.rpartition(".")[2] for name, _ in model.named_modules() if pattern.fullmatch(name)}
    if missing := [name for name in recipe.targets if name not in found]:
        layers = (name.rpartition(".")[2] for name, each in model.named_modules()
                  if isinstance(each, torch.nn.Linear) and _LANGUAGE in name)  # fmt: skip
        raise InputError(
            f"The model's language part has no layer {', '.join(missing)}",
            fix=f"Choose from: {', '.join(dict.fromkeys(layers)) or 'nothing; the family of the model is unknown'}",
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
    """Claim the folder for this run.  Raises InputError if it belongs to another run."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        remove_left(out)
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
            f"The folder belongs to a run with another {' and '.join(other)}", fix="Give a new folder", folder=out
        )


def _spread(examples: Sequence[Example], most: int) -> list[Example]:
    """Take at most `most` examples from all over the list, which is ordered by scene."""
    count = min(most, len(examples))
    return [examples[index * len(examples) // count] for index in range(count)]


def _keep(out: Path, notes: Mapping[str, Any]) -> None:
    """Make the adapter from the last checkpoint, with notes on its training; it appears when it is complete."""
    checkpoint = last_checkpoint(out)
    assert checkpoint is not None  # the last step writes one
    # The path of the model on this machine means nothing elsewhere.
    config = _read(checkpoint / CONFIG) | {"base_model_name_or_path": notes["recipe"]["model"]}
    history = _read(checkpoint / "trainer_state.json")["log_history"]
    with folder_aside(out / ADAPTER) as aside:
        shutil.copyfile(checkpoint / WEIGHTS, aside / WEIGHTS)
        for name, content in ((CONFIG, config), (NOTES, dict(notes) | {"history": history})):
            (aside / name).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
