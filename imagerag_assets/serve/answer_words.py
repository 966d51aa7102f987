"""An answer as the page shows it: in words, with the places of its cues, and its lineage drawn."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imagerag_assets.lineage.outdated import why_outdated
from imagerag_assets.pages.imagery import Scenes
from imagerag_assets.pages.lineage_graph import lineage_graph
from imagerag_assets.pages.views import answer_view
from imagerag_assets.serve.places import geometry_of

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.questions.answer_record import AnswerRecord


def answer_in_words(platform: Platform, record: AnswerRecord) -> dict[str, Any]:
    """Return an answer for a page: `pages.views.AnswerView`, with the lineage, and keys and outlines of its cues."""
    scenes = Scenes(platform, record)
    view = asdict(answer_view(record, scenes=scenes.facts(), outdated=why_outdated(platform, record)))
    for shown, cue in zip(view["cues"], record.cues, strict=True):
        shown["patch_id"], shown["scene_key"] = cue.patch_id, cue.scene
        shown["geometry"] = geometry_of(platform, cue.scene, cue.window)
    graph = lineage_graph(record, scenes)
    nodes = [asdict(node) | {"short": node.short} for node in graph.nodes]
    view["graph"] = {"nodes": nodes, "edges": list(graph.edges), "width": graph.width, "height": graph.height}
    return view
