"""Pictures that the demo's multimodal model learns from: what each shows, and the image tower's features of it.

The tower stays as it is during training, so its features are computed once and kept in a file.  Questions about the
pictures are in `lessons.py`.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from imagerag_assets.answering.demo_model import IMAGE_PX, IMAGE_TOKENS, MEAN, STD
from imagerag_assets.demo.models.augment import augment
from imagerag_assets.demo.models.chips import CHIP_PX, Chips
from imagerag_assets.demo.models.sources import land_files, tree_crops
from imagerag_assets.objects.aside import replace_text, written_aside
from imagerag_assets.questions.evidence import side_by_side

EUROSAT_CLASSES = {
    "AnnualCrop": "annual crops",
    "Forest": "forest",
    "HerbaceousVegetation": "grassland",
    "Highway": "a highway",
    "Industrial": "industrial buildings",
    "Pasture": "pasture",
    "PermanentCrop": "orchards and vineyards",
    "Residential": "a residential area",
    "River": "a river",
    "SeaLake": "a lake or the sea",
}
HELD_OUT_CITY = "chico"
"""Its trees are for measuring."""
_BLOCK, _BLOCKS = 32, 20


@dataclass(frozen=True)
class Shown:
    """What one picture shows.

    kind: chip, drawn, land (10 m imagery), trees, dates (two dates side by side), overview or blank; names: classes,
    the most of it first; also: classes that may be in it as well; colour: of the drawn object; count: trees in it.
    """

    kind: str
    names: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    colour: str | None = None
    count: int | None = None


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures: `features` float16 (n, tokens, channels), `shown` one entry for each."""

    features: torch.Tensor
    shown: tuple[Shown, ...] = field(default=())

    def of_kind(self, *kinds: str) -> list[int]:
        """Return the indices of the pictures of these kinds."""
        return [number for number, each in enumerate(self.shown) if each.kind in kinds]


Item = tuple[torch.Tensor, Shown]


def to_pixels(images: Sequence[Image.Image | np.ndarray]) -> torch.Tensor:
    """Return pictures as the processor makes them: float32 (n, 3, side, side), normalised."""
    rows = []
    for image in images:
        pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float()
        size = (IMAGE_PX, IMAGE_PX)
        rows.append(functional.interpolate(pixels, size=size, mode="bilinear", antialias=True).clamp(0, 255) / 255)
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    return (torch.cat(rows) - mean) / std


def compute_features(trunk: nn.Module, items: Iterator[Item], out: Path, say: Callable[[str], None]) -> Pictures:
    """Run the image tower over pictures and keep features and labels in `out`; what is there is not computed again.

    Args:
        trunk: timm's network without its head.
        items: Normalised pictures (3, side, side) and what they show; the same in every call.
        out: Folder; gets a pair of files for every 640 pictures, and `done`.
    """
    number, began = 0, time.perf_counter()
    while not (out / "done").exists():
        kept, labels = out / f"{number:03}.npy", out / f"{number:03}.jsonl"
        number += 1
        some = list(islice(items, _BLOCK * _BLOCKS))
        if not some:
            (out / "done").touch()
        elif not labels.exists():
            parts = []
            for start in range(0, len(some), _BLOCK):
                pixels = torch.stack([pixels for pixels, _ in some[start : start + _BLOCK]])
                with torch.inference_mode():
                    grid = trunk.forward_features(pixels.contiguous(memory_format=torch.channels_last))  # type: ignore[operator]
                parts.append(grid.float().flatten(2).permute(0, 2, 1).half().numpy())
            with written_aside(kept) as aside, aside.open("wb") as stream:
                np.save(stream, np.concatenate(parts))
            replace_text(labels, "".join(json.dumps(asdict(shown)) + "\n" for _, shown in some))
            say(f"features of {number * _BLOCK * _BLOCKS} pictures, {time.perf_counter() - began:.0f} s")
    files = sorted(out.glob("*.jsonl"))
    lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    told = tuple(Shown(**line | {key: tuple(line[key]) for key in ("names", "also")}) for line in lines)
    features = torch.from_numpy(np.concatenate([np.load(file.with_suffix(".npy")) for file in files]))
    assert features.shape[:2] == (len(told), IMAGE_TOKENS), features.shape
    return Pictures(features, told)


def training_pictures(real: Chips, drawn: Chips, eurosat: Path | None, trees: Path | None, seed: int) -> Iterator[Item]:
    """Give every picture to learn from.

    Args:
        real: Chips of split `train`.
        drawn: Drawn chips.
        eurosat: Folder of EuroSAT with `index.csv`.
        trees: Folder of the urban trees, with `images` and `csv`.
        seed: Of what is drawn by chance.
    """
    yield from _plain(real, "chip")
    yield from _plain(drawn, "drawn")
    yield from _blanks(60, seed)
    yield from _varied(real, seed)
    yield from _dates(real, 900, seed)
    yield from _overviews(real, 500, seed)
    if eurosat is not None:
        yield from _land(eurosat, 120, seed)
    if trees is not None:
        yield from count_trees(trees, lambda city: city != HELD_OUT_CITY)


