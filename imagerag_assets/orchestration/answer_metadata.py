"""What Dagster's UI shows of an answer: the answer, its evidence and where it comes from, each fact once.

All else is in the answer's record (`questions.answer_records`), and on its page.
See https://docs.dagster.io/guides/build/assets/metadata-and-tags
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dagster as dg

from imagerag_assets.errors import StoreError
from imagerag_assets.escaping import markdown
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.answer_pages import PREFIX, answer_pictures
from imagerag_assets.pages.plan_words import plan_words, result_words
from imagerag_assets.questions.answer_record import AnswerRecord, Lineage
from imagerag_assets.questions.answer_records import answer_folder, prompt_key, record_key
from imagerag_assets.retrieval.calibration import calibration_key
from imagerag_assets.scenes.records import stored_scene

_MOST_CUES = 50  # in the event log; the record has all
_COLUMNS = {
    "cue": "int",
    "phrase": "string",
    "confidence": "float",
    "verdict": "string",
    "scene": "string",
    "window": "string",
}


def answer_metadata(platform: Platform, record: AnswerRecord) -> dict[str, Any]:
    """Return what the event log shows of an answer, the most important first; what there is none of is left out.

    Args:
        platform: The installation.
        record: The answer's record.
    """
    store = platform.store
    shown: dict[str, Any] = {
        "question": record.question,
        "answer": record.answer or "(none)",
        "choice": record.choice,
        "confidence": record.confidence,
        "evidence": dg.MetadataValue.md(_pictures(platform, record)),
        "cues": _cues(record),
        "notes": _lines(record.notes),
        "plan": _lines(_understood(record)),
        "page": _page(platform, record),
        "outcome": record.outcome,
        "answered_by": record.answered_by,
        "path": record.path,
        "phrases": ", ".join(record.phrases) or None,
        "answer_id": record.answer_id,
        "record": dg.MetadataValue.path(store.url(record_key(record.answer_id))),
        "cues_geojson": dg.MetadataValue.path(store.url(f"{answer_folder(record.answer_id)}/cues.geojson")),
        **_lineage(platform, record),
        "timings_ms": dg.MetadataValue.json(record.timings_ms),
    }
    return {name: value for name, value in shown.items() if value is not None}


def _pictures(platform: Platform, record: AnswerRecord) -> str:
    """Return the overview and the first cues' pictures as Markdown."""
    folder = answer_folder(record.answer_id)
    names = ["overview", *(f"cue-{cue.rank}" for cue in record.cues[:10])]
    # There is no overview when nothing is in scope.
    there = [name for name in names if platform.store.exists(f"{folder}/evidence/{name}.jpg")]
    return answer_pictures(record.answer_id, there) or "no pictures"


def _cues(record: AnswerRecord) -> Any:
    if not record.cues:
        return None
    rows = [
        {
            "cue": cue.rank,
            "phrase": cue.phrase,
            "confidence": round(cue.confidence, 2),
            "verdict": cue.verdict,
            "scene": cue.scene,
            "window": ", ".join(map(str, cue.window)),
        }
        for cue in record.cues[:_MOST_CUES]
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(name, kind) for name, kind in _COLUMNS.items()])
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows], schema)


def _understood(record: AnswerRecord) -> list[str]:
    """Return a line for each part of the plan, with what came of it."""
    lines = plan_words(record.plan)
    results = [*map(result_words, record.result), *("" for _ in lines)]
    return [f"{asked}: {found}" if found else asked for asked, found in zip(lines, results, strict=False)]


def _lines(lines: Iterable[str]) -> Any:
    text = "\n".join(f"- {markdown(line)}" for line in lines)
    return dg.MetadataValue.md(text) if text else None


def _page(platform: Platform, record: AnswerRecord) -> Any:
    """Make the answer's page, and return a link to it; what is wrong with it, where it cannot be kept."""
    from imagerag_assets.pages.answer_page import keep_answer_page  # takes long to load

    try:
        keep_answer_page(platform, record)
    except StoreError as error:  # the answer itself is kept
        return f"(none: {error.message})"
    return dg.MetadataValue.url(f"{PREFIX}{record.answer_id}")


def _lineage(platform: Platform, record: AnswerRecord) -> dict[str, Any]:
    """Return the scenes, items, versions, thresholds, prompt and model of an answer, with links to what they are of."""
    lineage, model = record.lineage, record.lineage.mllm
    prompt = prompt_key(record.answer_id)
    return {
        "upstream": dg.MetadataValue.md(_upstream(platform, lineage)),
        "encoder_fingerprint": lineage.fingerprint,
        "thresholds": _thresholds(platform, lineage),
        "model": f"{model.name} ({model.revision})" if model else None,
        "prompt": dg.MetadataValue.path(platform.store.url(prompt)) if lineage.prompt_sha256 else None,
    }


def _upstream(platform: Platform, lineage: Lineage) -> str:
    links = []
    for key in sorted(lineage.scenes):  # keys are URL-safe
        item = (stored_scene(platform, key) or {}).get("item_href") or "no longer stored"
        links.append(f"- scene [{markdown(key)}](/assets/scene?partition={key}), item {markdown(item)}")
    links.append(f"- [encoder](/assets/encoder) {markdown(lineage.encoder or '')}".rstrip())
    links.append(f"- [patch_collection](/assets/patch_collection) {markdown(lineage.collection or '')}")
    for name, version in lineage.knowledge.items():
        links.append(f"- [{name}](/assets/{name}) version {markdown(version[:16])}")
    return "\n".join(links)


def _thresholds(platform: Platform, lineage: Lineage) -> str:
    """Return the version of the calibration, and its object if this installation stores one."""
    division = str(lineage.division or platform.recipe.division_key)
    key = calibration_key(lineage.fingerprint, division)
    stored = platform.store.url(key) if platform.store.exists(key) else "packaged, or generic"
    return f"calibration {lineage.calibration} ({stored})"
