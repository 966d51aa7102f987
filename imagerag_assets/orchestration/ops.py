"""The ops of jobs that make no asset: scan a source, save a watch, rescan, purge.

Each is a thin call into the rooms below or the modules beside this one.

No `from __future__ import annotations` here: Dagster reads the annotations of ops as objects.
See https://docs.dagster.io/guides/build/ops
"""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from imagerag_assets.escaping import markdown
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.assets.answers import AskConfig
from imagerag_assets.orchestration.assets.scenes import MILVUS_POOL
from imagerag_assets.orchestration.job_paths import JobPaths
from imagerag_assets.orchestration.previews import markdown_table
from imagerag_assets.orchestration.purging import purge_marked
from imagerag_assets.orchestration.resources import OpenRunner, Reporter
from imagerag_assets.orchestration.run_config import Config
from imagerag_assets.orchestration.step_failures import failures
from imagerag_assets.orchestration.watches import add_watch as add

_SHOWN = 200  # rows of a table in the event log


class ScanConfig(Config):
    """Which scenes to ingest, and from where."""

    source: str = Field(
        description="Where the imagery is: a GeoTIFF, folder, s3:// prefix, STAC catalog, item, API, or an online layer"
    )
    collections: list[str] = Field(default=[], description="Only items of these collections; empty: all")
    scenes: list[str] = Field(default=[], description="Only these scene keys or item ids; empty: all")
    limit: int | None = Field(default=None, description="Stop after this many scenes")
    ingest: bool = Field(default=True, description="Ingest the scenes; off: only add their partitions")


@dg.op(description="Find the scenes of a source, add them as partitions, and ingest the new and changed ones.")
def scan(
    context: dg.OpExecutionContext,
    config: ScanConfig,
    platform: dg.ResourceParam[Platform],
    reporter: dg.ResourceParam[Reporter],
    open_runner: dg.ResourceParam[OpenRunner],
    job_paths: dg.ResourceParam[JobPaths],
) -> None:
    """Ingest each scene in a run of `ingest_scenes` of its own, one after the other in this process.

    This works with and without a daemon, loads the models once, and lets a scene fail without stopping the others.
    """
    runner = open_runner(platform.settings, platform=platform, instance=context.instance, progress=reporter.progress)
    rows: list[dict[str, object]] = []
    with failures(platform):
        job_paths.check_address(config.source, platform.settings)
        for result in runner.ingest_source(
            config.source,
            collections=config.collections,
            scenes=config.scenes,
            limit=config.limit,
            partitions_only=not config.ingest,
        ):
            rows.append({name: value for name, value in result.to_dict().items() if value is not None})
            context.log.info(f"{result.scene}: {result.status}{f' ({result.error})' if result.error else ''}")
    failed = [row for row in rows if row["status"] == "failed"]
    columns = ("scene", "status", "patches", "seconds", "error", "note")
    table = [{column: row.get(column, "") for column in columns} for row in [*failed, *rows][:_SHOWN]]
    metadata: dict[str, Any] = {
        "found": len(rows),
        "empty": sum(row["status"] == "empty" for row in rows),
        "failed": len(failed),
        "scenes": dg.MetadataValue.md(markdown_table(table)),
    }
    if failed:
        raise dg.Failure(
            f"{len(failed)} of {len(rows)} scenes failed; the others are done. First error: {failed[0].get('error')}",
            metadata=metadata,
            allow_retries=False,
        )
    context.add_output_metadata(metadata)


class WatchConfig(AskConfig):
    """A question to ask again whenever a new acquisition covers its area."""

    name: str = Field(
        default="",
        description="Name of the standing question, from which its partition key is made; empty: the question",
    )
    ask_now: bool = Field(
        default=True, description="Ask now; off: ask for the first time when the next acquisition comes"
    )


