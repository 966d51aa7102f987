"""A served encoder against a real server: forms of requests, failures, and a model that is changed silently."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from imagerag_assets.encoders.registry import encoder_fingerprint, encoder_spec, load_encoder
from imagerag_assets.encoders.served_encoder import ServedEncoder
from imagerag_assets.encoders.types import Encoder
from imagerag_assets.errors import EncoderError
from imagerag_assets.settings import Settings, load_settings
from tests.embedding_server import KEY, Served, running_server
from tests.tiny_encoder import tiny_registry  # noqa: F401  (a fixture)

PICTURES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
TEXTS = ["a pond", "an airport with many parked airplanes", "a road"]


@pytest.fixture(scope="module")
def models(tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, Encoder]:  # noqa: F811
    """Two models with random weights."""
    settings = load_settings(home=tmp_path_factory.mktemp("home"), encoders_file=tiny_registry, _env_file=None)
    return load_encoder("tiny", settings), load_encoder("tiny-other", settings)


@pytest.fixture
def served(models: tuple[Encoder, Encoder]) -> Iterator[Served]:
    with running_server(models[0]) as server:
        yield server


def settings_for(served: Served, tmp_path: Path, server: str = "", entry: str = "", key: str = KEY) -> Settings:
    (tmp_path / "own.toml").write_text(
        f'[encoders.far]\nkind = "served"\narchitecture = "only"\n{entry}\n'
        f'[encoders.far.server]\nurl = "{served.url}"\nkey = "{key}"\nretries = 0\n{server}\n',
        encoding="utf-8",
    )
    return load_settings(home=tmp_path / "home", encoders_file=tmp_path / "own.toml", batch_size=4, _env_file=None)


def load(served: Served, tmp_path: Path, server: str = "", entry: str = "") -> ServedEncoder:
    settings = settings_for(served, tmp_path, server, entry)
    return ServedEncoder(encoder_spec("far", settings), settings)


@pytest.mark.parametrize("pictures", ["messages", "objects", "data-urls"])
def test_vectors_are_those_of_the_model(pictures: str, served: Served, tmp_path: Path) -> None:
    settings = settings_for(served, tmp_path, f'pictures = "{pictures}"\nbatch = 3', 'instruction = "Represent it."')
    encoder = load_encoder("far", settings)
    assert isinstance(encoder, Encoder)
    np.testing.assert_allclose(encoder.encode_images(PICTURES), served.encoder.encode_images(PICTURES), atol=1e-4)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), served.encoder.encode_texts(TEXTS), atol=1e-4)
    assert encoder.encode_images(PICTURES[:0]).shape == (0, encoder.dim)
    assert encoder_fingerprint("far", settings) == encoder.fingerprint
    last = served.requests[-1]
    assert (last["model"], last["encoding_format"]) == ("tiny", "float")
    if pictures == "messages":
        assert "input" not in last
        assert [each["role"] for each in last["messages"]] == ["system", "user"]
    assert KEY not in repr(encoder_spec("far", settings))
    encoder.close()
    with pytest.raises(EncoderError, match="closed"):
        encoder.encode_images(PICTURES)


def test_a_changed_model_is_noticed(served: Served, models: tuple[Encoder, Encoder], tmp_path: Path) -> None:
    first = load(served, tmp_path)
    served.noise = 1e-3  # arithmetic in few bits
    again = load(served, tmp_path)
    assert again.fingerprint == first.fingerprint
    assert load(served, tmp_path, entry='templates = ["{}"]').fingerprint != first.fingerprint

    served.noise, served.encoder = 0.0, models[1]
    again._checked -= 3600
    with pytest.raises(EncoderError, match=r"serves another model than before.*cosine.*imagerag backfill"):
        again.encode_images(PICTURES)
    changed = load(served, tmp_path)
    assert changed.fingerprint != first.fingerprint
    served.encoder = models[0]
    assert load(served, tmp_path).fingerprint == first.fingerprint
    served.cut = 100
    with pytest.raises(EncoderError, match="100 dimensions now, and had 384"):
        first.encode_texts(["a barn"])
    served.cut, served.models = None, ["tiny", "other"]
    with pytest.raises(EncoderError, match=r"lists 2 models \(tiny, other\).*Name one"):
        load(served, tmp_path)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("<html>", "its reply is not JSON"),
        ('{"data": []}', "gave vectors of 0 for 1 inputs"),
        ('{"data": [{"embedding": [1.0, 2.0]}, {"embedding": [1.0]}]}', "no vectors of numbers"),
        ('{"data": [{"embedding": "AAAA"}]}', "no vectors of numbers"),
        ('{"data": [{"embedding": [NaN, 1.0]}]}', "vector of probe 0 is not finite"),
        ('{"error": "unknown"}', "no vectors of numbers"),
    ],
)
def test_replies_that_are_no_vectors(raw: str, said: str, served: Served, tmp_path: Path) -> None:
    served.raw = raw
    with pytest.raises(EncoderError, match=said) as caught:
        load(served, tmp_path)
    assert "\n" not in str(caught.value)


def test_failures_are_one_line_each(served: Served, tmp_path: Path) -> None:
    served.failures = [503]
    with pytest.raises(EncoderError, match=r"failed \(HTTP 503, 1 tries\): too busy") as caught:
        load(served, tmp_path)
    assert caught.value.transient
    served.failures = [400]
    with pytest.raises(EncoderError, match=r"rejects the request \(HTTP 400\).*server\.pictures"):
        load(served, tmp_path)
    settings = settings_for(served, tmp_path, key="another-key-that-is-wrong")
    with pytest.raises(EncoderError, match=r"refuses the key \(HTTP 401\).*Set server\.key") as caught:
        load_encoder("far", settings)
    assert "another-key" not in str(caught.value)
    spec = encoder_spec("far", settings_for(served, tmp_path))
    assert spec.server is not None
    served.failures = [503]
    assert ServedEncoder(replace(spec, server=replace(spec.server, retries=1)), settings).dim == 384
    with pytest.raises(EncoderError, match="no model 'absent', only tiny"):
        ServedEncoder(replace(spec, architecture="absent"), settings)
    served.hold = threading.Event()
    with pytest.raises(EncoderError, match="did not finish its reply within 0.2 s"):
        load(served, tmp_path, "timeout_s = 0.2")
    served.hold.set()
    nowhere = cast(Served, type("Nowhere", (), {"url": "http://127.0.0.1:9/v1"}))
    with pytest.raises(EncoderError, match="cannot be reached"):
        load(nowhere, tmp_path)
