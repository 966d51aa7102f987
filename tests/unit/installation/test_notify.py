"""The webhook: a real server takes what is sent, or does not."""

from __future__ import annotations

import logging

import pytest
from pydantic import SecretStr

from imagerag_assets.installation import notify as module
from imagerag_assets.installation.notify import notify
from imagerag_assets.settings import Settings
from tests.webhook import Hook, hook  # noqa: F401


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BACKOFF_S", 0.0)


def test_an_event_arrives(hook: Hook, settings: Settings) -> None:  # noqa: F811
    notify(
        settings.model_copy(update={"webhook_url": SecretStr(hook.url)}), "run_failed", {"scene": "S", "path": object}
    )
    (event,) = hook.received
    assert (event["event"], event["detail"]["scene"], event["type"]) == ("run_failed", "S", "application/json")
    assert event["at"].endswith("+00:00")
    notify(settings, "run_failed", {})  # no webhook is set
    assert len(hook.received) == 1


@pytest.mark.parametrize(
    ("statuses", "tries"), [([503, 429, 200], 3), ([500], 3), ([404], 1), ([302], 1)]
)  # fmt: skip
def test_only_what_may_pass_is_tried_again(
    hook: Hook,  # noqa: F811
    settings: Settings,
    statuses: list[int],
    tries: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hook.statuses = statuses
    with caplog.at_level(logging.WARNING):
        notify(settings.model_copy(update={"webhook_url": SecretStr(hook.url)}), "x", {})
    assert len(hook.received) == tries
    assert bool(caplog.records) == (statuses[-1] != 200)
    assert "secret" not in caplog.text


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/secret", "no address", "ftp://x/secret"])
def test_it_never_raises(
    hook: Hook,  # noqa: F811
    settings: Settings,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    notify(settings.model_copy(update={"webhook_url": SecretStr(url)}), "x", {"loop": (loop := [])})
    loop.append(loop)
    notify(settings.model_copy(update={"webhook_url": SecretStr(hook.url)}), "x", {"loop": loop})
    assert len(caplog.records) == 2
    assert "secret" not in caplog.text
