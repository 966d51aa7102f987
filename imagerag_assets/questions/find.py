"""Second step of a question: its cues with their pictures, in the scenes in scope or in two scenes compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from imagerag_assets.questions.change import compare, is_comparison
from imagerag_assets.questions.compared import Compared
from imagerag_assets.questions.counts import count
from imagerag_assets.questions.cues import find_cues, search_of
from imagerag_assets.questions.evidence import Viewer, cue_pictures
from imagerag_assets.questions.objects import Tally
from imagerag_assets.questions.planning import is_about_everything
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.resolve import Resolved
from imagerag_assets.questions.scope import filter_of
from imagerag_assets.questions.visible import without_too_small
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.survey import survey
from imagerag_assets.retrieval.types import Cue, Retrieval, Search
from imagerag_assets.stages import begin_stage

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Found:
    """The cues of a question."""

    resolved: Resolved
    retrieval: Retrieval
    scene: str | None
    """The scene whose overview is shown; None: there is none in scope."""
    pictures: Mapping[int, Image.Image]
    """The cues' pictures by rank."""
    notes: tuple[str, ...]
    """About the pictures."""
    compared: Compared | None = None
    """The two scenes of a question about what changed."""
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    """Numbers of objects that were counted one by one, by phrase."""

    @property
    def cues(self) -> tuple[Cue, ...]:
        """The cues, the best first."""
        return self.retrieval.cues

    @property
    def question(self) -> Question:
        """The question about the scenes that were looked at."""
        asked = self.resolved.question
        return asked.but(scenes=self.compared.scenes) if self.compared else asked

    @property
    def analysis(self) -> Analysis:
        """What the answer is to say."""
        return self.compared.analysis if self.compared else self.resolved.analysis


def find(resolved: Resolved, viewer: Viewer) -> Found:
    """Find the cues of a question.

    Raises:
        FingerprintError: Vectors of another encoder would be compared.
        QuestionError: A change is asked about, and no two scenes in scope can be compared.
        StoreError: A store failed.
    """
    serving, question, analysis = resolved.serving, resolved.question, resolved.analysis
    begin_stage("finding what it asks about")
    if is_comparison(question, analysis):
        compared = compare(serving, question, analysis, viewer, resolved.calibration)
        pictures, notes = compared.pictures(viewer)
        return Found(resolved, compared.found, compared.scenes[1], pictures, notes, compared)
    scoped = search_of(serving, question, analysis, viewer, resolved.calibration)
    if scoped is not None and is_about_everything(question, resolved.plan):
        analysis = _surveyed(resolved, scoped.search)
        resolved = replace(resolved, analysis=analysis)
    retrieval = find_cues(serving, question, analysis, viewer, scoped, resolved.example)
    tallies: dict[str, Tally] = {}
    counting: tuple[str, ...] = ()
    if scoped is not None:
        retrieval = without_too_small(resolved.platform, question, analysis, retrieval)
        retrieval, tallies, counting = count(resolved, retrieval, scoped.search)
    begin_stage("cutting out the cues")
    pictures, notes = cue_pictures(viewer, retrieval.cues)
    main = _main_scene(resolved, retrieval.cues)
    return Found(resolved, retrieval, main, pictures, (*counting, *notes), tallies=tallies)


def _surveyed(resolved: Resolved, search: Search) -> Analysis:
    """Return what to look for where the question names nothing: what the scope probably shows."""
    analysis = resolved.analysis
    things = survey(resolved.platform, search)
    told = ", ".join(things) or "nothing that the encoder knows"
    note = f"The question names nothing, so what the scope probably shows was looked for: {told}"
    phrases = tuple(dict.fromkeys([*analysis.phrases, *things]))
    return replace(analysis, phrases=phrases, wants_all=True, notes=(*analysis.notes, note))


def _main_scene(resolved: Resolved, cues: tuple[Cue, ...]) -> str | None:
    """Return the scene whose overview is shown: the best cue's, or the only one in scope, or the first one there."""
    question = resolved.question
    if cues:
        return cues[0].scene
    if question.scenes:
        return question.scenes[0]
    where = filter_of(resolved.platform, question)
    rows = resolved.platform.vectors.query(resolved.serving.collection, where, ["scene_key"], limit=1)
    return str(rows[0]["scene_key"]) if rows else None
