"""The encoder that questions use: each materialization of `encoder_switch` moved the aliases after checks.

Embedding, checking and switching belong to the room `encoder_switch`.

No `from __future__ import annotations` here: Dagster reads the annotations of `context` and `config` as objects.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from imagerag_assets.errors import CheckError, GateError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration._dagster_private import data_version_tags
from imagerag_assets.orchestration.assets.scenes import (
    CODE_VERSION,
    ENCODER,
    ENCODER_POOL,
    OWNERS,
    embeddings_version,
    encoder_version,
    patch_collection,
    patch_embeddings,
)
from imagerag_assets.orchestration.partitions import SCENES_NAME
from imagerag_assets.orchestration.previews import markdown_table
from imagerag_assets.orchestration.resources import Reporter
from imagerag_assets.orchestration.run_config import Config
from imagerag_assets.orchestration.step_failures import RETRY, failures

if TYPE_CHECKING:
    from imagerag_assets.encoder_switch.backfill import Backfill
    from imagerag_assets.encoder_switch.switching import Switch
    from imagerag_assets.installation.serving import Target

REPORTS = "backfills"


class SwitchConfig(Config):
    """Which encoder to switch to."""

    encoder: str = Field(default="", description="Registry name; empty: the chosen one (imagerag encoders use NAME)")
    force: bool = Field(
        default=False,
        description="Switch even if a check of quality fails; an incomplete backfill is never switched to",
    )
    rollback: bool = Field(default=False, description="Go back to what was in use before the last switch instead")


@dg.asset(
    deps=[ENCODER],
    code_version=CODE_VERSION,
    group_name="encoders",
    owners=OWNERS,
    kinds={"pytorch", "milvus"},
    tags={"domain": "model"},
    pool=ENCODER_POOL,
    retry_policy=RETRY,
    description="The encoder that questions use. A materialization embeds every scene with the chosen encoder beside"
    " the one in use, checks coverage, vectors, agreement and benchmark, and moves the aliases if they pass.",
)
def encoder_switch(
    context: dg.AssetExecutionContext,
    config: SwitchConfig,
    platform: dg.ResourceParam[Platform],
    reporter: dg.ResourceParam[Reporter],
) -> dg.MaterializeResult[Any]:
    """Embed with the chosen encoder and switch to it, or roll back."""
    from imagerag_assets.encoder_switch.backfill import backfill
    from imagerag_assets.encoder_switch.benchmark import benchmark_measure
    from imagerag_assets.installation.serving import target_of

    report = report_key(context.run.run_id)
    with failures(platform):
        if config.rollback:
            from imagerag_assets.encoder_switch.switching import rollback

            switched = rollback(platform)
            platform.store.write_json(report, switched.to_dict())
            _show_embedded(context, platform)
            return _result(platform, switched, None)
        events = _Events(context, platform, target_of(platform, config.encoder or None))
        done = backfill(
            platform,
            config.encoder or None,
            force=config.force,
            measure=benchmark_measure(platform, context.run.run_id),
            progress=reporter.progress,
            made=lambda embedded, indexed: events.add(embedded.scene, embedded.patches, indexed.collection),
        )
        platform.store.write_json(report, done.to_dict())
        events.add_earlier(done)
        events.finish(chosen=done.switched is not None)
        if done.failed:
            raise CheckError(
                f"{len(done.failed)} of {len(done.plan.scenes)} scenes failed; nothing was switched",
                fix=f"First: {done.failed[0][1]}",
                scene=done.failed[0][0],
            )
        if done.gate is not None and done.switched is None:
            reasons = "; ".join(f"{check.name}: {check.detail}" for check in done.gate.failed)
            raise GateError(
                f"Not switched: {reasons}", fix="Find the cause, or force the switch if only quality failed"
            )
        return _result(platform, done.switched, done)


def report_key(run_id: str) -> str:
    """Return the key of a run's result, which is also kept if the run switched nothing."""
    return f"{REPORTS}/{run_id}.json"


