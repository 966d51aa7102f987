"""First step of a question: what is looked for, in which scope, in which collection and with which thresholds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from imagerag_assets.errors import QuestionError
from imagerag_assets.ingestion.embed_scene import find_shard, shortage
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Serving
from imagerag_assets.knowledge.search import KnownNames
from imagerag_assets.plans.from_model import LanguageModel
from imagerag_assets.plans.plan import Plan
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.concepts import UsedConcept, load_concepts
from imagerag_assets.questions.examples import Example, load_example
from imagerag_assets.questions.follow_up import former_of, in_scope_of
from imagerag_assets.questions.planning import analysis_of, plan_of
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.scope import filter_of
from imagerag_assets.retrieval.calibration import Calibration, load_calibration
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.scenes.records import find_record
from imagerag_assets.scenes.removed import refuse_removed
from imagerag_assets.stages import begin_stage


@dataclass(frozen=True)
class Resolved:
    """A question, and everything that its cues are looked for by."""

    serving: Serving
    question: Question
    """As it was asked, but in the scope of the answer that it follows up."""
    plan: Plan
    """What it asks; empty for the paper's retrieval by itself."""
    analysis: Analysis
    calibration: Calibration
    former: AnswerRecord | None
    """The answer that it follows up."""
    example: Example | None
    concepts: Mapping[str, UsedConcept]
    """The concepts that it names, by phrase."""
    asked_at: datetime
    started: float
    """Of `time.perf_counter`."""
    timings_ms: Mapping[str, float]

    @property
    def platform(self) -> Platform:
        """The installation, with the collection's own encoder."""
        return self.serving.platform


def resolve(
    serving: Serving,
    question: Question,
    calibration: Calibration | None = None,
    concepts: Mapping[str, int] | None = None,
) -> Resolved:
    """Find out what a question looks for, and where.

    Args:
        serving: The collection, and the installation with its encoder.
        question: What is asked.
        calibration: Thresholds; default: those in use for the encoder and the collection's division.
        concepts: Versions of concepts by name; default: those in use.

    Raises:
        QuestionError: No patch is in scope, or the example cannot be read.
        ConceptError: There is no such concept.
        UnknownAnswerError: It follows up an answer that is not there.
        StoreError: A store failed.
    """
    started, asked_at = time.perf_counter(), datetime.now(UTC)
    platform, target = serving.platform, serving.target
    former = former_of(platform, question)
    question = in_scope_of(question, former)
    _require_rows(platform, question, serving)

    before = time.perf_counter()
    begin_stage("loading the encoder")
    _ = platform.encoder  # loads at the first question of a process; not part of what a question costs
    load_ms, before = since(before), time.perf_counter()
    example = load_example(platform, question.like, serving.collection) if question.like else None
    begin_stage("reading the question")
    plan = plan_of(
        question, former, example, names=KnownNames(platform), reader=lambda: platform.reader, model=_model(platform)
    )
    analysis = analysis_of(platform, question, plan)
    used = load_concepts(serving, question, [thing.phrase for thing in plan.things], concepts)
    analysis = replace(analysis, shown={phrase: each.sought for phrase, each in used.items()})
    return Resolved(
        serving=serving,
        question=question,
        plan=plan,
        analysis=analysis,
        calibration=calibration
        or load_calibration(
            platform.store, target.fingerprint, target.recipe.division_key, logit_scale=platform.encoder.logit_scale
        ),
        former=former,
        example=example,
        concepts=used,
        asked_at=asked_at,
        started=started,
        timings_ms={"phrases": since(before), "load": load_ms},
    )


def _model(platform: Platform) -> Callable[[], LanguageModel] | None:
    """Return what loads the model that reads questions which the rules cannot; None: there is none."""
    settings = platform.settings
    if settings.planner == "rules" or (settings.planner == "auto" and settings.mllm == "demo"):
        return None
    return lambda: platform.mllm


def since(start: float) -> float:
    """Return the milliseconds since a time of `time.perf_counter`."""
    return round(1000 * (time.perf_counter() - start), 2)


def _require_rows(platform: Platform, question: Question, serving: Serving) -> None:
    """Raise InputError when no patch is in scope: an answer about nothing would be wrong in silence."""
    if platform.vectors.has_rows(serving.collection, filter_of(platform, question)):
        return
    if not question.scope:
        raise QuestionError("No scene can be searched", fix="`imagerag scenes` says why; run: imagerag ingest SOURCE")
    for key in question.scenes:
        refuse_removed(platform, key)
    said = [said for key in question.scenes if (said := _shortage(platform, serving, key))]
    if said and len(said) == len(question.scenes):
        raise QuestionError(said[0], fix="Ask about another one", scene=", ".join(question.scenes)[:300])
    clouds = question.cloud_at_most
    limits = {
        "scene": ", ".join(question.scenes),
        "area": question.bbox,
        "time": question.datetime,
        "a cloud cover of at most": "" if clouds is None else f"{clouds:g} %",
    }
    given = " and ".join(f"{name} {value}" for name, value in limits.items() if value)
    raise QuestionError(
        f"Nothing that was ingested lies within {given}",
        fix="Widen it; `imagerag scenes` lists what is there",
    )


def _shortage(platform: Platform, serving: Serving, scene_key: str) -> str | None:
    """Say that a scene has no patch because it has no valid pixel; None where that is not the reason."""
    record = find_record(platform, scene_key)
    made = None if record is None else find_shard(platform, serving.target, record)
    return None if made is None or made.rows else shortage(made)
