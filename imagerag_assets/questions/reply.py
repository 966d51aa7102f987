"""Third step of a question: answer it, from the evidence as far as it can be computed, and by looking where needed.

Numbers, places and truths are computed (`compute.py`) from objects that a multimodal LLM may have confirmed
(`verdicts.py`).  The model says what things look like, and scores choices beside the evidence.  Prompts and models are
in `answering/`, words and choices in `plans/`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from imagerag_assets.errors import ModelError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.plans import result as r
from imagerag_assets.plans.attribute_operations import COLOUR_NAMES
from imagerag_assets.plans.choices import Match, combine, match
from imagerag_assets.plans.contradictions import contradicts, unsupported
from imagerag_assets.plans.sentence import outcome_of, say
from imagerag_assets.questions.colours import Part, colours_of, with_colours
from imagerag_assets.questions.compute import compute
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.find import Found
from imagerag_assets.questions.looks import look_further, wanted_by_model
from imagerag_assets.questions.objects import MAX_SCENES, Evidence, Extent, Sighting, Verdict, extent_of, sighting
from imagerag_assets.questions.planning import is_about_everything
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.resolve import since
from imagerag_assets.questions.verdicts import Check, confirm_cues
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.types import Cue
from imagerag_assets.scenes.records import list_records
from imagerag_assets.stages import begin_stage

if TYPE_CHECKING:
    from PIL import Image

    from imagerag_assets.answering import CueView, Finding, Prompt, Reply
    from imagerag_assets.questions.compared import Compared

By = Literal["evidence", "model", "both"]
_LOOKED_AT = ("describe", "attribute")
_SURE = 0.5
"""Confidence of a model's answer below which it may look again."""
_YES_NO = frozenset(("yes", "no", "true", "false"))
_DESCRIBED = 4
"""Cues that a model sees beside the overview to describe a scene; more say little more, and take long."""


@dataclass(frozen=True)
class Answered:
    """What came of a question."""

    found: Found
    reply: Reply | None
    """Of the multimodal LLM; None: it was not asked, or gave none."""
    text: str | None
    """The answer that a person reads; None: none was asked for, or there is none."""
    error: ModelError | None
    """Why there is no answer: the multimodal LLM failed, and the evidence alone does not give one."""
    notes: tuple[str, ...]
    """About the pictures, the prompt and the reply."""
    answer_ms: float
    choice: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    confidence: float | None = None
    results: tuple[r.Result, ...] = ()
    checks: Mapping[int, Check] = field(default_factory=dict)
    """What the model said of each cue, by rank."""
    by: By | None = None

    def verdict(self, rank: int) -> Verdict:
        """Return what the model said of a cue."""
        return _verdict(self.checks, rank)

    @property
    def outcome(self) -> str | None:
        """What came of looking: found, not_found, ...; None: nothing was looked for."""
        return outcome_of(self.results) if self.results else None


def answer(found: Found, viewer: Viewer) -> Answered:
    """Answer a question.  If the multimodal LLM fails, the result says so, and nothing is raised.

    Raises:
        StoreError: A store failed while what was not found was looked for again.
        EncoderError: A crop cannot be embedded then.
    """
    return _Answering(found, viewer).answered()


