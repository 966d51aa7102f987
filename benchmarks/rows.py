"""Ways to answer one question, each with something taken away, to see what an answer stands on.

All ways but the first go through the steps of the package, from the question to the record; what they change is what
the multimodal LLM is shown, or what was found.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from benchmarks.asked import Asked
from benchmarks.known_scenes import Window, names_of
from imagerag_assets.answering.types import CueView, Mllm, Prompt, Reply
from imagerag_assets.errors import FingerprintError, ImageRAGError, ModelError
from imagerag_assets.evaluation.said import same_name
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Serving
from imagerag_assets.questions.ask import record_of
from imagerag_assets.questions.evidence import Viewer, cue_pictures
from imagerag_assets.questions.find import Found, find
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.reply import answer
from imagerag_assets.questions.resolve import resolve
from imagerag_assets.retrieval.types import Cue, Retrieval

BLIND, EVIDENCE, BLACK, WRONG = "blind", "evidence without a model", "pictures black", "wrong crops"
OVERVIEW, FULL, TRUE = "overview only", "everything", "true regions"
ROWS = (BLIND, EVIDENCE, BLACK, WRONG, OVERVIEW, FULL, TRUE)
KEPT = ("answer", "choice", "scores", "confidence", "result", "outcome", "answered_by", "plan", "error", "notes")
"""Keys of a record that are kept."""
_CUE = ("scene", "window", "phrase", "confidence", "verdict", "rank")
_TRIES = 60

Change = Callable[[Prompt], Prompt]
Line = dict[str, Any]


def rows_of(asked: Asked) -> tuple[str, ...]:
    """Return the ways in which a question is asked."""
    if asked.of is not None:
        return (BLIND, EVIDENCE, FULL)
    if asked.region is not None:
        return (BLIND, EVIDENCE, BLACK, WRONG, OVERVIEW, FULL)
    return ROWS


def answers(serving: Serving, viewer: Viewer, asked: Asked, wanted: Sequence[str]) -> Iterator[tuple[str, Line]]:
    """Answer a question in several ways; yield each way with the parts of its record that are kept."""
    platform = serving.platform
    found: Found | None = None
    full: tuple[Line, int] | None = None
    for row in (FULL, *(each for each in wanted if each != FULL)):
        started = time.perf_counter()
        line: Line = {}
        try:
            if row == BLIND:
                line = _blind(platform.mllm, asked)
            elif row == OVERVIEW:
                question = _question(asked).but(mode="global", roi=None)
                line = _kept(answer(find(resolve(serving, question), viewer), viewer), viewer)
            elif row in (BLACK, WRONG, EVIDENCE) and full is not None and full[1] == 0:
                line = dict(full[0])  # the model was not asked, so nothing changes
            else:
                found = found or find(resolve(serving, _question(asked)), viewer)
                model = _model(row, platform.mllm, viewer, asked)
                shown = _true_regions(found, viewer, asked) if row == TRUE else found
                line = _kept(answer(_with_model(shown, model), viewer), viewer)
                if row == FULL and isinstance(model, Changed):
                    full = line, model.calls
        except FingerprintError:
            raise
        except ImageRAGError as error:
            line = {"error": error.to_dict()}
        if row in wanted:
            yield row, line | {"seconds": round(time.perf_counter() - started, 2)}


def _question(asked: Asked) -> Question:
    if asked.region is not None:
        given: dict[str, Any] = {"mode": "oracle", "roi": (asked.region,)}
    else:
        given = {}
    return Question(asked.question, choices=dict(asked.choices), scenes=(asked.scene,), **given)


def _kept(answered: Any, viewer: Viewer) -> Line:
    record = record_of(answered, viewer, "benchmark").to_dict()
    line = {name: record[name] for name in KEPT if record.get(name) not in (None, [], {})}
    return line | {"cues": [{name: cue.get(name) for name in _CUE} for cue in record["cues"]]}


def _blind(mllm: Mllm, asked: Asked) -> Line:
    reply = mllm.answer(Prompt(asked.question, asked.choices))
    return {
        "answer": reply.text,
        "choice": reply.choice,
        "scores": dict(reply.scores),
        "answered_by": "model",
        "cues": [],
    }


# What the model is


class NoModel:
    """A model that is down."""

    name, revision = "none", ""

    def answer(self, prompt: Prompt) -> Reply:
        """Fail."""
        raise ModelError("No model is asked in this row")


class Changed:
    """A model that is shown other pictures, and counts what it is asked."""

    def __init__(self, model: Mllm, change: Change) -> None:
        self._model, self._change = model, change
        self.name, self.revision = model.name, model.revision
        self.calls = 0

    def answer(self, prompt: Prompt) -> Reply:
        """Answer as the model does."""
        self.calls += 1
        return self._model.answer(self._change(prompt))

    def __getattr__(self, name: str) -> Any:
        """Return what else the model has; its methods get the changed prompt, too."""
        own = getattr(self._model, name)
        if not callable(own):
            return own

        def called(*given: Any, **named: Any) -> Any:
            self.calls += 1
            shown = [self._change(each) if isinstance(each, Prompt) else each for each in given]
            return own(*shown, **{key: self._change(v) if isinstance(v, Prompt) else v for key, v in named.items()})

        return called


class WithModel(Platform):
    """An installation with another model."""

    def __init__(self, platform: Platform, model: Any) -> None:
        super().__init__(platform.settings)
        self._owner, self.collection = platform._owner or platform, platform.collection
        self._model = model

    @property
    def mllm(self) -> Any:
        """The other model."""
        return self._model


def _with_model(found: Found, model: Any) -> Found:
    serving = found.resolved.serving
    other = replace(serving, platform=WithModel(serving.platform, model))
    return replace(found, resolved=replace(found.resolved, serving=other))


def _model(row: str, mllm: Mllm, viewer: Viewer, asked: Asked) -> Any:
    if row == EVIDENCE:
        return NoModel()
    if row == BLACK:
        return Changed(mllm, black)
    if row == WRONG:
        return Changed(mllm, lambda prompt: with_wrong_crops(prompt, viewer, asked))
    return Changed(mllm, lambda prompt: prompt)


def black(prompt: Prompt) -> Prompt:
    """Return a prompt whose pictures are black, in their sizes."""
    cues = tuple(replace(cue, picture=Image.new("RGB", cue.picture.size)) for cue in prompt.cues)
    overview = Image.new("RGB", prompt.overview.size) if prompt.overview is not None else None
    return replace(prompt, overview=overview, cues=cues)


def with_wrong_crops(prompt: Prompt, viewer: Viewer, asked: Asked) -> Prompt:
    """Return a prompt whose cues, with the same boxes, show other places of the scene, none of those asked about."""
    rng = random.Random(asked.id)
    avoid = [window for windows in asked.windows.values() for window in windows]
    return replace(prompt, cues=tuple(_elsewhere(cue, viewer, asked.scene, avoid, rng) for cue in prompt.cues))


def _elsewhere(cue: CueView, viewer: Viewer, scene: str, avoid: Sequence[Window], rng: random.Random) -> CueView:
    width, height = viewer.size(scene)
    x0, y0, x1, y1 = cue.box
    own = (x0 * width // 1000, y0 * height // 1000, x1 * width // 1000, y1 * height // 1000)
    across = min(max(16, own[2] - own[0]), width)
    down = min(max(16, own[3] - own[1]), height)
    window = own
    for _ in range(_TRIES):
        left, top = rng.randrange(width - across + 1), rng.randrange(height - down + 1)
        window = (left, top, left + across, top + down)
        if not any(_overlap(window, each) for each in (own, *avoid)):
            break
    return replace(cue, picture=viewer.patch(scene, window))


def _overlap(a: Window, b: Window) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


# What was found


def _true_regions(found: Found, viewer: Viewer, asked: Asked) -> Found:
    """Return what was found as if retrieval had been perfect: a cue for each true place of each thing of the plan."""
    cues: list[Cue] = []
    for thing in found.resolved.plan.things:
        known = next((each for each in asked.windows if _is(thing.phrase, thing.name, each, asked)), None)
        for window in asked.windows.get(known or "", ()):
            cues.append(
                Cue(
                    patch_id=f"{asked.scene}:true:0:{len(cues)}:0",
                    scene=asked.scene,
                    window=window,
                    bbox=viewer.bbox(asked.scene, window),
                    level=0,
                    phrase=thing.phrase,
                    score=1.0,
                    confidence=0.99,
                    rank=len(cues) + 1,
                    path="none",
                )
            )
    retrieval = Retrieval(tuple(cues), "none", abstained=not cues)
    pictures, _ = cue_pictures(viewer, cues)
    return replace(found, retrieval=retrieval, pictures=pictures, scene=asked.scene, tallies={})


def _is(phrase: str, name: str, known: str, asked: Asked) -> bool:
    names: Mapping[str, Sequence[str]] = asked.truth.names if asked.truth else {}
    every = (known, *names.get(known, ()), *names_of(known))
    return same_name(phrase, every) or same_name(name, every)
