"""Tools that ask: find, ask, count, compare, and a standing question.  Each leaves a record that can be replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, cast

from mcp_types import CallToolResult, ContentBlock
from pydantic import Field

from imagerag_assets.assistants.arguments import Bbox, Cloud, Datetime, Images, SceneKeys, Thing, TopK
from imagerag_assets.assistants.installation import Installation
from imagerag_assets.assistants.pictures import crop_content
from imagerag_assets.assistants.results import MOST_CUES, Answer, Watch, reply
from imagerag_assets.errors import InputError, StoreError
from imagerag_assets.plans.plan import PartName
from imagerag_assets.questions.question import Question

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform

MOST_PHRASES = 5
_IMAGES = 3
Answered = Annotated[CallToolResult, Answer]


def asking_tools(installation: Installation) -> list[Callable[..., Any]]:
    """Return the tools that answer questions of an installation."""

    async def answered(question: Question, images: int) -> CallToolResult:
        record = await installation.ask(question)
        crops, notes = await installation.read(lambda platform: _crops(platform, record, images))
        return reply(Answer, _document(record, len(crops), notes), crops)

    async def find(
        phrases: Annotated[list[Thing] | None, Field(max_length=MOST_PHRASES, description="What to look for")] = None,
        scenes: SceneKeys = None,
        bbox: Bbox = None,
        datetime: Datetime = None,
        cloud_at_most: Cloud = None,
        top_k: TopK = None,
        like: Annotated[
            str | None, Field(description="Instead of phrases: what looks like the patch with this id, of a cue")
        ] = None,
        images: Images = _IMAGES,
    ) -> Answered:
        """Find places that show something, without a language model: cues with boxes, coordinates and confidence.

        A cue is a guess of an image-text encoder: look at its picture before you rely on it.
        """
        if (like is None) == (not phrases):
            raise InputError("find needs phrases or like, and not both", fix="Give e.g. phrases ['storage tank']")
        if like is not None and like.count(":") != 4:  # a file is not for an assistant to name
            raise InputError("like is not the id of a patch", fix="Give the patch_id of a cue")
        text = f"Where is {', '.join(phrases)}?" if phrases else ""
        plan = json.dumps([{"op": "where", "thing": phrase} for phrase in phrases]) if phrases else None
        scope = _scope(scenes, bbox, datetime, cloud_at_most)
        question = Question(text, plan=plan, like=like, answer=False, top_k=top_k, **scope)
        return await answered(question, images)

    async def ask(
        question: Annotated[str, Field(description="In plain words; may be left empty where a plan is given")] = "",
        plan: Annotated[
            list[dict[str, Any]] | None,
            Field(description='Compute this instead of reading the question, e.g. [{"op": "count", "thing": "ship"}]'),
        ] = None,
        choices: Annotated[
            dict[str, str] | None, Field(description="Choices by letter, at least two; default: a free answer")
        ] = None,
        scenes: SceneKeys = None,
        bbox: Bbox = None,
        datetime: Datetime = None,
        cloud_at_most: Cloud = None,
        top_k: TopK = None,
        after: Annotated[
            str | None, Field(description="Follow up on the answer with this record id: its things, scenes and area")
        ] = None,
        images: Images = _IMAGES,
    ) -> Answered:
        """Ask about the scenes; get an answer with the places that it stands on.

        Not found is not absent. Operations of a plan: exists, count, where, which, compare, nearest, distance,
        relative, share, density, list, describe, attribute, change.
        """
        asked = Question(
            question, plan=None if plan is None else json.dumps(plan), choices=choices or {}, after=after, top_k=top_k,
            **_scope(scenes, bbox, datetime, cloud_at_most),
        )  # fmt: skip
        return await answered(asked, images)

    async def count(
        thing: Thing,
        scenes: SceneKeys = None,
        bbox: Bbox = None,
        datetime: Datetime = None,
        cloud_at_most: Cloud = None,
        part: Annotated[PartName | None, Field(description="Only in this part of each scene")] = None,
        images: Images = _IMAGES,
    ) -> Answered:
        """Count a thing: the number, an interval, and the places where they are."""
        operation: dict[str, Any] = {"op": "count", "thing": thing}
        if part is not None:
            operation["region"] = {"kind": "part", "name": part}
        question = Question(
            f"How many of these are there: {thing}?", plan=json.dumps([operation]),
            **_scope(scenes, bbox, datetime, cloud_at_most),
        )  # fmt: skip
        return await answered(question, images)

    async def compare(
        scenes: Annotated[
            list[str] | None,
            Field(min_length=2, max_length=2, description="Keys of two scenes of one place, or give bbox and datetime"),
        ] = None,
        bbox: Bbox = None,
        datetime: Datetime = None,
        thing: Annotated[
            str | None, Field(min_length=1, max_length=200, description="Only what changed at this thing")
        ] = None,
        counted: Annotated[bool, Field(description="Say whether there are more or fewer of the thing")] = False,
        images: Images = _IMAGES,
    ) -> Answered:
        """Say what changed between two scenes of a place: the earliest and the latest in scope, place by place.

        The pictures show before and after side by side.
        """
        if counted and thing is None:
            raise InputError("counted needs a thing", fix="Give thing, e.g. ship")
        text = f"Are there more or fewer: {thing}?" if counted else "What changed?"
        operation = {"op": "change"} if thing is None else {"op": "change", "thing": thing}
        question = Question(text, plan=json.dumps([operation]), **_scope(scenes, bbox, datetime, None))
        return await answered(question, images)

    async def add_watch(
        question: Annotated[str, Field(min_length=1, description="In plain words")],
        name: Annotated[
            str, Field(max_length=80, description="For people, and for its id; default: the question")
        ] = "",
        scenes: SceneKeys = None,
        bbox: Bbox = None,
        datetime: Datetime = None,
        cloud_at_most: Cloud = None,
        ask_now: Annotated[bool, Field(description="Ask it for the first time now")] = True,
    ) -> Annotated[CallToolResult, Watch]:
        """Save a standing question, which is asked again when a new acquisition covers its area."""
        asked = Question(question, **_scope(scenes, bbox, datetime, cloud_at_most))
        asked.check_length(installation.settings)

        def add(runner: Any) -> dict[str, Any]:
            from imagerag_assets.orchestration.watches import add_watch as save

            return save(runner, asked, name=name, ask_now=ask_now)

        return reply(Watch, await installation.run(add))

    return [find, ask, count, compare, add_watch]


def _scope(
    scenes: list[str] | None, bbox: list[float] | None, datetime: str | None, cloud_at_most: float | None
) -> dict[str, Any]:
    given = {"scenes": tuple(scenes or ()), "bbox": bbox, "datetime": datetime, "cloud_at_most": cloud_at_most}
    return {name: value for name, value in given.items() if value is not None}


def _document(record: dict[str, Any], crops: int, notes: list[str]) -> dict[str, Any]:
    """Return what an assistant reads of a record."""
    cues = [cue | _middle(cue.get("bbox")) for cue in record["cues"]]
    most = MOST_CUES
    return record | {
        "cues": cues[:most],
        "cues_left_out": max(0, len(cues) - most),
        "crops": [cue["rank"] for cue in cues[:crops]],
        "plan": _said_only(record.get("plan", [])),
        "result": _said_only(record.get("result", [])),
        "change": record.get("change"),
        "notes": [*record.get("notes", ()), *notes],
    }


def _said_only(value: Any) -> Any:
    """Return parts of a plan or a result without the keys that say nothing."""
    if isinstance(value, dict):
        kept = {key: _said_only(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if key == "value" or each not in (None, "", [], {})}
    return [_said_only(each) for each in value] if isinstance(value, list | tuple) else value


def _middle(bbox: list[float] | None) -> dict[str, float | None]:
    if bbox is None:
        return {"latitude": None, "longitude": None}
    from imagerag_assets.raster.geo import middle_of_box

    longitude, latitude = middle_of_box(cast("tuple[float, float, float, float]", tuple(bbox)))
    return {"latitude": round(latitude, 6), "longitude": round(longitude, 6)}


def _crops(platform: Platform, record: dict[str, Any], most: int) -> tuple[list[tuple[str, ContentBlock]], list[str]]:
    """Return the stored pictures of the best cues, up to the first that cannot be read, and why it cannot."""
    from imagerag_assets.questions.answer_records import evidence_key

    found: list[tuple[str, ContentBlock]] = []
    for cue in record["cues"][:most]:
        try:
            jpeg = platform.store.read_bytes(evidence_key(record["answer_id"], cue["rank"]))
            picture = crop_content(jpeg)
        except StoreError as error:
            return found, [f"Pictures from cue {cue['rank']} on are left out: {error}"]
        line = f"Cue {cue['rank']}: {cue['phrase']} in {cue['scene']}, confidence {cue['confidence']:.2f}"
        found.append((line, picture))
    return found, []
