"""Measure thresholds that were fitted without labels, by pretending that an encoder with measured ones is unknown.

    python -m benchmarks.unlabelled --images CHIPS --split dev --work DIR [--encoder NAME]
    python -m benchmarks.unlabelled --work DIR --home HOME --truth DIR/truth    # an installation that has the mosaics

Looks for each class of `make_mosaic.TARGETS` in each mosaic, once with the encoder's own thresholds and words
(labelled), once as if nothing were known of it (default), and once with what `imagerag calibrate` makes of the mosaics
alone (imagery). Prints a table and writes `unlabelled.json`. Intervals are bootstrapped over scenes.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.make_mosaic import TARGETS
from benchmarks.mosaics import arguments, finish, prepare, run
from imagerag_assets.evaluation.calibrate import Target, covers
from imagerag_assets.evaluation.calibrate_imagery import calibrate_encoder
from imagerag_assets.evaluation.metrics import calibration_error
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Serving, find_serving
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.retrieval.calibration import Calibration, find_calibration, load_calibration
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.retrieve import retrieve
from imagerag_assets.retrieval.types import Search
from imagerag_assets.settings import load_settings
from imagerag_assets.stores.milvus_filter import Filter

KINDS = ("labelled", "default", "imagery")
_FORGOTTEN = (
    "retrieval.recognition.measured_words",
    "retrieval.measured_words.measured_words",
    "retrieval.survey.measured_words",
)
"""Where the packaged words of an encoder are asked for."""
_DRAWS = 1000


@dataclass(frozen=True)
class Outcome:
    """What one search for one class in one scene gave."""

    scene: str
    there: bool
    confidences: tuple[float, ...]
    hits: tuple[bool, ...]
    unsure: bool
    """Whether there are cues, and none of them states presence."""


Value = Callable[[Sequence[Outcome]], float | None]
FIGURES: Mapping[str, Value] = {
    "absent: a cue": lambda all_: _mean([bool(each.confidences) for each in all_ if not each.there]),
    "absent: presence stated": lambda all_: _mean(
        [bool(each.confidences) and not each.unsure for each in all_ if not each.there]
    ),
    "there: half of it in the cues": lambda all_: _mean([any(each.hits) for each in all_ if each.there]),
    "right cues": lambda all_: _mean([hit for each in all_ for hit in each.hits]),
    "ECE of the cues": lambda all_: calibration_error(
        np.array([sure for each in all_ for sure in each.confidences]),
        np.array([hit for each in all_ for hit in each.hits], dtype=bool),
    ),
}


def main() -> None:
    """Run the command."""
    given = _parser().parse_args()
    if given.home:
        settings, folders = load_settings(home=given.home), [given.truth]
    else:
        settings, sets = prepare(given)
        folders = [each.folder / "truth" for each in sets]
    targets = [target for folder in folders for target in targets_in(folder)]
    targets = [target for target in targets if re.search(given.only, target.scene)]
    given.work.mkdir(parents=True, exist_ok=True)
    with Platform(settings) as platform, Viewer(platform) as viewer:
        serving = find_serving(platform)
        assert serving is not None
        outcomes = measure(serving, viewer, targets)
        figures = {kind: figures_of(outcomes[kind]) for kind in KINDS}
        document = {"encoder": serving.target.encoder, "figures": figures}
    finish(document, given.work / "unlabelled.json", table(figures))


def targets_in(folder: Path) -> list[Target]:
    """Return every class of `TARGETS` in every mosaic of a folder of truth, there or not."""
    found = []
    for file in sorted(folder.glob("*.json")):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        for name, phrase in TARGETS.items():
            windows = tuple(tuple(cell["window"]) for cell in cells if cell["class"] == name)
            found.append(Target(file.stem, phrase, windows))
    return found


def measure(serving: Serving, viewer: Viewer, targets: Sequence[Target]) -> dict[str, list[Outcome]]:
    """Look for each target with each kind of calibration; what `imagerag calibrate` made is stored meanwhile."""
    platform, target = serving.platform, serving.target
    scale = platform.encoder.logit_scale
    key = target.fingerprint, target.recipe.division_key
    calibrations = {"labelled": load_calibration(platform.store, *key, logit_scale=scale)}
    with unknown(platform.store, target.fingerprint) as forget:
        calibrations["default"] = load_calibration(platform.store, *key, logit_scale=scale)
        with ExitStack() as known:
            forget(known, reaches=True)
            made = calibrate_encoder(platform)
        found = find_calibration(platform.store, *key, made["calibration"])
        assert found is not None
        calibrations["imagery"] = found
        outcomes: dict[str, list[Outcome]] = {kind: [] for kind in KINDS}
        for each in targets:  # the kinds one after the other: they look at the same crops, which are encoded once
            for kind in KINDS:
                with ExitStack() as known:
                    if kind != "labelled":
                        forget(known, reaches=kind == "imagery")
                    outcomes[kind].append(_outcome(serving, viewer, each, calibrations[kind]))
    return outcomes


@contextmanager
def unknown(store: Any, fingerprint: str) -> Iterator[Callable[..., None]]:
    """Take the stored calibrations of an encoder away, and put them back at the end.

    Yields:
        What makes the packaged words, and those measured on imagery unless `reaches`, unknown as long as a stack lasts.
    """
    prefix = f"calibrations/{fingerprint[:16]}"
    kept = {key: store.read_bytes(key) for key in store.list(prefix)}

    def forget(stack: ExitStack, *, reaches: bool) -> None:
        for name in _FORGOTTEN:
            stack.enter_context(patch(f"imagerag_assets.{name}", return_value=None))
        if not reaches:
            stack.enter_context(patch("imagerag_assets.retrieval.recognition.load_reaches", return_value=None))

    try:
        for key in kept:
            store.delete(key)
        with ExitStack() as stack:
            stack.enter_context(patch("imagerag_assets.retrieval.calibration._packaged", return_value=()))
            yield forget
    finally:
        for key in store.list(prefix):
            store.delete(key)
        for key, data in kept.items():
            store.write_bytes(key, data)


def _outcome(serving: Serving, viewer: Viewer, target: Target, calibration: Calibration) -> Outcome:
    where = Filter().scene_in([target.scene])
    search = Search(calibration, where, collection=serving.collection, look=viewer)
    found = retrieve(serving.platform, Analysis("?", (target.phrase,), "position", False), search)
    windows = np.array([cue.window for cue in found.cues], dtype=np.int64).reshape(-1, 4)
    hits = covers(windows, target.windows) if len(windows) else np.zeros(0, dtype=bool)
    return Outcome(
        target.scene,
        bool(target.windows),
        tuple(cue.confidence for cue in found.cues),
        tuple(bool(hit) for hit in hits),
        target.phrase in found.unsure,
    )


def figures_of(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Return each figure with its 95 % interval over scenes, and the number of scenes and searches."""
    by_scene: dict[str, list[Outcome]] = {}
    for each in outcomes:
        by_scene.setdefault(each.scene, []).append(each)
    scenes, rng = list(by_scene), np.random.default_rng(0)
    figures = {}
    for name, value in FIGURES.items():
        drawn: list[float] = []
        for _ in range(_DRAWS):
            picked: NDArray[np.int64] = rng.integers(0, len(scenes), len(scenes))
            if (one := value([each for number in picked for each in by_scene[scenes[number]]])) is not None:
                drawn.append(one)
        low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (None, None)
        n = {"scenes": len(scenes), "searches": len(outcomes)}
        figures[name] = {"value": value(outcomes), "low": low, "high": high, **n}
    return figures


def table(figures: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Return a Markdown table of the figures."""
    lines = [f"| | {' | '.join(KINDS)} |", "|---|" + "---|" * len(KINDS)]
    return [*lines, *(f"| {name} | {' | '.join(_told(figures[kind][name]) for kind in KINDS)} |" for name in FIGURES)]


def _told(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    value, low, high = (f"{figure[name]:.2f}" for name in ("value", "low", "high"))
    return f"{value} ({low}-{high})"


def _mean(values: Sequence[bool]) -> float | None:
    return float(np.mean(values)) if values else None


def _parser() -> argparse.ArgumentParser:
    parser = arguments(__doc__)
    parser.set_defaults(scenes=4, cells=12, large=0)
    parser.add_argument("--home", type=Path, help="installation that has the mosaics; default: made in --work")
    parser.add_argument("--truth", type=Path, help="with --home: folder with the truth of its mosaics")
    parser.add_argument("--only", default="", help="regular expression: look only in scenes whose key matches")
    return parser


if __name__ == "__main__":
    run(main, __doc__ or "")
