"""A small world for retrieval: real Milvus Lite, object store and sentence encoder, and vectors of known geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imagerag_assets.encoders.sentence import SentenceEncoder, sentence_encoder
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.retrieval.calibration import GENERIC
from imagerag_assets.retrieval.types import Search
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stores.milvus import VectorStore
from imagerag_assets.stores.milvus_lite_share import LiteShare
from imagerag_assets.stores.shard_columns import patch_table

DIM = 64
FINGERPRINT = "a" * 64


def search(**options: Any) -> Search:
    """A search with thresholds that belong to no encoder."""
    return Search(**{"calibration": GENERIC, **options})


def unit(*parts: tuple[int, float]) -> NDArray[np.float32]:
    """A vector of length 1 with the given weights on the given axes."""
    vector = np.zeros(DIM, dtype=np.float32)
    for axis, weight in parts:
        vector[axis] = weight
    return vector / np.linalg.norm(vector)


@dataclass
class AxisEncoder:
    """Every known phrase has an axis of its own, every other text a fixed direction away from all those.  Article and
    plural make no difference.

    A picture's vector is made from its red channel's mean: the axis of that number.
    """

    axes: dict[str, int] = field(default_factory=dict)
    fingerprint: str = FINGERPRINT
    name: str = "axes"
    dim: int = DIM
    image_size: int = 8
    logit_scale: float = 40.0
    logit_bias: float | None = None
    encoded_images: int = 0

    def encode_texts(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self._text(phrase) for phrase in phrases])

    encode_raw_texts = encode_texts

    def encode_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.encoded_images += len(images)
        return np.stack([unit((int(image[..., 0].mean()) % DIM, 1.0), (DIM - 1, 0.3)) for image in images])

    def close(self) -> None:
        """Nothing to free."""

    def _text(self, phrase: str) -> NDArray[np.float32]:
        phrase = phrase.removeprefix("a ").removesuffix("s") if phrase not in self.axes else phrase
        if phrase in self.axes:
            return unit((self.axes[phrase], 1.0), (40, 0.4))
        return unit((48 + sum(phrase.encode()) % 12, 1.0), (40, 0.4))


@dataclass
class World:
    """The parts that retrieval and knowledge take."""

    settings: Settings
    store: ObjectStore
    vectors: VectorStore
    encoder: Any
    sentences: SentenceEncoder

    def add(self, scene: str, windows: Sequence[Sequence[int]], vectors: Sequence[NDArray[np.float32]]) -> None:
        """Put patches into the `patches` collection; the scene has no georeference."""
        name = self.vectors.ensure_patches(self.encoder.fingerprint, self.encoder.dim)
        box = np.array(windows)
        columns = {
            "patch_id": [f"{scene}:pyramid:0:0:{index}" for index in range(len(box))],
            "scene_key": [scene] * len(box),
            "level": np.zeros(len(box), np.int8),
            "row": np.zeros(len(box), np.int32),
            "col": np.arange(len(box)),
            **{key: box[:, index] for index, key in enumerate(("x0", "y0", "x1", "y1"))},
            "valid_fraction": np.ones(len(box), np.float32),
            "modality": ["optical"] * len(box),
        }
        self.vectors.upsert(name, [patch_table(columns, np.stack(vectors))])
        self.vectors.point_alias("patches", name)


@pytest.fixture(scope="session")
def milvus_of_worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of a Milvus Lite that serves all tests, one after the other: each would start a server otherwise."""
    path = tmp_path_factory.mktemp("worlds") / "milvus.db"
    with closing(LiteShare(str(path))):
        yield path


@contextmanager
def worlds(home: Path, milvus: Path | None = None) -> Iterator[Callable[..., World]]:
    """Make worlds that share one folder and one Milvus; an encoder may be given, and settings.

    Args:
        home: Folder of their state.
        milvus: File of a Milvus Lite, which is empty afterwards; default: one in `home`.
    """
    opened: list[VectorStore] = []

    def make(encoder: Any = None, **overrides: object) -> World:
        chosen = {"milvus_uri": str(milvus)} if milvus else {}
        settings = load_settings(home=home, _env_file=None, **chosen | overrides)
        if not opened:
            opened.append(VectorStore(settings))
        return World(settings, open_store(settings), opened[0], encoder or AxisEncoder(), sentence_encoder())

    try:
        yield make
    finally:
        for vectors in opened:
            if milvus:
                empty(vectors)
            vectors.close()


def empty(vectors: VectorStore) -> None:
    """Drop all collections."""
    for alias in vectors.aliases():
        vectors.client.drop_alias(alias)
    for collection in vectors.client.list_collections():
        vectors.drop(collection)
