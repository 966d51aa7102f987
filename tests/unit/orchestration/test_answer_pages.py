"""Pages and pictures beside Dagster's UI: kept ones only, without an origin, and nothing else is taken."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from imagerag_assets.objects.store import open_store
from imagerag_assets.orchestration.answer_pages import (
    PREFIX,
    SCENES_PREFIX,
    SHOWN,
    AnswerPages,
    answer_pictures,
    scene_picture,
)
from imagerag_assets.orchestration.webserver import settings_there
from imagerag_assets.questions.answer_records import answer_folder, page_key
from imagerag_assets.scenes.records import overview_key
from imagerag_assets.settings import Settings

ID = "20260504T103000-1f2e3d4c"


def test_a_kept_page_is_served_apart_from_the_ui(settings: Settings) -> None:
    ui = Starlette(routes=[Route("/{path:path}", lambda request: PlainTextResponse("the UI"), methods=["GET", "POST"])])
    asked = TestClient(AnswerPages(ui, partial(open_store, settings)))
    missing = asked.get(f"{PREFIX}{ID}")
    assert (missing.status_code, missing.text) == (
        404, f"There is no page of this answer. Make it with: imagerag show {ID}\n",
    )  # fmt: skip
    open_store(settings).write_bytes(page_key(ID), "<!doctype html>Größe".encode())
    page = asked.get(f"{PREFIX}{ID}")
    assert (page.status_code, page.text) == (200, "<!doctype html>Größe")
    assert page.headers["content-security-policy"] == "sandbox allow-scripts allow-downloads"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for bad in ("nothing", "..%2f..%2fsecret", ID + "0"):
        answer = asked.get(f"{PREFIX}{bad}")
        assert answer.status_code == 404 or answer.text == "the UI", bad
        assert "doctype" not in answer.text
    assert asked.post(f"{PREFIX}{ID}").text == asked.get("/runs").text == "the UI"


def test_pictures_are_small_and_of_what_is_stored(settings: Settings) -> None:
    ui = Starlette(routes=[Route("/{path:path}", lambda request: PlainTextResponse("the UI"))])
    asked = TestClient(AnswerPages(ui, partial(open_store, settings)))
    stored = io.BytesIO()
    Image.new("RGB", (2000, 1000), "red").save(stored, "JPEG")
    folder = f"{answer_folder(ID)}/evidence"
    for key in (f"{folder}/overview.jpg", f"{folder}/cue-1.jpg", overview_key("one")):
        open_store(settings).write_bytes(key, stored.getvalue())
    for path, width in (
        (f"{PREFIX}{ID}/overview.jpg", 512),
        (f"{PREFIX}{ID}/cue-1.jpg", 168),
        (f"{SCENES_PREFIX}one/overview.jpg", 512),
    ):
        answer = asked.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg"), path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert Image.open(io.BytesIO(answer.content)).size == (width, width // 2)
    for path in (f"{PREFIX}{ID}/cue-2.jpg", f"{PREFIX}nothing/cue-1.jpg", f"{SCENES_PREFIX}%2e%2e/overview.jpg"):
        assert b"JFIF" not in asked.get(path).content, path


def test_the_ui_shows_the_pictures_where_they_stand() -> None:
    text = answer_pictures(ID, ["overview", *(f"cue-{rank}" for rank in range(1, 50))])
    assert text.startswith(f"![overview]({PREFIX}{ID}/overview.jpg) ![cue 1]({PREFIX}{ID}/cue-1.jpg) ")
    assert 900 < len(text) <= SHOWN and text.endswith(".jpg)")
    assert scene_picture("a_b") == f"![Overview of a\\_b]({SCENES_PREFIX}a_b/overview.jpg)"


def test_the_store_is_that_of_the_folder_where_dev_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / ".env").write_text("IMAGERAG_STORE=kept/objects\n")
    monkeypatch.setenv("_IMAGERAG_FOLDER", str(folder))
    monkeypatch.chdir(tmp_path)  # Dagster's home, for its own processes
    assert settings_there().store_url == str(folder / "kept" / "objects")
    assert Path.cwd() == tmp_path
