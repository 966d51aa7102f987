"""What an encoder makes of a concept's crops, in all orientations: seen from above, nothing stands upright.

Vectors are kept beside the crops, one file an encoder and crop, and made again where they are missing: so a concept
works with an encoder that came after it, and a backfill makes them before it switches.
"""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.concepts.store import list_concepts, read_crop
from imagerag_assets.concepts.types import Concept, ConceptExample, Sign, vector_key
from imagerag_assets.errors import StoreError
from imagerag_assets.installation.platform import Deps

ORIENTATIONS = 8


def vectors_of_concept(deps: Deps, concept: Concept, sign: Sign) -> NDArray[np.float32]:
    """Return the vectors of a concept's good, or bad, examples, float32 (examples, orientations, dim).

    Raises:
        StoreError: a crop is missing or damaged.
        EncoderError: a crop cannot be embedded.
    """
    found = [_vectors(deps, concept.name, example) for example in concept.of(sign)]
    return np.stack(found) if found else np.zeros((0, ORIENTATIONS, deps.encoder.dim), dtype=np.float32)


def embed_concepts(deps: Deps) -> int:
    """Embed the crops of all concepts in use with the installation's encoder; return how many there are.

    Raises:
        StoreError: a crop or record is missing or damaged.
        EncoderError: a crop cannot be embedded.
    """
    concepts = list_concepts(deps)
    for concept in concepts:
        for example in concept.examples:
            _vectors(deps, concept.name, example)
    return sum(len(concept.examples) for concept in concepts)


def orientations(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return a picture, uint8 (h, w, 3), turned and mirrored in all ways."""
    turned = [np.rot90(picture, number) for number in range(4)]
    return [np.ascontiguousarray(each) for each in [*turned, *(each[:, ::-1] for each in turned)]]


def _vectors(deps: Deps, name: str, example: ConceptExample) -> NDArray[np.float32]:
    key, encoder = vector_key(name, example.id, deps.encoder.fingerprint), deps.encoder
    with suppress(StoreError, ValueError, EOFError):
        found: NDArray[np.float32] = np.load(io.BytesIO(deps.store.read_bytes(key)), allow_pickle=False)
        if found.shape == (ORIENTATIONS, encoder.dim) and found.dtype == np.float32 and np.isfinite(found).all():
            return found
    vectors = np.concatenate(
        [encoder.encode_images(each[None]) for each in orientations(read_crop(deps, name, example))]
    )
    buffer = io.BytesIO()
    np.save(buffer, vectors.astype(np.float32), allow_pickle=False)
    deps.store.write_bytes(key, buffer.getvalue())
    return vectors.astype(np.float32)
