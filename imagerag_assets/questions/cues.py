"""Find the cues for a question with the retrieval method it asks for.  The methods are in `retrieval/`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from imagerag_assets.installation.serving import Serving
from imagerag_assets.patches.names import PAPER_DEFAULT
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.examples import Example
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.scope import filter_of, scope_of
from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox
from imagerag_assets.retrieval.calibration import Calibration
from imagerag_assets.retrieval.like import retrieve_like
from imagerag_assets.retrieval.paper import PaperSearch, retrieve_paper
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.retrieve import retrieve
from imagerag_assets.retrieval.types import Cue, Retrieval, Search


@dataclass(frozen=True)
class Scoped:
    """How and where our own retrieval looks for a question."""

    search: Search
    notes: tuple[str, ...]
    """About its scope."""


def find_cues(
    serving: Serving,
    question: Question,
    analysis: Analysis,
    viewer: Viewer,
    scoped: Scoped | None,
    example: Example | None = None,
) -> Retrieval:
    """Find the cues of a question in the region of the scenes that it names.

    The paper's retrieval knows no regions; modes `global` and `oracle` do not search.

    Args:
        serving: The collection.
        question: What is asked.
        analysis: What is looked for.
        viewer: Opens the scenes.
        scoped: From :func:`search_of`; None where our own retrieval is not asked for.
        example: What is looked for, instead of phrases.

    Raises:
        FingerprintError: Vectors of another encoder would be compared.
        StoreError: A store failed.
    """
    platform, collection = serving.platform, serving.collection
    if question.mode != "imagerag":
        cues = _given(question, analysis, viewer) if question.mode == "oracle" else ()
        return Retrieval(cues, "none", abstained=False, notes=(f"Mode {question.mode}: nothing was looked for",))
    if scoped is None:
        as_published = PaperSearch(
            division=question.division or PAPER_DEFAULT,
            scenes=question.scenes,
            where=filter_of(platform, question),
            collection=collection,
            bbox=question.bbox,
            path=question.path,
            top_k=question.top_k,
        )
        return retrieve_paper(platform, analysis, as_published)
    if example is not None:
        found = retrieve_like(platform, example.embedding, example.label, scoped.search, leave_out=example.patch_id)
    else:
        found = retrieve(platform, analysis, scoped.search)
    return replace(found, notes=(*scoped.notes, *found.notes))


def search_of(
    serving: Serving, question: Question, analysis: Analysis, viewer: Viewer, calibration: Calibration
) -> Scoped | None:
    """Return how and where our own retrieval looks for a question; None where it does not.

    Raises:
        StoreError: A store failed.
    """
    if question.mode != "imagerag" or question.retrieval == "paper":
        return None
    scope = scope_of(serving.platform, question, analysis.region, viewer, coarsest_m=calibration.coarsest_m)
    search = Search(
        calibration=calibration,
        where=scope.where,
        keep=scope.keep,
        collection=serving.collection,
        path=question.path,
        top_k=question.top_k,
        look=viewer,
    )
    return Scoped(search, scope.notes)


def _given(question: Question, analysis: Analysis, viewer: Viewer) -> tuple[Cue, ...]:
    """Return the regions of mode `oracle` as cues."""
    scene = question.scenes[0]
    grid = viewer.record(scene).grid
    # Of several phrases nobody said which one the region shows.
    phrase = analysis.phrases[0] if len(analysis.phrases) == 1 else "region"
    return tuple(
        Cue(
            patch_id=f"{scene}:roi:0:{number}:0",
            scene=scene,
            window=window,
            bbox=pixel_window_to_lonlat_bbox(grid, window),
            level=0,
            phrase=phrase,
            score=1.0,
            confidence=1.0,
            rank=number,
            path="none",
        )
        for number, window in enumerate(question.roi or (), 1)
    )