class _Events:
    """Reports embedded scenes to Dagster: at once, or, if another encoder is still the chosen one, after the switch."""

    def __init__(self, context: dg.AssetExecutionContext, platform: Platform, target: "Target") -> None:
        from imagerag_assets.installation.serving import target_of

        self._context, self._platform, self._target = context, platform, target
        self._known = set(context.instance.get_dynamic_partitions(SCENES_NAME))
        self._wanted = target.collection == target_of(platform).collection
        self._waiting: list[Callable[[], None]] = []

    def add(self, scene: str, patches: int, collection: str) -> None:
        """Report a scene, or keep it for after the switch."""
        if scene not in self._known:  # ingested by the library, without Dagster
            return

        def show() -> None:
            log_embedded(self._context, self._platform, self._target, scene, patches, collection)

        show() if self._wanted else self._waiting.append(show)

    def add_earlier(self, done: "Backfill") -> None:
        """Report the scenes that an earlier run embedded and, because it was killed, did not report."""
        from imagerag_assets.stores.milvus_filter import Filter

        for each in done.plan.scenes:
            if each.state == "done" and each.scene in self._known and not self._told(each.scene):
                rows = self._platform.vectors.count(done.plan.collection, Filter().scene_in([each.scene]))
                self.add(each.scene, rows, done.plan.collection)

    def _told(self, scene: str) -> bool:
        """Return whether the last embeddings of the scene that Dagster knows of are the target's."""
        from imagerag_assets.scenes.records import load_record

        version = load_record(self._platform, scene).scene.version
        made = dg.AssetRecordsFilter(asset_key=patch_embeddings.key, asset_partitions=[scene])
        for record in self._context.instance.fetch_materializations(made, limit=1).records:
            event = record.asset_materialization
            expected = embeddings_version(self._target.fingerprint, self._target.recipe.key, version)
            return event is not None and data_version_tags(expected).items() <= (event.tags or {}).items()
        return False

    def finish(self, *, chosen: bool) -> None:
        """Report the scenes that were kept, if the encoder is now the chosen one."""
        if chosen and not self._wanted:
            observe(self._context, self._target)
            for show in self._waiting:
                show()


def log_embedded(
    context: dg.AssetExecutionContext, platform: Platform, target: "Target", scene: str, patches: int, collection: str
) -> None:
    """Report the embeddings and rows of a scene, as the run of its own assets would."""
    from imagerag_assets.scenes.records import load_record

    version = load_record(platform, scene).scene.version
    versions = {
        patch_embeddings: embeddings_version(target.fingerprint, target.recipe.key, version),
        patch_collection: f"{collection}:{version}",
    }
    for asset, version in versions.items():
        context.log_event(
            dg.AssetMaterialization(
                asset.key,
                partition=scene,
                metadata={"dagster/row_count": patches, "encoder": target.encoder, "collection": collection},
                tags=data_version_tags(version),
            )
        )


def observe(context: dg.AssetExecutionContext, target: "Target") -> None:
    """Report the chosen encoder, as its own observation would."""
    context.log_event(
        dg.AssetObservation(
            ENCODER,
            metadata={"name": target.encoder, "fingerprint": target.fingerprint},
            tags=data_version_tags(encoder_version(target.fingerprint, target.recipe.key)),
        )
    )


def _show_embedded(context: dg.AssetExecutionContext, platform: Platform) -> None:
    """Report, after a rollback, that every scene is embedded by the encoder that is chosen again."""
    from imagerag_assets.encoder_switch.gate import scenes_to_cover
    from imagerag_assets.installation.serving import find_serving
    from imagerag_assets.stores.milvus_filter import Filter

    serving = find_serving(platform)
    assert serving is not None  # it was just switched to
    observe(context, serving.target)
    known = set(context.instance.get_dynamic_partitions(SCENES_NAME))
    for scene in scenes_to_cover(platform):
        if scene in known:
            rows = platform.vectors.count(serving.collection, Filter().scene_in([scene]))
            log_embedded(context, platform, serving.target, scene, rows, serving.collection)


def _result(platform: Platform, switched: "Switch | None", done: "Backfill | None") -> dg.MaterializeResult[Any]:
    from imagerag_assets.installation.serving import find_serving

    serving = find_serving(platform)
    metadata: dict[str, Any] = {"switched": switched is not None}
    if serving is not None:
        metadata |= {"encoder": serving.target.encoder, "fingerprint": serving.target.fingerprint}
        metadata |= {"collection": serving.collection}
    if switched is not None:
        moved = [
            {"what": name, "before": switched.before.get(name) or "none", "after": after or "none"}
            for name, after in switched.after.items()
        ]
        metadata |= {
            "kind": switched.kind,
            "aliases": dg.MetadataValue.md(markdown_table(moved)),
            "forced": switched.forced,
            "who": switched.who,
            "switch": switched.id,
        }
    if done is not None:
        metadata |= {"scenes": len(done.plan.scenes), "patches": done.patches, "seconds": round(done.seconds, 1)}
        if done.gate is not None:
            metadata["gate"] = dg.MetadataValue.md(markdown_table([_row(check) for check in done.gate.checks]))
    version = "none" if serving is None else f"{serving.collection}:{switched.id if switched else ''}"
    return dg.MaterializeResult(data_version=dg.DataVersion(version), metadata=metadata)


def _row(check: Any) -> dict[str, str]:
    found = "skipped" if check.passed is None else "passed" if check.passed else "failed"
    return {"check": check.name, "result": found, "found": check.detail}
