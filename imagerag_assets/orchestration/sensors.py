"""Sensors: one for each watched source, and two that tell a webhook how runs ended.

What is new in a source is found by `pipelines.acquisitions`; here it becomes partitions, run requests and events.
No `from __future__ import annotations` here: Dagster reads the annotation of `context` as an object.
See https://docs.dagster.io/guides/automate/sensors
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from imagerag_assets.errors import SourceError
from imagerag_assets.orchestration.assets.sources import source_asset_key
from imagerag_assets.orchestration.jobs import INGEST
from imagerag_assets.orchestration.partitions import SCENES_NAME, announce_all
from imagerag_assets.pipelines.acquisitions import TickPlan, plan_tick
from imagerag_assets.pipelines.notify import notify
from imagerag_assets.pipelines.platform import Platform
from imagerag_assets.pipelines.sources import WatchedSource
from imagerag_assets.settings import Settings, load_settings

SCENE_TAG, SOURCE_TAG, ETAG_TAG = "imagerag/scene", "imagerag/source", "imagerag/etag"


def source_sensor(source: WatchedSource, settings: Settings | None = None) -> dg.SensorDefinition:
    """The sensor of one source: adds partitions, and requests a run of `ingest_scenes` for each version of an item."""

    @dg.sensor(
        name=f"source_{source.name}",
        job_name=INGEST,
        minimum_interval_seconds=source.every,
        default_status=dg.DefaultSensorStatus.RUNNING if source.enabled else dg.DefaultSensorStatus.STOPPED,
        description=f"New and changed scenes of {source.source}, at most {source.max_new} a tick. Resetting the cursor"
        " looks at every item anew; what was ingested is not ingested again.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        with Platform(settings or load_settings()) as platform:
            try:
                plan = plan_tick(
                    platform,
                    source,
                    context.cursor,
                    taken=lambda: context.instance.get_dynamic_partitions(SCENES_NAME),
                )
            except SourceError as error:
                return dg.SkipReason(f"{error} The cursor stays where it is.")
            announce_all(platform, context.instance, [request.scene for request in plan.requests])
        context.log.info(plan.reason)
        return _result(source, plan)

    return watch


def _result(source: WatchedSource, plan: TickPlan) -> dg.SensorResult:
    if not plan.requests:
        return dg.SensorResult(skip_reason=plan.reason, cursor=plan.cursor)
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=request.run_key,
                partition_key=request.scene.scene_key,
                tags={
                    SCENE_TAG: request.scene.scene_key,
                    SOURCE_TAG: source.name,
                    ETAG_TAG: request.scene.etag[:16],
                },
            )
            for request in plan.requests
        ],
        cursor=plan.cursor,
        asset_events=[
            dg.AssetMaterialization(
                source_asset_key(source.name),
                metadata={
                    "new": sum(request.why == "new" for request in plan.requests),
                    "changed": sum(request.why == "changed" for request in plan.requests),
                    "documents": plan.listed,
                    "waiting": plan.waiting,
                    "summary": plan.reason,
                },
            )
        ],
    )


def webhook_sensors(settings: Settings | None = None) -> list[dg.SensorDefinition]:
    """Sensors that POST ``run_failed`` and ``run_succeeded`` to the webhook; only the first one runs from the start."""

    def told(context: dg.RunStatusSensorContext, event: str) -> dg.SkipReason | None:
        now = settings or load_settings()
        if not now.webhook_url:
            return dg.SkipReason("IMAGERAG_WEBHOOK_URL is not set")
        run = context.dagster_run
        detail: dict[str, Any] = {
            "run": run.run_id,
            "job": run.job_name,
            "scene": run.tags.get("dagster/partition"),
            "source": run.tags.get(SOURCE_TAG),
            "message": (context.dagster_event.message or "")[:1000],
        }
        if isinstance(context, dg.RunFailureSensorContext):
            detail["errors"] = [_first_line(step) for step in context.get_step_failure_events()][:5]
        notify(now, event, detail)
        return None

    @dg.run_failure_sensor(
        name="webhook_run_failed",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="POSTs run_failed to IMAGERAG_WEBHOOK_URL, if that is set.",
    )
    def failed(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        return told(context, "run_failed")

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name="webhook_run_succeeded",
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="POSTs run_succeeded to IMAGERAG_WEBHOOK_URL, if that is set.",
    )
    def succeeded(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
        return told(context, "run_succeeded")

    return [failed, succeeded]


def _first_line(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    about = data.user_failure_data.description if data.user_failure_data else None
    text = about or (data.error.message if data.error else "") or ""
    return f"{event.step_key}: {' '.join(text.split())[:500]}"


def build_sensors(sources: Sequence[WatchedSource], settings: Settings | None = None) -> list[dg.SensorDefinition]:
    """All sensors."""
    return [*(source_sensor(source, settings) for source in sources), *webhook_sensors(settings)]
