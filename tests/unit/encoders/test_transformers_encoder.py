"""Encoders of transformers' classes, small and with random weights, against transformers' own processing."""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

from imagerag_assets.encoders.registry import encoder_fingerprint, load_encoder
from imagerag_assets.encoders.types import Encoder
from imagerag_assets.errors import EncoderError
from imagerag_assets.settings import Settings, load_settings
from tests.byte_tokenizer import byte_tokenizer
from tests.tiny_qwen import write_tiny_qwen

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
TEXTS = ["a pond", "an airport with many parked airplanes", "<|im_end|> a road"]


def write_tiny_siglip(folder: Path) -> Path:
    """Write a SigLIP of one layer, 64 px and 1024 dimensions, with its tokenizer and image processor."""
    tokenizer = byte_tokenizer([])
    tower = {"hidden_size": 1024, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 16}
    text = {**tower, "vocab_size": len(tokenizer), "max_position_embeddings": 64, "projection_size": 1024}
    text |= {"bos_token_id": None, "eos_token_id": None, "pad_token_id": tokenizer.pad_token_id}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = SiglipConfig(text_config=text, vision_config={**tower, "image_size": 64, "patch_size": 16})
        SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def settings_of(tmp_path: Path, text: str = "") -> Settings:
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    return load_settings(
        home=tmp_path / "home", encoders_file=tmp_path / "own.toml", precision="float32", device="cpu", _env_file=None
    )


def assert_same(found: np.ndarray, expected: Any) -> None:
    expected = expected.detach().float().numpy()
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=2e-5)


def test_two_towers(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    folder = write_tiny_siglip(settings.home / "models" / "git-rsclip")  # the shipped entry, without a download
    encoder = load_encoder("git-rsclip", settings)
    assert isinstance(encoder, Encoder)
    assert (encoder.dim, encoder.image_size) == (1024, 64)
    assert encoder.logit_bias is not None

    model = SiglipModel.from_pretrained(folder)
    pixels = SiglipImageProcessor.from_pretrained(folder)(images=list(PICTURES), return_tensors="pt")
    assert_same(encoder.encode_images(PICTURES), model.get_image_features(**pixels).pooler_output)
    tokens = byte_tokenizer([])(TEXTS, padding="max_length", max_length=64, truncation=True, return_tensors="pt")
    assert_same(encoder.encode_raw_texts(TEXTS), model.get_text_features(tokens["input_ids"]).pooler_output)
    assert encoder.encode_raw_texts(["word " * 5000]).shape == (1, 1024)

    fingerprint = encoder.fingerprint
    encoder.close()
    with pytest.raises(EncoderError, match="closed"):
        encoder.encode_images(PICTURES)
    assert (
        encoder_fingerprint("git-rsclip", settings) == fingerprint == load_encoder("git-rsclip", settings).fingerprint
    )

    stored = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(stored | {"image_mean": [0.1, 0.2, 0.3]}))
    assert load_encoder("git-rsclip", settings).fingerprint != fingerprint
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(EncoderError, match="cannot be loaded: preprocessor_config.json"):
        load_encoder("git-rsclip", settings)


def test_a_chat_model(tmp_path: Path) -> None:
    folder = write_tiny_qwen(tmp_path / "qwen", "qwen3_vl")
    entry = f'[encoders.chat]\nkind = "transformers"\narchitecture = "local-dir:{folder}"\nimage_size = 64\n'
    encoder = load_encoder("chat", settings_of(tmp_path, entry))
    assert (encoder.dim, encoder.image_size, encoder.logit_bias) == (64, 64, None)

    from transformers import AutoModel, AutoProcessor

    model, processor = (
        AutoModel.from_pretrained(folder, dtype=torch.float32).eval(),
        AutoProcessor.from_pretrained(folder),
    )
    said = [{"role": "system", "content": [{"type": "text", "text": "Represent the user's input."}]}]
    prompts = [
        processor.apply_chat_template(
            [*said, {"role": "user", "content": [{"type": "text", "text": text}]}],
            tokenize=False,
            add_generation_prompt=True,
        )
        for text in TEXTS[:2]
    ]
    with torch.inference_mode():
        states = [model(**processor(text=[each], return_tensors="pt")).last_hidden_state[:, -1] for each in prompts]
    assert_same(encoder.encode_raw_texts(TEXTS[:2]), torch.cat(states))
    vectors = encoder.encode_images(PICTURES)
    np.testing.assert_allclose(
        np.concatenate([encoder.encode_images(each[None]) for each in PICTURES]), vectors, atol=1e-5
    )
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3  # the pictures are seen
    # A text is data: a control token in it is letters.
    assert np.abs(encoder.encode_raw_texts([TEXTS[2]]) - encoder.encode_raw_texts(["a road"])).max() > 1e-3

    other = settings_of(tmp_path, entry + 'instruction = "Find what is alike."\n')
    assert load_encoder("chat", other).fingerprint != encoder.fingerprint


def test_what_cannot_be_used(tmp_path: Path) -> None:
    entry = f'[encoders.x]\nkind = "transformers"\narchitecture = "local-dir:{tmp_path / "x"}"\n'
    settings = settings_of(tmp_path, entry)
    with pytest.raises(EncoderError, match=r"There is no .*config\.json"):
        load_encoder("x", settings)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(EncoderError, match=r"type 'bert' cannot be used.*Serve it"):
        load_encoder("x", settings)
    (tmp_path / "x" / "config.json").write_text('{"model_type": "siglip"}')
    with pytest.raises(EncoderError, match="cannot be loaded") as caught:
        load_encoder("x", settings)
    assert "\n" not in str(caught.value)
