"""Runs whose process was killed: find them, and close them as failed, so that they do not block the queue for ever.

Dagster notices a dead run only where its run launcher can look at it, which `DefaultRunLauncher` cannot.  So each run
has a tag that says which process works on it (`objects.owners`).  A run is closed only if that process is certainly
gone; one of a process that cannot be seen from here, e.g. on another machine, is left alone, and so are queued runs.
See https://docs.dagster.io/deployment/execution/run-monitoring
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import dagster as dg

from imagerag_assets.errors import StoreError
from imagerag_assets.installation.differences import Difference
from imagerag_assets.installation.left_over import close_left_over, note_closed, owners_folder, was_killed
from imagerag_assets.objects.owners import Owner, list_owners, state_of, succeeding
from imagerag_assets.orchestration._dagster_private import fail_run, process_of_run, tag_run
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.orchestration.names import OWNER_TAG
from imagerag_assets.settings import Settings

_log = logging.getLogger(__name__)
_START_SECONDS = 600.0
"""A run whose process has not begun to work after this time never will; starting one takes seconds."""
_UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class DeadRun:
    """A run that nobody works on any more."""

    run_id: str
    job: str
    partition: str | None
    status: str
    since: str
    """When its status last changed, ISO 8601, UTC."""
    why: str
    """Why it is dead, without a full stop."""
    owner: Owner | None

    def to_dict(self) -> dict[str, str | None]:
        """Return the form for JSON."""
        return {
            "run": self.run_id, "job": self.job, "partition": self.partition, "status": self.status,
            "since": self.since, "why": self.why,
        }  # fmt: skip


def owner_tags(run_id: str, owner: Owner) -> dict[str, str]:
    """Return the tags of a run that say who works on it.

    The tag names its run as well, because a run that is executed again takes over the tags of the first one.
    """
    return {OWNER_TAG: json.dumps({"run": run_id, "owner": json.loads(owner.to_json())})}


def tag_owner(instance: dg.DagsterInstance, run_id: str, owner: Owner) -> None:
    """Note who works on a run that exists."""
    tag_run(instance, run_id, owner_tags(run_id, owner))


def find_dead_runs(instance: dg.DagsterInstance, settings: Settings) -> list[DeadRun]:
    """Return the runs whose process is gone, or never began to work; oldest first."""
    found = (_dead(record, settings) for record in _under_way(instance))
    return [run for run in found if run is not None]


def close_dead_runs(instance: dg.DagsterInstance, settings: Settings) -> list[DeadRun]:
    """Record the runs that `find_dead_runs` finds as failed, and forget their owners; return them."""
    folder = owners_folder(settings)
    closed = []
    with ExitStack() as stack:
        taken: dict[str, bool] = {}
        for run in find_dead_runs(instance, settings):
            if run.owner is not None and (folder / f"{run.owner.token}.json").exists():
                token = run.owner.token
                if token not in taken:
                    taken[token] = stack.enter_context(succeeding(run.owner, folder))
                if not taken[token]:  # another process closes what that owner left
                    continue
            if _close(instance, run):
                closed.append(run)
        for owner, state in list_owners(folder):
            if state == "dead" and owner.token not in taken:
                stack.enter_context(succeeding(owner, folder))
    note_closed(settings, [f"run {run.run_id} of {run.job}: recorded as failed" for run in closed])
    return closed


def close_restored_runs(settings: Settings) -> int:
    """Record all runs under way as failed, in an instance that was restored from a backup; return how many.

    Their processes worked on the installation that was backed up.
    """
    if not (settings.dagster_home / "dagster.yaml").is_file():
        return 0
    with dagster_instance(settings) as instance:
        runs = [record.dagster_run for record in _under_way(instance)]
        for run in runs:
            fail_run(instance, run, f"It was {run.status.value} when the backup was made that was restored.")
        return len(runs)


def close_what_is_left(instance: dg.DagsterInstance, settings: Settings) -> list[DeadRun]:
    """Close the dead runs; if a process was killed, also the locks, servers and unfinished files that it left.

    Raises:
        StoreError: the object store cannot be read or changed.
    """
    killed = was_killed(settings)
    closed = close_dead_runs(instance, settings)
    if killed or closed:
        close_left_over(settings)
    return closed


def close_at_start(settings: Settings, instance: dg.DagsterInstance | None = None) -> None:
    """Do the same before a command begins to work, and only warn of what fails or was closed.

    Args:
        settings: The installation.
        instance: Default: the one in HOME/dagster.
    """
    try:
        with dagster_instance(settings) if instance is None else nullcontext(instance) as opened:
            for run in close_what_is_left(opened, settings):
                _log.warning("The run %s of %s was recorded as failed: %s", run.run_id, run.job, run.why)
    except StoreError as error:  # whoever needs the store says so, too
        _log.warning("What a killed process left was not closed: %s", error)


def dead_run_differences(instance: dg.DagsterInstance, settings: Settings) -> Iterator[Difference]:
    """Yield the dead runs, and those of which nobody knows who works on them."""
    for run in find_dead_runs(instance, settings):
        detail = f"{_name(run.job, run.partition)} is {run.status} since {run.since}, but {run.why}"
        yield Difference("run", run.run_id, detail, "Records it as failed", partial(_mended, instance, run))
    for record in _under_way(instance):
        if _owner(record.dagster_run) is None and _dead(record, settings) is None and _age(record) > _START_SECONDS:
            yield _of_unknown_owner(instance, record)


def _of_unknown_owner(instance: dg.DagsterInstance, record: dg.RunRecord) -> Difference:
    """Return a run of an earlier version of this package, or one that was killed before it said whose it is."""
    run = record.dagster_run
    name, since = _name(run.job_name, run.tags.get("dagster/partition")), _since(record)
    process = process_of_run(instance, run.run_id)
    if process is None or _may_live(*process):
        detail = f"{name} is {run.status.value} since {since}, and does not say which process works on it"
        return Difference("run", run.run_id, detail, "If nothing works on it, terminate it in Dagster's UI")
    why = f"its process {process[0]} is not on this machine"
    dead = DeadRun(run.run_id, run.job_name, run.tags.get("dagster/partition"), run.status.value, since, why, None)
    detail = f"{name} is {run.status.value} since {since}, but {why}"
    return Difference("run", run.run_id, detail, "Records it as failed", partial(_mended, instance, dead))


def _may_live(pid: int, said_at: float) -> bool:
    """Return whether the process that said its id then may be at work: one that started later is another one."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:
        return Path(f"/proc/{pid}").stat().st_mtime <= said_at + 1
    except OSError:
        return True


