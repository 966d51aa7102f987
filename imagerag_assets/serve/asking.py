"""Answering many questions in one process: some at the same time, some waiting, further ones refused.

Each question is answered in one of a few threads, and then recorded as a run of Dagster's job, as the command does.
Runs are recorded one after the other in a thread of their own: Dagster's runs of one process get in each other's way.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from imagerag_assets.errors import BusyError, ImageRAGError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.asking import ask_here
from imagerag_assets.orchestration.build import open_runner
from imagerag_assets.orchestration.job_paths import JobPaths
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.question import Question
from imagerag_assets.serve.metrics import Metrics
from imagerag_assets.serve.pictures import Pictures
from imagerag_assets.serve.work import Work
from imagerag_assets.stages import listening

if TYPE_CHECKING:
    from imagerag_assets.orchestration.runner import Runner
    from imagerag_assets.questions.find import Found
    from imagerag_assets.questions.resolve import Resolved
    from imagerag_assets.settings import Settings

T = TypeVar("T")
Tell = Callable[["Resolved | Found | AnswerRecord"], None]
"""Hears of each step of a question as it ends, in another thread."""
_DRAWN_AT_ONCE = 256
"""Tiles that wait at most: a page asks for about thirty."""


class Asking:
    """Answers questions with one platform.  Use it as a context manager, from one event loop."""

    def __init__(self, settings: Settings, platform: Platform | None = None) -> None:
        """Open nothing yet.

        Args:
            settings: The installation, and how many questions it takes on.
            platform: The installation, if something of it is open already; default: one of its own.
        """
        self.settings = settings
        self.platform = platform or Platform(settings)
        self.in_flight = 0
        self._reading = self._drawing = 0
        self.last = time.monotonic()
        """When the last question came or was answered, by the monotonic clock."""
        self._outcome: AnswerRecord | ImageRAGError | None = None
        self._runner = open_runner(settings, platform=self.platform, asker=self._answered)
        self._workers = ThreadPoolExecutor(settings.serve_at_once, "question")
        self._readers = ThreadPoolExecutor(2, "reader")
        self._drawers = ThreadPoolExecutor(2, "drawer")
        self.pictures = Pictures(self.platform)
        self.long_work = Work(settings)
        self.metrics = Metrics(lambda: self.in_flight)
        self._recorder = ThreadPoolExecutor(1, "recorder")
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what is at work, and close what was opened."""
        self._closed.set()
        self.long_work.stop()
        for pool in (self._workers, self._recorder, self._readers, self._drawers):
            pool.shutdown(wait=True, cancel_futures=True)
        self.pictures.close()
        self._runner.close()
        self.platform.close()

    async def ask(
        self,
        question: Question,
        *,
        record_run: bool = True,
        free_paths: bool = False,
        tell: Tell | None = None,
        stage: Callable[[str], None] | None = None,
    ) -> AnswerRecord:
        """Answer a question and store its record.

        Args:
            question: What is asked.
            record_run: Whether to record it as a run of Dagster's job; a run that asks does so itself.
            free_paths: Whether it may name any file, as a person's command may.
            tell: Hears of each step as it ends, of the record before a run is recorded of it.
            stage: Hears of each stage as it begins (`stages`), in another thread.

        Raises:
            BusyError: As many questions as are taken on are in flight.
            QuestionError: It is too long; no run is recorded of it.
            ImageRAGError: It cannot be answered.
        """
        question.check_length(self.settings)
        with self._counted():
            outcome = await self._in(self._workers, lambda: self._outcome_of(question, free_paths, tell, stage))
            if isinstance(outcome, ImageRAGError):
                self.metrics.failed(type(outcome).__name__)
            else:
                self.metrics.answered(outcome.outcome or "none", outcome.timings_ms)
            if record_run:
                if stage is not None:
                    stage("recording the run")
                outcome = await self._in(self._recorder, lambda: self._recorded(question, outcome))
        if isinstance(outcome, ImageRAGError):
            raise outcome
        return outcome

    async def read(self, what: Callable[[Platform], T]) -> T:
        """Return what a function reads of the installation, beside the questions at work.

        Raises:
            BusyError: As many of these as of questions are waiting.
        """
        if self._reading >= self.settings.serve_in_flight:  # also for clients that have gone
            raise BusyError(
                f"{self._reading} requests are waiting already, as many as are taken on",
                fix="Ask again later, or raise IMAGERAG_SERVE_IN_FLIGHT",
            )
        self._reading += 1
        try:
            return await self._in(self._readers, lambda: what(self.platform))
        finally:
            self._reading -= 1

    async def run(self, what: Callable[[Runner], T]) -> T:
        """Return what a function does with the runner of jobs; runs and the recording of questions wait for it."""
        return await self._in(self._recorder, lambda: what(self._runner))

    async def work(self, what: Callable[[Platform], T]) -> T:
        """Return what takes about as long as a question, in the place of one.

        Raises:
            BusyError: As many questions as are taken on are in flight.
        """
        with self._counted():
            return await self._in(self._workers, lambda: what(self.platform))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a question in flight, or refuse it."""
        if self.in_flight >= self.settings.serve_in_flight:
            raise BusyError(
                f"{self.in_flight} questions are in flight already, as many as are taken on",
                fix="Ask again later, or raise IMAGERAG_SERVE_IN_FLIGHT",
            )
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self.last = time.monotonic()

    async def draw(self, what: Callable[[Pictures], T]) -> T:
        """Return a picture of a scene, beside the questions at work and what is read otherwise.

        Raises:
            BusyError: More pictures are waiting than a few maps ask for.
        """
        most = max(_DRAWN_AT_ONCE, self.settings.serve_in_flight)
        if self._drawing >= most:
            raise BusyError(f"{self._drawing} pictures are waiting already", fix="Ask again later")
        self._drawing += 1
        try:
            return await self._in(self._drawers, lambda: what(self.pictures))
        finally:
            self._drawing -= 1

    async def _in(self, pool: ThreadPoolExecutor, what: Callable[[], T]) -> T:
        if self._closed.is_set():
            raise BusyError("The server is ending", fix="Ask again")
        return await asyncio.get_running_loop().run_in_executor(pool, what)

    def _outcome_of(
        self,
        question: Question,
        free_paths: bool,
        tell: Tell | None = None,
        stage: Callable[[str], None] | None = None,
    ) -> AnswerRecord | ImageRAGError:
        from imagerag_assets.questions.ask import ask  # retrieval and answering load when they are needed

        try:
            JobPaths(free_paths).check_example(question.like, self.settings)
            with listening(stage):
                record = ask(self.platform, question, tell=tell)
            if tell is not None:
                tell(record)
            return record
        except ImageRAGError as error:
            return error

    def _recorded(self, question: Question, outcome: AnswerRecord | ImageRAGError) -> AnswerRecord | ImageRAGError:
        """Record a run whose step gives the outcome that is there already."""
        self._outcome = outcome
        try:
            return self._runner.ask(question)
        except ImageRAGError as error:
            return outcome if isinstance(outcome, ImageRAGError) else error
        finally:
            self._outcome = None

    def _answered(self, platform: Platform, question: Question) -> AnswerRecord:
        outcome = self._outcome
        if outcome is None:  # a run that was started to ask, such as that of a standing question
            return ask_here(platform, question)
        if isinstance(outcome, AnswerRecord):
            return outcome
        raise outcome


def ready(platform: Platform) -> dict[str, Any]:
    """Return what questions are answered from now: ``{"ready": true, "collection", "encoder"}``.

    Raises:
        ImageRAGError: none can be answered, and why.
    """
    from imagerag_assets.installation.serving import find_serving

    serving = find_serving(platform)
    if serving is None:
        return {"ready": True, "collection": None, "encoder": platform.settings.active_encoder}
    return {"ready": True, "collection": serving.collection, "encoder": serving.target.encoder}
