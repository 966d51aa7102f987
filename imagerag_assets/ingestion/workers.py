"""Hand the super-tiles of a scene to the workers of a dask.distributed scheduler, a bounded number at a time.

Workers may be on other machines and share no disk with this one: what they need is in the object store, where parts go
(`on_worker`).  A task names a super-tile, and only counts come back.  A worker that dies costs what it had in hand: its
tasks go to others.  Here it is noticed when the scheduler is gone, when there is no worker, and when a super-tile keeps
ending workers; each is one error, and the next run goes on from the parts that are there.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from typing import Any
from uuid import uuid4

from imagerag_assets.errors import ImageRAGError, SettingsError, WorkersError, describe
from imagerag_assets.ingestion.embedding import EmbedJob, PartCount
from imagerag_assets.ingestion.on_worker import Errand, close_job, describe_job, make_part, share_overviews
from imagerag_assets.objects.store import open_store
from imagerag_assets.scenes.reading import overview_scratch

_CONNECT_S = 10
_LOOK_S = 1.0  # between two looks at the scheduler and its workers
_AHEAD = 2  # super-tiles handed out for each thread of the workers: one in hand, one to go on with
_LEAST, _MOST = 4, 4096


def run_on_workers(job: EmbedJob, indices: Sequence[int], done: Callable[[PartCount], None]) -> None:
    """Have the workers of `job.settings.dask_scheduler` make some parts of a scene.

    Args:
        job: The scene; its parts go to the object store.
        indices: Super-tiles.
        done: Called in this thread with each that is made.

    Raises:
        SettingsError: the scheduler cannot be reached.
        WorkersError: it went away, it has no workers, or a super-tile ends every worker that tries it.
        ImageRAGError: as :func:`on_worker.make_part`.
    """
    store = open_store(job.settings)
    with _connected(job.settings.dask_scheduler or "") as client:
        share_overviews(job, store, overview_scratch(job.settings, job.record.scene.scene_key))
        errand = describe_job(job, store)
        try:
            _Handing(client, errand, job.settings.limit_workers_s).run(indices, done)
        finally:
            with suppress(Exception):  # workers that do not hear it close the scene when they are given others
                client.run(partial(close_job, errand), on_error="ignore")


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    import distributed  # a second to import, and seldom used

    untyped: Any = distributed
    try:
        client = untyped.Client(address, timeout=f"{_CONNECT_S}s", set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise SettingsError(
            f"IMAGERAG_DASK_SCHEDULER={address} cannot be reached ({type(error).__name__})",
            fix="Start it, or unset the variable to use threads",
        ) from None
    try:
        yield client
    finally:
        with suppress(Exception):  # of a scheduler that is gone
            client.close(timeout=2)


class _Handing:
    """Tasks in the hands of a scheduler, and what has come of them."""

    def __init__(self, client: Any, errand: Errand, patience_s: float) -> None:
        self._client, self._errand, self._patience_s = client, errand, patience_s
        self._run = uuid4().hex[:8]  # names of tasks differ from those of another run
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._held: dict[str, Any] = {}
        self._looked, self._worked = 0.0, time.monotonic()
        self._threads = 1

    def run(self, indices: Sequence[int], done: Callable[[PartCount], None]) -> None:
        """Hand all out, and call `done` with each result."""
        rest = iter(indices)
        try:
            self._look()
            while True:
                self._hand_out(rest)
                if not self._held:
                    return
                try:
                    future = self._finished.get(timeout=_LOOK_S)
                except queue.Empty:
                    self._look()
                    continue
                if self._held.pop(future.key, None) is not None:
                    done(self._result(future))
                if time.monotonic() - self._looked > _LOOK_S:
                    self._look()
        finally:
            if self._held:
                with suppress(Exception):
                    self._client.cancel(list(self._held.values()), force=True)

    def _hand_out(self, rest: Iterator[int]) -> None:
        window = min(_MOST, max(_LEAST, _AHEAD * self._threads))
        for index in islice(rest, max(0, window - len(self._held))):
            key = f"imagerag-{self._errand.digest[:8]}-{self._run}-{index}"
            future = self._client.submit(make_part, self._errand, index, key=key, pure=False)
            self._held[future.key] = future
            future.add_done_callback(self._finished.put)

    def _result(self, future: Any) -> PartCount:
        try:
            count: PartCount = future.result(timeout=self._patience_s)
        except ImageRAGError:
            raise
        except BaseException as error:
            if type(error).__name__ == "KilledWorker":
                raise WorkersError(
                    "A super-tile ended every worker that took it up",
                    fix="Look at the workers' logs; give them more memory, or lower IMAGERAG_SUPERTILE_PX",
                    worker=getattr(getattr(error, "last_worker", None), "address", "unknown"),
                ) from None
            if _is_cancelled(error):
                raise self._gone() from None
            if isinstance(error, Exception) and not isinstance(error, OSError | MemoryError):
                raise WorkersError(
                    f"A worker could not do its work: {describe(error)}",
                    fix="Install the same version of imagerag-assets and of its libraries on all workers",
                ) from error
            raise
        future.release()  # else a worker that dies later would take it along, and another one would do it again
        return count

    def _look(self) -> None:
        """Look whether the scheduler and its workers are there, and how many threads they have."""
        self._looked = time.monotonic()
        comm = self._client.scheduler_comm
        if self._client.status != "running" or comm is None or comm.comm.closed():
            raise self._gone()
        try:
            threads = sum(self._client.nthreads().values())
        except Exception:
            raise self._gone() from None
        if threads:
            self._threads, self._worked = threads, time.monotonic()
        elif time.monotonic() - self._worked > self._patience_s:
            raise WorkersError(
                f"The dask scheduler has had no worker for {self._patience_s:g} s",
                fix="Start workers, then run it again: it goes on from the last super-tile",
                scheduler=self._address,
            )

    @property
    def _address(self) -> str:
        return str(getattr(self._client.scheduler, "address", "unknown"))

    def _gone(self) -> WorkersError:
        return WorkersError(
            "The dask scheduler went away",
            fix="Start it again, or unset IMAGERAG_DASK_SCHEDULER to use threads, then run it again: it goes on from "
            "the last super-tile",
            transient=True,
            scheduler=self._address,
        )


def _is_cancelled(error: BaseException) -> bool:
    return any(each.__name__ in ("CancelledError", "CommClosedError", "TimeoutError") for each in type(error).__mro__)
