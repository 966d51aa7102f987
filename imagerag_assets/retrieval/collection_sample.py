"""A sample of the patches that an encoder and recipe made of all scenes: what is usual in this imagery.

A direction in which all patches differ from each other tells nothing about a thing, so what is shown by example is
compared with patches along the directions in which they hardly differ (linear discriminant analysis, Hariharan, Malik
and Ramanan 2012).  The sample is taken from shards, as Milvus gives no even one.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.errors import StoreError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Target
from imagerag_assets.scenes.records import find_record, list_records
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import sample_rows

ROWS, SCENES = 1024, 16
"""Patches of the sample, and scenes that they are taken from, at most."""
_FEWEST = 16
"""Patches from which directions are told apart; fewer say nothing of what is usual."""
_SHRINKAGE = 0.1
"""What finds most of drawn kinds and of EuroSAT's together (0630)."""
_KEPT = 4


@dataclass(frozen=True)
class CollectionSample:
    """What is usual."""

    vectors: NDArray[np.float32]
    """float32 (n, dim), of length 1; n may be 0."""
    dim: int

    @property
    def few(self) -> bool:
        """Whether they are too few to say what is usual."""
        return len(self.vectors) < _FEWEST

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """(dim,): the mean; zeros of too few."""
        return np.zeros(self.dim) if self.few else self.vectors.mean(axis=0, dtype=np.float64)

    @cached_property
    def covariance(self) -> NDArray[np.float64]:
        """(dim, dim), shrunk towards a sphere; a sphere of too few."""
        if self.few:
            return np.eye(self.dim)
        from sklearn.covariance import shrunk_covariance

        found: NDArray[np.float64] = shrunk_covariance(np.cov(self.vectors.T.astype(np.float64)), shrinkage=_SHRINKAGE)
        return found

    def spread(self, direction: NDArray[np.float64]) -> float:
        """Return the standard deviation of usual patches along a direction, (dim,); its length of too few."""
        found = float(np.linalg.norm(direction) if self.few else (self.vectors @ direction).std())
        return max(found, 1e-12)


_samples: OrderedDict[tuple[str, ...], CollectionSample] = OrderedDict()
_lock = Lock()


def collection_sample(platform: Platform, target: Target) -> CollectionSample:
    """Return a sample of the patches of all scenes, the same one for the same scenes.

    Args:
        platform: The installation.
        target: Encoder and recipe that made them.

    Raises:
        StoreError: the records cannot be read.
    """
    keys = sorted(list_records(platform), key=lambda key: hashlib.sha256(key.encode()).digest())
    records = [record for key in keys[:SCENES] if (record := find_record(platform, key)) is not None]
    paths = [target.key(record).path for record in records]
    name = (platform.store.url(), *paths)
    with _lock:
        if name in _samples:
            _samples.move_to_end(name)
            return _samples[name]
    parts = []
    for path in paths:
        try:
            table = sample_rows(platform.store, path, -(-ROWS // len(paths)), columns=["embedding"])
        except StoreError:  # not made yet, or by another encoder
            continue
        if table.num_rows:
            parts.append(embeddings_of(table))
    dim = platform.encoder.dim
    made = CollectionSample(np.concatenate(parts) if parts else np.zeros((0, dim), dtype=np.float32), dim)
    if len(parts) == len(paths):
        with _lock:
            _samples[name] = made
            while len(_samples) > _KEPT:
                _samples.popitem(last=False)
    return made
