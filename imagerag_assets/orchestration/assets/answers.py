"""Questions: each materialisation of `answer` is one question with its answer; of `answer_batch`, a file of them.

The configuration is the launchpad's form.  No `from __future__ import annotations` here: Dagster reads the annotations
of `context` and `config` as objects.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import dagster as dg
from pydantic import Field

from imagerag_assets.errors import StoreError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.assets.knowledge import knowledge_captions, knowledge_labels
from imagerag_assets.orchestration.assets.scenes import CODE_VERSION, patch_collection
from imagerag_assets.orchestration.lineage_metadata import lineage_metadata
from imagerag_assets.orchestration.previews import inline_image, markdown_table
from imagerag_assets.orchestration.resources import Reporter
from imagerag_assets.orchestration.step_failures import failures

if TYPE_CHECKING:
    from imagerag_assets.questions.ask import Question

OWNERS = ["team:analysis"]
_MAX_PICTURES = 6  # in the event log; the record has all


class AskOptions(dg.Config):
    """What a question and a file of questions have in common."""

    scenes: list[str] = Field(default=[], description="Only these scene keys; empty: all scenes")
    bbox: list[float] = Field(default=[], description="Only patches in west, south, east, north (degrees); empty: all")
    datetime: str = Field(default="", description="Only scenes acquired in START/END, e.g. 2024-01-01/2024-06-30")
    path: str = Field(default="auto", description="How to look for cues: auto, fast, slow or none")
    top_k: int | None = Field(default=None, description="Cues for a question about one thing; default: the setting")
    retrieval: str = Field(default="default", description="default, or paper for the published algorithm")
    division: str | None = Field(default=None, description="vit, cc or grid (for retrieval: paper)")
    answer: bool = Field(default=True, description="Off: only look for cues")
    mode: str = Field(default="imagerag", description="imagerag, global (no cues) or oracle (the given region)")


class AskConfig(AskOptions):
    """One question."""

    question: str = Field(description="The question, in plain words")
    choices: dict[str, str] = Field(default={}, description="Choices by letter, e.g. A: red; empty: a free answer")
    id: str | None = Field(default=None, description="An id of your own, kept in the record")
    roi: list[list[int]] = Field(default=[], description="Boxes x0, y0, x1, y1 in native pixels, for mode oracle only")
    like: str | None = Field(default=None, description="Find what looks like this picture file or patch id")
    after: str | None = Field(default=None, description="Id of an answer that this question follows up")

    @classmethod
    def from_question(cls, question: "Question") -> Self:
        """The configuration of a run that asks `question`."""
        return cls(
            question=question.question,
            choices=dict(question.choices),
            scenes=list(question.scenes),
            bbox=list(question.bbox or ()),
            datetime=question.datetime or "",
            path=question.path,
            top_k=question.top_k,
            retrieval=question.retrieval,
            division=question.division,
            answer=question.answer,
            mode=question.mode,
            id=question.id,
            roi=[list(box) for box in question.roi or ()],
            like=question.like,
            after=question.after,
        )

    def to_question(self) -> "Question":
        """The question that this configuration asks.

        Raises:
            QuestionError: it cannot be used.
        """
        from imagerag_assets.questions.ask import Question

        return Question(
            question=self.question,
            choices=dict(self.choices),
            roi=[tuple(box) for box in self.roi] or None,  # type: ignore[misc]
            id=self.id,
            like=self.like,
            after=self.after,
            **ask_options(self),
        )


class AskBatchConfig(AskOptions):
    """A file of questions."""

    input: str = Field(description="JSONL file, one question a line: id, question, scene, choices, roi")
    output: str = Field(description="JSONL file to write, one answer a line, in the same order")

    @classmethod
    def from_options(cls, source: Path, output: Path, options: Mapping[str, Any]) -> Self:
        """The configuration of a run over a file; `options` are fields of a `Question`."""
        given = {name: value for name, value in options.items() if value is not None}
        return cls(input=str(source.absolute()), output=str(output.absolute()), **given)


def ask_options(config: AskOptions) -> dict[str, Any]:
    """The options as keyword arguments of a question."""
    return {
        "scenes": tuple(config.scenes),
        "bbox": tuple(config.bbox) or None,
        "datetime": config.datetime or None,
        "path": config.path,
        "top_k": config.top_k,
        "retrieval": config.retrieval,
        "division": config.division,
        "answer": config.answer,
        "mode": config.mode,
    }


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
def answer(config: AskConfig, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult[Any]:
    """Ask one question."""
    from imagerag_assets.questions.ask import ask  # retrieval and answering load when they are needed

    with failures(platform):
        result = ask(platform, config.to_question()).to_dict()
    return dg.MaterializeResult(metadata=answer_metadata(platform, result))


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
    config: AskBatchConfig, platform: dg.ResourceParam[Platform], reporter: dg.ResourceParam[Reporter]
) -> dg.MaterializeResult[Any]:
    """Ask every question of a file."""
    from imagerag_assets.questions.batch import ask_batch

    with failures(platform):
        done = ask_batch(platform, config.input, config.output, progress=reporter.progress, **ask_options(config))
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


def answer_metadata(platform: Platform, result: dict[str, Any]) -> dict[str, Any]:
    """What the event log shows of an answer's record, with small pictures of its evidence."""
    folder = f"answers/{result['answer_id']}"
    cues = [
        {
            "rank": cue["rank"],
            "scene": cue["scene"],
            "phrase": cue["phrase"],
            "confidence": f"{cue['confidence']:.2f}",
            "window": ", ".join(str(value) for value in cue["window"]),
            "level": cue["level"],
        }
        for cue in result["cues"]
    ]
    return {
        "question": result["question"],
        "answer": result["answer"] or "(none)",
        "choice": result["choice"] or "(none)",
        "path": result["path"],
        "abstained": result["abstained"],
        "phrases": ", ".join(result["phrases"]),
        "evidence": dg.MetadataValue.md(_pictures(platform, folder, result)),
        "cues": dg.MetadataValue.md(markdown_table(cues)),
        "answer_id": result["answer_id"],
        "record": dg.MetadataValue.path(platform.store.url(f"{folder}/answer.json")),
        "cues_geojson": dg.MetadataValue.path(platform.store.url(f"{folder}/cues.geojson")),
        **lineage_metadata(platform, result),
        "timings_ms": dg.MetadataValue.json(result["timings_ms"]),
    }


def _pictures(platform: Platform, folder: str, result: dict[str, Any]) -> str:
    names = ["overview"] + [f"cue-{cue['rank']}" for cue in result["cues"]]
    shown: list[str] = []
    for name in names[: _MAX_PICTURES + 1]:
        key = f"{folder}/evidence/{name}.jpg"
        try:
            shown.append(inline_image(platform.store.read_bytes(key), name))
        except (StoreError, OSError):  # there is no overview when nothing is in scope
            continue
    return "\n\n".join(shown) or "no pictures"
