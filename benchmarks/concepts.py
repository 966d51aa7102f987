"""Measure what one, three and more examples find of kinds of things that an encoder was not taught, against words.

    python -m benchmarks.concepts --work DIR                              # drawn kinds, encoder demo
    python -m benchmarks.concepts --work DIR --encoder demo-lite --kinds CHIPS   # classes of a folder of chips

Scenes hide one to three of each of three kinds (`concept_scenes.py`).  Concepts are made of boxes of the first half of
the scenes, and asked for in the second, as are the kinds' words; neither gets a second look.  `found` is the share of
scenes and kinds in them of which one of the three best cues shows half of a target, whatever its confidence; `passed`
the same with the confidence that is asked for; `absent` the share of kinds that a scene lacks for which a cue passes.
Intervals draw whole scenes.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import mosaics
from benchmarks.concept_scenes import WORDS, Known, Window, make_scenes
from imagerag_assets.concepts.crops import Crop
from imagerag_assets.concepts.store import add_examples
from imagerag_assets.concepts.types import Sign
from imagerag_assets.evaluation.metrics import Figure, pooled
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.ask import ask
from imagerag_assets.questions.concept_examples import crop_of_box
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.question import Question
from imagerag_assets.retrieval.by_example import THRESHOLD
from imagerag_assets.retrieval.calibration import load_calibration
from imagerag_assets.scenes.records import list_records, load_record
from imagerag_assets.settings import load_settings

_TOP, _HALF, _MOST_A_SCENE = 3, 0.5, 3
_LONGEST = 512
"""Side of the largest cue that says where a target is."""
Line = dict[str, Any]


def main() -> None:
    """Make the scenes, ask, and print the table."""
    given = _arguments()
    chips = _chips(given)
    scenes = make_scenes(
        chips, given.work / "scenes", drawn=given.kinds is None, scenes=given.scenes, cells=given.cells, seed=given.seed
    )
    settings = load_settings(
        home=given.work / "home", encoder=given.encoder, second_look=0, planner="rules", min_confidence=0.0
    )
    mosaics.ingest(settings, given.work / "scenes")
    half = len(scenes) // 2
    kinds = sorted({kind for scene in scenes for kind in scene.cells})
    with Platform(settings) as platform:
        keys = {key.rpartition("-")[0]: key for key in list_records(platform)}  # of a file: its name and a digest
        made = _concepts(platform, keys, scenes[:half], kinds, given.examples)
        least = load_calibration(platform.store, platform.fingerprint, platform.recipe.division_key).threshold
        arms: dict[str, tuple[Mapping[str, str], float]] = {"words": ({k: WORDS.get(k, k) for k in kinds}, least)}
        arms |= {f"{number} examples": (made[number], THRESHOLD) for number in given.examples}
        with Viewer(platform) as viewer:
            lines = [
                _asked(platform, viewer, keys[scene.key], scene, kind, names[kind], arm, threshold)
                for scene in scenes[half:]
                for arm, (names, threshold) in arms.items()
                for kind in kinds
                if kind not in scene.ground and all(kind in other for other, _ in arms.values())
            ]
    given.work.joinpath("lines.json").write_text(json.dumps(lines), encoding="utf-8")
    print("\n".join(_table(lines, list(arms))))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for scenes and the installation")
    parser.add_argument("--encoder", default="demo", help="default: demo")
    parser.add_argument("--kinds", type=Path, help="folder with a sub-folder of chips a kind; default: drawn kinds")
    parser.add_argument("--skip", type=int, default=0, help="leave out the first chips of each sub-folder of --kinds")
    parser.add_argument("--images", type=Path, default=mosaics.SAMPLES, help="ground of drawn kinds: a folder of chips")
    parser.add_argument("--split", default="dev", help="of the ground's chips; default: dev")
    parser.add_argument("--examples", type=int, nargs="+", default=[1, 3], help="examples of a concept; default: 1 3")
    parser.add_argument("--scenes", type=int, default=16, help="default: 16")
    parser.add_argument("--cells", type=int, default=8, help="cells a side; default: 8")
    parser.add_argument("--seed", type=int, default=501, help="of the first scene; below 501 for tuning; default: 501")
    return parser.parse_args()


def _chips(given: argparse.Namespace) -> dict[str, list[Path]]:
    if given.kinds is not None:
        folders = sorted(each for each in given.kinds.iterdir() if each.is_dir())
        return {each.name: sorted(each.iterdir())[given.skip :] for each in folders}
    with (given.images.parent / "index.csv").open(newline="", encoding="utf-8") as lines:
        wanted = {Path(row["file"]).name for row in csv.DictReader(lines) if row["split"] == given.split}
    found = {
        folder.name: sorted(path for path in folder.iterdir() if path.name in wanted)
        for folder in sorted(given.images.iterdir())
        if folder.is_dir()
    }
    return {name: paths for name, paths in found.items() if paths}


def _concepts(
    platform: Platform, keys: Mapping[str, str], scenes: Sequence[Known], kinds: Sequence[str], numbers: Sequence[int]
) -> dict[int, dict[str, str]]:
    """Make a concept of each kind for each number of examples; kinds with too few are left out."""
    made: dict[int, dict[str, str]] = {number: {} for number in numbers}
    for kind in kinds:
        shown = [
            (keys[scene.key], window)
            for turn in range(_MOST_A_SCENE)  # one a scene first, as a person who looks at several would show them
            for scene in scenes
            for window in scene.cells.get(kind, ())[turn : turn + 1]
        ]
        for number in numbers:
            if len(shown) < number:
                continue
            name = f"{re.sub('[^a-z0-9]+', '_', kind.lower())}-{number}"
            crops: list[tuple[Sign, Crop]] = []
            for scene, (x0, y0, x1, y1) in shown[:number]:
                grid = load_record(platform, scene).grid
                box = max(0, x0), max(0, y0), min(x1, grid.width), min(y1, grid.height)
                crops.append(("positive", crop_of_box(platform, scene, box)))
            concept = add_examples(platform, name, crops, word=WORDS.get(kind, kind))
            made[number][kind] = concept.phrase
    return made


def _asked(
    platform: Platform, viewer: Viewer, key: str, scene: Known, kind: str, name: str, arm: str, least: float
) -> Line:
    plan = json.dumps([{"op": "where", "thing": name}])
    question = Question(plan=plan, scenes=(key,), path="fast", top_k=_TOP, answer=False)
    cues = ask(platform, question, viewer=viewer, keep_failed=False).cues
    targets = scene.cells.get(kind, ())
    hits = [any(_shows(cue.window, target) for target in targets) for cue in cues]
    sure = [cue.confidence >= least for cue in cues]
    return {
        "scene": scene.key,
        "kind": kind,
        "arm": arm,
        "present": bool(targets),
        "found": any(hits),
        "passed": any(hit and ok for hit, ok in zip(hits, sure, strict=True)),
        "cue": any(sure),
        "top": max((cue.confidence for cue in cues), default=0.0),
    }


def _shows(window: Window, target: Window) -> bool:
    across = min(window[2], target[2]) - max(window[0], target[0])
    down = min(window[3], target[3]) - max(window[1], target[1])
    area = (target[2] - target[0]) * (target[3] - target[1])
    small = window[2] - window[0] <= _LONGEST
    return small and max(0, across) * max(0, down) >= _HALF * area


def _table(lines: Sequence[Line], arms: Sequence[str]) -> list[str]:
    rows = ["| | found | passed | absent |", "|---|---|---|---|"]
    for arm in arms:
        own = [line for line in lines if line["arm"] == arm]
        wanted = (("found", True), ("passed", True), ("cue", False))
        figures = [_figure(own, what, present=present) for what, present in wanted]
        rows.append(f"| {arm} | {' | '.join(mosaics.told(each.to_dict()) for each in figures)} |")
    return rows


def _figure(lines: Sequence[Line], what: str, *, present: bool) -> Figure:
    """Return a share of scenes and kinds, with an interval over scenes."""
    by_scene: dict[str, list[bool]] = {}
    for line in lines:
        if line["present"] == present:
            by_scene.setdefault(line["scene"], []).append(line[what])
    return pooled([(sum(each), len(each)) for each in by_scene.values()])


if __name__ == "__main__":
    mosaics.run(main, str(__doc__))
