"""Which processes answer alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from imagerag_assets.resident.identity import identity_of
from imagerag_assets.settings import Settings, load_settings


def _changed(settings: Settings, changes: dict[str, object]) -> Settings:
    return load_settings(
        _env_file=None, **{name: getattr(settings, name) for name in settings.model_fields_set} | changes
    )


def test_it_changes_with_what_changes_answers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    own = identity_of(settings)
    assert own == identity_of(settings)
    changes: tuple[dict[str, object], ...] = (
        {"top_k": 7},
        {"home": settings.home / "other"},
        {"milvus_uri": "http://127.0.0.1:1"},
        {"milvus_token": SecretStr("root:secret-word")},
        {"mllm": "other"},
    )
    found = {identity_of(_changed(settings, each)) for each in changes}
    assert len(found | {own}) == len(changes) + 1
    file = settings.home / "encoders.toml"
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text("[encoders.a]\n")
    registry = identity_of(settings)
    assert registry != own
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    assert identity_of(settings) != registry


def test_it_is_the_same_wherever_it_is_asked_and_however_it_is_served(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = identity_of(settings)
    monkeypatch.chdir(tmp_path)
    home = settings.home.absolute().relative_to(tmp_path)
    same: tuple[dict[str, object], ...] = (
        {"home": home},
        {"milvus_uri": str(home / "milvus.db")},
        {"resident": "auto", "serve_at_once": 9, "serve_token": SecretStr("a-token-of-mine"), "resident_idle_s": 1},
    )
    assert [identity_of(_changed(settings, each)) for each in same] == [own] * len(same)
