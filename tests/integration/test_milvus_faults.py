"""Milvus that is killed, lost, slow, back again, or without its data: one line, or no difference at all."""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from imagerag_assets.cli import main
from imagerag_assets.errors import QuestionError, StoreError
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.ask import ask
from imagerag_assets.questions.question import Question
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus import VectorStore
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.items import scene_at, texture, write_scene
from tests.milvus_server import at_server
from tests.tcp_relay import Relay, relay_to
from tests.tiny_encoder import tiny_settings  # noqa: F401
from tests.unit.stores.test_milvus_lite_share import server_of
from tests.unit.stores.vector_store_contract import DIM, fingerprint_for, patches

KILLS = 20 if os.environ.get("NIGHTLY") else 2
LONG_S = 600
"""What takes so long never comes."""
HANGS_S = 10.0
"""How long a call waits in vain.  A connection has its timeout from its start; pymilvus keeps one for each address."""
QUESTION = Question("where is a boat?", path="fast", answer=False)


def ingest(settings: Settings, folder: Path, *names: str) -> None:
    with Platform(settings) as platform:
        for name in names:
            scene = scene_at(write_scene(folder, name, texture(300, 300, ord(name))), settings)
            assert ingest_scene(platform, scene).error is None


def wait_for_end(settings: Settings) -> None:
    """Wait until a Lite server has ended, which it does after its last user."""
    with suppress(ValueError, psutil.NoSuchProcess):
        server_of(settings).wait(LONG_S)


def cues(platform: Platform) -> list[tuple[str, float]]:
    found = ask(platform.using(min_confidence=0.0), QUESTION).to_dict()["cues"]
    assert found
    return [(cue["patch_id"], round(cue["score"], 5)) for cue in found]


def test_a_lite_server_that_dies_in_the_middle_of_a_question_is_started_again(
    tmp_path: Path,
    tiny_settings: Settings,  # noqa: F811
) -> None:
    ingest(tiny_settings, tmp_path, "a", "b")
    with Platform(tiny_settings) as platform:
        wanted = cues(platform)
        chance = random.Random(15)
        started = time.perf_counter()
        assert cues(platform) == wanted
        whole = time.perf_counter() - started
        for _ in range(KILLS):
            platform.vectors.count("patches")  # the last one may have been killed after its answer
            server = server_of(tiny_settings)
            killing = threading.Timer(chance.uniform(0, whole), server.kill)
            killing.start()
            assert cues(platform) == wanted
            killing.join()
            server.wait(LONG_S)
        assert cues(platform) == wanted
    wait_for_end(tiny_settings)


def test_a_lite_server_that_hangs_is_told_in_one_line(tmp_path: Path, tiny_settings: Settings) -> None:  # noqa: F811
    ingest(tiny_settings, tmp_path, "a")
    wait_for_end(tiny_settings)  # the next server has another address
    settings = tiny_settings.model_copy(update={"milvus_timeout_s": HANGS_S})
    with VectorStore(settings) as store:
        rows = store.count("patches")
        server = server_of(settings)
        server.suspend()
        try:
            with pytest.raises(StoreError, match="Milvus does not answer") as raised:
                store.count("patches")
        finally:
            server.resume()
        assert raised.value.transient
        assert "\n" not in str(raised.value)
        assert store.count("patches") == rows


def test_the_rows_of_a_milvus_without_its_data_come_from_the_shards(
    tmp_path: Path,
    installed: Settings,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    ingest(installed, tmp_path, "a", "b")
    with Platform(installed) as platform:
        wanted, rows = cues(platform), platform.vectors.count("patches")
    wait_for_end(installed)
    shutil.rmtree(installed.milvus)
    with Platform(installed) as platform, pytest.raises(QuestionError, match="Run: imagerag index rebuild"):
        cues(platform)

    def rebuilt(*arguments: str) -> dict[str, Any]:
        assert main(["index", "rebuild", "--json", *arguments]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    one = rebuilt("a")
    assert [each["status"] for each in one["scenes"]] == ["rebuilt"]
    both = rebuilt()
    assert [each["status"] for each in both["scenes"]] == ["complete", "rebuilt"]
    assert both["alias"] == both["collection"]
    assert both["totals"]["rows"] == rows
    assert rebuilt()["totals"]["complete"] == 2
    with Platform(installed) as platform:
        assert cues(platform) == wanted
        assert platform.vectors.count("patches") == rows
    assert main(["index", "rebuild", "nowhere", "--json"]) == 2


@pytest.fixture
def relay(milvus_server: str) -> Iterator[Relay]:
    where = urlsplit(milvus_server)
    assert where.hostname is not None
    assert where.port is not None
    with relay_to(where.hostname, where.port) as found:
        yield found


def test_a_server_that_is_lost_is_told_in_one_line_and_used_again_when_it_is_back(
    relay: Relay, settings: Settings
) -> None:
    settings = settings.model_copy(
        update=at_server(f"http://127.0.0.1:{relay.port}") | {"milvus_timeout_s": 2 * HANGS_S}
    )
    with VectorStore(settings) as store:
        name = store.ensure_patches(fingerprint_for("lost"), DIM)
        try:
            store.upsert(name, [patches("lost-scene", 5)])
            relay.cut()
            with pytest.raises(StoreError, match="Milvus cannot be reached") as raised:
                store.count(name)
            assert raised.value.transient
            assert "\n" not in str(raised.value)
            back = threading.Timer(1.0, relay.restore)
            back.start()  # while the next call is repeated
            assert store.count(name) == 5
            back.join()
            relay.stall()
            with pytest.raises(StoreError, match="Milvus does not answer"):
                store.count(name)
            relay.flow()
            assert store.count(name) == 5
        finally:
            relay.flow()
            store.drop(name)
