"""Answer records: where they are kept, and the lineage they hold as a tree.

A record is the contract's answer with its notes, and stands at `answers/{answer_id}/answer.json`; its pictures and the
prompt are beside it.  It is written last, so that where there is a record there is its evidence.  A question that the
multimodal LLM failed at has a record as well, with `error` in place of an answer.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Any

from imagerag_assets.errors import StoreError, UnknownAnswerError
from imagerag_assets.objects.store import HasStore

ANSWERS = "answers"
_ID = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")


def new_answer_id() -> str:
    """An id that sorts by time and is not given twice, e.g. ``20260504T103000-1f2e3d4c``."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def answer_folder(answer_id: str) -> str:
    """Key prefix of an answer's record and evidence.

    Raises:
        UnknownAnswerError: it is no answer id.
    """
    if not _ID.fullmatch(answer_id):
        raise UnknownAnswerError(
            f"{answer_id[:60]!r} is not an answer id", fix="Take the answer_id that `imagerag ask` printed"
        )
    return f"{ANSWERS}/{answer_id}"


def prompt_key(answer_id: str) -> str:
    """Object key of the prompt that an answer was given to: its text, with a line for each picture.

    Raises:
        UnknownAnswerError: it is no answer id.
    """
    return f"{answer_folder(answer_id)}/prompt.txt"


def save_answer(platform: HasStore, record: dict[str, Any]) -> None:
    """Store a record.

    Raises:
        StoreError: the store does not take it.
    """
    platform.store.write_json(f"{answer_folder(record['answer_id'])}/answer.json", record)


def load_answer(platform: HasStore, answer_id: str) -> dict[str, Any]:
    """The record of an answer, as `imagerag ask --json` printed it.

    Raises:
        UnknownAnswerError: there is none.
        StoreError: it cannot be read.
    """
    key = f"{answer_folder(answer_id)}/answer.json"
    if not platform.store.exists(key):
        raise UnknownAnswerError(
            "There is no such answer", fix="Check IMAGERAG_HOME and IMAGERAG_STORE", answer=answer_id
        )
    record: dict[str, Any] = platform.store.read_json(key)
    return record


def find_answer(platform: HasStore, answer_id: str) -> dict[str, Any] | None:
    """As :func:`load_answer`; None where there is no record, or one that cannot be understood."""
    try:
        record = load_answer(platform, answer_id)
    except (StoreError, UnknownAnswerError):
        return None
    return record if isinstance(record, dict) and {"lineage", "cues", "question"} <= record.keys() else None


def list_answers(platform: HasStore) -> list[str]:
    """Ids of all answers, oldest first."""
    parts = (key.split("/") for key in platform.store.list(ANSWERS))
    return sorted(part[1] for part in parts if len(part) == 3 and part[2] == "answer.json")
