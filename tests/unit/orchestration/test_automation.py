"""Automation conditions on 200 scenes: exactly the ones that something changed for are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import dagster as dg
import pytest

from imagerag_assets.orchestration._dagster_private import data_version_tags
from imagerag_assets.orchestration.assets.scenes import (
    ENCODER,
    patch_collection,
    patch_embeddings,
    patch_table,
    scene,
)
from imagerag_assets.orchestration.automation import EMBED_STALE
from imagerag_assets.orchestration.build import build_defs

KEYS = [f"scene-{number:04d}" for number in range(200)]
CHAIN = (scene, patch_table, patch_embeddings, patch_collection)
FOLLOWING = ("patch_table", "patch_embeddings", "patch_collection")


@contextmanager
def ingested(keys: Sequence[str]) -> Iterator[dg.DagsterInstance]:
    """An instance that knows the encoder `first` and scenes that were ingested with it."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("scenes", keys)
        observe(instance, "first")
        for asset in CHAIN:
            materialise(instance, asset, keys, "1")
        yield instance


def observe(instance: dg.DagsterInstance, fingerprint: str) -> None:
    """As `imagerag encoders use` does."""
    instance.report_runless_asset_event(dg.AssetObservation(ENCODER, tags=data_version_tags(fingerprint)))


def materialise(instance: dg.DagsterInstance, asset: dg.AssetsDefinition, keys: Iterable[str], version: str) -> None:
    for key in keys:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(asset.key, partition=key, tags=data_version_tags(version))
        )


def tick(instance: dg.DagsterInstance, cursor: dg.AssetDaemonCursor | None) -> tuple[dict[str, set[str]], object]:
    """Partitions asked for, by asset, and the next cursor."""
    result = dg.evaluate_automation_conditions(build_defs(sources=()), instance=instance, cursor=cursor)
    asked = {asset.key.to_user_string(): result.get_requested_partitions(asset.key) for asset in CHAIN}
    return {name: {str(key) for key in keys} for name, keys in asked.items() if keys}, result.cursor


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """All of `KEYS` are ingested."""
    with ingested(KEYS) as made:
        yield made


def test_an_encoder_change_asks_for_all_and_a_changed_item_for_its_own(instance: dg.DagsterInstance) -> None:
    _, cursor = tick(instance, None)  # the baseline
    asked, cursor = tick(instance, cursor)
    assert asked == {}

    observe(instance, "first")  # seen again, and the same
    asked, cursor = tick(instance, cursor)
    assert asked == {}

    observe(instance, "second")
    asked, cursor = tick(instance, cursor)
    assert asked == {"patch_embeddings": set(KEYS), "patch_collection": set(KEYS)}
    for asset in (patch_embeddings, patch_collection):
        materialise(instance, asset, KEYS, "2")
    asked, cursor = tick(instance, cursor)
    assert asked == {}

    changed = {KEYS[3], KEYS[150]}
    materialise(instance, scene, changed, "3")
    asked, cursor = tick(instance, cursor)
    assert asked == dict.fromkeys(FOLLOWING, changed)
    for asset in CHAIN[1:]:
        materialise(instance, asset, changed, "3")
    asked, cursor = tick(instance, cursor)
    assert asked == {}


def test_a_new_scene_waits_for_its_item_and_one_ingested_as_a_whole_is_left_alone() -> None:
    with ingested(KEYS[:5]) as instance:
        _, cursor = tick(instance, None)
        instance.add_dynamic_partitions("scenes", ["announced", "ingested"])
        for asset in CHAIN:
            materialise(instance, asset, ["ingested"], "1")
        asked, cursor = tick(instance, cursor)
        assert asked == {}
        materialise(instance, scene, ["announced"], "1")
        asked, _ = tick(instance, cursor)
    assert asked == {name: {"announced"} for name in FOLLOWING}


def test_the_sensor_evaluates_these_and_waits_to_be_switched_on() -> None:
    (sensor,) = [each for each in build_defs(sources=()).sensors or () if each is EMBED_STALE]
    assert isinstance(sensor, dg.AutomationConditionSensorDefinition)
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    with_condition = {asset.key.to_user_string() for asset in CHAIN if any(asset.automation_conditions_by_key.values())}
    assert with_condition == set(FOLLOWING)
    assert all(asset.backfill_policy == dg.BackfillPolicy.multi_run(1) for asset in CHAIN)
