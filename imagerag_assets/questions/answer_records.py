"""Where answer records are kept: `answers/{answer_id}/answer.json`, with the pictures and the prompt beside it.

A record is written after its evidence, so that where there is a record there is its evidence.  A question that the
multimodal LLM failed at has a record as well, with `error` in place of an answer.  What a record holds is in
`answer_record`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from imagerag_assets.errors import StoreError, UnknownAnswerError
from imagerag_assets.objects.store import HasStore, read_all
from imagerag_assets.questions.answer_record import AnswerRecord, what_is_wrong

ANSWERS = "answers"
_AT_ONCE = 256  # records read together
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


def record_key(answer_id: str) -> str:
    """Object key of an answer's record.

    Raises:
        UnknownAnswerError: It is no answer id.
    """
    return f"{answer_folder(answer_id)}/answer.json"


def evidence_files(platform: HasStore, record: AnswerRecord) -> dict[str, str]:
    """Return where the picture of an answer's evidence and its GeoJSON are, by name; without cues there is neither."""
    folder = answer_folder(record.answer_id)
    keys = {"picture": f"{folder}/evidence/overview.jpg", "geojson": f"{folder}/cues.geojson"} if record.cues else {}
    return {name: platform.store.url(key) for name, key in keys.items()}


def evidence_key(answer_id: str, rank: int) -> str:
    """Return the object key of a cue's picture, a JPEG."""
    return f"{answer_folder(answer_id)}/evidence/cue-{rank}.jpg"


def kept_outlines(platform: HasStore, answer_id: str) -> dict[int, Mapping[str, Any]]:
    """Return the outlines of an answer's cues by rank, GeoJSON in lon/lat, as kept with it; empty if they are gone."""
    try:
        kept = platform.store.read_json(f"{answer_folder(answer_id)}/cues.geojson")
        return {each["properties"]["rank"]: each["geometry"] for each in kept["features"] if each["geometry"]}
    except (StoreError, KeyError, TypeError):
        return {}


def prompt_key(answer_id: str) -> str:
    """Object key of the prompt that an answer was given to: its text, with a line for each picture.

    Raises:
        UnknownAnswerError: it is no answer id.
    """
    return f"{answer_folder(answer_id)}/prompt.txt"


def page_key(answer_id: str) -> str:
    """Return the object key of an answer's page, made when somebody wants to see it.

    Raises:
        UnknownAnswerError: it is no answer id.
    """
    return f"{answer_folder(answer_id)}/page.html"


def save_answer(platform: HasStore, record: AnswerRecord) -> None:
    """Store a record.

    Raises:
        StoreError: The store does not take it.
    """
    platform.store.write_json(record_key(record.answer_id), record.to_dict())


def load_answer(platform: HasStore, answer_id: str) -> AnswerRecord:
    """Load the record of an answer.

    Raises:
        UnknownAnswerError: There is none.
        StoreError: It cannot be read, or is no such record.
    """
    key = record_key(answer_id)
    if not platform.store.exists(key):
        close = get_close_matches(answer_id, list_answers(platform), n=1, cutoff=0.8)  # ids begin much alike
        hint = f"Did you mean {close[0]}? Or check" if close else "Check"
        raise UnknownAnswerError(
            "There is no such answer", fix=f"{hint} IMAGERAG_HOME and IMAGERAG_STORE", answer=answer_id[:200]
        )
    try:
        return AnswerRecord.model_validate(platform.store.read_json(key))
    except ValidationError as error:
        raise StoreError(
            f"The answer's record cannot be read ({what_is_wrong(error)})",
            fix="Restore it from a backup, or update imagerag-assets if a later version wrote it",
            answer=answer_id,
        ) from None


def read_answers(
    platform: HasStore, answer_ids: Sequence[str], notes: list[str] | None = None
) -> Iterator[AnswerRecord]:
    """Load many records, in order.  Unreadable ones are skipped, each with a line in `notes`.

    Raises:
        StoreError: The object store cannot be read.
    """

    def find(answer_id: str) -> AnswerRecord | StoreError | None:
        try:
            return load_answer(platform, answer_id)
        except UnknownAnswerError:  # deleted meanwhile
            return None
        except StoreError as error:
            return error

    for start in range(0, len(answer_ids), _AT_ONCE):
        for found in read_all(find, list(answer_ids[start : start + _AT_ONCE])):
            if isinstance(found, AnswerRecord):
                yield found
            elif found is not None and notes is not None:
                notes.append(f"An answer was skipped: {found}")


def list_answers(platform: HasStore) -> list[str]:
    """Ids of all answers, oldest first."""
    parts = (key.split("/") for key in platform.store.list(ANSWERS))
    return sorted(part[1] for part in parts if len(part) == 3 and part[2] == "answer.json")
