"""The only module that uses what Dagster does not promise to keep: one function for each such thing.

Each says what it is for, and which public way was tried.  Everything else imports `dagster` alone, which ruff checks
(`banned-api` in `pyproject.toml`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import dagster as dg
import yaml

from imagerag_assets.orchestration.launchpads import Help, launchpad_text


def data_version_tags(version: str) -> dict[str, str]:
    """Return the tags that give a logged or runless event a data version, from which Dagster derives what is stale.

    `MaterializeResult` and `ObserveResult` take a `data_version`, but only from an asset's own step.
    `AssetMaterialization` and `AssetObservation`, which other steps and processes report, have no such argument, and
    `dagster` does not export the name of the tag.
    """
    from dagster._core.definitions.data_version import DATA_VERSION_TAG

    return {DATA_VERSION_TAG: version}


def location_tags(location: str) -> dict[str, str]:
    """Return the tags of a run that belongs to the jobs of a code location.

    The UI lists below a job the runs that have this tag.  `execute_in_process` does not know of locations, so that its
    runs would be listed among all runs only.
    """
    from dagster._core.definitions.repository_definition.valid_definitions import SINGLETON_REPOSITORY_NAME
    from dagster._core.storage.tags import REPOSITORY_LABEL_TAG

    return {REPOSITORY_LABEL_TAG: f"{SINGLETON_REPOSITORY_NAME}@{location}"}


def without_captured_output() -> dict[str, Any]:
    """Return the settings of an instance that lets the output of steps through to the terminal.

    Without them, a step writes to files and a command shows nothing of its progress.  `dagster.yaml` can only name a
    class for this, and the one that captures nothing is in no public module.
    """
    manager = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    return {"compute_logs": manager}


def run_webserver(*layers: tuple[Any, dict[str, Any]], http: type) -> None:
    """Run `dagster-webserver`, with the options of this process, behind ASGI middlewares that see every request.

    Each comes with its options, the outermost first.

    `build_middleware` is where a webserver's layers are given, but the command makes its own `DagsterWebserver` and
    takes no other; a proxy in front would leave that one open to whoever finds its port.  Nor has it an option for
    `http`, uvicorn's for what speaks HTTP.
    """
    from dagster_webserver import cli
    from dagster_webserver.webserver import DagsterWebserver
    from starlette.middleware import Middleware

    usual = DagsterWebserver.build_middleware

    def build_middleware(self: Any) -> list[Middleware]:
        return [*(Middleware(layer, **options) for layer, options in layers), *usual(self)]

    DagsterWebserver.build_middleware = build_middleware  # type: ignore[method-assign]
    used: Any = cli
    used.uvicorn.run = partial(used.uvicorn.run, http=http)
    cli.main()


def write_launchpads() -> None:
    """Let this process's webserver give launchpads their text by `launchpads.launchpad_text`.

    A job's `config` fills its launchpad in, but neither its order nor comments come through: the snapshots that the
    webserver has of jobs sort all names, and are values.
    """
    from dagster._core.remote_representation.external_data import DEFAULT_MODE_NAME, PresetSnap
    from dagster_graphql.schema.pipelines.pipeline import GraphenePipeline, GraphenePipelinePreset
    from dagster_graphql.schema.run_config import GrapheneRunConfigSchema

    usual_presets, usual_default = GraphenePipeline.resolve_presets, GrapheneRunConfigSchema.resolve_rootDefaultYaml

    def resolve_presets(self: Any, info: Any) -> list[Any]:
        job = self._remote_job
        presets: list[Any] = usual_presets(self, info)
        filled = {} if presets else default_of(job, info)
        if "ops" in filled:  # a selection of assets has none, and the UI writes its default anew, without comments
            snap = PresetSnap("default", filled, None, DEFAULT_MODE_NAME, None)
            presets = [GraphenePipelinePreset(snap, job.name)]
        for each in presets:
            each._help = _help_of(job, each._active_preset_data.mode)
        return presets

    def default_of(job: Any, info: Any) -> dict[str, Any]:
        return yaml.safe_load(usual_default(GrapheneRunConfigSchema(job, DEFAULT_MODE_NAME), info)) or {}

    def resolve_preset(self: Any, _: Any) -> str:
        return launchpad_text(self._active_preset_data.run_config, self._help)

    def resolve_default(self: Any, info: Any) -> str:
        filled = yaml.safe_load(usual_default(self, info)) or {}
        return launchpad_text(filled, _help_of(self._represented_job, self._mode))

    GraphenePipeline.resolve_presets = resolve_presets  # type: ignore[assignment, method-assign]
    GraphenePipelinePreset.resolve_runConfigYaml = resolve_preset  # type: ignore[assignment, method-assign]
    GrapheneRunConfigSchema.resolve_rootDefaultYaml = resolve_default  # type: ignore[assignment, method-assign]


def _help_of(job: Any, mode: str) -> Help:
    """Return what the snapshot of a job says of the fields of its configuration."""
    schema = job.config_schema_snapshot

    def help_of(key: str, text: str | None) -> Help:
        snap = schema.get_config_snap(key) if schema.has_config_snap(key) else None
        fields = {each.name: help_of(each.type_key, each.description) for each in (snap and snap.fields) or ()}
        return Help(" ".join((text or "").split()), fields)

    return help_of(job.get_mode_def_snap(mode).root_config_key, None)


def run_dagster_dev(webserver: str) -> None:
    """Run `dagster dev`, with the options of this process and another module as its webserver.

    The command starts its webserver by name and has no option for it.  Its daemon and its code server, on a socket that
    both share, have no public way to be started together.

    Raises:
        RuntimeError: it starts its webserver in another way; it is not started then.
    """
    from dagster._cli import dev
    from dagster._cli import main as dagster

    module: Any = dev
    usual = module.open_ipc_subprocess

    def start(command: list[str], **options: Any) -> Any:
        if command[1:2] != ["-m"] or command[2] not in ("dagster_webserver", "dagster._daemon"):
            raise RuntimeError(f"dagster dev starts an unknown process: {command[:3]}")
        own = webserver if command[2] == "dagster_webserver" else command[2]
        return usual([*command[:2], own, *command[3:]], **options)

    module.open_ipc_subprocess = start
    sys.argv[0] = "dagster"
    sys.argv.insert(1, "dev")
    dagster()


def mask_error_texts(mask: Callable[[str], str]) -> None:
    """Let Dagster store and show the texts of all errors of this process masked, those that led to them included.

    A step's own errors can be changed before they are raised, but not those of resources, sensors, checks or Dagster
    itself.  `DAGSTER_REDACT_USER_CODE_ERRORS` leaves nothing of any message.
    """
    from dagster_shared.error import SerializableErrorInfo

    made = SerializableErrorInfo.from_traceback.__func__  # type: ignore[attr-defined]
    if getattr(made, "masks", False):
        return

    def from_traceback(cls: type[Any], tb: Any) -> Any:
        info = made(cls, tb)
        return info._replace(message=mask(info.message))  # it calls itself for causes

    from_traceback.masks = True  # type: ignore[attr-defined]
    SerializableErrorInfo.from_traceback = classmethod(from_traceback)  # type: ignore[assignment, method-assign]


def show_runs_from(level: str) -> None:
    """Let the terminal of a run's process show its messages from a level on, where its configuration names no logger.

    Dagster shows all events there.  A logger of `Definitions` counts only where a configuration names it, and
    `python_log_level` of `dagster.yaml` also decides what the event log keeps.
    """
    from dagster._core.execution import context_creation_job

    used: Any = context_creation_job
    usual = used.default_system_loggers
    if getattr(usual, "shows_from", None) is not None:
        return

    def default_system_loggers(instance: Any) -> list[tuple[Any, dict[str, Any]]]:
        return [(logger, {**config, "log_level": level}) for logger, config in usual(instance)]

    default_system_loggers.shows_from = level  # type: ignore[attr-defined]
    used.default_system_loggers = default_system_loggers


def refuse_in_config(why_not: Callable[[str], str | None]) -> None:
    """Refuse texts in the configuration of runs before the run is made, by what `why_not` says of them.

    Dagster stores a configuration as it is typed, before the code of a step sees it.  `dg.Config` runs pydantic's
    validators in the step only, and makes every `str` a `StringSource`; that one stands in `dagster.yaml`, too, whose
    addresses of databases hold passwords, so only what `dg.Config` uses is replaced.
    """
    from dagster._config.errors import PostProcessingError
    from dagster._config.pythonic_config import conversion_utils
    from dagster._config.source import StringSourceType

    class Checked(StringSourceType):
        """A text that may be stored."""

        def post_process(self, value: Any) -> Any:
            if isinstance(value, str) and (why := why_not(value)) is not None:
                raise PostProcessingError(why)
            return super().post_process(value)

    used: Any = conversion_utils
    if type(used.StringSource) is StringSourceType:
        used.StringSource = Checked()


def tag_run(instance: dg.DagsterInstance, run_id: str, tags: dict[str, str]) -> None:
    """Add tags to a run that exists.

    `RunRequest` and `execute_in_process` take tags when a run is made, but which process works on a run that Dagster's
    daemon starts is known only in that process.
    """
    instance.add_run_tags(run_id, tags)


def fail_run(instance: dg.DagsterInstance, run: dg.DagsterRun, message: str) -> None:
    """Record that a run has failed, from outside it, and free the slots of pools that it holds.

    Dagster's own run monitoring does this, but only where a run launcher can tell whether a run is alive, which the
    usual one, `DefaultRunLauncher`, cannot.
    """
    instance.report_run_failed(run, message)
    storage = instance.event_log_storage
    if storage.supports_global_concurrency_limits:
        storage.free_concurrency_slots_for_run(run.run_id)


def process_of_run(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """Return the id of the process that Dagster started for a run, and when it said so in epoch seconds; None: unknown.

    It is only in the metadata of an event of the engine.  It does not say on which machine that is.
    """
    from dagster._core.events import DagsterEventType

    for entry in instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        found = event.engine_event_data.metadata.get("pid") if event is not None else None
        value = getattr(found, "value", None)
        if value is not None and str(value).isdigit():
            return int(str(value)), entry.timestamp
    return None


def is_made(instance: dg.DagsterInstance, asset: str, partition: str) -> bool:
    """Return whether Dagster knows of a materialization of one partition of an asset."""
    of_partition = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[partition])
    return bool(instance.fetch_materializations(of_partition, limit=1).records)


def partitions_made(instance: dg.DagsterInstance, asset: str) -> set[str]:
    """Return the partitions of an asset that were materialized at least once.

    `fetch_materializations` would read every event to tell.
    """
    return set(instance.get_materialized_partitions(dg.AssetKey(asset)))
