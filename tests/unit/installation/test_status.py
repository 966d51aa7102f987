from __future__ import annotations

import json
from pathlib import Path

from imagerag_assets.errors import RasterError
from imagerag_assets.ingestion.ingest import ingest_scene, register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.status import status
from imagerag_assets.scenes.failures import record_failure
from imagerag_assets.scenes.records import record_key
from tests.items import scene_at, texture, write_scene


def test_an_empty_installation_has_nothing_and_no_milvus_is_made(platform: Platform) -> None:
    found = status(platform)

    assert (found["scenes"], found["stale"], found["collections"], found["failures"]) == (0, 0, [], [])
    assert found["encoder"] == {"name": "tiny", "fingerprint": platform.fingerprint}
    assert found["problems"] == []
    assert not Path(platform.settings.milvus).exists()


def test_scenes_are_stale_until_embedded_by_the_active_encoder(tmp_path: Path, platform: Platform) -> None:
    settings = platform.settings
    ingested = ingest_scene(platform, scene_at(write_scene(tmp_path, "done", texture(200, 200)), settings))
    register(platform, scene_at(write_scene(tmp_path, "waiting", texture(200, 200)), settings))
    platform.store.write_bytes(record_key("broken"), b"{}")
    record_failure(platform, "lost", RasterError("image has 1x1 px"))
    found = status(platform)

    assert (found["scenes"], found["stale"], found["stale_scenes"]) == (3, 2, ["broken", "waiting"])
    (collection,) = found["collections"]
    assert collection["alias"] == "patches"
    assert collection["rows"] == ingested.patches
    assert collection["fingerprint"] == platform.fingerprint
    assert [failure["scene"] for failure in found["failures"]] == ["lost"]
    assert len(found["problems"]) == 1
    json.dumps(found)

    with Platform(settings.model_copy(update={"encoder": "tiny-other"})) as other:
        assert status(other)["stale"] == 3


def test_what_cannot_be_asked_is_a_problem_and_not_an_end(platform: Platform) -> None:
    milvus = Path(platform.settings.milvus)
    milvus.parent.mkdir(parents=True, exist_ok=True)
    milvus.write_bytes(b"this is no database")
    found = status(platform)

    assert found["collections"] == []
    assert len(found["problems"]) == 1
    assert "milvus.db" in found["problems"][0]
