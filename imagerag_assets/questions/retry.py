"""`imagerag retry`: ask questions again that the multimodal LLM failed at.

The answer takes the failed record's place and id, so that whoever knows the id finds it.  `replay` asks an answered
question again and compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagerag_assets.errors import ImageRAGError, QuestionError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.answer_records import list_answers, load_answer, read_answers
from imagerag_assets.questions.ask import ask
from imagerag_assets.questions.evidence import Viewer


def failed_questions(platform: Platform, notes: list[str] | None = None) -> list[str]:
    """Return the ids of the questions that the multimodal LLM failed at, oldest first.

    Unreadable records are skipped, each with a line in `notes`.

    Raises:
        StoreError: The object store cannot be read.
    """
    records = read_answers(platform, list_answers(platform), notes)
    return [record.answer_id for record in records if record.error is not None]


def retry(platform: Platform, answer_ids: Sequence[str]) -> Iterator[AnswerRecord | ImageRAGError]:
    """Ask each question again.  Yield its record, or why it failed again; the failed question then stays.

    Raises:
        UnknownAnswerError: There is no such answer.  Nothing was asked.
        QuestionError: It has an answer.  Nothing was asked.
    """
    records = [load_answer(platform, answer_id) for answer_id in answer_ids]
    for record in records:
        if record.error is None:
            raise QuestionError(
                "The question has an answer", fix="To ask it again: imagerag replay", answer=record.answer_id
            )
    with Viewer(platform) as viewer:
        for record in records:
            try:
                yield ask(platform, record.asked(), viewer=viewer, answer_id=record.answer_id)
            except ImageRAGError as error:
                yield error
