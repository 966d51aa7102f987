"""Further looks: what was not found, or not confirmed, is looked for where nobody looked before (IMAGERAG_LOOKS).

A search reads only its best candidates again, so that the next look reads the next best.  `reply.py` decides when
another look is worth it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from imagerag_assets.plans.things import things_of
from imagerag_assets.questions.cues import search_of
from imagerag_assets.questions.evidence import Viewer, cue_pictures
from imagerag_assets.questions.find import Found
from imagerag_assets.questions.visible import without_too_small
from imagerag_assets.retrieval.recognition import recognition
from imagerag_assets.retrieval.retrieve import retrieve
from imagerag_assets.retrieval.types import Keep, Retrieval, SceneWindow, Window

if TYPE_CHECKING:
    from imagerag_assets.answering import Mllm, Prompt
    from imagerag_assets.installation.platform import Platform

SAME_GROUND = 0.4
"""Share of a window that was seen already from which it is no further look."""
_NAMED = 120
"""Characters that are read of what a model wants to see."""


def look_further(found: Found, phrases: Sequence[str], viewer: Viewer) -> Found:
    """Look for phrases outside what was seen of each, and add the cues that pass, ranked after those there are.

    Raises:
        StoreError: A store failed.
        EncoderError: A crop cannot be embedded.
    """
    resolved, retrieval = found.resolved, found.retrieval
    for phrase in phrases:
        analysis = replace(resolved.analysis, phrases=(phrase,), notes=())
        scoped = search_of(resolved.serving, resolved.question, analysis, viewer, resolved.calibration)
        if scoped is None:
            return found
        keep = _outside(_seen(retrieval, phrase), scoped.search.keep)
        more = retrieve(resolved.platform, analysis, replace(scoped.search, keep=keep))
        more = without_too_small(resolved.platform, resolved.question, analysis, more)
        retrieval = _with_more(retrieval, more, phrase)
    added = retrieval.cues[len(found.cues) :]
    pictures, notes = cue_pictures(viewer, added)
    scene = found.scene if found.cues or not added else added[0].scene
    return replace(
        found,
        retrieval=retrieval,
        scene=scene,
        pictures={**found.pictures, **pictures},
        notes=(*found.notes, *notes),
    )


def wanted_by_model(mllm: Mllm, prompt: Prompt, known: Collection[str], platform: Platform) -> str | None:
    """Ask a model that is not sure what else it wants to see.

    Args:
        mllm: The model.
        prompt: What it was not sure of.
        known: Phrases that were looked for already.
        platform: The installation, whose encoder has to recognise what the model names.

    Returns:
        A phrase to look for; None: the model names nothing new that can be recognised.

    Raises:
        ModelError: The model failed.
    """
    asked = f"Which one thing should be found in the imagery to answer this: {prompt.question!r}? Reply with its name."
    said = mllm.answer(replace(prompt, question=asked, choices={}, think=False)).text
    new = [thing.phrase for thing in things_of(said[:_NAMED].lower()) if thing.phrase not in known][:1]
    return next((phrase for phrase, each in recognition(platform, new).items() if each.known), None)


def _seen(retrieval: Retrieval, phrase: str) -> tuple[SceneWindow, ...]:
    own = tuple((cue.scene, cue.window) for cue in retrieval.cues if cue.phrase == phrase)
    return (*own, *retrieval.seen.get(phrase, ()))


def _outside(seen: Sequence[SceneWindow], keep: Keep | None) -> Keep:
    """Return the condition that a window was not seen, in addition to another one."""
    by_scene: dict[str, list[Window]] = {}
    for scene, window in seen:
        by_scene.setdefault(scene, []).append(window)

    def new(scene: str, window: Window) -> bool:
        known = any(_shared(window, each) >= SAME_GROUND for each in by_scene.get(scene, ()))
        return not known and (keep is None or keep(scene, window))

    return new


def _shared(window: Window, other: Window) -> float:
    """Return the share of a window that lies in another one."""
    across = min(window[2], other[2]) - max(window[0], other[0])
    down = min(window[3], other[3]) - max(window[1], other[1])
    area = (window[2] - window[0]) * (window[3] - window[1])
    return max(0, across) * max(0, down) / max(1, area)


def _with_more(first: Retrieval, more: Retrieval, phrase: str) -> Retrieval:
    """Return a retrieval with what a further look for a phrase found."""
    added = [replace(cue, rank=rank) for rank, cue in enumerate(more.cues, len(first.cues) + 1)]
    told = f"{len(added)} more" if added else "nothing more"
    sure = bool(added) and phrase not in more.unsure
    return replace(
        first,
        cues=(*first.cues, *added),
        path=more.path if first.path == "none" else first.path,
        abstained=first.abstained and not added,
        notes=(*first.notes, f"A further look for {phrase!r}, elsewhere, found {told}"),
        timings_ms={name: ms + more.timings_ms.get(name, 0.0) for name, ms in first.timings_ms.items()},
        others={**first.others, phrase: first.others.get(phrase, 1.0) * more.others.get(phrase, 1.0)},
        best=_greater(first.best, more.best),
        unsure=first.unsure - {phrase} if sure else first.unsure | more.unsure,
        seen={**first.seen, phrase: (*first.seen.get(phrase, ()), *more.seen.get(phrase, ()))},
    )


def _greater(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {key: max(one.get(key, 0.0), other.get(key, 0.0)) for key in {**one, **other}}
