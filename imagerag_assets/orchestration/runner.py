"""Run the jobs in the process of a command, so that the command line records the same events as the UI.

The instance is always the one in HOME/dagster: `imagerag dev` shows it, and so does `dagster dev` with DAGSTER_HOME set
to that folder.  What the jobs do belongs to the assets.
See https://docs.dagster.io/guides/build/jobs/job-execution
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import dagster as dg

from imagerag_assets.errors import CheckError, GateError, SettingsError, StoreError, UnknownEncoderError, describe
from imagerag_assets.ingestion.embedding import Progress
from imagerag_assets.ingestion.ingest import SceneResult, find_current, said_of
from imagerag_assets.ingestion.results import Status
from imagerag_assets.ingestion.source import each_scene
from imagerag_assets.installation.left_over import owners_folder
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.owners import Owner, at_work, current_owner
from imagerag_assets.objects.signed import keep_signature
from imagerag_assets.orchestration._dagster_private import data_version_tags, is_made, location_tags
from imagerag_assets.orchestration.asking import ASKER, ask_here, asker_resource
from imagerag_assets.orchestration.assets.answers import AskBatchConfig, AskConfig
from imagerag_assets.orchestration.assets.encoder_switch import report_key
from imagerag_assets.orchestration.assets.scenes import ENCODER, FOR_SERVING, LAYOUT, SHORTAGE, encoder_version
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.orchestration.dead_runs import close_at_start, owner_tags
from imagerag_assets.orchestration.job_paths import JOB_PATHS, job_paths_resource
from imagerag_assets.orchestration.names import (
    ASK,
    ASK_BATCH,
    ASK_STANDING,
    INDEX_TAG,
    INGEST,
    KNOWLEDGE,
    LATER,
    LOCATION,
    SCENE_TAG,
)
from imagerag_assets.orchestration.partitions import add_partition
from imagerag_assets.orchestration.resources import PLATFORM, REPORTER, reporter_resource, shared_platform
from imagerag_assets.orchestration.stored_texts import storable
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.answer_records import load_answer
from imagerag_assets.scenes.failures import clear_failure, find_failure, record_failure
from imagerag_assets.scenes.records import made_notes, recorded_made_notes
from imagerag_assets.stac.types import Scene

if TYPE_CHECKING:
    from imagerag_assets.orchestration.asking import Asker
    from imagerag_assets.questions.question import Question
    from imagerag_assets.settings import Settings

_log = logging.getLogger(__name__)
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Runner:
    """Runs jobs in this process, all with one platform and one instance.  Use it as a context manager.

    `build.open_runner` makes one.
    """

    def __init__(
        self,
        settings: Settings,
        build: Callable[..., dg.Definitions],
        *,
        platform: Platform | None = None,
        instance: dg.DagsterInstance | None = None,
        progress: Progress | None = None,
        asker: Asker = ask_here,
    ) -> None:
        """Keep the arguments; nothing is opened yet.

        Args:
            settings: The installation.
            build: Returns the definitions whose jobs are run (`build.build_defs`).
            platform: A platform to use and leave open; default: one of its own.
            instance: An instance to use and leave open; default: the one in HOME/dagster.
            progress: Called during long steps with the number done, the total, and what is being done.
            asker: Answers the question of a run; default: this process.
        """
        self._asker = asker
        self.settings = settings
        self._build = build
        self._own_platform = platform is None
        self.platform = platform or Platform(settings)
        self.progress = progress
        self._given_instance = instance
        self._at_work = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what this runner opened."""
        if self._own_platform:
            self.platform.close()
        opened = self.__dict__.pop("instance", None)
        if opened is not None and self._given_instance is None:
            opened.dispose()
        self.__dict__.pop("_owner", None)
        self._at_work.close()

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The instance that records runs, events and partitions; what killed processes left there is closed first."""
        if self._given_instance is not None:
            return self._given_instance
        _ = self._owner  # before anything is written, so that whatever a kill leaves is known to be of a killed process
        opened = dagster_instance(self.settings)
        close_at_start(self.settings, opened)
        return opened

    @cached_property
    def _owner(self) -> Owner:
        """The owner of the runs: this process, which is at work already where an op of a run opened this runner."""
        folder = owners_folder(self.settings)
        return current_owner(folder) or self._at_work.enter_context(at_work(folder, "commands"))

    @cached_property
    def _definitions(self) -> dg.Definitions:
        def report(done: int, total: int, what: str) -> None:
            if self.progress is not None:  # it may be replaced between runs
                self.progress(done, total, what)

        return self._build(
            settings=self.settings,
            sources=(),  # nothing is watched from here
            resource_overrides={
                PLATFORM: shared_platform(self.platform),
                REPORTER: reporter_resource(report),
                JOB_PATHS: job_paths_resource(free=True),
                ASKER: asker_resource(self._asker),
            },
        )

    def ingest_source(
        self,
        source: str,
        *,
        collections: Sequence[str] = (),
        scenes: Sequence[str] = (),
        limit: int | None = None,
        partitions_only: bool = False,
    ) -> Iterator[SceneResult]:
        """Find the scenes of a source and ingest them one by one; yield a result for each, failures included.

        Args:
            source: Catalog, collection, item, folder, bucket prefix or API.
            collections: Take only items of these collections.
            scenes: Take only these scene keys or item ids.
            limit: Stop after this many results.
            partitions_only: Add the partitions and ingest nothing; every status is then ``skipped``.

        Raises:
            SourceError: The source cannot be reached or is not STAC.
            UnknownSceneError: At the end, if the source does not have a named scene.
            SettingsError, UnknownEncoderError: No scene can be ingested with these settings.
        """
        take = self._only_add if partitions_only else self._ingest_one_of_many
        with self.platform.renewing_indexes_once():
            yield from each_scene(self.platform, source, take, collections=collections, scenes=scenes, limit=limit)

    def _only_add(self, scene: Scene) -> SceneResult:
        add_partition(self.platform, self.instance, scene)
        return SceneResult(scene.scene_key, "skipped", 0, 0.0, notes=made_notes(scene))

    def _ingest_one_of_many(self, scene: Scene) -> SceneResult:
        return self.ingest(scene, build_index=False)

    def ingest(self, scene: Scene, *, build_index: bool = True) -> SceneResult:
        """Ingest one scene in a run of `ingest_scenes`; start no run if the scene is current.

        Args:
            scene: The scene.
            build_index: Renew Milvus's index; false when more scenes follow, and `Platform.renew_indexes` after them.

        Raises:
            SettingsError, UnknownEncoderError: No scene can be ingested with these settings.
        """
        started = time.perf_counter()
        key = scene.scene_key

        def result(
            status: Status, patches: int, error: str | None = None, said: tuple[str | None, bool] = (None, True)
        ) -> SceneResult:
            notes = made_notes(scene) if status == "failed" else recorded_made_notes(self.platform, scene)
            return SceneResult(key, status, patches, time.perf_counter() - started, error, *said, notes)

        in_run = False
        try:
            add_partition(self.platform, self.instance, scene)
            current = find_current(self.platform, scene)
            if current is not None and not _failed_a_check(self.platform, key):
                clear_failure(self.platform, key, scene.item_href)
                self._report_if_unknown(key)
                return result(current.status, current.rows, said=(current.note, current.findable))
            in_run = True
            tags = {SCENE_TAG: key} | ({} if build_index else {INDEX_TAG: LATER})
            run = self._execute(INGEST, {}, partition_key=key, tags=tags)
            rows = _metadata(run, "patch_collection")["dagster/row_count"]
            embedded = _metadata(run, "patch_embeddings")
            clear_failure(self.platform, key, scene.item_href)
        except (SettingsError, UnknownEncoderError):
            raise
        except Exception as error:  # one scene must not stop the others; the run has the traceback
            if not in_run:  # whose steps note their own failures
                with suppress(StoreError):
                    record_failure(self.platform, key, error, item_href=scene.item_href)
            return result("failed", 0, describe(error))
        unfound = embedded.get(FOR_SERVING)
        unfound = unfound if isinstance(unfound, str) else None
        said = said_of(rows, embedded.get(SHORTAGE), unfound, embedded.get(LAYOUT))
        return result("ingested" if rows else "empty", rows, said=said)

    def _report_if_unknown(self, scene_key: str) -> None:
        """Report a scene whose run was killed after its rows were in, before it said so."""
        if not is_made(self.instance, "patch_collection", scene_key):
            from imagerag_assets.orchestration.dagster_looks import report_unknown

            report_unknown(self.platform, self.instance, scene_key)

    def ask(self, question: Question) -> AnswerRecord:
        """Ask one question in a run of `ask_question`; return the answer as stored.

        Raises:
            ImageRAGError: it cannot be answered.
        """
        run = self._execute(ASK, {"answer": AskConfig.from_question(question)})
        return load_answer(self.platform, _metadata(run, "answer")["answer_id"])

    def ask_batch(self, source: Path, output: Path, **options: Any) -> dict[str, Any]:
        """Answer a JSONL file of questions in one run of `ask_batch`.

        Args:
            source: The questions.
            output: Where the answers go.
            options: Fields of a `Question`, for every line that does not say otherwise.

        Returns:
            ``{"questions": n, "failed": n, "seconds": s}``.

        Raises:
            ImageRAGError: a file cannot be read or written, or no question can be answered.
        """
        config = AskBatchConfig.from_options(source, output, options)
        run = self._execute(ASK_BATCH, {"answer_batch": config})
        found = _metadata(run, "answer_batch")
        return {name: found[name] for name in ("questions", "failed", "seconds")}

    def ask_standing(self, watch_id: str) -> str:
        """Ask a standing question, whose partition exists, in a run of `ask_standing`; return the id of the answer.

        Raises:
            ImageRAGError: it cannot be answered.
        """
        run = self._execute(ASK_STANDING, {}, partition_key=watch_id)
        return str(_metadata(run, "standing_answers")["answer_id"])

    def backfill(self, encoder: str | None = None, *, force: bool = False) -> dict[str, Any]:
        """Move to another encoder in a run of `backfill_embeddings`; return the outcome, also if nothing was switched.

        Raises:
            LockedError: Another backfill is running.
            ImageRAGError: The encoder is not available, or a store fails.
        """
        return self._switch("backfill_embeddings", {"encoder": encoder or "", "force": force})

    def rollback(self) -> dict[str, Any]:
        """Go back to the former encoder in a run of `rollback_encoder`; return ``encoder``, ``alias`` and ``switch``.

        Raises:
            GateError: There is nothing to go back to, or it is not complete.
            ImageRAGError: A store fails.
        """
        done = self._switch("rollback_encoder", {"rollback": True})
        alias = {"before": done["before"]["patches"], "after": done["after"]["patches"]}
        return {"encoder": done["after"]["encoder"], "alias": alias, "switch": done}

    def _switch(self, job: str, config: dict[str, Any]) -> dict[str, Any]:
        run_id = str(uuid.uuid4())
        try:
            self._execute(job, {"encoder_switch": {"config": config}}, run_id=run_id)
        except (GateError, CheckError):
            if not self.platform.store.exists(report_key(run_id)):
                raise
        done: dict[str, Any] = self.platform.store.read_json(report_key(run_id))
        return done

    def observe_encoder(self) -> None:
        """Report the chosen encoder to Dagster, so that what it has not embedded shows as stale at once.

        Raises:
            UnknownEncoderError, EncoderError: It is not available.
        """
        fingerprint = self.platform.fingerprint
        self.instance.report_runless_asset_event(
            dg.AssetObservation(
                ENCODER,
                metadata={"name": self.settings.active_encoder, "fingerprint": fingerprint},
                tags=data_version_tags(encoder_version(fingerprint, self.platform.recipe.key)),
            )
        )

    def build_knowledge(self, kind: Literal["labels", "captions"], source: str = "") -> dict[str, Any]:
        """Build one knowledge base in a run of `build_knowledge`; return the metadata of its asset.

        Raises:
            ImageRAGError: The source cannot be used.
        """
        name = f"knowledge_{kind}"
        run = self._execute(KNOWLEDGE, {name: {"config": {"source": keep_signature(source)}}}, assets=[name])
        return _metadata(run, name)

    def _execute(
        self,
        job: str,
        ops: dict[str, Any],
        *,
        partition_key: str | None = None,
        assets: Sequence[str] | None = None,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        configured = {
            name: {"config": _plain(value)} if isinstance(value, dg.Config) else value for name, value in ops.items()
        }
        run_id = run_id or str(uuid.uuid4())
        try:
            return self._definitions.resolve_job_def(job).execute_in_process(
                run_config={**_QUIET, "ops": configured},
                instance=self.instance,
                partition_key=partition_key,
                run_id=run_id,
                tags={**owner_tags(run_id, self._owner), **location_tags(LOCATION), **(tags or {})},
                asset_selection=[dg.AssetKey(name) for name in assets] if assets else None,
            )
        except dg.Failure as failure:
            if isinstance(failure.__cause__, Exception):
                raise failure.__cause__ from None
            raise


def _failed_a_check(platform: Platform, scene_key: str) -> bool:
    """Return whether the scene failed a check in its last run: complete does not mean correct."""
    failure = find_failure(platform, scene_key)
    return failure is not None and failure.type == CheckError.__name__


def _plain(config: dg.Config) -> dict[str, Any]:
    return {name: storable(value) for name, value in config.model_dump().items() if value is not None}


def _metadata(run: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """Return the metadata values of the only materialization of an asset in a run."""
    for made in run.get_asset_materialization_events():
        if made.asset_key == dg.AssetKey(asset):
            found = made.step_materialization_data.materialization.metadata
            return {name: value.value for name, value in found.items()}
    raise StoreError(f"The run did not materialize {asset}", run=run.run_id)
