"""Vectors of crops: kept for each encoder, and made again from the crops where they are missing or damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from imagerag_assets.concepts.crops import Crop
from imagerag_assets.concepts.store import add_examples
from imagerag_assets.concepts.types import Origin
from imagerag_assets.concepts.vectors import embed_concepts, vectors_of_concept
from imagerag_assets.installation.platform import Deps
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.settings import load_settings
from tests.unit.retrieval.world import AxisEncoder


@dataclass
class _Deps:
    store: ObjectStore
    encoder: Any


def test_each_encoder_embeds_the_crops_once(tmp_path: Path) -> None:
    deps = _Deps(open_store(load_settings(home=tmp_path, _env_file=None)), AxisEncoder())
    one, other = (
        Crop(np.full((8, 6, 3), tone, dtype=np.uint8), Origin(kind="picture", file="a.png")) for tone in (3, 9)
    )
    concept = add_examples(deps, "pump", [("positive", one), ("negative", other)])
    seen = vectors_of_concept(cast("Deps", deps), concept, "positive")
    assert seen.shape == (1, 8, deps.encoder.dim)
    assert (seen.argmax(axis=2) == 3).all()
    assert vectors_of_concept(cast("Deps", deps), concept, "negative").argmax() % deps.encoder.dim == 9
    made = deps.encoder.encoded_images

    assert (vectors_of_concept(cast("Deps", deps), concept, "positive") == seen).all()
    assert deps.encoder.encoded_images == made
    (kept,) = [key for key in deps.store.list("concepts/pump/vectors") if concept.of("positive")[0].id in key]
    deps.store.write_bytes(kept, b"cut off")
    assert (vectors_of_concept(cast("Deps", deps), concept, "positive") == seen).all()

    # A backfill makes those of another encoder beside them.
    deps.encoder = AxisEncoder(fingerprint="b" * 64)
    assert embed_concepts(cast("Deps", deps)) == 2
    assert len(deps.store.list("concepts/pump/vectors")) == 4
