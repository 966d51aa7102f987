"""Tools that only read: scenes, parts of scenes, replays, standing questions, and what an ingest would take."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from mcp_types import CallToolResult
from pydantic import Field

from imagerag_assets.assistants.arguments import AnswerId, Bbox, Datetime
from imagerag_assets.assistants.installation import Installation
from imagerag_assets.assistants.pictures import picture_content
from imagerag_assets.assistants.results import Explanation, Look, Replay, Scenes, Watches, reply
from imagerag_assets.assistants.sources import MOST_SCENES, Collections, ItemKeys, Limit, Source, check_source

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform

_PAGE, _SHOWN = 20, 20


def reading_tools(installation: Installation) -> list[Callable[..., Any]]:
    """Return the tools that change nothing of an installation."""

    async def list_scenes(
        collections: Annotated[list[str] | None, Field(description="Only scenes of these STAC collections")] = None,
        bbox: Bbox = None,
        datetime: Datetime = None,
        page: Annotated[int, Field(ge=1)] = 1,
        limit: Annotated[int, Field(ge=1, le=100, description="Scenes on a page")] = _PAGE,
    ) -> Annotated[CallToolResult, Scenes]:
        """List the ingested scenes: their keys, places, dates and sizes, page by page."""

        def scenes(platform: Platform) -> dict[str, Any]:
            from imagerag_assets.ingestion.inventory import SceneFilter, list_scenes
            from imagerag_assets.questions.question import Question, interval

            # A question checks an area and a time in the same words everywhere.
            area = Question("scenes", bbox=bbox, datetime=datetime)
            start, end = interval(area.datetime)
            wanted = SceneFilter(tuple(collections or ()), start_ms=start, end_ms=end, bbox=area.bbox)
            found = list_scenes(platform, wanted, limit=limit, page=page)
            if not found["total"] and not wanted:
                found["notes"] = [
                    "No scene is ingested in this installation; if there is another one, start the server with its"
                    " folder in IMAGERAG_HOME"
                ]
            return found

        return reply(Scenes, await installation.read(scenes))

    async def look(
        scene: Annotated[str, Field(description="Scene key")],
        window: Annotated[
            list[int] | None,
            Field(min_length=4, max_length=4, description="x0, y0, x1, y1 in native pixels, e.g. of a cue"),
        ] = None,
        bbox: Annotated[
            list[float] | None,
            Field(min_length=4, max_length=4, description="Or west, south, east, north in degrees; default: all of it"),
        ] = None,
        level: Annotated[
            int | None, Field(ge=0, le=16, description="0 is native; each further one has half the resolution")
        ] = None,
    ) -> Annotated[CallToolResult, Look]:
        """Look at a scene or a part of it.

        The picture has at most 1024 pixels a side, so look at a small box for detail.
        """

        def cut(platform: Platform) -> Any:
            from imagerag_assets.assistants.looking import look_at

            return look_at(platform, scene, window, bbox, level)

        about, picture = await installation.read(cut)
        return reply(Look, about, [(f"Scene {scene}, level {about['level']}", picture_content(picture))])

    async def replay(answer_id: AnswerId) -> Annotated[CallToolResult, Replay]:
        """Ask a question again with the versions that its answer used, and say what differs.

        The record stays as it is.
        """

        def again(platform: Platform) -> dict[str, Any]:
            from imagerag_assets.lineage.replay import replay as ask_again

            found = ask_again(platform, answer_id).to_dict()
            return found | {"answer": found["replay"].get("answer")}

        return reply(Replay, await installation.read(again))

    async def list_watches(
        watch_id: Annotated[str | None, Field(description="Of one standing question: with all its answers")] = None,
    ) -> Annotated[CallToolResult, Watches]:
        """List the standing questions with their last answers and when these changed, or one with its history."""

        def watches(platform: Platform) -> dict[str, Any]:
            from imagerag_assets.standing_questions.asking import describe_watches
            from imagerag_assets.standing_questions.store import load_watch, series

            if watch_id is None:
                return {"watches": describe_watches(platform)}
            watch = load_watch(platform, watch_id).to_dict()
            return {"watches": [watch], "answers": [each.to_dict() for each in series(platform, watch_id)]}

        return reply(Watches, await installation.read(watches))

    async def explain_ingest(
        source: Source, scenes: ItemKeys = None, collections: Collections = None, limit: Limit = MOST_SCENES
    ) -> Annotated[CallToolResult, Explanation]:
        """Say what an ingest of a source would read, embed and store, and how long it would take; ingest nothing."""
        found = await installation.read(
            lambda platform: explained(platform, source, scenes or (), collections or (), limit)
        )
        document = found | {
            "scenes": found["scenes"][:_SHOWN],
            "scenes_left_out": max(0, len(found["scenes"]) - _SHOWN),
            "encoders": [each["name"] for each in found["encoders"]],
        }
        return reply(Explanation, document)

    return [list_scenes, look, replay, list_watches, explain_ingest]


def explained(
    platform: Platform, source: str, scenes: list[str] | tuple[()], collections: list[str] | tuple[()], limit: int
) -> dict[str, Any]:
    """Return the result of `imagerag explain`.

    Raises:
        InputError: The source is in no folder for jobs, or an address that may not be read.
        ImageRAGError: It cannot be read.
    """
    check_source(source, platform.settings)
    from imagerag_assets.ingestion.explain import explain

    return explain(platform, source, scenes=scenes, collections=collections, limit=limit).to_dict()
