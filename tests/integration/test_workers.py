"""Embedding on a dask.distributed cluster without a shared disk: workers die, the scheduler goes, and all is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from imagerag_assets.errors import SettingsError, WorkersError
from imagerag_assets.ingestion.embed_scene import embed
from imagerag_assets.ingestion.ingest import register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import list_shards, read_shard
from tests.dask_cluster import Cluster, Member, dask_cluster
from tests.items import scene_at, texture, write_scene
from tests.s3 import S3Endpoint
from tests.tiny_encoder import tiny_registry, tiny_settings, write_tiny_encoder  # noqa: F401

SCENE, TILES = "plain", 14


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with dask_cluster() as cluster:
        yield cluster


@dataclass(frozen=True)
class Site:
    """An installation whose imagery and store are in a bucket, and the machines that work for it."""

    cluster: Cluster
    scheduler: Member
    settings: Settings
    folder: Path
    environment: dict[str, str]

    def worker(self, name: str) -> Member:
        """Start a worker that shares nothing with this machine but the bucket."""
        own = {"ENCODERS_FILE": write_tiny_encoder(self.folder / name / "encoders"), "READ_APART": False}
        environment = self.environment | {f"IMAGERAG_{setting}": str(value) for setting, value in own.items()}
        return self.cluster.worker(self.scheduler, self.folder / name / "work", environment)

    def parts(self, platform: Platform) -> list[str]:
        return [key for key in platform.store.list("parts") if key.endswith(".parquet")]


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    s3_endpoint: S3Endpoint,
    tiny_settings: Settings,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    environment = s3_endpoint.environment()
    for name, value in environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    bucket = s3_endpoint.root / tmp_path.name.replace("_", "-")
    write_scene(bucket / "incoming", SCENE, texture(1100, 2100))
    scheduler = cluster.scheduler(**getattr(request, "param", {}))
    settings = tiny_settings.model_copy(
        update={
            "patch_px": 64,
            "store": f"s3://{bucket.name}/imagerag",
            "s3_endpoint_url": s3_endpoint.url,
            "dask_scheduler": scheduler.address,
        }
    )
    yield Site(cluster, scheduler, settings, tmp_path, environment)
    scheduler.kill()


@pytest.fixture
def platform(site: Site) -> Iterator[Platform]:
    with Platform(site.settings) as platform:
        register(platform, scene_at(f"s3://{site.settings.store.split('/')[2]}/incoming/{SCENE}.json", site.settings))
        yield platform


def at(steps: dict[int, Callable[[], object]]) -> Callable[[int, int, str], None]:
    """Return a receiver of progress that does something after so many super-tiles."""

    def progress(done: int, _total: int, _what: str) -> None:
        if (step := steps.pop(done, None)) is not None:
            step()

    return progress


def same_as_here(platform: Platform, site: Site) -> None:
    """Compare the shard with one that this process makes alone."""
    (ref,) = list_shards(platform.store, scene_key=SCENE)
    there = read_shard(platform.store, ref.path)
    ids = there.column("patch_id").to_pylist()
    assert len(ids) == len(set(ids)) == platform.recipe.division_for(None).count(2100, 1100)
    platform.store.delete(ref.path)
    with Platform(site.settings.model_copy(update={"dask_scheduler": None})) as alone:
        assert embed(alone, SCENE).reused == 0
    here = read_shard(platform.store, ref.path)
    assert here.drop_columns("embedding").equals(there.drop_columns("embedding"))
    np.testing.assert_allclose(embeddings_of(here), embeddings_of(there), atol=1e-5)


def test_one_worker_is_lost_and_another_replaced_midway(site: Site, platform: Platform) -> None:
    lost, replaced = site.worker("one"), site.worker("two")

    def replace() -> None:
        site.worker("three")
        replaced.kill()

    result = embed(platform, SCENE, progress=at({2: lost.kill, 5: replace}))

    assert (result.reused, result.skipped) == (0, False)
    assert result.supertiles == TILES
    assert platform.store.list("parts") == []
    assert list((site.settings.home / "scratch" / "embed").iterdir()) == []
    for name in ("one", "two", "three"):  # a worker keeps what it knows of the encoder, and no overviews
        home = site.folder / name / "work" / "home"
        assert (home / "cache" / "fingerprints").is_dir()
    assert not list((site.folder / "three" / "work" / "home" / "scratch" / "worker").iterdir())
    same_as_here(platform, site)


def test_the_scheduler_goes_away_and_the_next_run_goes_on(site: Site, platform: Platform) -> None:
    site.worker("one")
    with pytest.raises(WorkersError) as raised:
        embed(platform, SCENE, progress=at({4: site.scheduler.kill}))
    said = str(raised.value)
    assert "\n" not in said
    assert "The dask scheduler went away [scheduler=tcp://" in said
    assert "Start it again, or unset IMAGERAG_DASK_SCHEDULER" in said
    assert list_shards(platform.store) == []
    with pytest.raises(SettingsError, match=r"IMAGERAG_DASK_SCHEDULER=tcp://\S+ cannot be reached"):
        embed(platform, SCENE)

    left = site.parts(platform)
    assert 4 <= len(left) < TILES
    before = {key: platform.store.version(key) for key in left}
    seen: list[dict[str, str]] = []

    def look(done: int, total: int, _what: str) -> None:
        if done == total:
            seen.append({key: platform.store.version(key) for key in left})

    with Platform(site.settings.model_copy(update={"dask_scheduler": None})) as alone:
        result = embed(alone, SCENE, progress=look)  # here, from what the workers left
    assert (result.reused, result.supertiles) == (len(left), TILES)
    assert seen == [before]
    assert platform.store.list("parts") == []


@pytest.mark.parametrize("site", [{"distributed__scheduler__allowed-failures": 0}], indirect=True)
def test_no_workers_and_a_super_tile_that_ends_them_are_told(site: Site, platform: Platform) -> None:
    brief = site.settings.model_copy(update={"limit_workers_s": 0.2})
    with (
        Platform(brief) as waiting,
        pytest.raises(WorkersError, match=r"has had no worker for 0.2 s \[scheduler=tcp.*Start workers"),
    ):
        embed(waiting, SCENE)
    worker = site.worker("one")
    with pytest.raises(WorkersError, match=rf"ended every worker that took it up \[worker={worker.address}\]. Look at"):
        embed(platform, SCENE, progress=at({1: worker.kill}))
