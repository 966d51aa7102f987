"""Questions: each materialisation of `answer` is one question with its answer; of `answer_batch`, a file of them.

The configuration is the launchpad's form.  No `from __future__ import annotations` here: Dagster reads the annotations
of `context` and `config` as objects.
"""

from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, Self, get_args, get_origin

import dagster as dg
from pydantic import Field, create_model

from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration._dagster_private import tag_run
from imagerag_assets.orchestration.asking import OpenAsker
from imagerag_assets.orchestration.assets.knowledge import knowledge_captions, knowledge_labels
from imagerag_assets.orchestration.assets.scenes import CODE_VERSION, patch_collection
from imagerag_assets.orchestration.job_paths import JobPaths
from imagerag_assets.orchestration.question_tags import answered_tags, asked_tags
from imagerag_assets.orchestration.resources import Reporter
from imagerag_assets.orchestration.run_config import Config
from imagerag_assets.orchestration.step_failures import failures
from imagerag_assets.questions.question import Question

OWNERS = ["team:analysis"]


def _form(name: str) -> Any:
    """Return a question's field as Dagster's forms know it: lists for tuples, text for a choice of a few words."""
    field = Question.model_fields[name]
    annotation: Any = _plain(field.annotation)
    default = [] if field.default == () else field.get_default()
    return annotation, Field(default=default, description=field.description)


def _plain(annotation: Any) -> Any:
    inner = [each for each in get_args(annotation) if each not in (NoneType, ...)]
    if NoneType in get_args(annotation):
        return _plain(inner[0]) | None
    if get_origin(annotation) is Annotated:
        return inner[0]
    if get_origin(annotation) is Literal:
        return str
    return list[_plain(inner[0])] if get_origin(annotation) is tuple else annotation  # type: ignore[misc]


NOT_IN_BATCH = {
    "question": "the lines have it",
    "choices": "the lines have them",
    "id": "the lines have it",
    "roi": "the lines have it",
    "like": "the lines have it",
    "after": "the lines have it",
    "plan": "the lines have it",
}
"""Fields of a question that are no option of a whole file, and why."""
_COMMON = [name for name in Question.model_fields if name not in NOT_IN_BATCH]
AskOptions: Any = create_model("AskOptions", __base__=Config, **{name: _form(name) for name in _COMMON})
"""What a question and a file of questions have in common."""
_OneQuestion: Any = create_model("_OneQuestion", __base__=AskOptions, **{name: _form(name) for name in NOT_IN_BATCH})


class AskConfig(_OneQuestion):
    """One question: every field of `Question`."""

    # Without a default, so that the UI opens the launchpad in place of launching at once.
    question: str = Field(description=Question.model_fields["question"].description)

    @classmethod
    def from_question(cls, question: Question) -> Self:
        """Return the configuration of a run that asks `question`."""
        return cls(**question.model_dump(mode="json"))

    def to_question(self) -> Question:
        """Return the question that this configuration asks.

        Raises:
            QuestionError: It cannot be used.
        """
        given = {name: getattr(self, name) for name in Question.model_fields}
        return Question(**{name: value for name, value in given.items() if value is not None})


class AskBatchConfig(AskOptions):
    """A file of questions."""

    input: str = Field(description="JSONL file, one question a line; docs/questions.md has the keys of a line")
    output: str = Field(description="JSONL file to write, one answer a line, in the same order")

    @classmethod
    def from_options(cls, source: Path, output: Path, options: Mapping[str, Any]) -> Self:
        """Return the configuration of a run over a file; `options` are fields of a `Question`."""
        given = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
        return cls(input=str(source.absolute()), output=str(output.absolute()), **given)

    def to_options(self) -> dict[str, Any]:
        """Return the options for every line as fields of a `Question`."""
        return {name: getattr(self, name) for name in _COMMON}


EXAMPLE = AskConfig(
    question="In which part of the image is the storage tank?",
    choices={
        "A": "upper left",
        "B": "upper right",
        "C": "lower left",
        "D": "lower right",
        "E": "This image does not feature it",
    },
)


@dg.asset(
    deps=[patch_collection, knowledge_labels, knowledge_captions],
    code_version=CODE_VERSION,
    group_name="questions",
    owners=OWNERS,
    kinds={"huggingface", "milvus"},
    tags={"domain": "question"},
    description="The answer to one question, with georeferenced cues and the lineage to trace and replay it."
    " Every run is one question: open the job `ask_question` and edit the launchpad.",
)
def answer(
    context: dg.AssetExecutionContext,
    config: AskConfig,
    platform: dg.ResourceParam[Platform],
    job_paths: dg.ResourceParam[JobPaths],
    asker: dg.ResourceParam[OpenAsker],
) -> dg.MaterializeResult[Any]:
    """Ask one question."""
    from imagerag_assets.orchestration.answer_metadata import answer_metadata

    with failures(platform):
        job_paths.check_example(config.like, platform.settings)
        question = config.to_question()
        tag_run(context.instance, context.run.run_id, asked_tags(question))
        record = asker(platform, question)
        tag_run(context.instance, context.run.run_id, answered_tags(record))
    return dg.MaterializeResult(metadata=answer_metadata(platform, record))


@dg.asset(
    deps=[patch_collection, knowledge_labels, knowledge_captions],
    code_version=CODE_VERSION,
    group_name="questions",
    owners=OWNERS,
    kinds={"huggingface", "milvus"},
    tags={"domain": "question"},
    description="Answers to a file of questions (JSONL), as `imagerag ask --batch` writes them.",
)
def answer_batch(
    config: AskBatchConfig,
    platform: dg.ResourceParam[Platform],
    reporter: dg.ResourceParam[Reporter],
    job_paths: dg.ResourceParam[JobPaths],
) -> dg.MaterializeResult[Any]:
    """Ask every question of a file."""
    from imagerag_assets.questions.batch import ask_batch

    with failures(platform):
        job_paths.check_questions([config.input], platform.settings)
        job_paths.check_output(config.output, platform.settings)
        done = ask_batch(platform, config.input, config.output, progress=reporter.progress, **config.to_options())
    return dg.MaterializeResult(
        metadata={
            "questions": int(done["questions"]),
            "failed": int(done["failed"]),
            "seconds": float(done["seconds"]),
            "input": dg.MetadataValue.path(config.input),
            "output": dg.MetadataValue.path(config.output),
            "mode": config.mode,
        }
    )
