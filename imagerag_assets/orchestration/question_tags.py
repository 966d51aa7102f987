"""Tags of runs by which the UI finds questions: their words, what was looked for, and the scenes of the evidence.

The filter of the UI's runs offers the values of a tag, and narrows them by what is typed.
See https://docs.dagster.io/guides/build/assets/metadata-and-tags/tags
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagerag_assets.escaping import one_line
from imagerag_assets.orchestration.names import PHRASES_TAG, QUESTION_TAG, SCENE_TAG
from imagerag_assets.orchestration.stored_texts import storable

if TYPE_CHECKING:
    from imagerag_assets.questions.answer_record import AnswerRecord
    from imagerag_assets.questions.question import Question

_LONGEST = 200  # characters
_SCENES = 5


def asked_tags(question: Question) -> dict[str, str]:
    """Return the tags of a question before it is answered."""
    scenes = _scene_tags(list(question.scenes))
    return {QUESTION_TAG: _text(question.question), **scenes} if question.question else scenes


def answered_tags(record: AnswerRecord) -> dict[str, str]:
    """Return the tags of a question that was answered: what it looked for, and the scenes of its cues."""
    scenes = list(dict.fromkeys(cue.scene for cue in record.cues)) or ([record.scene] if record.scene else [])
    phrases = {PHRASES_TAG: _text(", ".join(record.phrases))} if record.phrases else {}
    return phrases | _scene_tags(scenes)


def _scene_tags(scenes: list[str]) -> dict[str, str]:
    """Return a tag for each scene: a run has one value of a tag, so that further scenes have tags with a number."""
    return {
        SCENE_TAG if number == 1 else f"{SCENE_TAG}-{number}": scene
        for number, scene in enumerate(scenes[:_SCENES], start=1)
    }


def _text(text: str) -> str:
    return one_line(str(storable(text)))[:_LONGEST]
