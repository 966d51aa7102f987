"""Entries, the user's file, and loading by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from imagerag_assets.encoders.registry import encoder_fingerprint, encoder_spec, list_encoders, load_encoder
from imagerag_assets.encoders.types import Encoder
from imagerag_assets.encoders.weights import find_checkpoint, read_architecture
from imagerag_assets.errors import EncoderError, SettingsError, UnknownEncoderError
from imagerag_assets.settings import Settings, load_settings
from tests.unit.encoders.conftest import MODEL_CONFIG

SERVED = "[encoders.x]\narchitecture = 'A'\nkind = 'served'\n[encoders.x.server]\n"


def with_registry(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    return load_settings(home=tmp_path / "home", encoders_file=tmp_path / "own.toml", _env_file=None)


def test_built_in_entries_describe_themselves(settings: Settings) -> None:
    specs = {spec.name: spec for spec in list_encoders(settings)}
    assert {"demo", "demo-lite", "openai-vit-b-32", "openai-vit-l-14-336", "georsclip", "remoteclip-vit-l-14"} < set(
        specs
    )
    for spec in specs.values():
        assert spec.description
        assert spec.licence
        assert spec.parameters
        if spec.kind == "open_clip" and not spec.architecture.startswith("local-dir:"):
            read_architecture(spec)  # open_clip knows it, and its weights were trained with its activation


@pytest.mark.parametrize(
    ("name", "size", "mean", "quick_gelu"),
    [
        ("georsclip", 336, 0.48145466, True),
        ("remoteclip-vit-l-14", 224, 0.48145466, True),
        ("siglip2-b-16", 256, 0.5, False),
    ],
)
def test_preprocessing_follows_the_weights(
    settings: Settings, name: str, size: int, mean: float, quick_gelu: bool
) -> None:
    architecture = read_architecture(encoder_spec(name, settings))
    pre = architecture.preprocessing
    assert (pre.size, pre.mean[0], pre.interpolation) == (size, mean, "bicubic")
    assert bool(architecture.config.get("quick_gelu")) == quick_gelu


def test_unknown_name_is_answered_with_the_known_ones(settings: Settings) -> None:
    with pytest.raises(
        UnknownEncoderError, match=r"no encoder 'demo_lite'.*Did you mean 'demo-lite'\?.*georsclip"
    ) as caught:
        load_encoder("demo_lite", settings)
    assert caught.value.exit_code == 2


def test_own_entries_are_added_and_win(tmp_path: Path) -> None:
    text = """
        [encoders.mine]
        architecture = "ViT-B-32"
        checkpoint = "weights/mine.pt"
        templates = ["{} from a plane"]
        [encoders.demo]
        architecture = "local-dir:other"
    """
    settings = with_registry(tmp_path, text)
    assert encoder_spec("mine", settings).templates == ("{} from a plane",)
    assert encoder_spec("demo", settings).architecture == "local-dir:other"
    with pytest.raises(EncoderError, match=f"There is no {tmp_path / 'weights' / 'mine.pt'}.*Put the checkpoint there"):
        find_checkpoint(encoder_spec("mine", settings), settings)
    with pytest.raises(EncoderError, match=f"There is no {tmp_path / 'other' / 'open_clip_config.json'}"):
        load_encoder("demo", settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[encoders.x", "cannot be read"),
        ("[other]\nx = 1", "must hold"),
        ("[encoders]\nx = 1", "'x'.*not a table"),
        ("[encoders.x]\ncheckpoint = 'a'", "'x'.*architecture: Field required"),
        ("[encoders.x]\narchitecture = 'A'\nprecision = 'int8'", "'x'.*precision"),
        ("[encoders.x]\narchitecture = 'A'\nchekpoint = 'a'", "'x'.*chekpoint"),
        ("[encoders.x]\narchitecture = 'A'\nmean = [1.0]", "'x'.*mean"),
        ("[encoders.x]\narchitecture = 'A'\ntemplates = ['a photo']", "'x'.*exactly one"),
        ("[encoders.x]\narchitecture = 'A'\ntemplates = []", "'x'.*exactly one"),
        ("[encoders.x]\narchitecture = 'A'\ngsd_m = [0.0, 1.0]", "'x'.*gsd_m: .*not a range of metres"),
        ("[encoders.x]\narchitecture = 'A'\ngsd_m = [0.3, 10000.0]", "'x'.*gsd_m: .*not a range of metres"),
        ("[encoders.x]\narchitecture = 'A'\ngsd_m = [nan, 1.0]", "'x'.*gsd_m: .*not a range of metres"),
        ("[encoders.x]\narchitecture = 'A'\nkind = 'served'", "'x'.*needs a table server"),
        ("[encoders.x]\narchitecture = 'A'\nkind = 'transformers'", "'x'.*needs local-dir"),
        (f"{SERVED}url = 'ftp://a'", "'x'.*not an http"),
        (f"{SERVED}url = 'http://me:secret-word@a/v1'", "'x'.*has a password or key in it"),
        (f"{SERVED}url = 'http://a/v1'\nretries = 99", "'x'.*server.retries: 99 is not from 0 to 10"),
        (f"{SERVED}url = 'http://a/v1'\ntimeout = 9", "'x'.*server.timeout"),
        (f"{SERVED}url = 'http://a/v1'\npictures = 'smoke'", "'x'.*server.pictures"),
    ],
)
def test_a_wrong_file_names_its_entry(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        list_encoders(with_registry(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "secret-word" not in str(caught.value)


def test_a_file_is_read_again_when_its_text_changes(tmp_path: Path) -> None:
    settings = with_registry(tmp_path, "[encoders.x]\narchitecture = 'A'\n")
    assert encoder_spec("x", settings).architecture == "A"
    (tmp_path / "own.toml").write_text("[encoders.x]\narchitecture = 'B'\n", encoding="utf-8")
    assert encoder_spec("x", settings).architecture == "B"


def test_a_registry_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="IMAGERAG_ENCODERS_FILE"):
        list_encoders(load_settings(encoders_file=tmp_path / "none.toml", _env_file=None))


@pytest.mark.parametrize("name", ["openai-vit-b-32", "georsclip"])
def test_weights_that_are_nowhere(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(
        EncoderError, match=f"cannot be downloaded.*Put the checkpoint file at .*models/{name}.safetensors"
    ):
        find_checkpoint(encoder_spec(name, settings), settings)
    own = settings.home / "models" / f"{name}.pt"
    own.parent.mkdir(parents=True)
    own.touch()
    assert find_checkpoint(encoder_spec(name, settings), settings) == own


def test_a_wrong_activation_is_refused(tmp_path: Path) -> None:
    settings = with_registry(tmp_path, '[encoders.x]\narchitecture = "ViT-B-32"\ncheckpoint = "openai"')
    with pytest.raises(EncoderError, match=r"trained with QuickGELU.*Use architecture 'ViT-B-32-quickgelu'"):
        read_architecture(encoder_spec("x", settings))
    settings = with_registry(tmp_path, '[encoders.x]\narchitecture = "ViT-B-33"')
    with pytest.raises(EncoderError, match="no architecture 'ViT-B-33'"):
        read_architecture(encoder_spec("x", settings))


def test_loaded_once_and_remembered(registered: Settings) -> None:
    encoder = load_encoder("tiny", registered)
    assert isinstance(encoder, Encoder)
    assert load_encoder("tiny", registered) is encoder
    fingerprint = encoder.fingerprint
    encoder.close()
    assert encoder_fingerprint("tiny", registered) == fingerprint
    again = load_encoder("tiny", registered)
    assert again is not encoder
    assert again.fingerprint == fingerprint


def test_a_known_fingerprint_needs_no_model_library(registered: Settings) -> None:
    fingerprint = load_encoder("tiny", registered).fingerprint
    program = (
        "import sys\n"
        "from imagerag_assets.encoders.registry import encoder_fingerprint\n"
        "from imagerag_assets.settings import load_settings\n"
        f"settings = load_settings(home={str(registered.home)!r}, encoders_file={str(registered.encoders_file)!r})\n"
        "print(encoder_fingerprint('tiny', settings), 'torch' in sys.modules)\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.split() == [fingerprint, "False"]


def test_a_checkpoint_that_does_not_fit(tmp_path: Path, encoder_folder: Path) -> None:
    other = {**MODEL_CONFIG, "vision_cfg": {**MODEL_CONFIG["vision_cfg"], "timm_model_name": "resnet18"}}  # type: ignore[dict-item]
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": other}), encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes((encoder_folder / "model.safetensors").read_bytes())
    settings = with_registry(tmp_path, f'[encoders.x]\narchitecture = "local-dir:{tmp_path}"')
    with pytest.raises(EncoderError, match=r"model\.safetensors (does not fit|cannot be loaded)") as caught:
        load_encoder("x", settings)
    assert "\n" not in str(caught.value)
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder("x", settings)
    (tmp_path / "open_clip_config.json").write_text("{", encoding="utf-8")
    with pytest.raises(EncoderError, match="cannot be read"):
        load_encoder("x", settings)
