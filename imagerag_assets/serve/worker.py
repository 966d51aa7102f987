"""The process of long work that a page started: it works as the command does, and tells how far it is."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from imagerag_assets.errors import ImageRAGError, describe

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from imagerag_assets.settings import Settings


@dataclass(frozen=True)
class Task:
    """What was estimated."""

    kind: Literal["ingest", "switch"]
    source: str = ""
    scenes: tuple[str, ...] = ()
    """Of an ingest: the scenes that there was work for."""


def run(settings: Settings, task: Task, sender: Connection) -> None:
    """Do a task in this process, and send what changes of its state: objects as `Work.state` has them.

    Args:
        settings: The installation.
        task: What to do.
        sender: Where to tell it.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a kill is withstood, and says nothing on the terminal
    try:
        sender.send({"state": "done", **_do(settings, task, sender)})
    except ImageRAGError as error:
        sender.send({"state": "failed", "error": error.to_document()})
    except Exception as error:
        said = {"type": type(error).__name__, "message": describe(error), "fix": "See the log of the server"}
        sender.send({"state": "failed", "error": said})
        raise
    finally:
        sender.close()


def _do(settings: Settings, task: Task, sender: Connection) -> dict[str, Any]:
    from imagerag_assets.orchestration.build import open_runner  # loads Dagster

    def progress(done: int, total: int, what: str) -> None:
        sender.send({"done": done, "total": total, "what": what})

    with open_runner(settings, progress=progress) as runner:
        if task.kind == "switch":
            sender.send({"what": "looking at the scenes"})
            return {"what": "", "result": runner.backfill()}
        sender.send({"what": "looking for scenes"})
        for result in runner.ingest_source(task.source, scenes=task.scenes):
            sender.send({"scene": result.to_dict(), "done": 0, "total": 0, "what": "looking for scenes"})
        return {"what": ""}
