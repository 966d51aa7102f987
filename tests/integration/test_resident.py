"""One process for many commands: started on demand, stopped, ended when idle; answers are those of the command."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from imagerag_assets.cli import main
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration import asking
from imagerag_assets.questions.question import Question
from imagerag_assets.resident.place import find_resident, resident_folder
from imagerag_assets.settings import Settings, load_settings
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.items import scene_at, texture, write_scene

ASK = ["ask", "where is a boat?", "--no-answer", "--path", "fast", "--json"]


@contextmanager
def _no_process_stays(settings: Settings) -> Iterator[None]:
    try:
        yield
    finally:
        found = find_resident(settings)
        if found is not None:
            os.kill(found.owner.pid, signal.SIGKILL)


def test_commands_and_runs_share_one_process(
    installed: Settings,  # noqa: F811
    milvus_stays: None,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "0")
    monkeypatch.setenv("IMAGERAG_PATCH_PX", "128")
    monkeypatch.setenv("IMAGERAG_PLANNER", "rules")

    def asked() -> dict[str, Any]:
        assert main(ASK) == 0
        record: dict[str, Any] = json.loads(capsys.readouterr().out)
        return {name: value for name, value in record.items() if name not in ("answer_id", "asked_at", "timings_ms")}

    settings = load_settings()
    with Platform(settings) as platform, _no_process_stays(settings):
        scene = scene_at(write_scene(settings.home.parent / "scene", "a", texture(300, 300)), settings)
        assert ingest_scene(platform, scene).error is None
        plain = asked()  # the default starts nothing
        assert plain["cues"]
        assert find_resident(settings) is None

        monkeypatch.setenv("IMAGERAG_RESIDENT", "auto")
        monkeypatch.setenv("IMAGERAG_LIMIT_CONNECTIONS", "2")
        first_answer = asked()
        first = find_resident(settings)
        assert first is not None and first.owner.pid != os.getpid()
        assert first_answer == plain

        with monkeypatch.context() as patch:
            patch.setattr(asking, "ask_here", lambda *_: pytest.fail("it was answered here"))
            record = asking.ask_anywhere(platform, Question("where is a boat?", answer=False, path="fast"))
        assert record.to_dict()["cues"] == plain["cues"]
        assert main(["ask", "where?", "--scene", "none", "--json"]) == 2
        assert json.loads(capsys.readouterr().out)["error"]["type"] == "UnknownSceneError"

        with ExitStack() as opened:  # two connections are all that it may have
            held = [opened.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(3)]
            for each in held:
                each.connect(str(first.socket))
            refused = select.select(held, [], [], 60)[0][0].recv(1000)
            assert refused.startswith(b"HTTP/1.1 503") and b"IMAGERAG_LIMIT_CONNECTIONS" in refused

        assert main(["serve", "--stop", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"stopped": True}
        assert find_resident(settings) is None

    monkeypatch.setenv("IMAGERAG_RESIDENT_IDLE_S", "1")
    assert main(["serve", "--no-port", "--json"]) == 0  # it ends by itself
    assert json.loads(capsys.readouterr().out) == {"stopped": True}
    assert sorted(each.name for each in resident_folder(settings).iterdir()) == ["lock", "log"]
    assert main(["serve", "--stop", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"stopped": False}
