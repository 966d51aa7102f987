"""One installation behind the tools: opened when a tool first needs it, so that a client's start does not wait.

A question goes to the resident process where there is one, as that of the command does; otherwise it is answered here,
where models are loaded once.  Work runs in threads, and the loop that speaks with the client stays free.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CapacityLimiter, to_thread

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.orchestration.runner import Runner
    from imagerag_assets.questions.question import Question
    from imagerag_assets.serve.asking import Asking
    from imagerag_assets.settings import Settings

T = TypeVar("T")
WORK = "serves assistants"


class Installation:
    """The installation that the settings name, for all clients of a server.  Use its coroutines from one event loop."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self.settings = settings
        self._opened = ExitStack()
        self._lock = Lock()
        self._platform: Platform | None = None
        self._asking: Asking | None = None
        self._at_once = CapacityLimiter(settings.serve_at_once)

    async def read(self, what: Callable[[Platform], T]) -> T:
        """Return what a function reads of the installation."""
        return await to_thread.run_sync(lambda: what(self._open()), limiter=self._at_once)

    async def ask(self, question: Question) -> dict[str, Any]:
        """Answer a question, record it as the command does, and return its record.

        Raises:
            ImageRAGError: It cannot be answered.
        """
        question.check_length(self.settings)
        said = await to_thread.run_sync(self._resident, question, limiter=self._at_once)
        if said is not None:
            return said
        asking = await to_thread.run_sync(self._open_asking)
        return (await asking.ask(question)).to_dict()

    async def run(self, what: Callable[[Runner], T]) -> T:
        """Return what a function does with the runner of jobs."""
        asking = await to_thread.run_sync(self._open_asking)
        return await asking.run(what)

    def close(self) -> None:
        """Finish what is at work, and close what was opened."""
        self._opened.close()

    def _resident(self, question: Question) -> dict[str, Any] | None:
        from imagerag_assets.resident.client import ask_resident

        said = ask_resident(self.settings, question, record_run=True)
        return None if said is None else said["answer"]

    def _open(self) -> Platform:
        with self._lock:
            if self._platform is None:
                from imagerag_assets.installation.platform import Platform  # rasterio takes a second to import

                self._platform = self._opened.enter_context(Platform(self.settings))
            return self._platform

    def _open_asking(self) -> Asking:
        platform = self._open()
        with self._lock:
            if self._asking is None:
                from imagerag_assets.installation.left_over import owners_folder
                from imagerag_assets.maintenance.restore import refuse_unfinished
                from imagerag_assets.objects.owners import at_work
                from imagerag_assets.serve.asking import Asking  # Dagster takes seconds to import

                refuse_unfinished(self.settings)
                # Before anything is written, so that whatever a kill leaves is known to be of a killed process.
                self._opened.enter_context(at_work(owners_folder(self.settings), WORK))
                self._asking = self._opened.enter_context(Asking(self.settings, platform))
            return self._asking
