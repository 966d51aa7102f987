"""Third step of a question: answer it, by asking the multimodal LLM where that is needed.

Prompts and models are in `answering/`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imagerag_assets.errors import ModelError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.find import Found
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.resolve import since
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.types import Cue, Retrieval
from imagerag_assets.settings import Settings

if TYPE_CHECKING:
    from PIL import Image

    from imagerag_assets.answering import CueView, Finding, Mllm, Prompt, Reply
    from imagerag_assets.questions.compared import Compared


@dataclass(frozen=True)
class Answered:
    """What came of a question."""

    found: Found
    reply: Reply | None
    """Of the multimodal LLM; None: it was not asked, or gave none."""
    said: str | None
    """The answer where the model was not asked."""
    error: ModelError | None
    """Why the multimodal LLM gave no answer."""
    notes: tuple[str, ...]
    """About the pictures, the prompt and the reply."""
    answer_ms: float


CONFIRMED_KINDS = ("count", "compare", "presence")
"""Kinds of question whose answer depends on every cue, not only on the best."""
UNFOUND_KINDS = ("presence", "count", "position", "colour", "describe")
"""Kinds of question without choices that are only about the things they name."""
DENIED = 0.8
"""A cue is left out if the model is at least this sure that it does not show its phrase."""


def answer(found: Found, viewer: Viewer) -> Answered:
    """Answer a question from its cues.  If the multimodal LLM fails, the result says so; nothing is raised."""
    before, platform, question = time.perf_counter(), found.resolved.platform, found.resolved.question
    said = unfound(platform.settings, question, found.analysis, found.retrieval) if question.answer else None
    reply, error, notes = None, None, found.notes
    if question.answer and said is None:
        try:
            prompt, left_out = make_prompt(
                platform, question, found.analysis, found.cues, found.scene, viewer, found.pictures, found.compared
            )
            reply = platform.mllm.answer(prompt)
            notes = (*notes, *left_out, *reply.notes)
        except ModelError as failure:
            error = failure
    return Answered(found, reply, said, error, notes, since(before))


def unfound(settings: Settings, question: Question, analysis: Analysis, found: Retrieval) -> str | None:
    """Return the answer where none of the things that a question names was found; None: ask the model.

    Without cues a small model makes things up, and a large one sees little in an overview
    (IMAGERAG_ASK_WITHOUT_CUES).
    """
    names_things = analysis.phrases and analysis.kind in UNFOUND_KINDS and not question.like
    searched = question.mode == "imagerag" and found.abstained
    if question.choices or not names_things or not searched or settings.ask_without_cues:
        return None
    return f"the imagery does not show it: no {', no '.join(analysis.phrases)} found"


def make_prompt(
    platform: Platform,
    question: Question,
    analysis: Analysis,
    cues: Sequence[Cue],
    scene: str | None,
    viewer: Viewer,
    pictures: Mapping[int, Image.Image],
    compared: Compared | None = None,
) -> tuple[Prompt, tuple[str, ...]]:
    """Make the prompt for the multimodal LLM, and notes.

    For a count, a comparison or a presence the model first confirms each cue (IMAGERAG_CONFIRM_CUES).  Cues that it
    is sure do not show what they were found for are left out, with a note.

    Args:
        scene: Whose overview is shown; cues of other scenes have no place in it and are left out.
        pictures: The cues' pictures by rank.
        compared: Of two scenes, whose cues are told apart by their dates.

    Raises:
        ModelError: The model failed.
    """
    from imagerag_assets.answering import Prompt
    from imagerag_assets.answering.findings import findings

    scenes = compared.scenes if compared else (scene,)
    views = _views(cues, scenes, viewer, pictures)
    notes: tuple[str, ...] = ()
    looked_for = question.mode == "imagerag"
    if looked_for and platform.settings.confirm_cues and analysis.kind in CONFIRMED_KINDS:
        views, notes = _confirmed(platform.mllm, views)
    # Without a search nobody can say that something is nowhere; of several phrases a region shows one.
    known = looked_for or (question.mode == "oracle" and len(analysis.phrases) == 1)
    phrases = analysis.phrases if known else ()
    found: list[Finding] = []
    for when, ranks in (compared.groups() if compared else {"": frozenset(views)}).items():
        own = [view for rank, view in views.items() if rank in ranks]
        found += [replace(each, phrase=each.phrase + when) for each in findings(phrases, own, question.choices)]
    captions = compared.captions() if compared else {}
    shown = tuple(replace(view, phrase=captions.get(rank, view.phrase)) for rank, view in views.items())
    overview = viewer.overview(scene) if scene else None
    think = platform.settings.chain_of_thought
    return Prompt(question.question, question.choices, overview, shown, tuple(found), think), notes


def _views(
    cues: Sequence[Cue], scenes: Collection[str | None], viewer: Viewer, pictures: Mapping[int, Image.Image]
) -> dict[int, CueView]:
    """Return the cues of some scenes as the model sees them, by rank, most confident first."""
    from imagerag_assets.answering import CueView, box_of

    return {
        cue.rank: CueView(pictures[cue.rank], box_of(cue.window, *viewer.size(cue.scene)), cue.phrase, cue.confidence)
        for cue in sorted(cues, key=lambda cue: -cue.confidence)
        if cue.scene in scenes and cue.rank in pictures
    }


def _confirmed(mllm: Mllm, views: Mapping[int, CueView]) -> tuple[dict[int, CueView], tuple[str, ...]]:
    from imagerag_assets.answering.findings import confirm

    sure = {rank: confirm(mllm, view) for rank, view in views.items()}
    kept = {rank: view for rank, view in views.items() if sure[rank] > 1 - DENIED}
    notes = tuple(
        f"Cue {rank} was left out: the model sees no {view.phrase} there (confirmed with {sure[rank]:.2f})"
        for rank, view in views.items()
        if rank not in kept
    )
    return kept, notes
