"""Train what joins the demo's language model to its image tower: a projector and a LoRA adapter.

    python -m imagerag_assets.demo.models.train_mllm --data DIR --out DIR

DIR has `ucmerced`, and may have `eurosat` and `naip_trees`.  Three steps, each kept in OUT, so an interrupted run goes
on where it was: features of every picture; the projector alone, which learns to give the embeddings of the words for
what a picture shows; projector and adapter together, on questions.  Only the reply is learned, and only the last step
costs the language model.  `--steps` may be raised later to train on.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import argparse
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from transformers import AutoModelForImageTextToText, AutoProcessor

from imagerag_assets.answering import demo_model
from imagerag_assets.answering.demo_model import CHANNELS, IMAGE_TOKENS, WIDTH
from imagerag_assets.demo.models.chips import draw_chips, load_chips
from imagerag_assets.demo.models.lesson_words import SAID
from imagerag_assets.demo.models.lessons import LessonMaker, render
from imagerag_assets.demo.models.lora import LoraLinear, add_adapter, both_of, learned_of, restore, tensors_of
from imagerag_assets.demo.models.pictures import EUROSAT_CLASSES, Pictures, compute_features, training_pictures
from imagerag_assets.objects.aside import replace_text, written_aside

_ALIGN_STEPS, _ALIGN_BATCH, _ALIGN_CELLS, _ALIGN_LR = 1500, 64, 4, 1e-3
_LORA_LR, _PROJECTOR_LR, _WARM_UP = 1e-3, 3e-4, 15


@dataclass(frozen=True)
class Batch:
    """Right-padded ids (b, length), the features of the pictures in order, and the places and tokens of replies."""

    ids: torch.Tensor
    features: torch.Tensor
    rows: torch.Tensor
    places: torch.Tensor
    tokens: torch.Tensor


def new_projector(seed: int) -> dict[str, torch.Tensor]:
    """Return a projector with random weights, as the trained part holds it."""
    torch.manual_seed(seed)
    layers = {"linear_1": nn.Linear(CHANNELS, WIDTH), "linear_2": nn.Linear(WIDTH, WIDTH)}
    return {
        f"multi_modal_projector.{name}.{key}": value
        for name, layer in layers.items()
        for key, value in layer.state_dict().items()
    }


def align(projector: nn.Module, embedding: torch.Tensor, tokenizer: Any, pictures: Pictures, seed: int) -> None:
    """Teach the projector to give, for each cell of a picture, the mean embedding of the words for what it shows."""
    kept = pictures.of_kind("chip", "drawn", "land")
    labels = [(pictures.shown[i].colour, pictures.shown[i].names[0]) for i in kept]
    classes = sorted(set(labels), key=str)
    goals = torch.stack(
        [
            embedding[tokenizer.encode(" ".join(["", *filter(None, (colour, SAID.get(name, name)))]))].float().mean(0)
            for colour, name in classes
        ]
    )
    places = torch.tensor([classes.index(label) for label in labels])
    numbers = torch.tensor(kept)
    optimizer = torch.optim.AdamW(projector.parameters(), lr=_ALIGN_LR, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _ALIGN_LR, total_steps=_ALIGN_STEPS, pct_start=0.1)
    centre = goals.mean(0)
    directions = functional.normalize(goals - centre, dim=-1)
    rng = np.random.default_rng((seed, 41))
    recent: list[tuple[float, float]] = []
    for step in range(1, _ALIGN_STEPS + 1):
        chosen = torch.from_numpy(rng.integers(0, len(kept), _ALIGN_BATCH))
        cells = torch.from_numpy(rng.permutation(IMAGE_TOKENS)[:_ALIGN_CELLS])
        seen = pictures.features[numbers[chosen]][:, cells].float()
        got = projector(seen)
        goal = places[chosen]
        logits = 12 * functional.normalize(got.mean(1) - centre, dim=-1) @ directions.T
        pull = functional.mse_loss(got, goals[goal][:, None].expand_as(got)) / goals.var()
        loss = functional.cross_entropy(logits, goal) + pull
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        recent.append((loss.item(), (logits.argmax(-1) == goal).float().mean().item()))
        if step % 500 == 0:
            mean = np.mean(recent, axis=0)
            print(f"projector {step}/{_ALIGN_STEPS} loss {mean[0]:.3f} classes right {mean[1]:.3f}", flush=True)
            recent.clear()


def batches(
    maker: LessonMaker, tokenizer: Any, pictures: Pictures, first: int, last: int, size: int, seed: int
) -> Iterator[Batch]:
    """Give the batches of steps `first` to `last`, each the same whenever it is made."""
    image = "<image>" * IMAGE_TOKENS
    for step in range(first, last):
        rng = np.random.default_rng((seed, 42, step))
        lessons = [maker.make(rng) for _ in range(size)]
        rows = [
            (
                tokenizer.encode(render(lesson, image), add_special_tokens=False),
                [*tokenizer.encode(lesson.said(), add_special_tokens=False), tokenizer.eos_token_id],
            )
            for lesson in lessons
        ]
        longest = max(len(prompt) + len(reply) for prompt, reply in rows)
        ids = torch.full((size, longest), tokenizer.pad_token_id)
        row_of: list[int] = []
        places: list[int] = []
        tokens: list[int] = []
        for row, (prompt, reply) in enumerate(rows):
            ids[row, : len(prompt) + len(reply)] = torch.tensor(prompt + reply)
            row_of += [row] * len(reply)
            places += range(len(prompt) - 1, len(prompt) + len(reply) - 1)
            tokens += reply
        features = pictures.features[torch.tensor([i for lesson in lessons for i in lesson.pictures])]
        yield Batch(ids, features, *(torch.tensor(each) for each in (row_of, places, tokens)))


def reply_loss(model: Any, image_token: int, batch: Batch) -> tuple[torch.Tensor, float]:
    """Return the loss over the replies' tokens, each reply counting the same, and the share of tokens right."""
    states = model.get_input_embeddings()(batch.ids)
    projected = model.model.multi_modal_projector(batch.features.float()).to(states.dtype)
    states = states.masked_scatter((batch.ids == image_token)[..., None], projected)
    # Padding comes last and is seen by nothing that counts, so no mask is needed.
    hidden = model.model.language_model(inputs_embeds=states, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden[batch.rows, batch.places]).float()
    each = functional.cross_entropy(logits, batch.tokens, reduction="none")
    lengths = torch.bincount(batch.rows).float()
    loss = (each / lengths[batch.rows].sqrt()).sum() / lengths.sqrt().sum()
    return loss, (logits.argmax(-1) == batch.tokens).float().mean().item()