class _Answering:
    """One question on its way from evidence to an answer."""

    def __init__(self, found: Found, viewer: Viewer) -> None:
        self._before = time.perf_counter()
        self._found, self._viewer = found, viewer
        self._platform: Platform = found.resolved.platform
        self._question: Question = found.resolved.question
        self._plan = found.resolved.plan
        self._notes = list(found.notes)
        self._checks: dict[int, Check] = {}
        self._extents: dict[str, Extent] = {}
        self._reply: Reply | None = None
        self._failure: ModelError | None = None

    def answered(self) -> Answered:
        if not self._question.answer:
            return self._done(None)
        computed = bool(self._plan.parts) and self._question.mode != "global" and self._question.retrieval == "default"
        if computed:
            begin_stage("checking the cues")
            self._confirm(self._found.cues)
            self._look_further()
        evidence = self._evidence() if computed else None
        results = self._computed(evidence) if evidence else ()
        if self._question.choices:
            # What is too unsure to be stated still speaks for one choice and against another.
            weighed = results
            if evidence is not None and evidence.unsure:
                weighed = self._computed(replace(evidence, unsure=frozenset()))
            return self._chosen(results, weighed)
        looked = [number for number, result in enumerate(results) if _needs_eyes(result)]
        if not computed and self._plan.unplanned and self._question.mode == "imagerag":
            return self._done(self._plan.unplanned)
        if computed and not looked:
            return self._said(results, "evidence")
        nothing = all(results[number].outcome != "found" for number in looked)
        if computed and nothing and not self._platform.settings.ask_without_cues:
            return self._said(results, "evidence")  # nothing to look at
        evident = len(looked) < len(results) or any(getattr(result, "things", ()) for result in results)
        self._ask_model(looks=self._may_look)
        if self._reply is None:
            return self._said(results, "evidence") if evident else self._done(None, results)
        if not computed:
            return self._done(self._reply.text, confidence=self._reply.confidence, by="model")
        seen = self._reply.text
        if why := contradicts(seen, self._plan, results) or unsupported(seen, results):
            self._notes.append(f"What the model said is left out, as it does not agree with the evidence: {why}")
            seen = ""
        told = tuple(_with_text(result, seen) if number in looked else result for number, result in enumerate(results))
        return self._said(told, "both" if evident and seen else "evidence" if evident else "model")

    def _computed(self, evidence: Evidence) -> tuple[r.Result, ...]:
        results = tuple(map(self._coloured, compute(self._plan, evidence)))
        return results if self._found.compared is None else tuple(self._changed(result) for result in results)

    def _coloured(self, result: r.Result) -> r.Result:
        """Return the result of a part about a colour with what was measured at its cues."""
        if not (isinstance(result, r.AttributeResult) and result.name in COLOUR_NAMES):
            return result
        part: Part = "all" if result.instead else "around" if result.around else "middle"
        pictures = [self._found.pictures[rank] for rank in result.cues if rank in self._found.pictures]
        return with_colours(result, colours_of(pictures, part)) if pictures else result

    def _chosen(self, results: tuple[r.Result, ...], weighed: tuple[r.Result, ...]) -> Answered:
        """Choose among the choices: by meaning from the evidence, and by the model.

        Args:
            results: What is stated.
            weighed: The same with everything that was found, however unsure.
        """
        choices = self._question.choices
        matched = match(choices, self._plan, weighed) if weighed else Match(None, "nothing was computed")
        if self._plan.unplanned is not None and {text.strip(" .").lower() for text in choices.values()} & _YES_NO:
            matched = Match(None, "that it is there does not answer the question")  # "is the plane for sale?"
        self._ask_model(looks=self._may_look if matched.scores is None else 0)
        if self._reply is None and matched.scores is None:
            return self._done(None, results)
        if self._reply is not None and not self._reply.scores and matched.scores is None:
            letter, sure = self._reply.choice, self._reply.confidence  # a server without probabilities
            return self._done(
                choices.get(letter or "", self._reply.text), results, choice=letter, confidence=sure, by="model"
            )
        scores = combine(matched, self._model_scores())
        choice = max(scores, key=lambda letter: scores[letter])
        if matched.scores is not None:
            self._notes.append(f"Choice by the evidence: {matched.why}")
        by: By = "model" if matched.scores is None else "evidence" if self._reply is None else "both"
        return self._done(choices[choice], results, choice=choice, scores=scores, confidence=scores[choice], by=by)

    def _model_scores(self) -> Mapping[str, float] | None:
        reply = self._reply
        if reply is None:
            return None
        if reply.scores or reply.choice is None:
            return reply.scores or None
        return {letter: float(letter == reply.choice) for letter in self._question.choices}

    def _said(self, results: tuple[r.Result, ...], by: By) -> Answered:
        scenes = {scene: scene for scene in self._scenes()}
        text = say(
            self._plan,
            results,
            scenes=scenes,
            one_scene=len(scenes) <= 1 and not self._is_one_of_several(),
            too_small=self._found.retrieval.too_small,
        )
        sure = [result.confidence for result in results if result.confidence is not None]
        return self._done(text, results, confidence=min(sure, default=None), by=by)

    def _is_one_of_several(self) -> bool:
        """Return whether all cues are of one scene, and the question was about all that there are."""
        unlimited = bool(self._found.cues) and not self._found.question.scope
        return unlimited and len(list_records(self._platform)) > 1

    def _done(
        self,
        text: str | None,
        results: tuple[r.Result, ...] = (),
        *,
        choice: str | None = None,
        scores: Mapping[str, float] | None = None,
        confidence: float | None = None,
        by: By | None = None,
    ) -> Answered:
        failed = self._failure if text is None and self._question.answer else None
        if self._failure is not None and text is not None:
            self._notes.append(f"The model could not be asked, so this is the evidence alone: {self._failure.message}")
        return Answered(
            found=self._found,
            reply=self._reply,
            text=text,
            error=failed,
            notes=tuple(self._notes),
            answer_ms=since(self._before),
            choice=choice,
            scores=scores or {},
            confidence=confidence,
            results=results,
            checks=self._checks,
            by=by if text is not None else None,
        )

    def _look_further(self) -> None:
        """Look again for what the plan is about and nothing counts of, until a look adds nothing."""
        for _ in range(self._may_look):
            evidence, planned = self._evidence(), {thing.phrase for thing in self._plan.things}
            phrases = [phrase for phrase in self._found.analysis.phrases if phrase in planned - evidence.unrecognised]
            missing = [phrase for phrase in phrases if not evidence.of(phrase)]
            if not missing:
                return
            added = self._look_for(missing)
            self._confirm(added)
            if not any(self._counts(cue) for cue in added):
                return

    def _look_for(self, phrases: Sequence[str]) -> tuple[Cue, ...]:
        """Look for phrases outside what was seen, and return the cues that this adds."""
        before = self._found
        self._found = look_further(before, phrases, self._viewer)
        self._notes += self._found.notes[len(before.notes) :]
        return self._found.cues[len(before.cues) :]

    @property
    def _may_look(self) -> int:
        """How many further looks there are at most: none where the question says what is seen."""
        own = self._question.mode == "imagerag" and self._question.path != "none" and self._question.like is None
        alone = self._found.compared is None and self._question.retrieval == "default"
        return self._platform.settings.looks if own and alone else 0

    def _counts(self, cue: Cue) -> bool:
        return _verdict(self._checks, cue.rank) != "rejected"

    def _confirm(self, cues: Sequence[Cue]) -> None:
        """Let the model confirm each cue, for questions that depend on every one (IMAGERAG_CONFIRM_CUES)."""
        if self._failure is not None or self._question.mode != "imagerag" or not self._platform.settings.confirm_cues:
            return
        if not any(part.op not in ("where", "list", *_LOOKED_AT, "change") for part in self._plan.parts):
            return
        # What a person showed has no word that a model could judge a picture by.
        cues = [cue for cue in cues if cue.phrase not in self._found.resolved.concepts]
        views = _views(cues, set(self._scenes()), self._viewer, self._found.pictures)
        try:
            new = confirm_cues(self._platform.mllm, views) if views else {}
        except ModelError as failure:
            self._failure, new = failure, {}
        self._checks |= new
        for rank, check in new.items():
            if check.verdict == "rejected":
                self._notes.append(
                    f"Cue {rank} counts for nothing: no {views[rank].phrase} is seen there (sure {check.sure:.2f})"
                )
            elif check.outvoted:
                self._notes.append(
                    f"Cue {rank} is kept with confidence {check.confidence:.2f}: the search is sure of it "
                    f"({views[rank].confidence:.2f}), though the model sees no {views[rank].phrase} there"
                )

    def _evidence(self) -> Evidence:
        retrieval = self._found.retrieval
        extents = {scene: self._extent(scene) for scene in self._scenes()[:MAX_SCENES]}
        return Evidence(
            sightings=self._sightings(self._found.cues),
            best=retrieval.best,
            others=retrieval.others,
            unrecognised=retrieval.unrecognised,
            unsure=retrieval.unsure,
            tallies=self._found.tallies,
            sizes={scene: (each.width, each.height) for scene, each in extents.items()},
            areas_km2={scene: each.km2 for scene, each in extents.items() if each.km2 is not None},
        )

    def _extent(self, scene: str) -> Extent:
        if scene not in self._extents:
            self._extents[scene] = extent_of(self._viewer, scene)
        return self._extents[scene]

    def _sightings(self, cues: Sequence[Cue]) -> tuple[Sighting, ...]:
        made = []
        for cue in cues:
            check = self._checks.get(cue.rank)
            verdict = _verdict(self._checks, cue.rank)
            made.append(sighting(cue, self._extent(cue.scene), verdict, check.confidence if check else cue.confidence))
        return tuple(sorted(made, key=lambda each: -each.place.confidence))

    def _changed(self, result: r.Result) -> r.Result:
        """Return the result of a part about what changed, from the two scenes that were compared."""
        compared = self._found.compared
        if compared is None or not isinstance(result, r.ChangeResult):
            return result
        cues = self._found.cues
        before, after = (sum(cue.scene == scene for cue in cues) for scene in compared.scenes)
        dates = {"dates": compared.dates, "places": tuple(each.place for each in self._sightings(cues))}
        return result.model_copy(
            update={
                "outcome": "found" if cues else "not_found",
                "cues": tuple(cue.rank for cue in cues),
                "confidence": max((cue.confidence for cue in cues), default=None),
                **({"before": before, "after": after} if compared.counted else {}),
                **dates,
            }
        )

    def _ask_model(self, looks: int = 0) -> None:
        """Ask the model; while it is not sure, it says what it wants to see, and is asked again with what was found."""
        if self._failure is not None:
            return
        begin_stage("asking the model")
        try:
            mllm, known = self._platform.mllm, [*self._found.analysis.phrases]
            while True:
                prompt = self._prompt()
                self._reply = mllm.answer(prompt)
                sure = self._reply.confidence
                if looks < 1 or sure is None or sure >= _SURE:
                    break
                looks -= 1
                wanted = wanted_by_model(mllm, prompt, known, self._platform)
                if wanted is None or not self._look_for([wanted]):
                    break
                known.append(wanted)
        except ModelError as failure:
            if self._reply is None:
                self._failure = failure
                return
        self._notes += self._reply.notes

    def _prompt(self) -> Prompt:
        found = self._found
        cues = [cue for cue in found.cues if self._counts(cue)]
        if is_about_everything(self._question, self._plan):
            cues = cues[:_DESCRIBED]
        return make_prompt(
            self._question, found.analysis, cues, found.scene, self._viewer, found.pictures, found.compared,
            think=self._platform.settings.chain_of_thought,
        )  # fmt: skip

    def _scenes(self) -> tuple[str, ...]:
        """Return the scenes that the answer is about: those in scope by name, and those of the cues."""
        named = self._found.question.scenes
        main = [self._found.scene] if self._found.scene else []
        return tuple(dict.fromkeys([*named, *(cue.scene for cue in self._found.cues), *main]))


