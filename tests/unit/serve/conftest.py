"""One installation for all tests of the API: a scene with a place on the ground, and one without."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.serve.app import make_app
from imagerag_assets.serve.asking import Asking
from imagerag_assets.serve.guard import PageGuard, access_from
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.web_guard import Access
from tests.items import scene_at, texture, write_scene
from tests.tiny_encoder import write_tiny_encoder

HOSTILE = "<img src=x onerror=alert(1)>\u202e"
"""The id of the item without a place."""


@pytest.fixture(scope="session")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """An installation with two scenes, which takes on two questions and small requests."""
    folder = tmp_path_factory.mktemp("api")
    settings = load_settings(
        _env_file=None,
        home=folder / "home",
        encoders_file=write_tiny_encoder(folder),
        encoder="tiny",
        patch_px=128,
        min_confidence=0,
        serve_in_flight=2,
        serve_questions_per_minute=100_000,
        limit_request_bytes=4096,
        limit_question_values=900,
        read_apart=False,
        planner="rules",
    )
    with Asking(settings) as opened:
        nowhere = {"crs": None, "transform": None}
        for item in (
            write_scene(folder / "scene", "a", texture(300, 300)),
            write_scene(folder / "scene", "b", texture(300, 520, 1), profile=nowhere, item_id=HOSTILE),
        ):
            assert ingest_scene(opened.platform, scene_at(item, settings)).error is None
        yield opened


@pytest.fixture(scope="session")
def client_of(asking: Asking) -> Callable[..., TestClient]:
    """Return a client of the application as it listens with some settings."""

    def made(access: Access | None = None, identity: str | None = None, settings: Settings | None = None) -> TestClient:
        access = access or access_from(settings or asking.settings, "127.0.0.1")
        app = PageGuard(make_app(asking, access=access, identity=identity), access)
        return TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False)

    return made


@pytest.fixture(scope="session")
def api(client_of: Callable[..., TestClient]) -> TestClient:
    """The application as it listens on a port of this machine."""
    return client_of()
