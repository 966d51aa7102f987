"""Long work that a page starts: an ingest or a switch of encoders, one at a time, in a process of its own.

It is consented to by the estimate of it, so that exactly what was estimated is done.  Whoever looks sees how far it is,
also after the page was closed.  The process does what the command would; `worker` is what it runs.
"""

from __future__ import annotations

import multiprocessing
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from imagerag_assets.errors import InputError
from imagerag_assets.serve.documents import NotThereError
from imagerag_assets.serve.worker import Task, run

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from imagerag_assets.settings import Settings

_KEPT_SECONDS, _MOST_KEPT, _MOST_RESULTS = 900.0, 100, 200
_END_SECONDS = 20.0
_NOTHING: dict[str, Any] = {"state": "none"}


class UnderWayError(InputError):
    """Something is at work already."""

    status = 409


class Work:
    """What is at work for the page, and estimates that a yes may come for.  Its methods may be called by any thread."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        """Start nothing yet.

        Args:
            settings: The installation.
            now: A clock, in seconds.
        """
        self._settings, self._now = settings, now
        self._lock = threading.Lock()
        self._offered: OrderedDict[str, tuple[Task, float]] = OrderedDict()
        self._process: SpawnProcess | None = None
        self._reader: threading.Thread | None = None
        self._state = _NOTHING
        self._stopped = False

    def offer(self, task: Task) -> str:
        """Keep what was estimated for a quarter of an hour; return what to say yes with."""
        confirm = secrets.token_hex(8)
        with self._lock:
            self._offered[confirm] = (task, self._now())
            while len(self._offered) > _MOST_KEPT:
                self._offered.popitem(last=False)
        return confirm

    def start(self, confirm: str) -> dict[str, Any]:
        """Start what was estimated; return the state.

        Raises:
            NotThereError: There is no such estimate, or it is too old.
            UnderWayError: Something is at work.
        """
        with self._lock:
            if self._process is not None and self._state["state"] == "running":
                raise UnderWayError("Something is at work already", fix="Wait until it is done, or stop it")
            task, made = self._offered.pop(confirm, (None, 0.0))
            if task is None or self._now() - made > _KEPT_SECONDS:
                raise NotThereError("There is no such estimate, or it is too old", fix="Estimate it again")
            context = multiprocessing.get_context("spawn")
            receiver, sender = context.Pipe(duplex=False)
            self._process = context.Process(target=run, args=(self._settings, task, sender), daemon=False)
            self._process.start()
            sender.close()  # its end is then seen here
            self._stopped = False
            self._state = {
                "state": "running", "kind": task.kind, "source": task.source, "scenes": len(task.scenes),
                "started": datetime.now(UTC).isoformat(timespec="seconds"), "what": "starting", "steps": [],
                "done": 0, "total": 0, "patches": 0, "results": [], "result": None, "error": None,
            }  # fmt: skip
            self._reader = threading.Thread(target=self._read, args=(receiver,), name="work", daemon=True)
            self._reader.start()
            return dict(self._state)

    def state(self) -> dict[str, Any]:
        """Return how far the latest work is: ``state`` is none, running, done, stopped or failed."""
        with self._lock:
            return dict(self._state)

    def stop(self) -> dict[str, Any]:
        """End what is at work; it goes on where it stopped when it is started again."""
        with self._lock:
            process, reader = self._process, self._reader
            self._stopped = self._state["state"] == "running"
        if process is not None and process.is_alive():
            process.terminate()
            process.join(_END_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
        if reader is not None:
            reader.join(_END_SECONDS)
        return self.state()

    def _read(self, receiver: Connection) -> None:
        with suppress(EOFError, OSError):  # the process has ended
            while True:
                self._note(receiver.recv())
        receiver.close()
        with self._lock:
            if self._state["state"] == "running":
                error = {
                    "type": "ImageRAGError",
                    "message": "The process ended without a result",
                    "fix": "Start it again",
                }
                self._state = self._state | {"state": "failed", "error": error}
            if self._stopped and self._state["state"] == "failed":  # whatever it says of being ended
                self._state = self._state | {"state": "stopped", "error": None}

    def _note(self, told: dict[str, Any]) -> None:
        with self._lock:
            found = told.pop("scene", None)
            if found is not None:
                results = [*self._state["results"], found][-_MOST_RESULTS:]
                self._state = self._state | {"results": results, "patches": self._state["patches"] + found["patches"]}
            what = told.get("what")
            if what and what not in self._state["steps"]:
                self._state = self._state | {"steps": [*self._state["steps"], what][-_MOST_RESULTS:]}
            self._state = self._state | told
