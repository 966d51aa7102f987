"""Train the model that reads questions: a LoRA adapter on SmolLM2-135M-Instruct that writes plans in one line.

    python -m imagerag_assets.demo.models.train_reader --out DIR

Lessons are `reading_lessons.py`'s.  Only the plan's tokens are learned.  Three stages, each with more templates than
the one before, as they were written.  OUT holds checkpoints, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

from imagerag_assets.answering import question_reader
from imagerag_assets.demo.models.lora import add_adapter, both_of, learned_of, restore, tensors_of
from imagerag_assets.demo.models.reading_lessons import TEMPLATES, Lesson, endless, read_templates
from imagerag_assets.objects.aside import folder_aside, written_aside

_RATE, _WARM_UP, _SORTED = 1e-3, 30, 16
"""Learning rate, steps until it is reached, and batches whose lessons are sorted by length together."""


@dataclass(frozen=True)
class Stage:
    """A stretch of the training.  The learning rate falls to nothing over the `cool_down` steps before `end`."""

    last: int
    """Its last step."""
    files: int
    """How many files of templates it uses, in the order of their names."""
    end: int
    cool_down: int
    again: tuple[int, ...] = ()
    """Numbers of files, from 0, whose templates come twice."""


STAGES = (Stage(350, 5, 2000, 600), Stage(1500, 8, 1500, 600), Stage(1850, 10, 1850, 350, again=(8, 9)))


def batches(lessons: Iterator[Lesson], tokenizer: Any, size: int, seed: int) -> Iterator[tuple[torch.Tensor, ...]]:
    """Give right-padded ids (size, length), and rows, places and tokens of what is to be written."""
    rng = random.Random(seed)
    while True:
        rows = [
            (
                tokenizer.encode(question_reader.prompt_of(lesson.question), add_special_tokens=False),
                [*tokenizer.encode(lesson.line, add_special_tokens=False), tokenizer.eos_token_id],
            )
            for lesson in islice(lessons, size * _SORTED)
        ]
        rows.sort(key=lambda row: len(row[0]) + len(row[1]))
        starts = list(range(0, len(rows), size))
        rng.shuffle(starts)
        for start in starts:
            chosen = rows[start : start + size]
            ids = torch.full((size, max(len(a) + len(b) for a, b in chosen)), tokenizer.pad_token_id)
            places: list[tuple[int, int, int]] = []
            for row, (prompt, reply) in enumerate(chosen):
                ids[row, : len(prompt) + len(reply)] = torch.tensor(prompt + reply)
                places += [(row, len(prompt) - 1 + at, token) for at, token in enumerate(reply)]
            yield ids, *torch.tensor(places).T


def train(args: argparse.Namespace) -> None:
    """Train to the last step of the last stage."""
    torch.manual_seed(args.seed)
    if args.threads:
        torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    base = args.out / "base"
    if not base.is_dir():
        with folder_aside(base) as aside:
            question_reader.save({}, aside)
    model, tokenizer = question_reader.load(base)
    model.requires_grad_(False)
    adapters = add_adapter(model.model)
    learned = learned_of(adapters)
    optimizer = torch.optim.AdamW(learned, lr=_RATE, weight_decay=0.0, betas=(0.9, 0.98))
    checkpoint, first = args.out / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        restore(adapters, state["adapters"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    model.train()
    began, recent = time.perf_counter(), []
    for step, stage, (ids, rows, places, tokens) in _lessons(args, tokenizer, first):
        share = min(1.0, step / _WARM_UP) * min(1.0, (stage.end - step + 1) / stage.cool_down)
        for group in optimizer.param_groups:
            group["lr"] = _RATE * share
        # Padding comes last and is seen by nothing that counts, so no mask is needed.
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[rows, places]).float()
        loss = functional.cross_entropy(logits, tokens)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        recent.append((loss.item(), (logits.argmax(-1) == tokens).float().mean().item(), ids.numel()))
        if step % args.every == 0 or step == STAGES[-1].last:
            mean, spent = np.mean(recent, axis=0), time.perf_counter() - began
            print(f"step {step}/{STAGES[-1].last} loss {mean[0]:.3f} right {mean[1]:.3f} "
                  f"{mean[2]:.0f} ids a step {spent:.0f} s", flush=True)  # fmt: skip
            recent.clear()
            with written_aside(checkpoint) as aside:
                torch.save({"adapters": both_of(adapters), "step": step, "optimizer": optimizer.state_dict()}, aside)
            with written_aside(args.out / question_reader.TRAINED) as aside:
                save_file({name: value.half().contiguous() for name, value in tensors_of(adapters).items()}, aside)


def _lessons(
    args: argparse.Namespace, tokenizer: Any, first: int
) -> Iterator[tuple[int, Stage, tuple[torch.Tensor, ...]]]:
    """Give the number, the stage and the lessons of each step after `first`."""
    for stage in STAGES:
        if first >= stage.last:
            continue
        files = sorted(args.templates.glob("*.jsonl"))[: stage.files]
        templates = read_templates([*files, *(files[number] for number in stage.again)])
        print(f"{len(templates)} templates to step {stage.last}", flush=True)
        made = batches(endless(templates, args.seed + first), tokenizer, args.batch, args.seed + first)
        for step, batch in enumerate(islice(made, stage.last - first), first + 1):
            yield step, stage, batch
        first = stage.last


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--templates", type=Path, default=TEMPLATES, help="folder of the templates")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, help="default: torch's own")
    parser.add_argument("--every", type=int, default=25, help="steps between checkpoints")
    parser.add_argument("--seed", type=int, default=17)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
