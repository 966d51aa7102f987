"""Export and import in one process: what is refused, what is damaged, and what a killed export leaves."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imagerag_assets.errors import InputError, SettingsError, SourceError, UnknownSceneError
from imagerag_assets.exchange.exporting import export
from imagerag_assets.exchange.importing import SceneImport, import_scenes, open_export
from imagerag_assets.ingestion.ingest import ingest_scene, is_current
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.store import ObjectStore
from imagerag_assets.scenes.records import list_records, load_record, record_key
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.origins import refused
from imagerag_assets.stac.types import Scene
from imagerag_assets.stores.shard_columns import patch_table
from imagerag_assets.stores.shards import ShardKey, ShardWriter
from tests.items import scene_at, texture, write_scene
from tests.s3 import S3Endpoint
from tests.tiny_encoder import chosen


def add(platform: Platform, folder: Path, name: str, seed: int = 0) -> None:
    item = write_scene(folder, name, texture(300, 400, seed))
    assert ingest_scene(platform, scene_at(item, platform.settings)).error is None


@pytest.fixture
def filled(platform: Platform, tmp_path: Path) -> Platform:
    """An installation with two scenes."""
    for seed, name in enumerate(("port", "quay")):
        add(platform, tmp_path / "source", name, seed)
    return platform


@pytest.fixture
def other(tiny_settings: Settings, tmp_path: Path) -> Iterator[Platform]:
    """Another installation, empty, with the same encoder."""
    with Platform(changed(tiny_settings, home=tmp_path / "other")) as opened:
        yield opened


@pytest.fixture(scope="module")
def export_of_two(tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of two scenes, made once; tests change copies of it."""
    folder = tmp_path_factory.mktemp("exported")
    with Platform(chosen(load_settings(home=folder / "home", _env_file=None), tiny_registry)) as opened:
        for seed, name in enumerate(("port", "quay")):
            add(opened, folder / "source", name, seed)
        export(opened, str(folder / "out"))
    return folder / "out"


@pytest.fixture
def out(export_of_two: Path, tmp_path: Path) -> Path:
    """A copy of it, in a folder `out` of the test."""
    return Path(shutil.copytree(export_of_two, tmp_path / "out"))


def changed(settings: Settings, **values: object) -> Settings:
    """A copy that derives its addresses anew."""
    return load_settings(**settings.model_dump() | values, _env_file=None)


def everything(platform: Platform, source: Path | str) -> dict[str, SceneImport]:
    return {each.scene: each for each in import_scenes(platform, open_export(platform, str(source)))}


def test_there_and_back(filled: Platform, other: Platform, tmp_path: Path) -> None:
    report = export(filled, str(tmp_path / "out")).to_dict()
    assert [each["status"] for each in report["scenes"]] == ["exported", "exported"]
    assert report["totals"]["bytes"] == sum(each["bytes"] for each in report["scenes"]) > 0

    results = everything(other, tmp_path / "out")
    assert [each.status for each in results.values()] == ["imported", "imported"]
    assert list_records(other) == list_records(filled)
    assert all(is_current(other, load_record(other, key).scene) for key in results)
    assert other.vectors.count("patches") == filled.vectors.count("patches") == report["totals"]["patches"]
    assert {each.status for each in everything(other, tmp_path / "out").values()} == {"skipped"}


