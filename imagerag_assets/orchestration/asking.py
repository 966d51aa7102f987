"""Who answers the question of a run: the resident process where there is one, else the process of the run.

The resource is a function from a platform and a question to the answer's record.  The resident process gives its own,
which returns what it has answered already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dagster as dg

from imagerag_assets.installation.platform import Platform

if TYPE_CHECKING:
    from imagerag_assets.questions.answer_record import AnswerRecord
    from imagerag_assets.questions.question import Question

    Asker = Callable[[Platform, Question], AnswerRecord]

ASKER = "asker"
OpenAsker = Callable[..., Any]
"""`Asker` as Dagster's annotations of resources need it."""


def ask_here(platform: Platform, question: Question) -> AnswerRecord:
    """Answer a question in this process."""
    from imagerag_assets.questions.ask import ask  # retrieval and answering load when they are needed

    return ask(platform, question)


def ask_anywhere(platform: Platform, question: Question) -> AnswerRecord:
    """Let the resident process answer a question; where it does not take it, answer it here."""
    from imagerag_assets.questions.answer_record import AnswerRecord
    from imagerag_assets.resident.client import ask_resident

    said = ask_resident(platform.settings, question, record_run=False)
    return ask_here(platform, question) if said is None else AnswerRecord.model_validate(said["answer"])


def asker_resource(asker: Asker = ask_anywhere) -> dg.ResourceDefinition:
    """Return the resource."""
    return dg.ResourceDefinition.hardcoded_resource(asker, description="Answers the question of a run")
