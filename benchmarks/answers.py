"""Measure what cues are worth to the multimodal LLM: ask without cues, with ours, and with the true regions.

    python -m benchmarks.answers --images CHIPS --split dev --work DIR

Prints the figures and writes `answers.json`; `python -m benchmarks.quality` makes the table of `docs/results.md`.
Further runs show whether the questions give away their answers (blind: question and choices only), how many answers
change when cues or choices come in another order, and how the size of the overview matters.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks.mosaics import Mosaics, arguments, ask_all, console, finish, prepare, run, told
from imagerag_assets.answering.budget import bounded
from imagerag_assets.answering.types import Prompt
from imagerag_assets.evaluation.cases import Case
from imagerag_assets.evaluation.loaders import load_cases
from imagerag_assets.evaluation.metrics import share
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.evidence import Viewer, cue_pictures
from imagerag_assets.questions.planning import analysis_of, plan_of
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.reply import make_prompt
from imagerag_assets.retrieval.types import Cue
from imagerag_assets.settings import Settings

MODES = ("global", "imagerag", "oracle")
OVERVIEWS = (0, 96, 256, 512, 1024)


def main() -> None:
    """Run the command."""
    parser = arguments(__doc__)
    parser.add_argument(
        "--again",
        type=int,
        default=200,
        help="questions asked again with other orders of cues and choices, and other overviews; default: 200",
    )
    parser.add_argument(
        "--overviews", default=",".join(map(str, OVERVIEWS)), help="longest sides of the overview, px; 0: none"
    )
    given = parser.parse_args()
    settings, sets = prepare(given)
    sizes = [int(size) for size in given.overviews.split(",") if size]
    figures = measure(settings, sets, given.work / "runs", again=given.again, seed=given.seed, sizes=sizes)
    finish(figures, given.work / "answers.json", table(figures))


def measure(
    settings: Settings, sets: Sequence[Mosaics], runs: Path, *, again: int, seed: int, sizes: Sequence[int] = OVERVIEWS
) -> dict[str, Any]:
    """Return accuracy by kind in each mode, and what other orders and overviews change.

    Args:
        settings: Settings of the installation that has the mosaics.
        sets: Mosaics of each size.
        runs: Folder of the runs; killed runs continue.
        again: Number of questions to ask again, with one change at a time.
        seed: Seed of the choice of these questions, and of the orders.
        sizes: Longest sides of the overviews to ask them with, in pixels; 0: no overview.
    """
    figures: dict[str, Any] = {}
    with Platform(settings) as platform:
        for mode in MODES:
            before = None if mode == "global" else runs / "answers-global"
            done = ask_all(platform, sets, runs / f"answers-{mode}", compare=before, mode=mode)
            figures[mode] = {"accuracy": done["metrics"]["accuracy"], "against_global": done.get("comparison")}
        figures["blind"] = {"accuracy": measure_blind(platform, sets)}
        asked = runs / "answers-imagerag"
        figures["shuffled"], figures["overviews"] = ask_again(platform, sets, asked, again, seed, sizes)
    return figures


def _cases(sets: Sequence[Mosaics]) -> list[Case]:
    return [case for loaded in load_cases([file for each in sets for file in each.questions]) for case in loaded.cases]


def measure_blind(platform: Platform, sets: Sequence[Mosaics]) -> dict[str, Any]:
    """Return the accuracy by kind of the model when it sees no picture."""
    right: dict[str, list[bool]] = {"all": []}
    for case in track(_cases(sets), "asking blind", console=console):
        ok = platform.mllm.answer(Prompt(case.question, case.choices)).choice == case.answer
        for kind in ("all", case.kind):
            right.setdefault(kind, []).append(ok)
    return _shares(right)


def ask_again(
    platform: Platform, sets: Sequence[Mosaics], asked: Path, count: int, seed: int, sizes: Sequence[int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ask some questions again, each time with one thing changed.

    Returns:
        The share of answers that change when the cues, and when the choices, come in another order; and the share of
        right answers with each size of the overview.
    """
    answers = {line["id"]: line for line in map(json.loads, (asked / "answers.jsonl").read_text().splitlines())}
    rng = random.Random(seed)
    cases = [case for case in _cases(sets) if "error" not in answers[case.id]]
    cases = rng.sample(cases, min(count, len(cases)))
    changed: dict[str, list[bool]] = {"cues": [], "choices": []}
    right: dict[str, list[bool]] = {str(size): [] for size in sizes}
    with Viewer(platform) as viewer:
        for case in track(cases, "asking again", console=console):
            before = answers[case.id]["answer"]
            prompt = _prompt(platform, viewer, case, answers[case.id])
            if len(prompt.cues) > 1:
                cues = rng.sample(prompt.cues, len(prompt.cues))
                changed["cues"].append(platform.mllm.answer(replace(prompt, cues=tuple(cues))).text != before)
            texts = rng.sample(list(prompt.choices.values()), len(prompt.choices))
            other = replace(prompt, choices=dict(zip(prompt.choices, texts, strict=True)))
            changed["choices"].append(platform.mllm.answer(other).text != before)
            for size in sizes:
                overview = bounded(prompt.overview, size) if size and prompt.overview else None
                reply = platform.mllm.answer(replace(prompt, overview=overview))
                right[str(size)].append(reply.choice == case.answer)
    return _shares(changed), _shares(right)


def _shares(outcomes: dict[str, list[bool]]) -> dict[str, Any]:
    return {what: share(some).to_dict() for what, some in outcomes.items()}


def _prompt(platform: Platform, viewer: Viewer, case: Case, answer: dict[str, Any]) -> Prompt:
    """Return what the model was asked when it gave an answer, pictures included."""
    question = Question(case.question, choices=case.choices, scenes=case.scenes)
    analysis = analysis_of(platform, question, plan_of(question))
    cues = [
        Cue(**{**cue, "window": tuple(cue["window"]), "bbox": cue["bbox"] and tuple(cue["bbox"])})
        for cue in answer["cues"]
    ]
    pictures, _ = cue_pictures(viewer, cues)
    return make_prompt(question, analysis, cues, answer["scene"], viewer, pictures)


def table(figures: dict[str, Any]) -> list[str]:
    """Return the figures in Markdown."""
    modes = ("blind", *MODES)
    lines = [f"| right answers | {' | '.join(modes)} |", "|" + "---|" * (len(modes) + 1)]
    lines += [
        f"| {kind} | {' | '.join(told(figures[mode]['accuracy'][kind]) for mode in modes)} |"
        for kind in figures["global"]["accuracy"]
    ]
    ours, oracle = (figures[mode]["accuracy"]["all"]["value"] for mode in ("imagerag", "oracle"))
    compared = figures["imagerag"]["against_global"]["right"]
    lines += [
        "",
        f"Ours over oracle {ours / oracle:.2f}; against global {compared['fixed']} fixed, {compared['broken']} broken, "
        f"McNemar p {compared['p']:.1e}.",
        f"Changed by another order of the cues {told(figures['shuffled']['cues'])}, of the choices "
        f"{told(figures['shuffled']['choices'])}.",
        "With an overview of "
        + "; ".join(f"{size} px {told(figure)}" for size, figure in figures["overviews"].items())
        + ".",
    ]
    return lines


if __name__ == "__main__":
    run(main, __doc__)
