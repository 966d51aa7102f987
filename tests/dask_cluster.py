"""A dask.distributed scheduler and workers for tests: processes of their own, each with an environment and a folder.

They are forked from a process that has imported everything, because each would take seconds to import it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Member:
    """A running scheduler or worker."""

    pid: int
    address: str

    def kill(self) -> None:
        """End it as a lost machine ends: it says nothing to anybody."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Cluster:
    """Starts schedulers and workers; all end with the process that they were forked from."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def scheduler(self, **config: Any) -> Member:
        """Start a scheduler on a free port of this machine; `config` is dask's, with `__` for dots."""
        return self._start({"config": {name.replace("__", "."): value for name, value in config.items()}})

    def worker(self, scheduler: Member, folder: Path, environment: Mapping[str, str]) -> Member:
        """Start a worker of one thread, in a folder of its own.

        Args:
            scheduler: Whose worker it is.
            folder: Made and entered; its IMAGERAG_HOME is in it.
            environment: Further variables; it has no other IMAGERAG_* and AWS_* ones.
        """
        folder.mkdir(parents=True)
        own = {"IMAGERAG_HOME": str(folder / "home"), **environment}
        return self._start({"scheduler": scheduler.address, "folder": str(folder), "environment": own})

    def _start(self, request: dict[str, Any]) -> Member:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Member(**json.loads(self._process.stdout.readline()))


@contextmanager
def dask_cluster() -> Iterator[Cluster]:
    """Have a process that forks schedulers and workers until the context ends."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("IMAGERAG_", "AWS_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=plain | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[1],
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield Cluster(process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


_IMPORTED = (
    "imagerag_assets._torchvision_ops",
    "imagerag_assets.ingestion.workers",
    "imagerag_assets.encoders.open_clip_encoder",
    *("distributed", "open_clip", "timm", "transformers.models.bert.modeling_bert", "s3fs", "aiobotocore.session"),
)
_QUIET = {"dashboard": False, "dashboard_address": None}


async def _member(request: dict[str, Any], told: int) -> None:
    import dask
    import distributed

    configured: Any = dask
    members: Any = distributed
    configured.config.set(request.get("config", {}))
    if "scheduler" in request:
        made = members.Worker(request["scheduler"], nthreads=1, host="127.0.0.1", **_QUIET)
    else:
        made = members.Scheduler(host="127.0.0.1", port=0, **_QUIET)
    async with made:
        os.write(told, json.dumps({"pid": os.getpid(), "address": made.address}).encode() + b"\n")
        os.close(told)
        await made.finished()


def _fork(request: dict[str, Any]) -> str:
    """Start a member in a process of its own; return what it says of itself once it works."""
    told, tell = os.pipe()
    if not os.fork():
        os.close(told)
        os.environ.update(request.get("environment", {}))
        os.chdir(request.get("folder", "/"))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        asyncio.run(_member(request, tell))
        os._exit(0)
    os.close(tell)
    with os.fdopen(told) as said:
        return said.readline()


def main() -> None:
    """Start what is asked for, one request a line."""
    for name in _IMPORTED:
        importlib.import_module(name)
    logging.getLogger("distributed").setLevel(logging.ERROR)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        sys.stdout.write(_fork(json.loads(line)) or "{}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
