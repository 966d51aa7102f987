"""The page of an answer: one self-contained HTML file, made from its record and the evidence kept with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from imagerag_assets import __version__
from imagerag_assets.installation.platform import Platform
from imagerag_assets.lineage.outdated import why_outdated
from imagerag_assets.objects.store import HasStore
from imagerag_assets.pages.components import render_page
from imagerag_assets.pages.downloads import Download, downloads
from imagerag_assets.pages.imagery import Imagery, Scenes, imagery_of, with_pictures
from imagerag_assets.pages.lineage_graph import lineage_graph
from imagerag_assets.pages.views import AnswerView, answer_view
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.answer_records import load_answer, page_key

MOST_BYTES = 2_000_000
"""The largest page."""
MOST_CUES = 60
"""Cards on a page; all cues are in the downloads."""
_FILES = 900_000
"""Characters that downloads may take together."""
_ROOM = 20_000


def write_answer_page(platform: Platform, answer_id: str) -> str:
    """Make the page of an answer as things are now, keep it beside the record, and return its object key.

    Raises:
        UnknownAnswerError: There is no such answer.
        StoreError: The object store cannot be read or written.
    """
    record = load_answer(platform, answer_id)
    return keep_answer_page(platform, record, why_outdated(platform, record))


def keep_answer_page(platform: HasStore, record: AnswerRecord, outdated: Sequence[str] = ()) -> str:
    """Make the page of an answer, keep it beside the record, and return its object key.

    Raises:
        StoreError: The object store cannot be read or written.
    """
    key = page_key(record.answer_id)
    platform.store.write_bytes(key, answer_page(platform, record, outdated).encode())
    return key


def answer_page(platform: HasStore, record: AnswerRecord, outdated: Sequence[str] = ()) -> str:
    """Return the page of an answer as HTML, of at most `MOST_BYTES`.

    Args:
        platform: Whose store has the scenes and the evidence.
        record: The answer's record, of any version.
        outdated: Why time has passed the answer by, in sentences.
    """
    scenes = Scenes(platform, record)
    whole = answer_view(record, scenes=scenes.facts(), outdated=list(dict.fromkeys(outdated)))
    view = replace(whole, cues=whole.cues[:MOST_CUES])
    files, left_out = _fitting_files(downloads(platform, record, scenes))
    context: dict[str, Any] = {
        "version": __version__,
        "files": files,
        "left_out": left_out,
        "more_cues": len(whole.cues) - len(view.cues),
        "graph": lineage_graph(record, scenes),
        "facts": _facts(record),
    }
    imagery = imagery_of(platform, scenes, record, view)
    held = len(_rendered(view, imagery, context).encode())  # what the page takes besides its pictures
    return _rendered(view, imagery.fitting(MOST_BYTES - held - _ROOM), context)


def _rendered(view: AnswerView, imagery: Imagery, context: Mapping[str, Any]) -> str:
    drawn = {cue.rank for scene in imagery.scenes for cue in scene.boxes}
    shown = with_pictures(view, imagery.pictures)
    return render_page("answer.html", view=shown, imagery=imagery, drawn=drawn, **context)


def _fitting_files(files: Sequence[Download]) -> tuple[list[Download], list[str]]:
    """Return the files that fit the page, the smallest first considered, and the names of those that do not."""
    kept, room = [], _FILES
    for file in sorted(files, key=lambda file: len(file.data)):
        room -= len(file.address)
        if room >= 0:
            kept.append(file)
    return [file for file in files if file in kept], [file.kind for file in files if file not in kept]


def _facts(record: AnswerRecord) -> list[tuple[str, str]]:
    lineage = record.lineage
    total = record.timings_ms.get("total")
    thresholds = {"labelled": "fitted on labelled scenes", "imagery": "fitted on the imagery", "default": "generic"}
    return [
        ("answer", record.answer_id),
        ("encoder", lineage.encoder or ""),
        ("thresholds", thresholds.get(lineage.calibration_kind or "", "")),
        ("model", lineage.mllm.name if lineage.mllm else ""),
        ("took", f"{total / 1000:.1f} s" if total else ""),
        ("made by", f"imagerag-assets {lineage.version}" if lineage.version else ""),
    ]
