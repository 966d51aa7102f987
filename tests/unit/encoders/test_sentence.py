"""The packaged sentence encoder."""

from __future__ import annotations

import numpy as np

from imagerag_assets.encoders.sentence import sentence_encoder


def test_meaning_and_form() -> None:
    encoder = sentence_encoder()
    vectors = encoder.encode(["an airplane on the runway", "a jet parked at the airport", "a corn field", "{}\n"])
    assert (vectors.shape, vectors.dtype) == ((4, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.5 > 0.3 > vectors[0] @ vectors[2]
    assert encoder.encode([]).shape == (0, 384)
    assert sentence_encoder() is encoder