def _under_way(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    return list(instance.get_run_records(dg.RunsFilter(statuses=_UNDER_WAY), ascending=True))


def _dead(record: dg.RunRecord, settings: Settings) -> DeadRun | None:
    run, owner = record.dagster_run, _owner(record.dagster_run)
    if owner is not None:
        if state_of(owner, owners_folder(settings)) != "dead":
            return None
        why = f"{owner} is gone"
    elif run.status == dg.DagsterRunStatus.STARTING and _age(record) > _START_SECONDS:
        why = "no process began to work on it"
    else:
        return None
    partition = run.tags.get("dagster/partition")
    return DeadRun(run.run_id, run.job_name, partition, run.status.value, _since(record), why, owner)


def _owner(run: dg.DagsterRun) -> Owner | None:
    try:
        stored = json.loads(run.tags[OWNER_TAG])
        return Owner.from_json(json.dumps(stored["owner"])) if stored["run"] == run.run_id else None
    except (KeyError, TypeError, ValueError):
        return None


def _close(instance: dg.DagsterInstance, dead: DeadRun) -> bool:
    run = instance.get_run_by_id(dead.run_id)
    if run is None or run.is_finished:  # another process closed it, or it ended after all
        return False
    why = dead.why[0].upper() + dead.why[1:]
    fail_run(instance, run, f"{why}: the run was {dead.status}, and is recorded as failed.")
    return True


def _mended(instance: dg.DagsterInstance, dead: DeadRun) -> str:
    return "recorded as failed" if _close(instance, dead) else "it has ended meanwhile"


def _age(record: dg.RunRecord) -> float:
    return time.time() - record.update_timestamp.replace(tzinfo=record.update_timestamp.tzinfo or UTC).timestamp()


def _since(record: dg.RunRecord) -> str:
    moment = record.update_timestamp
    moment = moment.replace(tzinfo=moment.tzinfo or UTC)
    return datetime.fromtimestamp(moment.timestamp(), UTC).isoformat(timespec="seconds")


def _name(job: str, partition: str | None) -> str:
    return f"{job} of {partition}" if partition else job