def _plain(chips: Chips, kind: str) -> Iterator[Item]:
    for number in range(len(chips)):
        name, finer = chips.names[number], chips.finer[number]
        colour = finer.removesuffix(f" {name}") if finer else None
        yield to_pixels([chips.images[number]])[0], Shown(kind, (name,), colour=colour)


def _varied(chips: Chips, seed: int) -> Iterator[Item]:
    """Chips as a sliding window meets them."""
    images, order = torch.from_numpy(chips.images), np.arange(len(chips))
    rng = np.random.default_rng((seed, 31, 1))
    for number in range(len(chips)):
        seen = augment(images, number, order, IMAGE_PX, rng, mild=True)
        weights: dict[str, float] = {}
        for index, weight in seen.parts:
            weights[chips.names[index]] = weights.get(chips.names[index], 0.0) + weight
        ordered = sorted(weights, key=lambda name: -weights[name])
        most = tuple(name for name in ordered if weights[name] > 0.55)
        if most:
            yield seen.image, Shown("chip", most, tuple(name for name in ordered if name not in most))


def _dates(chips: Chips, count: int, seed: int) -> Iterator[Item]:
    """Two dates side by side, as changed places are shown: the same place in another light, or another use of it."""
    rng = np.random.default_rng((seed, 32))
    for _ in range(count):
        first = int(rng.integers(len(chips)))
        second = first if rng.random() < 0.45 else int(rng.integers(len(chips)))
        if chips.names[first] == chips.names[second]:
            second = first
        pictures = [_lit(chips.images[index], rng) for index in (first, second)]
        joined = side_by_side(Image.fromarray(pictures[0]), Image.fromarray(pictures[1]))
        names = (chips.names[first],) if first == second else (chips.names[first], chips.names[second])
        yield to_pixels([joined])[0], Shown("dates", names)


def _lit(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    light = rng.uniform(0.8, 1.2) * rng.uniform(0.95, 1.05, 3)
    return np.asarray(np.clip(image * light, 0, 255), dtype=np.uint8)


def _overviews(chips: Chips, count: int, seed: int) -> Iterator[Item]:
    """Whole scenes of chips, most of them of one or two classes: what the scene is mostly of can be seen."""
    rng = np.random.default_rng((seed, 33))
    by_class = {name: [i for i, other in enumerate(chips.names) if other == name] for name in sorted(set(chips.names))}
    for _ in range(count):
        rows, columns = (int(v) for v in rng.integers(2, 5, 2))
        main, second = (str(name) for name in rng.choice(list(by_class), 2, replace=False))
        share = rng.uniform(0.65, 1.0)
        cells = []
        for _ in range(rows * columns):
            chance = rng.random()
            name = main if chance < share else second
            cells.append(chips.images[int(rng.choice(by_class[name]))][1::2, 1::2])
        side = CHIP_PX // 2
        grid = np.stack(cells).reshape(rows, columns, side, side, 3).transpose(0, 2, 1, 3, 4)
        picture = grid.reshape(rows * side, columns * side, 3)
        yield to_pixels([picture])[0], Shown("overview", (main,), (second,))


def _land(root: Path, per_class: int, seed: int) -> Iterator[Item]:
    by_folder, rng = land_files(root), np.random.default_rng((seed, 34))
    for folder, name in EUROSAT_CLASSES.items():
        files = by_folder[folder]
        for number in rng.choice(len(files), per_class, replace=False):
            with Image.open(root / files[int(number)]) as picture:
                yield to_pixels([picture.convert("RGB")])[0], Shown("land", (name,))


def count_trees(root: Path, keep: Callable[[str], bool]) -> Iterator[Item]:
    """Give crops with tree points, whole and in quarters, of the cities to keep."""
    for crop, count in tree_crops(root, keep):
        yield to_pixels([crop])[0], Shown("trees", ("trees",), count=count)


def _blanks(count: int, seed: int) -> Iterator[Item]:
    """Pictures in which nothing can be seen: black, white, one grey, and faint noise."""
    rng = np.random.default_rng((seed, 35))
    for number in range(count):
        level = (0, 0, 255, int(rng.integers(0, 256)))[number % 4]
        image = np.full((CHIP_PX, CHIP_PX, 3), level, np.float64)
        if number % 3 == 2:
            image += rng.normal(0, 2, image.shape)
        yield to_pixels([np.clip(image, 0, 255).astype(np.uint8)])[0], Shown("blank")
