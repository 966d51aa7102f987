"""Write the demo's report: one self-contained HTML page with answers, evidence, lineage and a map of the scenes."""

from __future__ import annotations

import platform as machine
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagerag_assets import __version__
from imagerag_assets.errors import StoreError
from imagerag_assets.ingestion.ingest import SceneResult
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.aside import remove_left, replace_text
from imagerag_assets.pages.components import render_page
from imagerag_assets.pages.imagery import (
    Fidelity,
    Scenes,
    day_of,
    imagery_of,
    scene_view,
    size_of,
    title_of,
    with_pictures,
)
from imagerag_assets.pages.lineage_graph import lineage_graph
from imagerag_assets.pages.scene_map import scene_map
from imagerag_assets.pages.views import answer_view
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.scenes.records import find_record

_FIDELITY = Fidelity(scene_px=1024, cue_px=256, quality=80)


def write_report(
    out: Path, platform: Platform, scenes: Sequence[SceneResult], answers: Sequence[DemoAnswer], seconds: float
) -> Path:
    """Write `out/index.html` aside, rename it into place, and return its path.

    Raises:
        StoreError: the folder cannot be written.
    """
    page = report_page(platform, scenes, answers, seconds)
    target = out / "index.html"
    try:
        out.mkdir(parents=True, exist_ok=True)
        remove_left(out)
        replace_text(target, page)
    except OSError as error:
        raise StoreError(
            f"The report cannot be written: {error}", fix="Give another folder with --out", path=out
        ) from None
    return target


def report_page(
    platform: Platform, scenes: Sequence[SceneResult], answers: Sequence[DemoAnswer], seconds: float
) -> str:
    """Return the report as HTML.  The picture of each scene is in it once, however many answers show it."""
    known = [answer for answer in answers if answer.right is not None]
    shown = [_view(platform, answer) for answer in answers]
    found = {scene.scene: record for scene in scenes if (record := find_record(platform, scene.scene)) is not None}
    pictures = {key: view.at(_FIDELITY) for key, record in found.items() if (view := scene_view(platform, record))}
    pictures |= {scene.key: scene.at(_FIDELITY) for each in shown for scene in each["scenes"]}
    ids = {key: f"scene-{number}" for number, key in enumerate(pictures, 1)}
    return render_page(
        "report.html",
        package="imagerag_assets.demo",
        version=__version__,
        python=machine.python_version(),
        seconds=seconds,
        right=sum(bool(answer.right) for answer in known),
        known=len(known),
        answers=shown,
        pictures=pictures,
        picture_ids=ids,
        map=scene_map(list(found.values())),
        mapped={key: (ids[key], scene.width, scene.height) for key, scene in pictures.items()},
        scenes=[
            each.to_dict()
            | {
                "title": title_of(found[each.scene]) if each.scene in found else each.scene,
                "day": day_of(found[each.scene]) if each.scene in found else "",
                "size": size_of(found[each.scene]) if each.scene in found else "",
            }
            for each in scenes
        ],
    )


def _view(platform: Platform, answer: DemoAnswer) -> dict[str, Any]:
    record = answer.answer
    scenes = Scenes(platform, record)
    view = answer_view(record, scenes=scenes.facts())
    imagery = imagery_of(platform, scenes, record, view).at(_FIDELITY)
    return {
        "kind": answer.kind,
        "expected": answer.expected,
        "right": answer.right,
        "view": with_pictures(view, imagery.pictures),
        "scenes": imagery.scenes,
        "graph": lineage_graph(record, scenes),
    }


@dataclass(frozen=True)
class DemoAnswer:
    """One question of the demo with its answer; `expected` is None if no right answer is known."""

    kind: str
    expected: str | None
    answer: AnswerRecord

    @property
    def right(self) -> bool | None:
        """Whether the chosen answer is the expected one; None if no right answer is known."""
        if self.expected is None:
            return None
        return bool(self.answer.choice and self.answer.choices[self.answer.choice] == self.expected)
