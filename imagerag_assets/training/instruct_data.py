"""Make cue-instruction data from labelled scenes: overview, cues with their boxes, question, answer.

This follows the idea of ImageRAG's Zoom4K and VQA10K, for any scenes with labelled boxes.  Cues are right, missing and
wrong at set rates (`instruct_cues`), so that a model learns to use them and to distrust them.  Labels must be complete:
what has no label counts as absent.  `instruct_set` stores the examples.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imagerag_assets import __version__
from imagerag_assets.answering.findings import NO, YES, confirmation
from imagerag_assets.answering.types import CueView, box_of
from imagerag_assets.errors import InputError
from imagerag_assets.objects.aside import folder_aside
from imagerag_assets.questions.evidence import cue_picture
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.raster.types import Window
from imagerag_assets.training.cue_noise import freely, phrases_of, shuffled
from imagerag_assets.training.instruct_cues import Drawn, Part, Rates, draw_cues, false_cue, part_of, true_cue
from imagerag_assets.training.instruct_set import ABOUT, TRAIN, VALIDATION, Example, ExampleCue, write_examples
from imagerag_assets.training.labelled_scenes import LabelledScene
from imagerag_assets.training.question_maker import QuestionMaker

KINDS = ("position", "count", "presence", "compare", "absent")
CONFIRM = "confirm"
WHOLE = 0.5
"""Share of the questions about a whole scene; the others are about a part, treated as a smaller scene."""
_SMALLEST_PART = 0.25  # of a scene's sides
_TRIES = 12
_DOT = Image.new("RGB", (1, 1))

Progress = Callable[[int, int, str], None]


def build_dataset(
    scenes: Sequence[LabelledScene],
    plurals: Mapping[str, str],
    out: Path,
    *,
    questions: int,
    seed: int = 0,
    rates: Rates | None = None,
    overview_px: int = 1024,
    patch_px: int = 256,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make a folder of examples; the same arguments give the same folder, byte for byte.

    Args:
        scenes: Labelled scenes, ordered by key; each is opened once.
        plurals: The plural of every class that may be asked about.
        out: A folder that does not exist yet; it appears when it is complete.
        questions: Number of questions; a scene with too few occasions gives fewer than its share.
        seed: Seed of every random choice.
        rates: How often cues are missing or wrong, and so on; None: the default rates.
        overview_px: Longest side of an overview picture, in its own pixels.
        patch_px: Side of the smallest patch offered as a cue, in native pixels.
        progress: Called with the questions done, the number of questions, and the scene.

    Returns:
        The content of ``about.json``.

    Raises:
        InputError: `out` already exists or cannot be written, or no question could be made.
        RasterError: a scene cannot be read.
    """
    rates = rates or Rates()
    if out.exists():
        raise InputError("The folder already exists", fix="Give a new one", folder=out)
    held_out = _held_out(scenes, rates.validation, seed)
    made: dict[str, list[Example]] = {TRAIN: [], VALIDATION: []}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with folder_aside(out) as aside:
            for number, scene in enumerate(scenes):
                share = questions * (number + 1) // len(scenes) - questions * number // len(scenes)
                with scene.open() as reader:
                    maker = _SceneMaker(scene, reader, plurals, rates, aside, overview_px, patch_px)
                    for index in range(share):
                        if progress is not None:
                            progress(sum(map(len, made.values())), questions, scene.key)
                        example = maker.make(np.random.default_rng((seed, number, index)), index)
                        kept = index >= share * (1 - rates.validation) if len(scenes) == 1 else scene.key in held_out
                        if example is not None:
                            made[VALIDATION if kept else TRAIN].append(example)
            if not made[TRAIN]:
                raise InputError("No question could be made", fix="Give more scenes, classes, labels or questions")
            for name, examples in made.items():
                write_examples(aside / name, examples)
            about = _about(scenes, plurals, made, rates, seed=seed, overview_px=overview_px, patch_px=patch_px)
            (aside / ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")
    except OSError as error:
        raise InputError(f"The data cannot be written: {error}", fix="Give another folder", folder=out) from None
    return about


class _SceneMaker:
    """Make the examples of one scene and write their pictures."""

    def __init__(
        self,
        scene: LabelledScene,
        reader: SceneReader,
        plurals: Mapping[str, str],
        rates: Rates,
        folder: Path,
        overview_px: int,
        patch_px: int,
    ) -> None:
        self._scene, self._reader, self._plurals, self._rates = scene, reader, plurals, rates
        self._folder, self._overview_px, self._patch_px = folder, overview_px, patch_px

    def make(self, rng: np.random.Generator, index: int) -> Example | None:
        """Make one example; return None if the scene offers no occasion for one."""
        name = f"{self._scene.key}-{index:05d}"
        if rng.random() < self._rates.confirm:
            return self._confirmation(name, rng)
        # Kinds take turns.  If a part offers no occasion for a kind, try other parts, then the next kind.
        for kind in (*KINDS[index % len(KINDS) :], *KINDS[: index % len(KINDS)]):
            for _ in range(_TRIES):
                part = self._part(rng)
                question = QuestionMaker(part.placed(self._plurals), part.size, self._plurals, {}, rng).make(kind)
                if question is None:
                    continue
                free = rng.random() < self._rates.free
                text, choices, reply = freely(question, rng) if free else shuffled(question, rng)
                phrases = phrases_of(question)
                if free and kind == "presence":
                    phrases = [phrase for phrase in phrases if phrase in text]
                cues = draw_cues(part, phrases, self._rates, self._patch_px, rng)
                answer = next((letter for letter, words in choices.items() if words == reply), reply)
                stored = tuple(self._cue(cue, part) for cue in cues)
                overview = self._overview(part.window)
                return Example(name, self._scene.key, kind, overview, stored, tuple(phrases), text, answer, choices)
        return None

    def _confirmation(self, name: str, rng: np.random.Generator) -> Example | None:
        """Ask whether a cue shows what it was found for; about half of the cues do."""
        part = part_of(self._scene, self._scene.grid.window)
        label = part.objects[int(rng.integers(len(part.objects)))]
        drawn: Drawn | None = true_cue(part, label, self._patch_px, rng)
        if rng.random() < 0.5:
            drawn = false_cue(part, label.name, self._patch_px, rng)
        if drawn is None:
            return None
        cue = self._cue(drawn, part)
        asked = confirmation(CueView(_DOT, cue.box, cue.phrase, cue.confidence))
        answer = YES if cue.shows else NO
        return Example(name, self._scene.key, CONFIRM, None, (cue,), (), asked.question, answer, dict(asked.choices))

    def _part(self, rng: np.random.Generator) -> Part:
        """Return the scene, or a part of it with random size and place."""
        width, height = self._scene.grid.width, self._scene.grid.height
        share = math.exp(rng.uniform(math.log(_SMALLEST_PART), 0))
        size = [max(min(2 * self._patch_px, side), round(side * share)) for side in (width, height)]
        x, y = (int(rng.integers(0, side - own + 1)) for side, own in zip((width, height), size, strict=True))
        whole = rng.random() < WHOLE
        return part_of(self._scene, self._scene.grid.window if whole else (x, y, x + size[0], y + size[1]))

    def _cue(self, cue: Drawn, part: Part) -> ExampleCue:
        path = self._picture("cue", cue.window, lambda: cue_picture(self._reader, cue.window))
        box = box_of(part.within(cue.window), *part.size)
        return ExampleCue(path, box, cue.phrase, round(cue.confidence, 4), cue.shows)

    def _overview(self, window: Window) -> str:
        return self._picture(
            "overview", window, lambda: Image.fromarray(self._reader.overview(self._overview_px, window)[0])
        )

    def _picture(self, name: str, window: Window, read: Callable[[], Image.Image]) -> str:
        """Return the path of a picture in the folder; write the picture when it is first needed."""
        path = f"pictures/{self._scene.key}/{name}-{'-'.join(map(str, window))}.jpg"
        file = self._folder / path
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            read().save(file, "JPEG", quality=92)
        return path


def _held_out(scenes: Sequence[LabelledScene], share: float, seed: int) -> frozenset[str]:
    """Return the keys of the scenes for validation: at least one of several, unless `share` is 0."""
    if len(scenes) < 2 or share <= 0:
        return frozenset()
    count = min(len(scenes) - 1, max(1, round(share * len(scenes))))
    order = np.random.default_rng((seed, len(scenes))).permutation(len(scenes))
    return frozenset(scenes[index].key for index in order[:count])


def _about(
    scenes: Sequence[LabelledScene],
    plurals: Mapping[str, str],
    made: Mapping[str, Sequence[Example]],
    rates: Rates,
    **options: int,
) -> dict[str, Any]:
    examples = [example for part in made.values() for example in part]
    cues = [cue for example in examples for cue in example.cues]
    return {
        "version": __version__,
        "options": options | {"rates": asdict(rates)},
        "train": len(made[TRAIN]),
        "validation": len(made[VALIDATION]),
        "kinds": dict(sorted(Counter(example.kind for example in examples).items())),
        "cues": {"true": sum(cue.shows for cue in cues), "false": sum(not cue.shows for cue in cues)},
        "classes": dict(plurals),
        "labels_sha256": _digest(scenes),
        "scenes": {scene.key: scene.version for scene in scenes},
    }


def _digest(scenes: Sequence[LabelledScene]) -> str:
    def lines() -> Iterator[str]:
        for scene in scenes:
            yield from (f"{scene.key} {label.name} {label.window}\n" for label in scene.labels)

    return hashlib.sha256("".join(lines()).encode()).hexdigest()
