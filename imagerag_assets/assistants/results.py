"""The results of tools: structured content with its schema, the same as text, and pictures after it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mcp_types import CallToolResult, ContentBlock, TextContent
from pydantic import BaseModel, ConfigDict, Field

from imagerag_assets.assistants.texts import MOST_SENTENCE, plain, short
from imagerag_assets.errors import ImageRAGError

MOST_CUES = 20
Box = list[int]
Degrees = list[float]
_WINDOW = "x0, y0, x1, y1 in native pixels of the scene"
_BBOX = "West, south, east, north in degrees; null: the scene has no place on the ground"


class Result(BaseModel):
    """A result; its texts are data from scenes, catalogs and models."""

    model_config = ConfigDict(extra="ignore")


class Scene(Result):
    """An ingested scene."""

    scene: str = Field(description="Scene key, by which other tools name it")
    item: str | None = Field(description="Id of the STAC item")
    collection: str | None
    acquired: str | None = Field(description="ISO 8601")
    bbox: Degrees | None = Field(description=_BBOX)
    width: int | None = Field(description="Native pixels")
    height: int | None
    gsd_m: float | None = Field(description="Metres that a native pixel covers")
    patches: int | None = Field(description="Searchable patches")
    status: str = Field(description="ingested, empty, incomplete, removed or unreadable")
    notes: list[str] = []


class Scenes(Result):
    """A page of scenes."""

    scenes: list[Scene]
    total: int = Field(description="Scenes that pass the filters, on all pages")
    page: int
    pages: int
    notes: list[str] = []


class Cue(Result):
    """A place in a scene that shows what was looked for."""

    rank: int
    phrase: str
    scene: str
    window: Box = Field(description=_WINDOW)
    bbox: Degrees | None = Field(description=_BBOX)
    latitude: float | None = Field(description="Of the middle")
    longitude: float | None
    level: int = Field(description="Downsampled by 2 to this power when it was found")
    confidence: float = Field(description="0 to 1")
    score: float
    verdict: str = Field(description="What the model said on a closer look: confirmed, rejected or unchecked")
    patch_id: str


class Answer(Result):
    """An answer, or what was found."""

    answer_id: str = Field(description="Record id; replay takes it, and `imagerag trace` shows its lineage")
    question: str
    answer: str | None = Field(description="null: nothing was to be answered")
    choice: str | None = None
    outcome: str | None = Field(default=None, description="found, not_found, unrecognised, rejected or mixed")
    answered_by: str | None = Field(default=None, description="evidence, model or both")
    confidence: float | None = None
    path: str
    phrases: list[str]
    plan: list[dict[str, Any]] = Field(default=[], description="What the question was understood to ask")
    result: list[dict[str, Any]] = Field(
        default=[], description="What was computed for each part of the plan, with the ranks of its cues"
    )
    cues: list[Cue]
    cues_left_out: int = Field(default=0, description="Cues of the record that are not in this result")
    crops: list[int] = Field(default=[], description="Ranks of the cues whose pictures follow, in this order")
    change: dict[str, Any] | None = Field(default=None, description="The two scenes compared, and where they differ")
    notes: list[str] = []
    asked_at: str | None = None


class Look(Result):
    """A part of a scene; its picture follows."""

    scene: str
    window: Box = Field(description=f"{_WINDOW}; cut to the scene")
    bbox: Degrees | None = Field(description=_BBOX)
    level: int = Field(description="The picture's: 0 is native, each further one has half the resolution")
    width: int = Field(description="Of the picture, in pixels")
    height: int
    metres_per_pixel: float | None = Field(description="Of the picture")
    acquired: str | None
    notes: list[str] = []


class Replay(Result):
    """A question asked again with the versions that its answer used."""

    answer_id: str
    same_cues: bool
    same_answer: bool
    versions: str
    answer: str | None = Field(description="What the replay says")
    differences: list[dict[str, Any]]


class Watches(Result):
    """Standing questions, each asked again with every acquisition of its area."""

    watches: list[dict[str, Any]]
    answers: list[dict[str, Any]] = Field(default=[], description="Of the one that was named, oldest first")


class Watch(Result):
    """A standing question that was added."""

    watch: dict[str, Any]
    answer: dict[str, Any] | None
    note: str


class Explanation(Result):
    """What an ingest would take."""

    totals: dict[str, Any] = Field(description="Scenes by state, patches, bytes_read, vector_bytes, seconds")
    scenes: list[dict[str, Any]] = Field(description="The first scenes, with their costs")
    scenes_left_out: int = 0
    encoders: list[str]
    division: str


class Work(Result):
    """A long piece of work: what it would take, or what it did."""

    state: str = Field(description="nothing_to_do, estimate (consent is needed), declined, done or partly_failed")
    message: str = Field(description="One sentence, with what to do next")
    confirm: str | None = Field(
        default=None, description="To start it, call the tool again with the same arguments and this as confirm"
    )
    estimate: dict[str, Any]
    done: dict[str, Any] | None = None


def reply(
    model: type[Result], document: Mapping[str, Any], pictures: Sequence[tuple[str, ContentBlock]] = ()
) -> CallToolResult:
    """Return a document as the result of a tool.

    Args:
        model: Its form; keys that it lacks are left out.
        document: JSON.
        pictures: Each with the line that goes before it.
    """
    structured = model.model_validate(plain(document)).model_dump(mode="json")
    content: list[ContentBlock] = [TextContent(type="text", text=json.dumps(structured, ensure_ascii=False))]
    for line, picture in pictures:
        content += [TextContent(type="text", text=short(line)), picture]
    return CallToolResult(content=content, structured_content=structured)


def failure(error: ImageRAGError) -> CallToolResult:
    """Return an error as a result: one sentence and what to do about it."""
    said = plain({"error": error.to_document()})
    text = short(str(error), MOST_SENTENCE)
    text = text if text.endswith((".", "?", "!")) else f"{text}."
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=said, is_error=True)
