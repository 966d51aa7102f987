"""Every path of the OpenAPI document keeps to it, whatever is sent: generated requests, a few for each.

See https://schemathesis.readthedocs.io
"""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from starlette.testclient import TestClient

EXAMPLES = 3
"""Of each path: the whole test takes seconds."""


def test_answers_keep_to_the_description(api: TestClient) -> None:
    document = api.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    tried: set[str] = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        tried.add(operation.path)

        @settings(
            max_examples=EXAMPLES, database=None, deadline=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            _check(api, case, document)

        check()
    assert tried == set(document["paths"])


def _check(api: TestClient, case: Any, document: dict[str, Any]) -> None:
    sent = case.as_transport_kwargs(base_url="http://localhost:8000")
    answer = api.request(**{name: value for name, value in sent.items() if name in _TAKEN})
    known = document["paths"][case.path][case.method.lower()]["responses"]
    assert str(answer.status_code) in known, (case.method, sent["url"], answer.status_code, answer.text[:300])
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in known[str(answer.status_code)]["content"], (sent["url"], kind)
    assert answer.status_code < 500, (sent["url"], answer.text[:300])
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert error["message"] and error["fix"], (sent["url"], error)
        assert "Traceback" not in answer.text
    elif kind == "application/json":
        json.loads(answer.text)


_TAKEN = frozenset({"method", "url", "headers", "cookies", "params", "json", "data", "content"})
