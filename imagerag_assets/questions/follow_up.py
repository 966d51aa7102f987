"""Follow up on an answer ("How many are there?"): reuse its phrases, scenes and area."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import get_args

from pydantic import ValidationError

from imagerag_assets.objects.store import HasStore
from imagerag_assets.plans.plan import PartName, PartOfScene, Plan, Region
from imagerag_assets.plans.regions import regions_of
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.answer_records import load_answer
from imagerag_assets.questions.question import Question

_REFERS = re.compile(r"\b(it|its|they|them|their|theirs|those|these|ones?)\b", re.IGNORECASE)
_ASKS = re.compile(r"\b(how many|what number of|count|any)\b", re.IGNORECASE)


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


def about_the_same(plan: Plan, question: Question, former: AnswerRecord, understood: Callable[[str], Plan]) -> Plan:
    """Return what a follow-up asks: the same things, if it names none or refers to them ("are they red?").

    So it does in the same part of the scene, unless it asks where.

    Args:
        plan: Of the question by itself.
        question: What is asked.
        former: From :func:`former_of`.
        understood: From words to a plan.
    """
    refers = _REFERS.search(question.question.lower())
    if plan.things and not refers:
        return plan
    # What was looked for by example has a name, but not one that can be looked for.
    topic = () if former.options.get("like") else _things_of(former)
    if topic:
        plan = understood(in_full(question.question, topic))
    region = _region_of(former)
    parts = tuple(
        part.model_copy(update={"region": region}) if part.region is None and part.op != "where" else part
        for part in plan.parts
    )
    note = f"Taken from answer {former.answer_id}: {', '.join(topic) or 'nothing that can be looked for'}"
    return plan.model_copy(update={"parts": parts, "notes": (*plan.notes, note)})


def in_full(text: str, topic: Sequence[str]) -> str:
    """Return a question with the things that it leaves out: "How many are there?" as "How many ships are there?"."""
    names = " and ".join(topic)
    full, replaced = _REFERS.subn(lambda _: names, text, 1)
    if not replaced:
        full, replaced = _ASKS.subn(lambda match: f"{match[0]} {names}", text, 1)
    return full if replaced else f"{text.rstrip(' ?.!')} {names}?"


def _things_of(former: AnswerRecord) -> tuple[str, ...]:
    """Return the things that an answer is about, by the question's own words where its record has a plan."""
    if not former.plan:
        return former.phrases
    try:
        return tuple(thing.name for thing in Plan.model_validate({"parts": former.plan}).things)
    except ValidationError:  # of a later version
        return former.phrases


def _region_of(former: AnswerRecord) -> Region | None:
    """Return the part of the scene that an answer is about."""
    if former.plan:
        try:
            regions = {part.region for part in Plan.model_validate({"parts": former.plan}).parts}
        except ValidationError:
            return None
        return regions.pop() if len(regions) == 1 else None
    named = regions_of(former.question.lower())
    known = len(named) == 1 and named[0].name in get_args(PartName)
    return PartOfScene.model_validate({"name": named[0].name}) if known else None
