"""The object store in a folder and in a real S3 bucket."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.settings import Settings, load_settings
from tests.s3 import S3Endpoint


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    if request.param == "folder":
        return ObjectStore(str(tmp_path / "objects é"), load_settings(home=tmp_path, _env_file=None))
    endpoint: S3Endpoint = request.getfixturevalue("s3_endpoint")
    for name, value in endpoint.environment().items():
        monkeypatch.setenv(name, value)
    bucket = "objects-" + "".join(char if char.isalnum() else "-" for char in tmp_path.name.lower())
    (endpoint.root / bucket).mkdir()
    return ObjectStore(f"s3://{bucket}/some/prefix/", load_settings(home=tmp_path, _env_file=None))


def test_an_object_is_created_once(store: ObjectStore) -> None:
    assert store.create_json("locks/a.json", {"first": 1})
    assert not store.create_json("locks/a.json", {"second": 2})
    assert store.read_json("locks/a.json") == {"first": 1}
    assert store.list("locks") == ["locks/a.json"]
    store.delete("locks/a.json")
    assert store.create_json("locks/a.json", {"third": 3})


def test_bytes_json_and_files(store: ObjectStore, tmp_path: Path) -> None:
    assert store.list() == store.list("a/b") == []
    assert not store.exists("a/one.bin")
    store.write_bytes("a/one.bin", b"1" * 100_000)
    store.write_bytes("a/one.bin", b"2")
    store.write_json("a/b/two.json", {"é": [1, None]})
    big = tmp_path / "big"
    big.write_bytes(os.urandom(3 << 20))
    store.put_file(big, "ab/big")
    assert store.read_bytes("a/one.bin") == b"2"
    assert store.read_json("a/b/two.json") == {"é": [1, None]}
    assert store.read_bytes("ab/big") == big.read_bytes()
    assert store.list() == ["a/b/two.json", "a/one.bin", "ab/big"]
    assert store.list("a") == store.list("a/") == ["a/b/two.json", "a/one.bin"]
    assert store.exists("a/one.bin")
    assert not store.exists("a")
    before = store.version("a/one.bin")
    store.write_bytes("a/one.bin", b"33")
    assert store.version("a/one.bin") != before
    with store.open("ab/big") as file:
        file.seek(-5, os.SEEK_END)
        assert file.read() == big.read_bytes()[-5:]
    store.delete("a/one.bin")
    store.delete("a/one.bin")
    assert store.list("a") == ["a/b/two.json"]
    assert store.url("a/x").endswith("/a/x")


def test_missing_object(store: ObjectStore) -> None:
    with pytest.raises(StoreError, match=r"Cannot read an object: Not found .*no/thing"):
        store.read_bytes("no/thing")
    with pytest.raises(StoreError, match="Not found"), store.open("no/thing"):
        pass
    store.write_bytes("bad.json", b"{")
    with pytest.raises(StoreError, match="Not valid JSON"):
        store.read_json("bad.json")


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a\\b", "a\nb", "a/"])
def test_keys_stay_inside_the_store(settings: Settings, key: str) -> None:
    store = open_store(settings)
    with pytest.raises(StoreError, match="not a valid object key"):
        store.write_bytes(key, b"x")


def test_a_failed_write_leaves_the_old_object_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    store = open_store(settings)
    store.write_bytes("a/b", b"old")
    with pytest.raises(StoreError, match="Not found"):
        store.put_file(tmp_path / "gone", "a/b")
    assert store.read_bytes("a/b") == b"old"
    assert [file.name for file in Path(store.url("a/b")).parent.iterdir()] == ["b"]


def test_an_unfinished_file_is_not_listed(settings: Settings) -> None:
    store = open_store(settings)
    store.write_bytes("a/b", b"x")
    (Path(store.url("a/b")).parent / ".aside-abc").write_bytes(b"killed here")
    assert store.list() == ["a/b"]


def test_local_objects_have_the_usual_permissions(settings: Settings, tmp_path: Path) -> None:
    store = open_store(settings)
    store.write_bytes("a", b"x")
    plain = tmp_path / "plain"
    plain.write_bytes(b"x")
    assert stat.S_IMODE(Path(store.url("a")).stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_store_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = ObjectStore(str(tmp_path / "file"), load_settings(_env_file=None))
    with pytest.raises(StoreError, match="Cannot write an object"):
        store.write_bytes("a", b"x")


def test_json_with_half_a_character_comes_back(tmp_path: Path, settings: Settings) -> None:
    store = open_store(settings)
    store.write_json("odd.json", {"id": "a\ud800b", "name": "衛星"})
    assert store.read_json("odd.json") == {"id": "a\ud800b", "name": "衛星"}


def test_an_object_is_moved(store: ObjectStore) -> None:
    store.write_bytes("a/one.bin", b"1")
    store.write_bytes("b/c/one.bin", b"2")
    store.move("a/one.bin", "b/c/one.bin")
    assert store.list() == ["b/c/one.bin"]
    assert store.read_bytes("b/c/one.bin") == b"1"
    with pytest.raises(StoreError, match="Cannot move"):
        store.move("a/one.bin", "d")
