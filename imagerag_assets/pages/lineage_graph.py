"""Where an answer comes from, as a small graph: from items over scenes and what was found in them to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from imagerag_assets.pages.imagery import Scenes, title_of
from imagerag_assets.questions.answer_record import AnswerRecord

_WIDTH, _HEIGHT, _ACROSS, _DOWN = 172, 46, 64, 14
_LETTERS = 22
_MOST = 5
"""Scenes drawn one by one; the others are one node."""


@dataclass(frozen=True)
class Node:
    """A thing that an answer comes from."""

    kind: str
    label: str
    x: int
    y: int
    width: int = _WIDTH
    height: int = _HEIGHT

    @property
    def short(self) -> str:
        """The label as it fits."""
        return self.label if len(self.label) <= _LETTERS else f"{self.label[: _LETTERS - 1]}…"


@dataclass(frozen=True)
class Graph:
    """Nodes in columns from left to right, and the lines between them as paths of SVG."""

    nodes: tuple[Node, ...]
    edges: tuple[str, ...]
    width: int
    height: int
    words: tuple[tuple[str, str], ...]
    """The same for who does not see it: kinds and labels, in the order of the columns."""


def lineage_graph(record: AnswerRecord, scenes: Scenes) -> Graph:
    """Return the lineage of an answer as a graph."""
    lineage = record.lineage
    keys = list(lineage.scenes) or list(scenes.keys)
    used = [key for key in keys if key in {cue.scene for cue in record.cues}]
    ordered = [*used, *(key for key in keys if key not in used)]
    items, shown = [], []
    for key in ordered[:_MOST]:
        stored = scenes.records.get(key)
        shown.append(("scene", title_of(stored) if stored else key))
        items.append(("item", stored.scene.item_id if stored else ""))
    if len(ordered) > _MOST:
        shown.append(("scenes", f"{len(ordered) - _MOST} more"))
        items.append(("item", ""))
    models = [("encoder", lineage.encoder or "encoder")]
    models += [("knowledge", kind) for kind in lineage.knowledge]
    models += [("concept", f"my:{name}") for name in lineage.concepts]
    number = len(record.cues)
    found = [("question", record.question or "by example"), ("found", f"{number} cue{'' if number == 1 else 's'}")]
    if lineage.mllm:
        found.append(("model", lineage.mllm.name))
    if lineage.after:
        found.append(("former answer", lineage.after))
    said = (record.choice and f"{record.choice}: {record.answer}") or record.answer or "no answer"
    first = [items] if any(item for _, item in items) else []
    return _laid_out([*first, [*shown, *models], found, [("answer", said)]])


def _links(left: Sequence[Node], right: Sequence[Node]) -> list[tuple[Node, Node]]:
    """Return which nodes of neighbouring columns belong together."""
    if left[0].kind == "item":
        return [(item, node) for item in left for node in right if node.kind == "scene" and node.y == item.y]
    found = [node for node in right if node.kind == "found"]
    if found:
        return [(node, found[0]) for node in left]
    return [(node, right[0]) for node in left]


def _laid_out(columns: Sequence[Sequence[tuple[str, str]]]) -> Graph:
    rows = max(len(column) for column in columns)
    height = rows * (_HEIGHT + _DOWN) - _DOWN + 4
    placed: list[list[Node]] = []
    for number, column in enumerate(columns):
        # Items stand beside their scenes; what follows is centred.
        lead = 0 if number + 2 < len(columns) else (height - 4 - len(column) * (_HEIGHT + _DOWN) + _DOWN) // 2
        x = 2 + number * (_WIDTH + _ACROSS)
        placed.append(
            [
                Node(kind, label, x, 2 + lead + row * (_HEIGHT + _DOWN))
                for row, (kind, label) in enumerate(column)
                if label
            ]
        )
    edges = []
    for left, right in pairwise(placed):
        for start, end in _links(left, right):
            x0, y0, x1, y1 = start.x + _WIDTH, start.y + _HEIGHT // 2, end.x, end.y + _HEIGHT // 2
            bend = (x1 - x0) // 2
            edges.append(f"M{x0} {y0}C{x0 + bend} {y0} {x1 - bend} {y1} {x1} {y1}")
    nodes = tuple(node for column in placed for node in column)
    width = len(columns) * (_WIDTH + _ACROSS) - _ACROSS + 4
    return Graph(nodes, tuple(edges), width, height, tuple((node.kind, node.label) for node in nodes))
