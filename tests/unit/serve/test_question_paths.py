"""A question over HTTP stage by stage, its evidence, and opinions about it that become examples."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from imagerag_assets.installation.serving import find_serving
from imagerag_assets.serve.asking import Asking
from imagerag_assets.stores.milvus_filter import EVERYTHING

ASKED = {"question": "where is a boat?", "path": "fast", "scenes": ["a"]}
EVENTS = {"Accept": "text/event-stream"}


def _events(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.strip().split("\n\n"):
        if block.startswith(":"):
            continue  # a sign of life
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_the_stages_come_before_the_answer(asking: Asking, api: TestClient) -> None:
    given = api.post("/api/questions", json=ASKED, headers=EVENTS)
    assert given.headers["content-type"].startswith("text/event-stream")
    assert given.headers["cache-control"] == "no-store"
    (_, understood), (_, found), (_, answered) = events = _events(given.text)
    assert [name for name, _ in events] == ["understood", "found", "answered"]
    assert understood["words"] == ["Find where the boat lies"]
    assert understood["phrases"] == answered["phrases"] == ["boat"]
    assert found["cues"]
    assert found["cues"][0]["geometry"]["type"] == "Polygon"
    plain = [{name: value for name, value in each.items() if name != "geometry"} for each in found["cues"]]
    assert plain == [{n: v for n, v in cue.items() if n != "verdict"} for cue in answered["cues"][: len(plain)]]
    answer = f"/api/answers/{answered['answer_id']}"
    assert api.get(answer).json() == answered
    view = api.get(f"{answer}/view").json()
    assert [each["asked"] for each in view["plan"]] == understood["words"]
    assert view["cues"][0]["geometry"] == found["cues"][0]["geometry"]
    assert {each["kind"] for each in view["graph"]["nodes"]} >= {"answer", "scene"}
    page = api.get(f"{answer}/page.html")
    assert "boat" in page.text and "default-src 'none'" in page.headers["content-security-policy"]
    geojson = api.get(f"{answer}/cues.geojson")
    assert geojson.headers["content-type"].startswith("application/geo+json")
    assert len(geojson.json()["features"]) == len(answered["cues"])
    for name in ("overview.jpg", "cue-1.jpg"):
        picture = api.get(f"{answer}/evidence/{name}")
        assert (picture.status_code, picture.content[:2]) == (200, b"\xff\xd8")
    for name in ("cue-99.jpg", "prompt.txt", "..%2Fanswer.json"):
        assert api.get(f"{answer}/evidence/{name}").status_code == 404
    tree = api.get(f"{answer}/lineage").json()
    assert {each["kind"] for each in tree["children"]} >= {"question", "retrieval", "encoder", "collection"}

    name, cue = "boats-of-mine", answered["cues"][0]
    said = {"concept": name, "answer": answered["answer_id"], "cue": 1}
    made = api.post("/api/examples", json=said)
    assert made.status_code == 200, made.text
    assert (made.json()["concept"]["positive"], made.json()["concept"]["negative"]) == (1, 0)
    serving = find_serving(asking.platform)
    assert serving is not None
    rows = asking.platform.vectors.query(serving.collection, EVERYTHING.scene_in(["a"]), ["patch_id"], limit=99)
    other = next(each["patch_id"] for each in rows if each["patch_id"] != cue["patch_id"])
    bad = api.post("/api/examples", json={"concept": name, "patch": other, "good": False}).json()["concept"]
    assert (bad["positive"], bad["negative"]) == (1, 1)
    assert name in [each["name"] for each in api.get("/api/concepts").json()["concepts"]]

    assert api.post("/api/questions", json={"like": cue["patch_id"]}).status_code == 200

    numbers = api.get("/metrics").text
    assert 'imagerag_http_requests_total{method="GET",path="/api/answers/{answer_id}",status="200"}' in numbers
    assert "imagerag_questions_in_flight 0.0" in numbers
    assert 'imagerag_question_seconds_count{stage="total"}' in numbers
    assert answered["answer_id"] not in numbers


def test_what_cannot_be_asked_has_a_status_of_its_own(api: TestClient) -> None:
    given = api.post("/api/questions", json={"question": "a", "scenes": ["nothing"]}, headers=EVENTS)
    assert (given.status_code, given.json()["error"]["message"]) == (404, "There is no such scene")


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"concept": "x"}, 422, "An example needs an answer or a patch"),
        ({"concept": "x", "answer": "../x"}, 404, "is not an answer id"),
        ({"concept": "x", "answer": "20260101T000000-00000000"}, 404, "There is no such answer"),
        ({"concept": "x", "patch": "a:b:0:0:0"}, 422, "There is no such patch"),
        ({"concept": "x", "patch": "a", "cue": 1}, 422, "A cue needs its answer"),
        ({"concept": "", "patch": "a"}, 422, "concept is not valid"),
        ({"concept": "x", "patch": "a", "more": 1}, 422, "more is not valid"),
        ({"concept": "x", "patch": "a", "good": "yes"}, 422, "good is not valid"),
    ],
)
def test_what_is_no_example_is_a_sentence(api: TestClient, asked: dict[str, Any], status: int, said: str) -> None:
    given = api.post("/api/examples", json=asked)
    assert given.status_code == status, given.text
    assert said in given.json()["error"]["message"]
    assert given.json()["error"]["fix"]


def test_an_installation_says_what_it_has_and_does(asking: Asking, api: TestClient) -> None:
    assert api.get("/api/status").json()["scenes"] == 2
    assert api.get("/api/encoders").json()["active"] == "tiny"
    assert api.get("/api/switch").json()["encoder"] == "tiny"
    assert api.get("/api/watches").json() == {"watches": []}
    assert api.get("/api/watches/none").status_code == 404
    refused = api.post("/api/explain", json={"source": "/etc"})
    assert (refused.status_code, "not in a folder for jobs" in refused.text) == (422, True)
    refused = api.post("/api/explain", json={"source": "http://169.254.169.254/latest"})
    assert refused.status_code == 422, refused.text