@dg.op(
    name="save",
    description="Save a standing question as a partition of `standing_answers`, and ask it for the first time.",
)
def save_watch(
    context: dg.OpExecutionContext,
    config: WatchConfig,
    platform: dg.ResourceParam[Platform],
    open_runner: dg.ResourceParam[OpenRunner],
    job_paths: dg.ResourceParam[JobPaths],
) -> None:
    """Save the question; ask it in a run of `ask_standing` in this process."""
    runner = open_runner(platform.settings, platform=platform, instance=context.instance)
    with failures(platform):
        job_paths.check_example(config.like, platform.settings)
        added = add(runner, config.to_question(), name=config.name, ask_now=config.ask_now)
    metadata: dict[str, Any] = {"watch": added["watch"]["watch_id"], "note": added["note"] or "none"}
    if added["answer"]:
        metadata |= {name: str(added["answer"][name]) for name in ("answer", "choice", "path", "answer_id")}
    context.add_output_metadata(metadata)


class RescanConfig(Config):
    """Which source to read."""

    source: str = Field(description="Name of a watched source (see imagerag sources)")
    accept_removals: bool = Field(
        default=False, description="Mark scenes as removed even if all, or a large share, are no longer listed"
    )


@dg.op(
    description="Read every item of a watched source: report changes to its sensor, and mark scenes whose item is gone."
)
def rescan(
    context: dg.OpExecutionContext,
    config: RescanConfig,
    platform: dg.ResourceParam[Platform],
    reporter: dg.ResourceParam[Reporter],
) -> None:
    """Only report: the sensor requests the runs, so that its limits hold.  It has to be running.

    A scan that could not read all of the source fails when its work is done.
    """
    from imagerag_assets.watched_sources.full_scan import full_scan
    from imagerag_assets.watched_sources.sources import find_source

    with failures(platform):
        found = full_scan(
            platform,
            find_source(config.source, platform.settings),
            reporter.progress,
            accept_removals=config.accept_removals,
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for key in found.removed:
        context.log_event(
            dg.AssetObservation("scene", partition=key, metadata={"removed_from_source": config.source, "noticed": now})
        )
    metadata: dict[str, Any] = {
        "documents": found.listed,
        "scenes": found.scenes,
        "to_request": len(found.changed),
        "removed": len(found.removed),
        "held_back": len(found.held_back),
        "cannot_be_used": found.failed,
        "removed_scenes": dg.MetadataValue.md("\n".join(f"- {markdown(key)}" for key in found.removed[:200]) or "none"),
        "problems": dg.MetadataValue.md("\n".join(f"- {markdown(line)}" for line in found.problems[:50]) or "none"),
    }
    if found.problems:
        raise dg.Failure(
            f"The listing of {config.source} is not whole, so no scene was marked as removed; what is new or changed is"
            f" reported to its sensor. First problem: {found.problems[0]}",
            metadata=metadata,
            allow_retries=False,
        )
    context.add_output_metadata(metadata)


@dg.op(
    description="Renew Milvus's index over the rows that were written since: of the collection that answers questions,"
    " and of the chosen encoder's.",
    pool=MILVUS_POOL,
)
def renew(context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Renew the indexes once for all scenes that were indexed before."""
    from imagerag_assets.ingestion.index_scene import renew_patch_indexes

    with failures(platform):
        context.add_output_metadata({"index_types": dg.MetadataValue.json(renew_patch_indexes(platform))})


class PurgeConfig(Config):
    """Which of the marked scenes to delete."""

    scenes: list[str] = Field(default=[], description="Only these scene keys; empty: all that are marked")
    older_than: str = Field(default="7d", description="Only scenes marked at least this long ago, e.g. 0s, 12h, 7d")
    dry_run: bool = Field(default=False, description="Only list what would be deleted")


@dg.op(
    description="Delete rows, shards, tables, records and partitions of scenes whose item is gone. Answers are kept.",
    pool=MILVUS_POOL,
)
def purge_scenes(context: dg.OpExecutionContext, config: PurgeConfig, platform: dg.ResourceParam[Platform]) -> None:
    """Delete marked scenes only; `imagerag status` lists them."""
    with failures(platform):
        done = purge_marked(
            platform, context.instance, scenes=config.scenes, older_than=config.older_than, dry_run=config.dry_run
        )
    context.add_output_metadata(
        {"purged": 0 if config.dry_run else len(done), "scenes": dg.MetadataValue.md(markdown_table(done[:200]))}
    )
