"""Train the demo's multimodal model: a small InternVL that answers from overview, cues and boxes.

    python -m imagerag_assets.demo.models.train_mllm --chips DIR --split train --encoder DIR --out DIR

The training has three steps, and a finished step is not repeated.  First, the vision tower learns to reproduce the
trained image encoder.  Second, the language part learns the task on text alone; this is cheap and lets it learn to
match a cue with a choice.  Third, both are joined on pictures; the vision tower stays fixed, so its features are
computed once.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from transformers import (
    GotOcr2ImageProcessor,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    PreTrainedTokenizerFast,
)

from imagerag_assets.demo.models.augment import augment
from imagerag_assets.demo.models.chips import Chips, draw_chips, load_chips
from imagerag_assets.demo.models.cue_data import CueSample, World, sample
from imagerag_assets.demo.models.mllm_data import build_overviews, build_worlds, render
from imagerag_assets.demo.models.mllm_folder import (
    DOWNSAMPLE,
    IMAGE_TOKENS,
    PATCH,
    TILE,
    build_model,
    build_processor,
    build_tokenizer,
    write_folder,
)
from imagerag_assets.demo.models.train_encoder import read_tower
from imagerag_assets.objects.aside import written_aside


@dataclass(frozen=True)
class Pictures:
    """Vision features, float16: (n, 4, d) of the chips, and (4 * tiles, d) of each overview."""

    chips: torch.Tensor
    overviews: list[torch.Tensor]


def normalise(images: torch.Tensor) -> torch.Tensor:
    mean, std = torch.tensor(GotOcr2ImageProcessor.image_mean), torch.tensor(GotOcr2ImageProcessor.image_std)
    return (images - mean[:, None, None]) / std[:, None, None]


def small(image: np.ndarray) -> np.ndarray:
    """Resize a patch as the back end does for the processor: one tile, bicubic."""
    return np.asarray(Image.fromarray(image).resize((TILE, TILE), Image.Resampling.BICUBIC))


def pretrain_vision(vision: nn.Module, chips: Chips, encoder: Path, epochs: int, per_epoch: int, seed: int) -> None:
    """Teach the vision tower to reproduce the encoder's embedding from the mean of its output tokens."""
    teacher, size = read_tower(encoder)
    head = nn.Linear(192, 384)
    optimizer = torch.optim.AdamW([*vision.parameters(), *head.parameters()], lr=1e-3, weight_decay=0.05)
    batch = 64
    total = epochs * (per_epoch // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=total, pct_start=0.1)
    images = torch.from_numpy(chips.images)
    for epoch in range(epochs):
        began, losses = time.perf_counter(), []
        rng = np.random.default_rng((seed, 5, epoch))
        order = rng.permutation(len(chips))[:per_epoch]
        for start in range(0, len(order) - batch + 1, batch):
            pictures = torch.stack(
                [augment(images, int(i), order, size, rng).image for i in order[start : start + batch]]
            )
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
                goal = functional.normalize(teacher(pictures).float(), dim=-1)
            seen = functional.interpolate(pictures, size=(TILE, TILE), mode="bicubic", antialias=True)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                got = head(vision(seen).last_hidden_state[:, 1:].mean(1))
            got = functional.normalize(got.float(), dim=-1)
            # Every other picture of the batch is a negative: telling them apart matters more than being near.
            logits = 20 * got @ goal.T
            soft = functional.softmax(20 * goal @ goal.T, dim=-1)
            loss = functional.cross_entropy(logits, soft) + 2 * (1 - (got * goal).sum(-1)).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(vision.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(1 - (got * goal).sum(-1).mean().item())
        print(
            f"vision {epoch + 1}/{epochs} distance {np.mean(losses):.3f} {time.perf_counter() - began:.0f} s",
            flush=True,
        )


@torch.inference_mode()
def compute_pictures(
    model: InternVLForConditionalGeneration,
    processor: InternVLProcessor,
    chips: Chips,
    overviews: list[np.ndarray],
    variants: int,
    seed: int,
) -> Pictures:
    """Compute the features of every chip, both as it is and off centre with neighbours, and of every overview."""
    model.eval()

    def features(pixels: torch.Tensor) -> torch.Tensor:
        # What `get_image_features` does before its projector, which is still to be trained.
        hidden = model.model.vision_tower(pixels).last_hidden_state[:, 1:]
        side = TILE // PATCH
        shuffled = model.model.pixel_shuffle(hidden.reshape(len(pixels), side, side, -1), scale_factor=DOWNSAMPLE)
        return shuffled.reshape(len(pixels), IMAGE_TOKENS, -1).half()

    images, order, out = torch.from_numpy(chips.images), np.arange(len(chips)), []
    for variant in range(variants):
        for start in range(0, len(chips), 128):
            block = range(start, min(len(chips), start + 128))
            if variant == 0:
                pixels = torch.from_numpy(np.stack([small(chips.images[i]) for i in block])).permute(0, 3, 1, 2) / 255
                out.append(features(normalise(pixels)))
            else:
                rng = np.random.default_rng((seed, 6, variant, start))
                seen = torch.stack([augment(images, i, order, 128, rng).image for i in block])
                resized = functional.interpolate(seen, size=(TILE, TILE), mode="bicubic", antialias=True)
                out.append(features(resized))
    whole = []
    for overview in overviews:
        pixels = processor.image_processor([Image.fromarray(overview)], return_tensors="pt", crop_to_patches=True)
        whole.append(features(pixels["pixel_values"]).flatten(0, 1))
    return Pictures(torch.cat(out), whole)


def batches(
    worlds: Sequence[World],
    tokenizer: PreTrainedTokenizerFast,
    pictures: Pictures | None,
    count: int,
    batch: int,
    seed: int,
    lessons: bool,
    located: float,
) -> Iterator[dict[str, torch.Tensor | None]]:
    """Yield left-padded ids, the weights of the positions to learn, and the features of the pictures in order."""
    pad = tokenizer.pad_token_id
    n_chips = None
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        rows, features = [], []
        for _ in range(batch):
            world = worlds[0] if rng.random() < 0.6 else worlds[1]
            early = lessons and number < count * 0.5
            kind = "presence" if early and rng.random() < 0.3 else None
            if kind is None and rng.random() < located:
                kind = "position" if rng.random() < 0.7 else "absent"
            one = sample(world, rng, kind=kind, noise=0.0 if early else 1.0)
            whole = [pictures.overviews[one.overview]] if pictures and one.overview is not None else []
            tokens = sum(map(len, whole))
            prompt = tokenizer.encode(render(one, pictures is not None, tokens), add_special_tokens=False)
            # With a space before it, a word has the same token as in the prompt, so the model can copy it.
            reply = [*tokenizer.encode(f" {one.reply}", add_special_tokens=False), tokenizer.eos_token_id]
            rows.append((prompt, reply))
            if pictures:
                n_chips = n_chips or len(pictures.chips)
                features += whole
                features += [pictures.chips[_variant(c, n_chips, worlds, rng)] for c in one.cues]
        longest = max(len(p) + len(r) for p, r in rows)
        ids = torch.full((batch, longest), pad)
        learned = torch.zeros(batch, longest)
        for row, (prompt, reply) in enumerate(rows):
            ids[row, longest - len(prompt) - len(reply) :] = torch.tensor(prompt + reply)
            # Learn the prompt a little too: its repeated names teach copying and matching.
            learned[row, longest - len(prompt) - len(reply) :] = 0.05
            learned[row, longest - len(reply) :] = 1.0
        yield {"ids": ids, "learned": learned, "features": torch.cat(features) if features else None}


def _variant(cue: CueSample, total: int, worlds: Sequence[World], rng: np.random.Generator) -> int:
    chips = 1 + max(int(i.max()) for w in worlds for i in w.chips.values())
    chips = max(chips, 1 + max(int(w.backgrounds.max()) for w in worlds))
    return cue.chip + chips * int(rng.integers(max(1, total // chips)))


def train_language(
    model: InternVLForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    worlds: Sequence[World],
    pictures: Pictures | None,
    steps: int,
    batch: int,
    lr: float,
    seed: int,
    located: float = 0.0,
) -> None:
    parts = [*model.model.language_model.parameters(), *model.model.multi_modal_projector.parameters()]
    optimizer = torch.optim.AdamW(parts, lr=lr, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=max(0.05, 3 / steps))
    model.model.language_model.set_attn_implementation("eager")  # with padding masks, a third faster on a CPU
    model.train()
    began, recent, right = time.perf_counter(), [], []
    embed, image_token = model.get_input_embeddings(), model.config.image_token_id
    for step, data in enumerate(batches(worlds, tokenizer, pictures, steps, batch, seed, pictures is None, located), 1):
        ids, learned = data["ids"], data["learned"]
        assert ids is not None and learned is not None
        mask = (ids != tokenizer.pad_token_id).long()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states = embed(ids)
            if data["features"] is not None:
                projected = model.model.multi_modal_projector(data["features"].float())
                states = states.masked_scatter((ids == image_token)[..., None], projected.to(states.dtype))
            hidden = model.model.language_model(inputs_embeds=states, attention_mask=mask).last_hidden_state
            logits = model.lm_head(hidden[:, :-1])
        weights = learned[:, 1:] * (ids[:, 1:] != image_token)
        raw = functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        loss = (raw * weights.flatten()).sum() / weights.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parts, 1.0)
        optimizer.step()
        schedule.step()
        answers = (learned[:, 1:] == 1.0) & (ids[:, 1:] != tokenizer.eos_token_id)
        recent.append(loss.item())
        right.append((logits.argmax(-1) == ids[:, 1:])[answers].float().mean().item())
        if step % 100 == 0 or step == steps:
            stage = "pictures" if pictures else "text"
            print(
                f"{stage} {step}/{steps} loss {np.mean(recent):.3f} reply tokens right {np.mean(right):.3f} "
                f"{time.perf_counter() - began:.0f} s",
                flush=True,
            )
            recent, right = [], []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chips", type=Path, required=True, help="folder with one sub-folder of chips per class")
    parser.add_argument("--index", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the trained demo encoder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--drawn", type=int, default=5000)
    parser.add_argument("--vision-epochs", type=int, default=10)
    parser.add_argument("--vision-images", type=int, default=2560, help="pictures per epoch")
    parser.add_argument("--text-steps", type=int, default=1600)
    parser.add_argument("--picture-steps", type=int, default=2400)
    parser.add_argument(
        "--located", type=float, default=0.3, help="share of questions forced to ask where something is"
    )
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    torch.manual_seed(args.seed)

    real, drawn = load_chips(args.chips, args.split, args.index), draw_chips(args.drawn, args.seed)
    chips = Chips(np.concatenate([real.images, drawn.images]), real.names + drawn.names, real.finer + drawn.finer)
    overviews, n_drawn = build_overviews(real, 160, 80, args.seed)
    worlds = build_worlds(real, drawn, n_drawn, len(overviews))
    rng = np.random.default_rng((args.seed, 1))
    corpus = [render(sample(worlds[k % 2], rng), False, 0) + " yes no " for k in range(4000)]
    tokenizer = build_tokenizer(corpus)
    processor, model = build_processor(tokenizer), build_model(tokenizer)
    sizes = {k: sum(p.numel() for p in m.parameters()) / 1e6 for k, m in model.model.named_children()}
    print("parameters, millions:", {k: round(v, 2) for k, v in sizes.items()}, flush=True)

    args.out.mkdir(parents=True, exist_ok=True)
    for stage in ("vision", "text", "pictures"):
        kept = args.out / f"{stage}.pt"
        if kept.exists():
            model.load_state_dict(torch.load(kept, weights_only=True))
            continue
        if stage == "vision":
            pretrain_vision(
                model.model.vision_tower, chips, args.encoder, args.vision_epochs, args.vision_images, args.seed
            )
        elif stage == "text":
            train_language(model, tokenizer, worlds, None, args.text_steps, args.batch, 2e-3, args.seed)
        else:
            pictures = compute_pictures(model, processor, chips, overviews, 3, args.seed)
            train_language(
                model, tokenizer, worlds, pictures, args.picture_steps, args.batch, 1e-3, args.seed + 1, args.located
            )
        with written_aside(kept) as aside:
            torch.save(model.state_dict(), aside)
    write_folder(model, processor, args.out / "model")


if __name__ == "__main__":
    main()