def trained_part(model: Any, adapters: dict[str, LoraLinear]) -> dict[str, torch.Tensor]:
    """Return what ships, float16."""
    state = model.model.multi_modal_projector.state_dict()
    part = {f"multi_modal_projector.{key}": value for key, value in state.items()}
    part |= tensors_of(adapters)
    return {key: value.half().contiguous() for key, value in part.items()}


def write_parts(part: dict[str, torch.Tensor], choices: str, out: Path) -> None:
    """Write the folder that ships, without its card."""
    out.mkdir(parents=True, exist_ok=True)
    with written_aside(out / demo_model.TRAINED) as aside:
        save_file(part, aside)
    tower = (demo_model.IMAGE_TOWER / "model.safetensors").read_bytes()
    notes = {"choices": choices, "image_tower_sha256": hashlib.sha256(tower).hexdigest()}
    replace_text(out / demo_model.NOTES, json.dumps(notes, indent=2) + "\n")


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    if args.threads:
        torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    base = args.out / "base"
    if not base.is_dir():
        untrained = new_projector(args.seed)
        demo_model.save(*demo_model.join(untrained), base, {"choices": args.choices, "revision": "untrained"})
    tokenizer = AutoProcessor.from_pretrained(base).tokenizer
    model: Any = AutoModelForImageTextToText.from_pretrained(base, dtype=torch.bfloat16, attn_implementation="sdpa")
    model.requires_grad_(False)
    tower = model.model.vision_tower.float()
    pictures = _pictures(args, tower.timm_model)

    projector = model.model.multi_modal_projector.float().requires_grad_(True)
    kept = args.out / "aligned.pt"
    if not kept.exists():
        align(projector, model.get_input_embeddings().weight.data, tokenizer, pictures, args.seed)
        with written_aside(kept) as aside:
            torch.save(projector.state_dict(), aside)
    projector.load_state_dict(torch.load(kept, weights_only=True))

    adapters = add_adapter(model.model.language_model)
    learned = learned_of(adapters)
    groups = [{"params": learned, "lr": _LORA_LR}, {"params": list(projector.parameters()), "lr": _PROJECTOR_LR}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0, betas=(0.9, 0.98))
    rates = [group["lr"] for group in optimizer.param_groups]
    checkpoint, first = args.out / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        projector.load_state_dict(state["projector"])
        restore(adapters, state["adapters"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]

    maker, image_token = LessonMaker(pictures), model.config.image_token_id
    model.train()
    tower.eval()
    began, recent = time.perf_counter(), []
    made = batches(maker, tokenizer, pictures, first, args.steps, args.batch, args.seed)
    for step, whole in enumerate(made, first + 1):
        left = args.steps - step
        share = min(1.0, step / _WARM_UP) * min(1.0, (left + 1) / max(1, args.cool_down))
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * share
        loss, right = reply_loss(model, image_token, whole)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*learned, *projector.parameters()], 1.0)
        optimizer.step()
        recent.append((loss.item(), right))
        if step % args.every == 0 or step == args.steps:
            mean = np.mean(recent, axis=0)
            spent = time.perf_counter() - began
            print(
                f"step {step}/{args.steps} loss {mean[0]:.3f} reply tokens right {mean[1]:.3f} {spent:.0f} s",
                flush=True,
            )
            recent.clear()
            state = {"projector": projector.state_dict(), "adapters": both_of(adapters), "step": step}
            with written_aside(checkpoint) as aside:
                torch.save(state | {"optimizer": optimizer.state_dict()}, aside)
            write_parts(trained_part(model, adapters), args.choices, args.out / "mllm-demo")


def _pictures(args: argparse.Namespace, trunk: Any) -> Pictures:
    def items() -> Iterator[Any]:
        chips = args.data / "ucmerced"
        real = load_chips(chips / "images_jpg", "train", chips / "index.csv")
        drawn = draw_chips(args.drawn, args.seed)
        eurosat, trees = (folder if folder.is_dir() else None for folder in (args.data / n for n in _MORE))
        yield from training_pictures(real, drawn, eurosat, trees, args.seed)

    folder = args.out / "pictures"
    folder.mkdir(exist_ok=True)
    found = compute_features(
        trunk.to(memory_format=torch.channels_last), items(), folder, lambda s: print(s, flush=True)
    )
    print(f"{len(found.shown)} pictures, {len(EUROSAT_CLASSES)} classes of land", flush=True)
    return found


_MORE = ("eurosat", "naip_trees")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of ucmerced, eurosat and naip_trees")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--drawn", type=int, default=2400, help="drawn chips")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, help="default: torch's own")
    parser.add_argument("--cool-down", type=int, default=200, help="last steps, in which the learning rate falls")
    parser.add_argument("--every", type=int, default=25, help="steps between checkpoints")
    parser.add_argument("--choices", choices=("words", "letters"), default="words")
    parser.add_argument("--seed", type=int, default=11)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
