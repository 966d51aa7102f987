"""Asking the resident process: what it does not take is the caller's."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from imagerag_assets.errors import ModelError, QuestionError
from imagerag_assets.installation.left_over import owners_folder
from imagerag_assets.objects.owners import Owner, at_work
from imagerag_assets.questions.question import Question
from imagerag_assets.resident import client
from imagerag_assets.resident.place import listening
from imagerag_assets.settings import Settings
from imagerag_assets.stages import listening as listening_to_stages

QUESTION = Question("where is the pier?")


@contextmanager
def _answering(
    settings: Settings, status: int, document: Any, *, kind: str = "application/json"
) -> Iterator[list[bytes]]:
    """A process that gives one answer, as if it were another one; yields what it was asked."""
    asked: list[bytes] = []
    own = Owner.this_process("answers")
    other = Owner(own.token, own.host, 1, client_born(), own.machine, own.since, own.work)
    body = json.dumps(document).encode()
    if kind == client.STAGES:
        body = b"".join(json.dumps(line).encode() + b"\n" for line in document)
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    with at_work(owners_folder(settings), "answers"), listening(settings, other) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(_request(connection))
                if status:
                    connection.sendall(head + body)

        thread = threading.Thread(target=answer)
        thread.start()
        yield asked
        thread.join(10)


def _request(connection: socket.socket) -> bytes:
    """Read a whole request: closing before its end would reset the connection."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += connection.recv(65536)
    length = int(re.search(rb"Content-Length: (\d+)", text)[1])  # type: ignore[index]
    while len(text.partition(b"\r\n\r\n")[2]) < length:
        text += connection.recv(65536)
    return text


def client_born() -> str:
    """When the first process of this machine began: one that is there."""
    from imagerag_assets.objects.aside import birth_of

    return birth_of(1)


@pytest.mark.parametrize("status", [409, 503, 500, 0])
def test_what_it_does_not_take_is_answered_by_the_caller(settings: Settings, status: int) -> None:
    """It works otherwise, is busy, failed unexpectedly, or died in the middle."""
    with _answering(settings, status, {"error": {"type": "BusyError", "message": "no"}}) as asked:
        assert client.ask_resident(settings, QUESTION, record_run=True) is None
    assert b"POST /resident/questions" in asked[0]


def test_its_answer_and_its_errors_are_those_of_this_process(settings: Settings) -> None:
    with _answering(settings, 200, {"answer": {"answer_id": "a"}, "files": {}}):
        said = client.ask_resident(settings, QUESTION, record_run=True)
    assert said == {"answer": {"answer_id": "a"}, "files": {}}
    for error in (QuestionError("It is empty", fix="Ask"), ModelError("Down", fix="Wait", transient=True, answer="a1")):
        with (
            _answering(settings, 422, {"error": error.to_document()}),
            pytest.raises(type(error)) as raised,
        ):
            client.ask_resident(settings, QUESTION, record_run=False)
        assert (str(raised.value), raised.value.transient) == (str(error), error.transient)


def test_it_is_not_asked_where_it_must_not_be(settings: Settings) -> None:
    with at_work(owners_folder(settings), "answers") as owner, listening(settings, owner):
        off = settings.model_copy(update={"resident": "off"})
        assert client.ask_resident(off, QUESTION, record_run=True) is None
        assert client.ask_resident(settings, Question(like="pier.jpg"), record_run=True) is None
        assert client.ask_resident(settings, QUESTION, record_run=True) is None  # this process is the resident one


def test_the_stages_of_the_other_process_are_those_that_are_heard_here(settings: Settings) -> None:
    lines: list[dict[str, Any]] = [{"stage": "reading the question"}, {"status": 200, "said": {"answer": {}}}]
    heard: list[str] = []
    with _answering(settings, 200, lines, kind=client.STAGES) as asked, listening_to_stages(heard.append):
        assert client.ask_resident(settings, QUESTION, record_run=True) == {"answer": {}}
    assert f"Accept: {client.STAGES}".encode() in asked[0]
    assert heard[-1] == "reading the question"
    # It died in the middle: the question is the caller's.
    with _answering(settings, 200, lines[:1], kind=client.STAGES), listening_to_stages(heard.append):
        assert client.ask_resident(settings, QUESTION, record_run=True) is None
