"""The encoder on a small open_clip model with random weights; what the demo encoder knows is tested with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from imagerag_assets.encoders.open_clip_encoder import OpenClipEncoder
from imagerag_assets.encoders.registry import encoder_spec, load_encoder
from imagerag_assets.encoders.sentence import sentence_encoder
from imagerag_assets.encoders.types import Encoder
from imagerag_assets.errors import EncoderError, SettingsError
from imagerag_assets.settings import Settings, load_settings


@pytest.fixture
def encoder(registered: Settings) -> Encoder:
    return load_encoder("tiny", registered)


def images(count: int, side: int = 128) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_images_become_unit_vectors_whatever_the_batch(encoder: Encoder) -> None:
    vectors = encoder.encode_images(images(19))
    assert (vectors.shape, vectors.dtype) == ((19, encoder.dim), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    one_by_one = np.concatenate([encoder.encode_images(images(19)[i : i + 1]) for i in range(19)])
    np.testing.assert_allclose(vectors, one_by_one, atol=2e-2)
    view = images(40)[::2, ::-1]  # strided
    frozen = view.copy()
    frozen.setflags(write=False)
    np.testing.assert_array_equal(encoder.encode_images(view), encoder.encode_images(frozen))
    assert encoder.encode_images(images(0)).shape == (0, encoder.dim)
    assert encoder.encode_images(images(2, side=50)).shape == (2, encoder.dim)


@pytest.mark.parametrize("wrong", [images(2).astype(np.float32), images(2)[0], images(2)[..., :1], images(2)[:, :0]])
def test_wrong_patches(encoder: Encoder, wrong: np.ndarray) -> None:
    with pytest.raises(EncoderError, match="Patches must be uint8"):
        encoder.encode_images(wrong)


def test_phrases_go_through_templates_and_are_cached(encoder: Encoder, registered: Settings) -> None:
    phrases = ["tennis court", "{} of {0}", "日本", "tennis court"]
    vectors = encoder.encode_texts(phrases)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[3])
    each = encoder.encode_raw_texts(
        [t.replace("{}", "tennis court") for t in encoder_spec("tiny", registered).templates]
    )
    mean = each.mean(axis=0)
    np.testing.assert_allclose(vectors[0], mean / np.linalg.norm(mean), atol=5e-3)
    np.testing.assert_array_equal(encoder.encode_texts(phrases[2::-1]), vectors[2::-1])
    assert encoder.encode_texts([]).shape == encoder.encode_raw_texts([]).shape == (0, encoder.dim)
    assert encoder.encode_raw_texts(["word " * 5000]).shape == (1, encoder.dim)
    for empty in ("", " \n"):
        with pytest.raises(EncoderError, match="Text 1 is empty"):
            encoder.encode_texts(["a", empty])


def test_the_text_tower_is_the_sentence_encoder(encoder: Encoder) -> None:
    texts = ["an airplane on the runway", "a field of corn"]
    np.testing.assert_allclose(encoder.encode_raw_texts(texts), sentence_encoder().encode(texts), atol=2e-2)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_texts_vector_depends_on_no_other_text_and_on_no_padding(precision: str, registered: Settings) -> None:
    encoder = load_encoder("tiny", registered.model_copy(update={"precision": precision}))
    texts = [f"a pond{' and another one' * count}" for count in (0, 12, 5, 1, 30)]
    together = encoder.encode_raw_texts(texts)
    np.testing.assert_array_equal(np.concatenate([encoder.encode_raw_texts([text]) for text in texts]), together)
    tolerance = 1e-5 if precision == "float32" else 2e-2
    np.testing.assert_allclose(sentence_encoder().encode(texts[:4]), together[:4], atol=tolerance)


def test_many_threads(encoder: Encoder) -> None:
    expected = encoder.encode_images(images(4)), encoder.encode_texts(["a", "b"])
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: (encoder.encode_images(images(4)), encoder.encode_texts(["a", "b"])), range(8)):
            np.testing.assert_allclose(found[0], expected[0], atol=1e-6)
            np.testing.assert_allclose(found[1], expected[1], atol=1e-6)


def test_bfloat16_agrees_and_has_the_same_fingerprint(registered: Settings) -> None:
    full = load_encoder("tiny", registered.model_copy(update={"precision": "float32"}))
    half = load_encoder("tiny", registered.model_copy(update={"precision": "bfloat16"}))
    assert full is not half
    assert full.fingerprint == half.fingerprint
    assert (full.encode_images(images(8)) * half.encode_images(images(8))).sum(axis=1).min() > 0.999


def test_the_fingerprint_covers_what_changes_vectors(
    registered: Settings, tmp_path: Path, encoder_folder: Path
) -> None:
    def fingerprint(entry: str, folder: Path = encoder_folder) -> str:
        file = tmp_path / "variant.toml"
        file.write_text(f'[encoders.v]\narchitecture = "local-dir:{folder}"\n{entry}\n', encoding="utf-8")
        settings = load_settings(home=tmp_path / "home", encoders_file=file, _env_file=None)
        return OpenClipEncoder(encoder_spec("v", settings), settings).fingerprint

    changed = tmp_path / "changed"
    changed.mkdir()
    for file in encoder_folder.iterdir():
        (changed / file.name).write_bytes(file.read_bytes())
    weights = bytearray((changed / "model.safetensors").read_bytes())
    weights[-3] ^= 1  # one bit of the last weight
    (changed / "model.safetensors").write_bytes(weights)
    area = 'interpolation = "area"'
    assert fingerprint(area) == load_encoder("tiny", registered).fingerprint
    variants = [
        fingerprint(area),
        fingerprint('interpolation = "bilinear"'),
        fingerprint(f"{area}\nmean = [0.5, 0.5, 0.5]"),
        fingerprint(f"{area}\nimage_size = 96"),
        fingerprint(f'{area}\ntemplates = ["{{}}"]'),
        fingerprint(area, changed),
    ]
    assert len(set(variants)) == len(variants)
    assert all(len(each) == 64 and int(each, 16) >= 0 for each in variants)
    assert fingerprint(f'{area}\ndescription = "other words"\nprecision = "float32"') == variants[0]


@pytest.mark.parametrize(("value", "said"), [(float("nan"), "not finite"), (0.0, "zero")])
def test_unusable_vectors_are_named(registered: Settings, value: float, said: str) -> None:
    encoder = OpenClipEncoder(encoder_spec("tiny", registered), registered)
    head = encoder._model.visual.trunk.fc
    with torch.no_grad():
        head.weight.fill_(value)
        head.bias.fill_(value)
    with pytest.raises(EncoderError, match=f"vector of patch 0 is {said}"):
        encoder.encode_images(images(10))


def test_closed(registered: Settings) -> None:
    encoder = load_encoder("tiny", registered)
    encoder.close()
    with pytest.raises(EncoderError, match="closed"):
        encoder.encode_texts(["a"])
    assert load_encoder("tiny", registered).encode_texts(["a"]).shape == (1, encoder.dim)  # loaded again


def test_a_device_that_is_not_there(registered: Settings) -> None:
    for device in ("cuda:7", "quantum", "meta"):
        with pytest.raises(SettingsError, match="IMAGERAG_DEVICE"):
            load_encoder("tiny", registered.model_copy(update={"device": device}))
