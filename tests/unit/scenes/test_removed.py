"""Marking and purging, with real rows in Milvus Lite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagerag_assets.errors import RemovedSceneError, UnknownSceneError
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.status import status
from imagerag_assets.scenes.removed import (
    clear_removed,
    is_asked,
    is_removed,
    list_asked,
    list_removed,
    mark_asked,
    mark_purged,
    mark_removed,
    refuse_removed,
)
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.watched_sources.purge import purge
from tests.items import scene_at, texture, write_scene
from tests.tiny_encoder import tiny_registry, tiny_settings  # noqa: F401


@pytest.fixture
def platform(tiny_settings: Settings) -> Iterator[Platform]:  # noqa: F811
    with Platform(tiny_settings) as platform:
        yield platform


def test_marks(platform: Platform) -> None:
    mark_removed(platform, "one", source="port")
    (first,) = list_removed(platform)
    mark_removed(platform, "one", source="other")  # the first one stays
    platform.store.write_bytes("removed/two.json", b"?")
    assert list_removed(platform) == [first, type(first)("two", "")]
    assert first.source == "port"
    assert is_removed(platform, "one")
    assert not is_removed(platform, "../one")
    clear_removed(platform, "one")
    assert not is_removed(platform, "one")


def test_marks_of_a_person(platform: Platform) -> None:
    mark_removed(platform, "one", source="port")
    (gone,) = list_removed(platform)
    assert set(platform.store.read_json("removed/one.json")) == {"scene", "at", "source"}  # as earlier versions have it
    first = mark_asked(platform, "one", done=False)
    assert (first.source, first.asked, first.done) == ("port", True, False)
    assert mark_asked(platform, "one", done=True).at == first.at
    mark_removed(platform, "one", source="other")
    clear_removed(platform, "one")  # its item is there: no reason to have it again
    assert is_asked(platform, "one") and list_asked(platform) == {"one"}
    with pytest.raises(RemovedSceneError, match="--scene one"):
        refuse_removed(platform, "one")
    mark_purged(platform, "one")
    assert [(mark.purged, mark.asked) for mark in list_removed(platform)] == [(True, True)]
    clear_removed(platform, "one", asked=True)
    assert list_removed(platform) == []
    refuse_removed(platform, "one")
    platform.store.write_json("removed/one.json", gone.to_dict())
    mark_purged(platform, "one")
    assert not is_removed(platform, "one")


def test_only_marked_scenes_are_purged_and_nothing_else_goes(platform: Platform, tmp_path: Path) -> None:
    for name in ("one", "two"):
        result = ingest_scene(platform, scene_at(write_scene(tmp_path, name, texture(300, 300)), platform.settings))
        assert result.error is None
        platform.store.write_json(f"sources/{name}.json", {})
    platform.store.write_json("answers/a1/record.json", {"scene": "one"})
    mark_removed(platform, "one")
    assert [mark["scene"] for mark in status(platform)["removed"]] == ["one"]
    with pytest.raises(UnknownSceneError, match=r"not marked as removed from its source \[scene=two\]"):
        purge(platform, ["one", "two"])

    def killed(_: str) -> None:
        raise KeyboardInterrupt

    before = set(platform.store.list())
    with pytest.raises(KeyboardInterrupt):
        purge(platform, ["one"], forget=killed)
    assert is_removed(platform, "one")  # so that the next purge finishes it
    forgotten: list[str] = []
    purge(platform, ["one"], forget=forgotten.append)
    assert forgotten == ["one"]
    left = set(platform.store.list())
    assert not [key for key in left if "one" in key]
    assert left == {key for key in before if "one" not in key}
    collection = platform.vectors.alias_target("patches")
    assert collection is not None
    assert platform.vectors.count(collection, Filter().scene_in(["one"])) == 0
    assert platform.vectors.count(collection, Filter().scene_in(["two"])) > 0
    assert status(platform)["scenes"] == 1
