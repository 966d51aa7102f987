from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from imagerag_assets.errors import StoreError, UnknownEncoderError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.settings import Settings, load_settings


def test_making_one_opens_and_creates_nothing(settings: Settings) -> None:
    platform = Platform(settings)

    assert platform.settings is settings
    assert platform.recipe.division_key == "pyramid"
    assert platform.store.url().endswith("objects")
    platform.close()
    assert not settings.home.exists()


def test_patches_are_as_large_as_the_encoder_was_taught(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGERAG_PATCH_M")
    default = load_settings(home=settings.home, _env_file=None)
    assert default.active_encoder == "demo"
    keys = {
        name: Platform(default).using(name).recipe.division_key for name in ("demo", "demo-lite", "georsclip", "no")
    }
    assert keys == {"demo": "pyramid-m76.8", "demo-lite": "pyramid-m76.8", "georsclip": "pyramid", "no": "pyramid"}
    in_pixels = load_settings(home=settings.home, patch_px=128, _env_file=None)
    assert Platform(in_pixels).using("demo").recipe.division_key == "pyramid-p128-o0.5"
    both = load_settings(home=settings.home, patch_px=128, patch_m="encoder", _env_file=None)
    assert Platform(both).using("demo").recipe.division_key == "pyramid-p128-o0.5-m76.8"


def test_parts_are_opened_once_also_by_many_threads(platform: Platform) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = {id(part) for part in pool.map(lambda _: platform.store, range(32))}
        vectors = {id(part) for part in pool.map(lambda _: platform.vectors, range(8))}

    assert len(stores) == len(vectors) == 1


def test_closing_frees_milvus_for_another_and_a_closed_one_opens_again(platform: Platform) -> None:
    first = platform.vectors
    platform.close()

    with pytest.raises(StoreError, match="closed"):
        first.list_collections()
    assert platform.vectors is not first
    assert platform.vectors.list_collections() == []


def test_active_encoder_is_the_registrys_and_its_fingerprint_is_known_after_a_load(platform: Platform) -> None:
    encoder = platform.encoder

    assert encoder.name == "tiny"
    assert platform.fingerprint == encoder.fingerprint
    assert platform.encoder is encoder


def test_switching_the_encoder_is_seen_without_a_restart(tiny_settings: Settings) -> None:
    settings = tiny_settings.model_copy(update={"encoder": None})
    settings.home.mkdir(parents=True)
    with Platform(settings) as platform:
        settings.active_encoder_file.write_text("tiny\n")
        first = platform.fingerprint
        settings.active_encoder_file.write_text("tiny-other\n")
        assert platform.fingerprint != first
        settings.active_encoder_file.write_text("nonsuch\n")
        with pytest.raises(UnknownEncoderError, match="nonsuch"):
            _ = platform.encoder


def test_division_takes_the_settings_parameters(settings: Settings) -> None:
    chosen = settings.model_copy(update={"division": "cc", "patch_px": 512})

    assert Recipe.of(chosen).division_key == "cc"
    assert Recipe.of(chosen, "pyramid").division_key == "pyramid-p512-o0.5"


def test_another_encoder_shares_what_is_open_and_stays_whatever_is_chosen(tiny_settings: Settings) -> None:
    settings = tiny_settings.model_copy(update={"encoder": None})
    settings.home.mkdir(parents=True)
    settings.active_encoder_file.write_text("tiny\n")
    with Platform(settings) as platform:
        pinned, other = platform.using("tiny"), platform.using("tiny").using("tiny-other")
        settings.active_encoder_file.write_text("tiny-other\n")
        assert (pinned.encoder.name, other.encoder.name, platform.encoder.name) == ("tiny", "tiny-other", "tiny-other")
        assert pinned.fingerprint != other.fingerprint == platform.fingerprint
        assert pinned.vectors is other.vectors is platform.vectors
        pinned.close()
        assert platform.vectors.list_collections() == []
