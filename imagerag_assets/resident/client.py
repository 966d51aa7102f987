"""Ask the resident process, and start it where the settings say so.

A question that it does not take (it is not there, is busy, ends, or works with other settings or code) is the caller's
to answer.  Only the standard library speaks HTTP here: a command that asks it is to begin at once.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagerag_assets.errors import from_document
from imagerag_assets.questions.question import Question
from imagerag_assets.resident.identity import identity_of
from imagerag_assets.resident.place import Resident, find_resident, resident_folder
from imagerag_assets.settings import Settings
from imagerag_assets.stages import begin_stage, is_heard

PATH = "/resident/questions"
STAGES = "application/x-ndjson"
"""Media type of an answer that names its stages first."""
_START_SECONDS, _LOOK_SECONDS, _CONNECT_SECONDS = 120.0, 0.1, 10.0
_UNEXPECTED = 500
_NOT_TAKEN = frozenset({404, 409, 413, 503, _UNEXPECTED})
"""What else than an answer or an error of the question it may say: the caller then finds out by itself."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Connect to the socket; answers may take any time afterwards."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_CONNECT_SECONDS)
        self.sock.connect(str(self._path))
        self.sock.settimeout(None)


def ask_resident(settings: Settings, question: Question, *, record_run: bool) -> dict[str, Any] | None:
    """Ask the resident process a question; whoever listens to the stages of this process hears of those of that one.

    Args:
        settings: Those of this process.
        question: What is asked.
        record_run: Whether it is to record a run of Dagster's job, as the command does; a run that asks does so itself.

    Returns:
        ``{"answer": record, "files": {name: address}}``; None: it does not take the question, so answer it here.

    Raises:
        ImageRAGError: The question cannot be answered, as it would be here.
    """
    if settings.resident == "off" or _is_relative_file(question.like):
        return None
    found = find_resident(settings)
    if found is None and settings.resident == "auto":
        begin_stage("starting the process that answers questions")
        found = start_resident(settings)
    if found is None or found.owner.pid == os.getpid():
        return None
    asked = {
        "identity": identity_of(settings),
        "record_run": record_run,
        "question": question.model_dump(mode="json", exclude_unset=True),
    }
    try:
        begin_stage("waiting for the process that answers questions")
        status, said = post(found, asked, stage=begin_stage if is_heard() else None)
    except (OSError, http.client.HTTPException, ValueError):  # it ended meanwhile
        return None
    if status == http.client.OK:
        return said
    if status in _NOT_TAKEN or "error" not in said:
        return None
    raise from_document(said["error"])


def post(
    resident: Resident, document: dict[str, Any], *, stage: Callable[[str], None] | None = None
) -> tuple[int, dict[str, Any]]:
    """Send a question as :func:`ask_resident` does; return status and document.

    Args:
        resident: Whom to ask.
        document: What is sent.
        stage: Hears of each stage as it begins.

    Raises:
        OSError, http.client.HTTPException, ValueError: It cannot be reached, or ended before it had answered.
    """
    connection = _UnixConnection(resident.socket)
    try:
        headers = {"Content-Type": "application/json", "Accept": STAGES if stage else "application/json"}
        connection.request("POST", PATH, json.dumps(document), headers)
        answer = connection.getresponse()
        if stage is not None and answer.headers.get_content_type() == STAGES:
            return _last(answer, stage)
        said = json.loads(answer.read())
        return answer.status, said if isinstance(said, dict) else {}
    finally:
        connection.close()


def _last(answer: http.client.HTTPResponse, stage: Callable[[str], None]) -> tuple[int, dict[str, Any]]:
    """Name each stage, and return what the last line holds."""
    for line in answer:
        said = json.loads(line)
        if "status" in said:
            return int(said["status"]), dict(said["said"])
        stage(str(said.get("stage")))
    raise ValueError("it ended before it had answered")


def start_resident(settings: Settings) -> Resident | None:
    """Start the resident process, which outlives this one; return it once it listens, None: it does not.

    Where several processes start one at the same time, one of those stays.
    """
    folder = resident_folder(settings)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / "log").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "imagerag_assets.cli", "serve", "--no-port"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # an interrupt at the keyboard is for the command alone
            )
    except OSError:
        return None
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        found = find_resident(settings)
        if found is not None or child.poll() is not None:
            return found or find_resident(settings)
        time.sleep(_LOOK_SECONDS)
    return None


def _is_relative_file(like: str | None) -> bool:
    """Return whether a question by example names a picture that another folder would not have, or not the same."""
    return like is not None and like.count(":") != 4 and not Path(like).is_absolute()
