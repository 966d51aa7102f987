"""What a question asks: its plan, and what retrieval has to look for so that it can be computed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from imagerag_assets.errors import ModelError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.plans import plan as p
from imagerag_assets.plans.from_model import LanguageModel, plan_from_model
from imagerag_assets.plans.from_reader import Reader, read_again
from imagerag_assets.plans.kinds import told_apart
from imagerag_assets.plans.left_out import completed
from imagerag_assets.plans.noun_phrases import clean
from imagerag_assets.plans.regions import Region, region_named
from imagerag_assets.plans.understand import understand
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.concepts import StandIns
from imagerag_assets.questions.examples import Example
from imagerag_assets.questions.follow_up import about_the_same
from imagerag_assets.questions.question import Question
from imagerag_assets.retrieval.phrases import Analysis, Kind, analyse_question

_KINDS: dict[str, Kind] = {
    "exists": "presence", "which": "presence", "count": "count", "density": "count", "where": "position",
    "nearest": "position", "distance": "position", "relative": "position", "share": "count", "compare": "compare",
    "attribute": "colour", "describe": "describe", "list": "describe", "change": "change",
}  # fmt: skip
_ONE_IS_ENOUGH = ("where", "attribute", "describe", "change")
"""Operations that do not need every object."""


def plan_of(
    question: Question,
    former: AnswerRecord | None = None,
    example: Example | None = None,
    *,
    names: Collection[str] = (),
    reader: Callable[[], Reader | None] | None = None,
    model: Callable[[], LanguageModel] | None = None,
) -> p.Plan:
    """Return what a question asks: the plan that it brings, or what its words say.

    Args:
        question: What is asked.
        former: The answer that it follows up; a question that names nothing is about the things of that one.
        example: What it looks for, instead of what it names.
        names: Names that are right as they are, of the knowledge base.
        reader: Loads the small language model that reads questions beside the rules.
        model: Loads a language model, which reads what neither can.
    """
    stand_ins = StandIns([question.question, *(former.phrases if former else ())], question.choices)
    choices = {letter: stand_ins.hidden(text) for letter, text in question.choices.items()}
    asked = stand_ins.hidden(question.question)

    def by_rules(text: str) -> p.Plan:
        return understand(stand_ins.hidden(text), choices, names=names)

    def by_rules_and_model(text: str) -> p.Plan:
        return _by_model(by_rules(text), stand_ins.hidden(text), choices, model)

    if question.plan is not None:
        plan = p.plan_from_json(question.plan)
    elif question.question:
        rules = by_rules(question.question)
        plan = rules if former is None else about_the_same(rules, question, former, by_rules_and_model)
        if plan is rules:  # what a follow-up leaves out, the reader would invent
            plan = _by_reader(plan, reader)
            plan = _by_model(plan, asked, choices, model)
            plan = plan if question.choices else completed(plan, rules)
        plan = stand_ins.shown(plan)
    else:
        plan = p.Plan()
    return told_apart(plan, names) if example is None else _about(plan, example.label)


def _by_reader(plan: p.Plan, reader: Callable[[], Reader | None] | None) -> p.Plan:
    """Return the plan of rules and small language model together, or the one of the rules if there is no model."""
    if reader is None:
        return plan
    try:
        return read_again(plan, reader)
    except ModelError as error:
        note = f"The language model could not be asked how to read the question: {error.message}"
        return plan.model_copy(update={"notes": (*plan.notes, note)})


def _by_model(plan: p.Plan, text: str, choices: Mapping[str, str], model: Callable[[], LanguageModel] | None) -> p.Plan:
    """Return the plan of a language model where none was found, so far as it has one."""
    if model is None or not plan.unsure:
        return plan
    try:
        own = plan_from_model(text, choices, model())
    except ModelError as error:
        note = f"The language model could not be asked how to read the question: {error.message}"
        return plan.model_copy(update={"notes": (*plan.notes, note)})
    return plan if own is None else own


def asks_for(operation: str, question: Question) -> bool:
    """Return whether a question has a part with this operation."""
    return any(part.op == operation for part in plan_of(question).parts)


def is_about_everything(question: Question, plan: p.Plan) -> bool:
    """Return whether a part asks what is there, and names no thing that could be looked for."""
    vague = any(part.op in ("list", "describe") and getattr(part, "thing", None) is None for part in plan.parts)
    own = question.mode == "imagerag" and question.retrieval == "default" and question.path != "none"
    return vague and own and question.like is None


def analysis_of(platform: Platform, question: Question, plan: p.Plan) -> Analysis:
    """Return what retrieval looks for.  The paper's retrieval has phrases of its own, from the question only."""
    most = platform.settings.max_phrases
    if question.retrieval == "paper" and question.question:
        return analyse_question(question.question, {}, max_phrases=most, sentences=platform.sentences)
    phrases = tuple(dict.fromkeys(thing.phrase for thing in plan.things))
    notes = plan.notes
    if len(phrases) > most:
        notes = (*notes, f"{len(phrases)} things are asked about; the first {most} are looked for")
    kind: Kind = _KINDS[plan.parts[0].op] if plan.parts else "other"
    if any(part.op == "change" for part in plan.parts):
        kind = "change"
    wants_all = any(part.op not in _ONE_IS_ENOUGH for part in plan.parts)
    return Analysis(clean(question.question), phrases[:most], kind, wants_all, notes, _region(plan))


def _region(plan: p.Plan) -> Region | None:
    """Return the part of the scene that all parts of a plan are about."""
    regions = {part.region for part in plan.parts}
    only = regions.pop() if len(regions) == 1 else None
    return region_named(only.name) if isinstance(only, p.PartOfScene) else None


def _about(plan: p.Plan, label: str) -> p.Plan:
    """Return the plan with an example in place of the things that it names."""
    thing = p.Thing(name=label)
    parts = [
        part if getattr(part, "thing", None) is None else part.model_copy(update={"thing": thing})
        for part in plan.parts
    ]
    if not any(part.things for part in parts):
        parts = [p.Where(thing=thing), *parts]
    return plan.model_copy(update={"parts": tuple(parts), "unplanned": None})
