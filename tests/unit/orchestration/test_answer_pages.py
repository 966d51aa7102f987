"""Pages of answers beside Dagster's UI: kept ones only, without an origin, and nothing else is taken."""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from imagerag_assets.objects.store import open_store
from imagerag_assets.orchestration.answer_pages import PREFIX, AnswerPages
from imagerag_assets.questions.answer_records import page_key
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
