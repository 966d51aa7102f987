"""`imagerag retry`: questions that the multimodal LLM failed at, asked again as things are now.

The answer takes the failed record's place and id, so that whoever was told the id finds it.  Asking an answered
question again, to compare, is `replay`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from imagerag_assets.errors import ImageRAGError, QuestionError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.store import read_all
from imagerag_assets.questions.answer_records import find_answer, list_answers, load_answer
from imagerag_assets.questions.ask import ask
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.question import Question

_AT_ONCE = 256  # answers read together


def failed_questions(platform: Platform) -> list[str]:
    """Ids of the questions that have no answer because the multimodal LLM failed, oldest first.

    Raises:
        StoreError: the object store cannot be read.
    """
    ids, failed = list_answers(platform), list[str]()
    for start in range(0, len(ids), _AT_ONCE):
        records = read_all(lambda answer_id: find_answer(platform, answer_id), ids[start : start + _AT_ONCE])
        failed += [record["answer_id"] for record in records if record is not None and "error" in record]
    return failed


def retry(platform: Platform, answer_ids: Sequence[str]) -> Iterator[dict[str, Any] | ImageRAGError]:
    """Ask each question again: its record, or why it failed again, in which case it stays kept.

    Raises:
        UnknownAnswerError: there is no such answer; nothing was asked then.
        QuestionError: it has an answer; nothing was asked then.
    """
    records = [load_answer(platform, answer_id) for answer_id in answer_ids]
    for record in records:
        if "error" not in record:
            raise QuestionError(
                "The question has an answer", fix="To ask it again: imagerag replay", answer=record["answer_id"]
            )
    with Viewer(platform) as viewer:
        for record in records:
            try:
                question = Question.from_record(record)
                yield ask(platform, question, viewer=viewer, answer_id=record["answer_id"]).to_dict()
            except ImageRAGError as error:
                yield error
