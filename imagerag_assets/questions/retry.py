"""`imagerag retry`: questions that the multimodal LLM failed at, asked again as things are now.

The answer takes the failed record's place and id, so that whoever was told the id finds it.  Asking an answered
question again, to compare, is `replay`'s.
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
    """Ids of the questions that have no answer because the multimodal LLM failed, oldest first.

    Raises:
        StoreError: the object store cannot be read.
    """
    records = read_answers(platform, list_answers(platform), notes)
    return [record.answer_id for record in records if record.error is not None]


def retry(platform: Platform, answer_ids: Sequence[str]) -> Iterator[AnswerRecord | ImageRAGError]:
    """Ask each question again: its record, or why it failed again, in which case it stays kept.

    Raises:
        UnknownAnswerError: there is no such answer; nothing was asked then.
        QuestionError: it has an answer; nothing was asked then.
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