def test_a_bucket_is_as_good_as_a_folder(
    filled: Platform, other: Platform, s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_endpoint.environment().items():
        monkeypatch.setenv(name, value)
    (s3_endpoint.root / "exports").mkdir()
    out = "s3://exports/first"
    for platform in (filled, other):
        platform.settings = changed(platform.settings, s3_endpoint_url=s3_endpoint.url)
    assert export(filled, out, scenes=["quay"]).collection == f"{out}/collection.json"
    assert [each.status for each in everything(other, out).values()] == ["imported"]


def test_killed_while_writing_there_is_no_collection(
    filled: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    put = ObjectStore.put_file

    def put_and_die(store: ObjectStore, path: Path, key: str) -> None:
        nonlocal writes
        writes += 1
        if writes == 6:  # in the middle of the second scene
            raise KeyboardInterrupt
        put(store, path, key)

    monkeypatch.setattr(ObjectStore, "put_file", put_and_die)
    with pytest.raises(KeyboardInterrupt):
        export(filled, str(tmp_path / "out"))
    monkeypatch.undo()
    assert not (tmp_path / "out" / "collection.json").exists()
    assert len(list((tmp_path / "out").rglob("item.json"))) == 1
    with pytest.raises(SourceError, match="is not complete"):
        open_export(filled, str(tmp_path / "out"))
    assert [each.status for each in export(filled, str(tmp_path / "out")).scenes] == ["skipped", "exported"]


def copies(out: Path) -> dict[str, int]:
    """How many copies of each scene the collection names, all of them with their embeddings."""
    names = json.loads((out / "collection.json").read_text())["links"]
    items = [out / link["href"] for link in names if link["rel"] == "item"]
    assert all((item.parent / "embeddings.parquet").is_file() for item in items)
    return dict(Counter(item.parent.parent.name for item in items))


def test_exported_again_the_others_stay_unless_pruned(filled: Platform, other: Platform, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(filled, str(out))
    (out / "items" / "port" / "notes.txt").write_text("mine")
    (before,) = (out / "items" / "quay").iterdir()
    add(filled, tmp_path / "source", "quay", seed=7)
    report = export(filled, str(out), scenes=["quay"])
    assert [each.status for each in report.scenes] == ["exported"]
    assert report.to_dict()["pruned"] == [] and report.to_dict()["totals"]["pruned"] == 0
    assert copies(out) == {"port": 1, "quay": 1}
    assert (before / "embeddings.parquet").is_file()
    assert {each.status for each in everything(other, out).values()} == {"imported"}

    (port,) = (path.parent for path in (out / "items" / "port").rglob("item.json"))
    report = export(filled, str(out), scenes=["quay"], prune=True)
    assert [each.status for each in report.scenes] == ["skipped"]
    assert sorted(report.pruned) == sorted(str(path.relative_to(out)) for path in (port, before))
    assert copies(out) == {"quay": 1}
    assert len(list(out.rglob("item.json"))) == 1
    assert (out / "items" / "port" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("prune", [False, True])
def test_a_scene_that_fails_now_keeps_its_good_earlier_copy(
    filled: Platform, other: Platform, tmp_path: Path, prune: bool
) -> None:
    out = tmp_path / "out"
    export(filled, str(out))
    for key in filled.store.list("embeddings/port"):
        filled.store.delete(key)
    report = export(filled, str(out), prune=prune)
    assert [each.status for each in report.scenes] == ["failed", "skipped"]
    assert report.pruned == ()
    assert copies(out) == {"port": 1, "quay": 1}
    assert {name: each.status for name, each in everything(other, out).items()} == {
        "port": "imported", "quay": "imported",
    }  # fmt: skip


def test_a_damaged_earlier_copy_is_not_named_again(filled: Platform, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(filled, str(out))
    (item,) = (out / "items" / "port").rglob("item.json")
    item.write_text("{}")
    export(filled, str(out), scenes=["quay"])
    assert copies(out) == {"quay": 1}
    assert item.exists()


def test_a_scene_that_is_not_embedded_fails_alone(filled: Platform, tmp_path: Path) -> None:
    for key in filled.store.list("embeddings/port"):
        filled.store.delete(key)
    report = export(filled, str(tmp_path / "out"))
    assert [each.status for each in report.scenes] == ["failed", "exported"]
    assert "imagerag ingest" in (report.scenes[0].error or "")
    none = export(filled, str(tmp_path / "none"), scenes=["port"])
    assert none.collection is None
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_exported_is_said(platform: Platform, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to export"):
        export(platform, str(tmp_path / "out"))
    add(platform, tmp_path / "source", "port")
    with pytest.raises(UnknownSceneError, match="port"):
        export(platform, str(tmp_path / "out"), scenes=["prot"])
    for nowhere in ("https://host/folder", " "):
        with pytest.raises(InputError, match="cannot be written"):
            export(platform, nowhere)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "collection.json").write_text('{"type": "Collection", "id": "mine"}')
    with pytest.raises(InputError, match="another STAC collection"):
        export(platform, str(tmp_path / "taken"))
    export(platform, str(tmp_path / "out"))
    with pytest.raises(InputError, match="another encoder"):
        export(platform, str(tmp_path / "out"), encoder="tiny-other")


def test_another_division_is_refused(out: Path, tiny_settings: Settings, tmp_path: Path) -> None:
    settings = changed(tiny_settings, home=tmp_path / "else", patch_px=64)
    with Platform(settings) as platform, pytest.raises(SettingsError, match="IMAGERAG_PATCH_PX"):
        open_export(platform, str(out))


@pytest.mark.parametrize("source", ["", "nowhere", "out/model.json"])
def test_no_export_is_said(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError):
        open_export(platform, source)


def rewritten(item: Path, *, dim: int = 384, scene: str = "port", scale: float = 1.0) -> None:
    """Put another shard in the place of an item's, with the right size and checksum."""
    document = json.loads(item.read_text())
    properties, store = document["properties"], ObjectStore(str(item.parent / "made"), load_settings(_env_file=None))
    vectors = np.zeros((1, dim), np.float32)
    vectors[0, 0] = scale
    columns = {"patch_id": [f"{scene}:pyramid:0:0:0"], "scene_key": [scene], "modality": ["optical"]}
    numbers = {name: [0] for name in ("level", "row", "col", "x0", "y0", "x1", "y1", "valid_fraction")}
    key = ShardKey(scene, *(properties[f"imagerag:{name}"] for name in ("division", "fingerprint", "etag")))
    with ShardWriter(store, key, dim=dim, encoder="tiny") as writer:
        writer.append(patch_table(columns | numbers, vectors))
        writer.commit()
    data = store.read_bytes(key.path)
    (item.parent / "embeddings.parquet").write_bytes(data)
    asset = document["assets"]["embeddings"]
    asset |= {"file:size": len(data), "file:checksum": "1220" + hashlib.sha256(data).hexdigest()}
    item.write_text(json.dumps(document))


def truncate(item: Path) -> None:
    file = item.parent / "embeddings.parquet"
    file.write_bytes(file.read_bytes()[:-100])


def flip(item: Path) -> None:
    file = item.parent / "overview.jpg"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (truncate, "bytes"),
        (flip, "checksum"),
        (lambda item: item.unlink(), "Not found"),
        (lambda item: item.write_text("{"), "JSON"),
        (lambda item: rewritten(item, dim=128), "the encoder gives 384"),
        (lambda item: rewritten(item, scene="elsewhere"), "elsewhere"),
        (lambda item: rewritten(item, scale=0.5), "length 1"),
        (lambda item: rewritten(item, scale=float("nan")), "length 1"),
    ],
    ids=["truncated", "flipped", "missing", "json", "dim", "scene", "norm", "nan"],
)
def test_a_damaged_scene_is_one_line_and_the_others_are_done(
    out: Path, other: Platform, damage: Callable[[Path], object], says: str
) -> None:
    (item,) = (out / "items" / "port").rglob("item.json")
    damage(item)
    results = everything(other, out)
    assert (results["port"].status, results["quay"].status) == ("failed", "imported")
    error = results["port"].error or ""
    assert says in error and "\n" not in error
    assert list_records(other) == ["quay"]
    assert other.store.list("embeddings/port") == []


def test_a_record_is_trusted_as_far_as_the_export(filled: Platform, other: Platform, tmp_path: Path) -> None:
    """What an exporter writes into a record is no better than what a catalog at the same place says."""
    key = record_key("quay")
    record = filled.store.read_json(key)
    signed = "https://data.example/a.tif?X-Amz-Signature=m4rkerm4rker"
    record["scene"]["imagery"]["bands"][1]["alternates"] = [signed]
    filled.store.write_json(key, record)
    export(filled, str(tmp_path / "out"), scenes=["quay"])
    exported = (next((tmp_path / "out").rglob("record.json"))).read_text()
    assert "m4rkerm4rker" not in exported and "https://data.example/a.tif" in exported
    everything(other, tmp_path / "out")
    scene = load_record(other, "quay").scene
    assert scene.imported_from is not None and scene.imported_from.startswith(str(tmp_path / "out"))
    href = scene.imagery.bands[0].href
    assert refused(href, scene, other.settings) is None  # a folder here may name files here
    for origin in ("s3://exports/quay/item.json", "https://exports.example/quay/item.json"):
        there = replace(scene, imported_from=origin)
        for made_here in (there, replace(there, item_href=None), replace(there, item_href=href)):
            found = refused(href, made_here, other.settings)
            assert found is not None and found[1] == origin and "file of this machine" in found[0].why
    assert Scene.from_dict(json.loads(json.dumps(there.to_dict()))) == there
