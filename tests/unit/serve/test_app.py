"""The API: it gives what the commands give, says what is wrong, and takes on no more than it may."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from imagerag_assets.errors import SettingsError
from imagerag_assets.questions.ask import ask
from imagerag_assets.questions.question import Question
from imagerag_assets.resident.client import PATH, STAGES
from imagerag_assets.serve.asking import Asking
from imagerag_assets.serve.guard import HOSTS, access_from
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.web_guard import Access

ASKED = {"question": "where is a boat?", "answer": False, "path": "fast"}


def _of_every_time(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in ("answer_id", "asked_at", "timings_ms")}


def test_an_answer_is_that_of_the_command_and_is_found_again(asking: Asking, api: TestClient) -> None:
    before = asking._runner.instance.get_runs_count()
    given = api.post("/api/questions", json=ASKED)
    assert given.status_code == 200, given.text
    record = given.json()
    here = ask(asking.platform, Question(**ASKED)).to_dict()
    assert record["cues"]
    assert _of_every_time(record) == _of_every_time(here)
    assert api.get(f"/api/answers/{record['answer_id']}").json() == record
    listed = api.get("/api/answers", params={"limit": 2}).json()["answers"]
    assert {each["answer_id"] for each in listed} >= {record["answer_id"], here["answer_id"]}  # of the same second
    assert len(api.get("/api/answers", params={"limit": 1}).json()["answers"]) == 1
    scenes = api.get("/api/scenes").json()
    assert len(scenes["scenes"]) == scenes["total"] == 2
    assert api.get("/ready").json()["encoder"] == "tiny"
    assert api.get("/health").json()["in_flight"] == 0
    assert asking._runner.instance.get_runs_count() == before + 1
    (run,) = asking._runner.instance.get_runs(limit=1)
    assert (run.job_name, run.is_success) == ("ask_question", True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/api/questions", b'{"question": ""}', 422, "The question is empty"),
        ("POST", "/api/questions", b'{"question": "a", "colour": 1}', 422, "A question has no option 'colour'"),
        ("POST", "/api/questions", b'{"question": "a", "scenes": ["z"]}', 404, "There is no such scene"),
        ("POST", "/api/questions", b'{"like": "/etc/hostname"}', 422, "A job may not read this file"),
        ("POST", "/api/questions", b'{"like": "a\\u0000b"}', 422, "This cannot be the name of a file"),
        ("POST", "/api/questions", b'{"question": "a\\ud800"}', 422, "question has half a character in it"),
        ("POST", "/api/questions", b'{"question": "a", "cloud_at_most": NaN}', 422, "The request is not JSON"),
        ("POST", "/api/questions", b'{"question": "a", "cloud_at_most": 1e999}', 422, "The request is not JSON"),
        ("POST", "/api/questions", b'{"question": "a", "self": 1}', 422, "A question has no option 'self'"),
        ("POST", "/api/questions", b"[1]", 422, "The request is not a JSON object"),
        ("POST", "/api/questions", b"[" * 4000, 422, "The request is not JSON"),
        ("POST", "/api/questions", b'{"question": "' + b"a" * 5000 + b'"}', 413, "The request is larger than 4096"),
        ("GET", "/api/questions", None, 405, "Method Not Allowed"),
        ("GET", "/api/answers/20260101T000000-00000000", None, 404, "There is no such answer"),
        ("GET", "/api/answers/x%1b[31m", None, 404, "is not an answer id"),
        ("GET", "/api/answers?limit=0", None, 422, "limit is not valid"),
        ("GET", "/api/scenes?page=9", None, 422, "There is no page 9"),
        ("GET", "/nothing", None, 404, "Not Found"),
        ("POST", PATH, b"{}", 404, "Not Found"),  # commands are served on the socket only
    ],
)
def test_what_is_wrong_is_a_sentence_with_a_remedy(
    api: TestClient, method: str, path: str, body: bytes | None, status: int, said: str
) -> None:
    given = api.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert given.status_code == status, given.text
    error = given.json()["error"]
    assert said in error["message"]
    assert error["fix"]
    assert "Traceback" not in given.text
    assert "\x1b" not in given.text


def test_too_long_a_list_is_refused_before_a_run_is_recorded(asking: Asking, api: TestClient) -> None:
    before = asking._runner.instance.get_runs_count()
    given = api.post(
        "/api/questions",
        content=b'{"question":"a","scenes":[' + b'"a",' * 900 + b'"a"]}',
        headers={"Content-Type": "application/json"},
    )
    assert (given.status_code, "901 entries; at most 900" in given.text) == (422, True)
    assert asking._runner.instance.get_runs_count() == before


def test_more_questions_than_it_takes_on_are_refused(
    asking: Asking, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "in_flight", 2)
    given = api.post("/api/questions", json=ASKED)
    assert (given.status_code, given.headers["retry-after"]) == (503, "5")
    error = given.json()["error"]
    assert error["message"].startswith("2 questions are in flight already")
    assert "IMAGERAG_SERVE_IN_FLIGHT" in error["fix"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example:8000"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_another_name_or_site_asks_nothing(
    asking: Asking, api: TestClient, headers: dict[str, str], status: int
) -> None:
    before = len(list(asking.platform.store.list("answers")))
    given = api.post("/api/questions", json=ASKED, headers={"Content-Type": "application/json", **headers})
    assert given.status_code == status
    assert given.json()["error"]["fix"]
    assert len(list(asking.platform.store.list("answers"))) == before


def test_off_this_machine_a_token_is_asked_for(asking: Asking, client_of: Callable[..., TestClient]) -> None:
    with pytest.raises(SettingsError, match="Other machines can reach 0.0.0.0"):
        access_from(asking.settings, "0.0.0.0")
    own = load_settings(_env_file=None, home=asking.settings.home, serve_token="0123456789abcdef")
    client = client_of(access_from(own, "0.0.0.0"))
    assert "0123456789abcdef" not in repr(own)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "imagerag_ui=0123456789abcdef"}):
        for path in ("/api/scenes", "/openapi.json", "/health", "/api/scenes?token=0123456789abcdef"):
            given = client.get(path, headers=headers)
            assert (given.status_code, "token" in given.json()["error"]["message"]) == (401, True)
    assert client.get("/health", headers={"Authorization": "Bearer 0123456789abcdef"}).status_code == 200


def test_the_socket_serves_commands_with_the_same_settings_only(client_of: Callable[..., TestClient]) -> None:
    client = client_of(Access(), identity="mine")
    asked = {"identity": "mine", "record_run": False, "question": ASKED}
    given = client.post(PATH, json=asked)
    assert given.status_code == 200, given.text
    assert sorted(given.json()["files"]) == ["geojson", "picture"]
    lines = client.post(PATH, json=asked, headers={"Accept": STAGES}).text.splitlines()
    *stages, last = [json.loads(line) for line in lines]
    assert {"stage": "reading the question"} in stages
    assert last["status"] == 200 and last["said"]["answer"]["cues"] == given.json()["answer"]["cues"]
    unknown = {"question": "where?", "scenes": ["none"]}
    refused = client.post(PATH, json=asked | {"question": unknown}, headers={"Accept": STAGES}).text.splitlines()
    assert json.loads(refused[-1])["said"]["error"]["type"] == "UnknownSceneError"
    other = client.post(PATH, json=asked | {"identity": "another"})
    assert (other.status_code, other.json()["error"]["type"]) == (409, "OtherSettings")


def test_openapi_describes_the_paths_and_loads_nothing_from_elsewhere(api: TestClient) -> None:
    schema = api.get("/openapi.json").json()
    assert schema["paths"].keys() >= {"/api/answers", "/api/questions", "/api/scenes", "/health", "/ready"}
    assert all(each.startswith(("/api/", "/health", "/ready", "/metrics")) for each in schema["paths"])
    asked = schema["paths"]["/api/questions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(asked["properties"]) == set(Question.model_fields)
    assert [api.get(path).status_code for path in ("/docs", "/redoc")] == [404, 404]


def test_the_settings_that_the_sentences_name_are_settings(tmp_path: Path) -> None:
    for name in (
        HOSTS,
        "IMAGERAG_SERVE_TOKEN",
        "IMAGERAG_SERVE_ASK_TOKEN",
        "IMAGERAG_SERVE_READ_TOKEN",
        "IMAGERAG_SERVE_QUESTIONS_PER_MINUTE",
        "IMAGERAG_SERVE_REQUESTS_PER_MINUTE",
        "IMAGERAG_SERVE_IN_FLIGHT",
        "IMAGERAG_LIMIT_REQUEST_BYTES",
        "IMAGERAG_LIMIT_REQUEST_S",
        "IMAGERAG_LIMIT_CONNECTIONS",
    ):
        assert name.removeprefix("IMAGERAG_").lower() in Settings.model_fields