def _verdict(checks: Mapping[int, Check], rank: int) -> Verdict:
    check = checks.get(rank)
    return check.verdict if check else "unchecked"


def _needs_eyes(result: r.Result) -> bool:
    """Return whether only somebody who looks can answer a part."""
    return result.kind in _LOOKED_AT and not (isinstance(result, r.AttributeResult) and result.colours is not None)


def _with_text(result: r.Result, text: str) -> r.Result:
    name = "text" if isinstance(result, r.DescribeResult) else "value"
    return result.model_copy(update={name: text or None})


def make_prompt(
    question: Question,
    analysis: Analysis,
    cues: Sequence[Cue],
    scene: str | None,
    viewer: Viewer,
    pictures: Mapping[int, Image.Image],
    compared: Compared | None = None,
    *,
    think: bool = False,
) -> Prompt:
    """Make the prompt for the multimodal LLM.

    Args:
        question: What is asked.
        analysis: What was looked for.
        cues: Those that the model has not rejected.
        scene: Whose overview is shown; cues of other scenes have no place in it and are left out.
        viewer: Opens the scenes.
        pictures: The cues' pictures by rank.
        compared: Of two scenes, whose cues are told apart by their dates.
        think: The model reasons in words before it answers.
    """
    from imagerag_assets.answering import Prompt
    from imagerag_assets.answering.findings import findings

    views = _views(cues, compared.scenes if compared else (scene,), viewer, pictures)
    # Without a search nobody can say that something is nowhere; of several phrases a region shows one.
    known = question.mode == "imagerag" or (question.mode == "oracle" and len(analysis.phrases) == 1)
    phrases = analysis.phrases if known else ()
    found: list[Finding] = []
    for when, ranks in (compared.groups() if compared else {"": frozenset(views)}).items():
        own = [view for rank, view in views.items() if rank in ranks]
        found += [replace(each, phrase=each.phrase + when) for each in findings(phrases, own, question.choices)]
    captions = compared.captions() if compared else {}
    shown = tuple(replace(view, phrase=captions.get(rank, view.phrase)) for rank, view in views.items())
    overview = viewer.overview(scene) if scene else None
    return Prompt(question.question, question.choices, overview, shown, tuple(found), think)


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
