"""Follow up on an answer ("How many are there?"): reuse its phrases, scenes and area."""

from __future__ import annotations

import re
from dataclasses import replace

from imagerag_assets.objects.store import HasStore
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.answer_records import load_answer
from imagerag_assets.questions.question import Question
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.regions import regions_of

_REFERS = re.compile(r"\b(it|its|they|them|their|theirs|those|these)\b")


def former_of(platform: HasStore, question: Question) -> AnswerRecord | None:
    """Load the record of the answer that a question follows up; None: it follows up none.

    Raises:
        UnknownAnswerError: There is no such answer.
        StoreError: It cannot be read.
    """
    return None if question.after is None else load_answer(platform, question.after)


def in_scope_of(question: Question, former: AnswerRecord | None) -> Question:
    """Return the question with the scenes, area and time of a former answer, unless it gives any of these itself.

    Where the former question named no scenes, those of its cues are used.
    """
    if former is None or question.scenes or question.bbox or question.datetime:
        return question
    asked, change = former.asked(), former.change
    seen = [change.before.scene, change.after.scene] if change else [cue.scene for cue in former.cues]
    limit = asked.cloud_at_most if question.cloud_at_most is None else question.cloud_at_most
    return question.but(
        scenes=asked.scenes or tuple(dict.fromkeys(seen)), bbox=asked.bbox, datetime=asked.datetime, cloud_at_most=limit
    )


def about_the_same(analysis: Analysis, former: AnswerRecord | None, max_phrases: int) -> Analysis:
    """Return what a follow-up looks for: the same, if it names nothing or refers to it ("are they red?").

    So it does in the same part of the scene, unless it asks where.

    Args:
        analysis: Of the question by itself.
        former: From :func:`former_of`.
        max_phrases: At most this many phrases.
    """
    if former is None or (analysis.phrases and not _REFERS.search(analysis.question.lower())):
        return analysis
    # What was looked for by example has a name, but not one that can be looked for.
    taken = () if former.options.get("like") else former.phrases
    phrases = tuple(dict.fromkeys([*taken, *analysis.phrases]))[:max_phrases]
    regions = regions_of(former.question.lower()) if analysis.region is None and analysis.kind != "position" else ()
    note = f"Taken from answer {former.answer_id}: {', '.join(taken) or 'no phrase'}"
    return replace(
        analysis,
        phrases=phrases,
        region=regions[0] if len(regions) == 1 else analysis.region,
        notes=(*analysis.notes, note),
    )
