"""Who may do what: tokens for reading, asking and writing, a browser's session, and how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from imagerag_assets.errors import SettingsError
from imagerag_assets.serve.app import make_app
from imagerag_assets.serve.asking import Asking
from imagerag_assets.serve.guard import COOKIE, ApiGuard, access_from
from imagerag_assets.serve.page import FILES, page_files
from imagerag_assets.serve.rates import Buckets
from imagerag_assets.settings import Settings, load_settings

TOKENS = {"read": "token-for-reading", "ask": "token-for-asking", "write": "token-for-all"}
EXAMPLE = {"concept": "x", "patch": "a:b:0:0:0"}


@pytest.fixture(scope="module")
def guarded(asking: Asking) -> Settings:
    """The settings of a server with three tokens."""
    return load_settings(
        _env_file=None,
        home=asking.settings.home,
        serve_token=TOKENS["write"],
        serve_ask_token=TOKENS["ask"],
        serve_read_token=TOKENS["read"],
    )


def _statuses(client: TestClient, **given: Any) -> tuple[int, ...]:
    return (
        client.get("/api/scenes", **given).status_code,
        client.post("/api/questions", json={"question": "a", "scenes": ["none"]}, **given).status_code,
        client.post("/api/examples", json=EXAMPLE, **given).status_code,
    )


def test_a_token_allows_its_right_and_no_more(client_of: Callable[..., TestClient], guarded: Settings) -> None:
    client = client_of(access_from(guarded, "0.0.0.0", least="read"))
    wanted = {"read": (200, 403, 403), "ask": (200, 404, 403), "write": (200, 404, 422)}
    for right, statuses in wanted.items():
        headers = {"Authorization": f"Bearer {TOKENS[right]}"}
        assert _statuses(client, headers=headers) == statuses
        assert client.get("/api/session", headers=headers).json()["right"] == right
    refused = client.post("/api/examples", json=EXAMPLE, headers={"Authorization": f"Bearer {TOKENS['read']}"})
    assert "it may read, and this is to write" in refused.json()["error"]["message"]
    assert not any(token in repr(access_from(guarded, "0.0.0.0", least="read")) for token in TOKENS.values())


def test_what_needs_the_token_for_all_takes_no_other(asking: Asking, guarded: Settings) -> None:
    app = ApiGuard(make_app(asking), access_from(guarded, "0.0.0.0"))  # as of assistants over HTTP
    client = TestClient(app, base_url="http://localhost:8000")
    for right, status in (("read", 401), ("ask", 401), ("write", 200)):
        assert client.get("/health", headers={"Authorization": f"Bearer {TOKENS[right]}"}).status_code == status
    assert [client.get(path).status_code for path in ("/", "/api/session", "/files/app.css")] == [401, 401, 401]
    reading = guarded.model_copy(update={"serve_token": None})
    for host in ("127.0.0.1", "0.0.0.0"):
        with pytest.raises(SettingsError, match="Only tokens for asking or reading are set"):
            access_from(reading, host)


def test_a_browser_logs_in_with_a_token_and_keeps_none(client_of: Callable[..., TestClient], guarded: Settings) -> None:
    client = client_of(access_from(guarded, "0.0.0.0", least="read"))
    assert client.get("/").status_code == 200  # says nothing of the installation
    assert client.get("/api/session").json()["right"] is None
    assert _statuses(client) == (401, 401, 401)
    wrong = client.post("/api/session", json={"token": "wrong"})
    assert (wrong.status_code, wrong.json()["error"]["message"]) == (403, "This is not a token of the server")
    assert client.post("/api/session", json={"token": TOKENS["ask"]}).json()["right"] == "ask"
    cookie = client.cookies[COOKIE]
    assert TOKENS["ask"] not in cookie
    assert _statuses(client) == (200, 404, 403)
    assert (
        client.post("/api/session", json={"token": "x"}, headers={"Origin": "http://evil.example"}).status_code == 403
    )
    client.request("DELETE", "/api/session", headers={"Content-Type": "application/json"})
    assert _statuses(client) == (401, 401, 401)


def test_a_client_that_asks_too_often_waits(asking: Asking, client_of: Callable[..., TestClient]) -> None:
    few = asking.settings.model_copy(update={"serve_questions_per_minute": 1})
    before, asking.settings = asking.settings, few
    try:
        client = client_of()
    finally:
        asking.settings = before
    assert client.post("/api/questions", json={"question": ""}).status_code == 422
    refused = client.post("/api/questions", json={"question": ""})
    assert (refused.status_code, int(refused.headers["retry-after"]) >= 1) == (429, True)
    assert "IMAGERAG_SERVE_QUESTIONS_PER_MINUTE" in refused.json()["error"]["fix"]
    assert client.get("/api/scenes").status_code == 200


def test_what_was_taken_comes_back_with_time() -> None:
    now = [0.0]
    buckets = Buckets(60, lambda: now[0])
    assert [buckets.take("a") for _ in range(60)] == [0.0] * 60
    assert buckets.take("a") == pytest.approx(1.0)
    assert buckets.take("b") == 0.0  # each client has its own
    now[0] += 1.5
    assert (buckets.take("a"), buckets.take("a")) == (0.0, pytest.approx(0.5))


def test_the_page_loads_nothing_from_elsewhere_and_runs_no_text(api: TestClient) -> None:
    page = api.get("/")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    again = api.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    names = page_files()
    assert sum((FILES / name).stat().st_size for name in names) < 400_000  # what a browser loads once
    for name in names:
        assert api.get(f"/files/{name}").status_code == 200
    for name in ("../app.py", "..%2Fapp.py", "index.html", "%2Fetc%2Fhostname"):
        assert api.get(f"/files/{name}").status_code == 404
    for file in [FILES / "index.html", *(FILES / name for name in names if "vendor" not in name)]:
        if file.suffix in (".html", ".css", ".js"):
            text = file.read_text(encoding="utf-8")
            links = [each for each in ("//unpkg", "//cdn", "@import", "https://", "innerHTML", "eval(") if each in text]
            assert not links, file
