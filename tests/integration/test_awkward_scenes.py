"""Awkward scenes and disks: strips without overviews, a line of a million pixels, a disk that is really full."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from imagerag_assets.errors import StoreError
from imagerag_assets.ingestion.embed_scene import embed
from imagerag_assets.ingestion.ingest import ingest_scene, register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.raster.reader import Picture, SceneReader
from imagerag_assets.settings import Settings
from imagerag_assets.stores.shards import list_shards
from tests.items import scene_at, texture, write_scene
from tests.tiny_encoder import tiny_registry, tiny_settings  # noqa: F401

STRIPS = {"tiled": False, "blockxsize": None, "blockysize": 1}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The sizes (h, w) of the windows that are read."""
    read, sizes = SceneReader.read, list[tuple[int, int]]()

    def noted(self: SceneReader, *args: object, **kwargs: object) -> Picture:
        picture = read(self, *args, **kwargs)  # type: ignore[arg-type]
        sizes.append(picture[1].shape)  # type: ignore[arg-type]
        return picture

    monkeypatch.setattr(SceneReader, "read", noted)
    return sizes


@pytest.fixture
def alone(tiny_settings: Settings) -> Settings:  # noqa: F811
    """Read in this process, and one super-tile after the other."""
    return tiny_settings.model_copy(update={"read_apart": False, "dask_workers": 1})


@pytest.mark.parametrize(("height", "width"), [(1, 1_000_000), (2, 1_000_000), (100_000, 2)])
def test_a_line_of_a_million_pixels_is_refused_or_read_in_bounded_windows(
    tmp_path: Path, alone: Settings, reads: list[tuple[int, int]], height: int, width: int
) -> None:
    line = np.resize(texture(1, 40_000), (3, height, width))
    rows = max(1, height // 1000)  # a file of many strips takes long to write
    item = write_scene(tmp_path, "line", line, profile={**STRIPS, "blockysize": rows})
    with Platform(alone.model_copy(update={"patch_px": 4096})) as platform:
        result = ingest_scene(platform, scene_at(item, alone))
        if height == 1:
            assert result.error is not None and "\n" not in result.error
            assert result.error.startswith("image has 1000000x1 px [href=")
            assert result.error.endswith("Give an image of at least 2x2 px")
            return
        assert (result.status, result.error) == ("ingested", None)
        assert result.patches == platform.recipe.division_for(None).count(width, height)
    assert max(rows * columns for rows, columns in reads) <= (2 * 4096) ** 2


def test_strips_without_overviews_go_on_where_they_stopped_and_nothing_is_read_twice(
    tmp_path: Path, alone: Settings, reads: list[tuple[int, int]]
) -> None:
    image = texture(1100, 1600)
    image[:, :, 600:] = 0  # super-tiles without a valid pixel
    item = write_scene(tmp_path, "strips", image, profile={**STRIPS, "nodata": 0})

    def stop(done: int, total: int, _what: str) -> None:
        if done == total - 2:
            raise KeyboardInterrupt

    with Platform(alone) as platform:
        register(platform, scene_at(item, alone))
        reads.clear()
        with pytest.raises(KeyboardInterrupt):
            embed(platform, "strips", progress=stop)
        before = len(reads)
        result = embed(platform, "strips")
        assert result.dropped
        assert 0 < result.reused < result.supertiles == len(reads)
        assert before == result.reused
        assert not list((alone.home / "scratch" / "overviews").iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of a few megabytes; skipped where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"No file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_really_full_is_one_line_and_the_next_run_goes_on(
    tmp_path: Path, alone: Settings, small_disk: Path
) -> None:
    item = write_scene(tmp_path, "town", texture(1100, 1600), profile={"nodata": None})
    settings = alone.model_copy(
        update={"home": small_disk / "home", "milvus_uri": str(tmp_path / "milvus.db"), "patch_px": 64}
    )
    with Platform(settings) as platform:
        register(platform, scene_at(item, settings))
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file:
            file.write(bytes(max(0, shutil.disk_usage(small_disk).free - 700_000)))
        with pytest.raises(StoreError) as raised:
            embed(platform, "town")
        said = str(raised.value)
        assert "\n" not in said
        assert "The disk is full" in said and "Free space, then run it again" in said
        assert list_shards(platform.store) == []
        ballast.unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        result = embed(platform, "town")
        assert 0 < result.reused < result.supertiles
