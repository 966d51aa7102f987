"""Unusable items among good ones: one line each, and the good ones are ingested."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from imagerag_assets.errors import SourceError, describe
from imagerag_assets.ingestion.ingest import SceneResult, ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.scenes.failures import list_failures, record_failure
from imagerag_assets.settings import Settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from tests.items import texture, write_item, write_scene, write_tiff
from tests.s3 import S3Endpoint
from tests.tiny_encoder import tiny_registry, tiny_settings  # noqa: F401


def write_bad_catalog(folder: Path) -> None:
    """Three good scenes (one smaller than a patch), one without data, and items that cannot be used."""
    write_scene(folder, "a-good", texture(200, 300))
    write_scene(folder, "m-small", texture(40, 50, 1))
    write_scene(folder, "z-good", texture(300, 200, 2))
    item = write_item(folder / "no-imagery.json", "./readme.txt")
    content = json.loads(item.read_text())
    content["assets"] = {"readme": {"href": "./readme.txt", "type": "text/plain", "roles": ["metadata"]}}
    item.write_text(json.dumps(content))
    write_item(folder / "dangling.json", "./nowhere.tif")
    raster = write_tiff(folder / "truncated.tif", texture(400, 400, 3))
    write_item(folder / "truncated.json", "./truncated.tif", raster=raster)
    raster.write_bytes(raster.read_bytes()[:20_000])
    (folder / "empty.tif").touch()
    write_item(folder / "empty.json", "./empty.tif")
    (folder / "text.tif").write_text("this is no TIFF")
    write_item(folder / "text.json", "./text.tif")
    shutil.copy(folder / "a-good.json", folder / "b-duplicate.json")
    write_item(folder / "path.json", "./a-good.tif", item_id="../../etc/passwd")
    write_item(folder / "control.json", "./a-good.tif", item_id="\x1b[31mred")
    write_scene(folder, "one-pixel", texture(1, 1))
    blank = write_scene(folder, "blank", np.zeros((3, 300, 300), np.uint8), profile={"nodata": 0})
    assert blank.exists()
    (folder / "broken.json").write_text('{"type": "Feature", ')


def ingest_all(platform: Platform, source: str) -> dict[str, SceneResult]:
    """What the command line does with a source."""
    results: dict[str, SceneResult] = {}
    for found in find_scenes(source, platform.settings):
        if isinstance(found, Scene):
            result = ingest_scene(platform, found)
        else:
            record_failure(platform, found.scene_key, found.error, item_href=found.item_href)
            result = SceneResult(found.scene_key, "failed", 0, 0.0, describe(found.error))
        results[f"{result.scene}{'' if result.scene not in results else ' again'}"] = result
    return results


def test_bad_items_give_a_line_each_and_the_others_are_done(
    tmp_path: Path,
    tiny_settings: Settings,  # noqa: F811
) -> None:
    write_bad_catalog(tmp_path / "items")
    with Platform(tiny_settings) as platform:
        results = ingest_all(platform, str(tmp_path / "items"))
        failed = {key: result.error or "" for key, result in results.items() if result.status == "failed"}
        done = {key: result.patches for key, result in results.items() if result.status == "ingested"}

        small = done.pop("m-small")
        assert small == 1
        (path_key,) = [key for key in done if "passwd" in key]
        assert "/" not in path_key
        (control_key,) = [key for key in done if "red" in key]
        assert "\x1b" not in control_key
        del done[path_key], done[control_key]
        assert set(done) == {"a-good", "z-good"}
        assert len(failed) == 8
        assert (results["blank"].status, results["blank"].error) == ("empty", None)
        for key, line in failed.items():
            assert line, key
            assert "\n" not in line
            assert "Traceback" not in line
        for key, word in {
            "no-imagery": "no-imagery", "dangling": "nowhere.tif", "truncated": "truncated.tif", "empty": "empty",
            "text": "text.tif", "a-good again": "b-duplicate.json", "one-pixel": "1x1", "broken": "broken.json",
        }.items():  # fmt: skip
            assert word in failed[key], (key, failed[key])
        # A duplicate's failure is kept under the key it shares with the good one.
        assert len(list_failures(platform)) == 8
        assert {row["scene_key"] for row in platform.vectors.query("patches", everything(), ["scene_key"])} == {
            "a-good", "m-small", "z-good", path_key, control_key,
        }  # fmt: skip
        again = ingest_all(platform, str(tmp_path / "items"))
        assert {key for key, result in again.items() if result.status == "skipped"} == {
            "a-good", "m-small", "z-good", path_key, control_key,
        }  # fmt: skip


def everything() -> object:
    from imagerag_assets.stores.milvus_filter import Filter

    return Filter()


@pytest.mark.parametrize("secret", ["right", "wrong", None])
def test_a_missing_bucket_or_credentials_is_one_line(
    s3_endpoint: S3Endpoint,
    tiny_settings: Settings,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    secret: str | None,
    tmp_path: Path,
) -> None:
    bucket = "no-such-bucket"
    if secret is not None:
        environment = s3_endpoint.environment()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", environment["AWS_ACCESS_KEY_ID"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", environment["AWS_SECRET_ACCESS_KEY"] if secret == "right" else "x")
    else:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    settings = tiny_settings.model_copy(update={"s3_endpoint_url": s3_endpoint.url})

    with pytest.raises(SourceError) as raised:
        list(find_scenes(f"s3://{bucket}/items", settings))
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2
    assert raised.value.fix
