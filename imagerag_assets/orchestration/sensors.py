"""Sensors: for each watched source, for standing questions, for runs of killed processes, and for the webhook.

Other rooms decide what to do: `watched_sources.tick` finds what is new in a source, `standing_questions.tries` which
questions to ask.  Here that becomes partitions, run requests and events.
No `from __future__ import annotations` here: Dagster reads the annotation of `context` as an object.
See https://docs.dagster.io/guides/automate/sensors
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from imagerag_assets.errors import SourceError, StoreError, describe
from imagerag_assets.escaping import markdown
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.assets.scenes import patch_collection
from imagerag_assets.orchestration.assets.sources import source_asset_key
from imagerag_assets.orchestration.dead_runs import close_what_is_left
from imagerag_assets.orchestration.names import (
    ASK_STANDING,
    DEAD_RUNS,
    INDEX_TAG,
    INGEST,
    LATER,
    RENEW,
    SCENE_TAG,
    SOURCE_TAG,
    VERSION_TAG,
    WATCH_TAG,
    WATCHES_NAME,
)
from imagerag_assets.orchestration.partitions import SCENES_NAME, add_partitions
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.watched_sources.sources import WatchedSource

if TYPE_CHECKING:
    from imagerag_assets.watched_sources.tick import TickPlan


def source_sensor(source: WatchedSource, settings: Settings | None = None) -> dg.SensorDefinition:
    """Return the sensor of a source: it adds partitions, and requests a run for each new version."""

    @dg.sensor(
        name=f"source_{source.name}",
        job_name=INGEST,
        minimum_interval_seconds=source.every,
        default_status=dg.DefaultSensorStatus.RUNNING if source.enabled else dg.DefaultSensorStatus.STOPPED,
        description=f"Ingests new and changed scenes of {markdown(source.source)}, at most {source.max_new} a tick."
        " After a reset of the cursor it reads every item again; scenes that were ingested are not ingested again.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        from imagerag_assets.watched_sources.tick import plan_tick

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
            add_partitions(platform, context.instance, [request.scene for request in plan.requests])
        context.log.info(plan.reason)
        return _result(source, plan)

    return watch


def _result(source: WatchedSource, plan: "TickPlan") -> dg.SensorResult:
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
                    VERSION_TAG: request.scene.version[:16],
                    INDEX_TAG: LATER,
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
    """Return sensors that POST ``run_failed`` and ``run_succeeded`` to the webhook; only the first starts turned on."""

    def told(context: dg.RunStatusSensorContext, event: str) -> dg.SkipReason | None:
        from imagerag_assets.installation.notify import notify

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
        description="POSTs run_failed to IMAGERAG_WEBHOOK_URL if that is set.",
    )
    def failed(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        return told(context, "run_failed")

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name="webhook_run_succeeded",
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="POSTs run_succeeded to IMAGERAG_WEBHOOK_URL if that is set.",
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
    """Return the sensors of all sources and of the webhook."""
    return [*(source_sensor(source, settings) for source in sources), *webhook_sensors(settings)]


_EVENTS = 1000  # looked at in one tick
_EVERY_S = 30
_RENEW_AFTER = 200  # scenes
_SAID = 20  # runs named in one tick
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def standing_questions_sensor(
    settings: Settings | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> dg.SensorDefinition:
    """Return the sensor that asks standing questions again; `now` is its clock."""
    from imagerag_assets.standing_questions.tries import MAX_TRIES

    @dg.sensor(
        name="standing_questions",
        job_name=ASK_STANDING,
        minimum_interval_seconds=_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks a standing question again when a scene that it covers was indexed, new or changed. A question"
        f" whose run failed is asked again after 1, 4, 16 and 64 minutes, {MAX_TRIES} times in all.",
    )
    def asked_again(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _ask_again(context, settings or load_settings(), now())

    return asked_again


def dead_runs_sensor(settings: Settings | None = None) -> dg.SensorDefinition:
    """Return the sensor that closes what killed processes left, so that their runs do not block the queue."""

    @dg.sensor(
        name=DEAD_RUNS,
        minimum_interval_seconds=_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Records runs whose process was killed as failed, so that the queue goes on, and removes the locks"
        " and unfinished files that it left.",
    )
    def closed(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        runs = close_what_is_left(context.instance, settings or load_settings())
        said = "; ".join(f"{run.run_id}: {run.why}" for run in runs[:_SAID])
        return dg.SkipReason(f"Runs recorded as failed: {len(runs)} ({said})" if runs else "No process was killed.")

    return closed


def renew_indexes_sensor() -> dg.SensorDefinition:
    """Return the sensor that renews Milvus's index once for many scenes."""

    @dg.sensor(
        name=RENEW,
        job_name=RENEW,
        minimum_interval_seconds=_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Renews Milvus's index when the scenes of a tick or of a backfill are indexed, or after each"
        f" {_RENEW_AFTER} of them. Questions find their rows before that, too.",
    )
    def renewed(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        before = int(context.cursor or 0)
        events = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(patch_collection.key, after_storage_id=before), limit=_EVENTS, ascending=True
        ).records
        if not events:
            return dg.SkipReason("No scene was indexed since the last renewal.")
        more = dg.RunsFilter(job_name=INGEST, statuses=_UNDER_WAY)
        if len(events) < _RENEW_AFTER and context.instance.get_runs(more, limit=1):
            return dg.SkipReason(f"{len(events)} scenes were indexed; more are under way.")
        last = events[-1].storage_id
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"renew-{last}")], cursor=str(last))

    return renewed


def _ask_again(context: dg.SensorEvaluationContext, settings: Settings, now: datetime) -> dg.SensorResult:
    from imagerag_assets.delivery.outbox import channels_of, deliver_waiting
    from imagerag_assets.standing_questions.tries import Cursor, plan_asking

    if channels_of(settings) or settings.feed_file is not None:
        with Platform(settings) as platform:
            try:
                deliver_waiting(platform, now)
            except StoreError as error:  # questions are asked all the same
                context.log.warning(describe(error))
    before = Cursor.parse(context.cursor)
    events = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(patch_collection.key, after_storage_id=before.after), limit=_EVENTS, ascending=True
    ).records
    if not events and not before.waiting:
        return dg.SensorResult(skip_reason="No scene was indexed since the last tick.")
    after = events[-1].storage_id if events else before.after
    scenes = {event.partition_key for event in events if event.partition_key}

    def running(watch_id: str) -> bool:
        tags = {"dagster/partition": watch_id}
        runs = dg.RunsFilter(job_name=ASK_STANDING, tags=tags, statuses=_UNDER_WAY)
        return bool(context.instance.get_runs(runs, limit=1))

    with Platform(settings) as platform:
        plan = plan_asking(platform, before, scenes, after, running=running, now=now)
    for note in plan.notes:
        context.log.warning(note)
    cursor = plan.cursor.dumps()
    if not plan.requests:
        reason = f"{len(scenes)} scenes were indexed; there is no standing question to ask about them."
        if plan.cursor.waiting:
            reason += f" Questions requested earlier and not answered yet: {len(plan.cursor.waiting)}."
        return dg.SensorResult(skip_reason=" ".join([reason, *plan.notes]), cursor=cursor)
    context.instance.add_dynamic_partitions(WATCHES_NAME, [request.watch_id for request in plan.requests])
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=request.run_key, partition_key=request.watch_id, tags={WATCH_TAG: request.watch_id})
            for request in plan.requests
        ],
        cursor=cursor,
    )
