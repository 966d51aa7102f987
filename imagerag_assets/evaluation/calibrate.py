"""Fit the calibration of an encoder and a division on questions with known truth.

    IMAGERAG_HOME=... python -m imagerag_assets.evaluation.calibrate QUESTIONS.jsonl ... --data "the scenes" --out FILE

Ingest the scenes first; the slow path also needs a label knowledge base.  Each line of a questions file has `scene`,
`question`, and `roi`: the native windows (x0, y0, x1, y1) of what the question names, or an empty list if the scene
does not show it.  The command collects what the retrieval would offer, and whether it covers a true window; the fit
itself is in `retrieval/calibration.py`.

Do not use data that you report results on, or that the encoder was trained on: an encoder is more confident about
what it has seen.  If all data went into the encoder, train a twin of it on one part, fit with the twin on the rest, and
write the result for the encoder with --for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.encoders.registry import encoder_fingerprint
from imagerag_assets.errors import ImageRAGError, InputError
from imagerag_assets.evaluation.cases import compare_windows
from imagerag_assets.installation.platform import Deps
from imagerag_assets.json_text import read_json
from imagerag_assets.knowledge.search import open_knowledge
from imagerag_assets.objects.aside import replace_bytes
from imagerag_assets.objects.local_files import read_text
from imagerag_assets.plans.understand import understand
from imagerag_assets.retrieval.calibration import (
    DEFAULT_SCALE,
    GENERIC,
    Calibration,
    Fit,
    Goal,
    assemble,
    fit,
    save_calibration,
)
from imagerag_assets.retrieval.fast import Neighbours, neighbours, phrase_scorers, suppressed_cues
from imagerag_assets.retrieval.scoring import Head
from imagerag_assets.retrieval.second_look import WORTH_A_LOOK, crops_per_candidate, look_again
from imagerag_assets.retrieval.slow import phrase_prototypes, prototype_neighbours
from imagerag_assets.retrieval.suppress import suppress
from imagerag_assets.retrieval.types import Look, Search
from imagerag_assets.settings import load_settings
from imagerag_assets.stores.milvus_filter import Filter

COVERED = 0.5
"""Share of a true window that a cue must cover to count as a hit."""
CANDIDATES_JUDGED = 8
"""Number of candidates judged per phrase, after suppression: those that could be offered, and a few more."""


@dataclass(frozen=True)
class Target:
    """A phrase to look for in a scene, and where it is."""

    scene: str
    phrase: str
    windows: tuple[tuple[float, float, float, float], ...]
    """(x0, y0, x1, y1) in native pixels; empty: the scene does not show the phrase."""


@dataclass(frozen=True)
class Samples:
    """Judged candidates."""

    features: NDArray[np.float64]
    """float64, (n, 2): margin and score of each candidate."""
    hits: NDArray[np.bool_]
    """bool, (n,): whether each candidate covers a target."""
    absent: NDArray[np.int64]
    """int64, (n,): number of the absent target that a candidate was found for; -1 if the target is in the scene."""

    @property
    def summary(self) -> str:
        """Number of hits and candidates, in words."""
        return f"{int(self.hits.sum())} hits of {len(self.hits)} candidates"


def read_targets(lines: Iterable[str]) -> list[Target]:
    """Read the targets of questions that ask about one thing; each scene and phrase is kept once.

    Raises:
        InputError: a line is not JSON, or lacks `scene`, `question` or `roi`.
    """
    targets: dict[tuple[str, str], Target] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value: dict[str, Any] = read_json(line)
            scene, question = str(value["scene"]), str(value["question"])
            windows = tuple((float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in value["roi"])
        except (KeyError, TypeError, ValueError):
            raise InputError("Not a question with scene and roi", fix="Give JSONL with both", line=number) from None
        things = understand(question, {}).things
        if len(things) == 1:
            targets[scene, things[0].phrase] = Target(scene, things[0].phrase, windows)
    return list(targets.values())


def covers(windows: NDArray[np.integer], targets: Sequence[Sequence[float]]) -> NDArray[np.bool_]:
    """Return whether each window, (n, 4), covers at least `COVERED` of a target window: bool, (n,)."""
    _, share = compare_windows(windows, targets)
    return np.asarray((share >= COVERED).any(axis=1), dtype=bool)


def fast_samples(
    deps: Deps, targets: Sequence[Target], *, collection: str, calibration: Calibration, look: Look | None = None
) -> Samples:
    """Judge the candidates of the fast path for each target; with `look`, judge them after the second look.

    Raises:
        StoreError, EncoderError: the retrieval failed.
    """
    scorers = phrase_scorers(deps, list(dict.fromkeys(target.phrase for target in targets)), calibration)
    judged = []
    for number, target in enumerate(targets):
        query, scorer = deps.encoder.encode_texts([target.phrase]), scorers[target.phrase]
        (near,) = neighbours(deps.vectors, query, Search(calibration, _only(target), collection=collection))
        _, values = scorer.score(near.embeddings)
        if look is None:
            judged.append(_judge(near, values, calibration.fast, target, number))
            continue
        cues = suppressed_cues(near, values, calibration.fast, target.phrase, "fast")[:CANDIDATES_JUDGED]
        cues = [cue for cue in cues if cue.confidence >= WORTH_A_LOOK]
        budget = sum(crops_per_candidate(cue.level, look.finest_level(cue.scene)) for cue in cues)
        seen = [(each.features, each.cue.window) for each in look_again(deps, look, cues, scorer, budget=budget)[0]]
        features = np.array([value for value, _ in seen if value is not None]).reshape(-1, 2)
        windows = np.array([window for value, window in seen if value is not None], dtype=np.int64).reshape(-1, 4)
        judged.append(_samples(features, windows, target, number))
    return _together(judged)


def slow_samples(deps: Deps, targets: Sequence[Target], *, collection: str, calibration: Calibration) -> Samples | None:
    """Judge the candidates that the slow path finds through labels; return None without a label knowledge base.

    Raises:
        FingerprintError: the knowledge base belongs to another encoder.
        StoreError, EncoderError: the retrieval failed.
    """
    knowledge = open_knowledge(deps, "knowledge_labels")
    if knowledge is None:
        return None
    judged = []
    for number, target in enumerate(targets):
        (sentence,) = deps.sentences.encode([target.phrase])
        prototypes, against = phrase_prototypes(deps, knowledge, target.phrase, sentence)
        if prototypes:
            search = Search(calibration, _only(target), collection=collection)
            near, values = prototype_neighbours(deps, prototypes, against, search)
            judged.append(_judge(near, values, GENERIC.slow, target, number))
    return _together(judged)


def calibrate(
    deps: Deps,
    targets: Sequence[Target],
    *,
    data: str,
    collection: str = "patches",
    scale: float = DEFAULT_SCALE,
    goal: Goal | None = None,
    coarsest_m: float | None = None,
    look: Look | None = None,
    fingerprint: str | None = None,
) -> tuple[Calibration, list[str]]:
    """Fit the calibration of the chosen encoder and the collection's division.

    Args:
        deps: Encoder, vectors and the rest of the installation.
        targets: What to look for, and where it is.
        data: Description of the questions, kept in the calibration.
        collection: Name or alias of the patch collection.
        scale: Inverse temperature of the margin.
        goal: Precision or false cues wanted; None: best F1.
        coarsest_m: Ground sampling distance in metres beyond which nothing is offered.
        look: Reader for the second look; None: the second look is not fitted.
        fingerprint: Encoder to write the calibration for; None: the chosen encoder.

    Returns:
        The calibration, and lines about the fit for a person.

    Raises:
        InputError: there are too few hits or misses.
        FingerprintError: the collection belongs to another encoder.
    """
    meta = deps.vectors.verify(collection, deps.encoder.fingerprint)
    start = replace(GENERIC, scale=scale, coarsest_m=coarsest_m)
    fast = fast_samples(deps, targets, collection=collection, calibration=start)
    fitted = fit(fast.features, fast.hits, goal=goal, absent=fast.absent)
    told = [f"fast: {fast.summary}; {_told(fitted)}"]
    second_fit: Fit | None = None
    if look is not None:
        start = replace(start, fast=fitted.head)
        second = fast_samples(deps, targets, collection=collection, calibration=start, look=look)
        second_fit = fit(second.features, second.hits, goal=goal, absent=second.absent)
        told.append(f"second look: {second.summary}; {_told(second_fit)}")
    slow_fit: Fit | None = None
    slow = slow_samples(deps, targets, collection=collection, calibration=replace(GENERIC, coarsest_m=coarsest_m))
    if slow is None or not slow.hits.any() or slow.hits.all():
        told.append("slow: not fitted (no label knowledge base, no hits, or no misses); the generic weights are kept")
    else:
        slow_fit = fit(slow.features, slow.hits, goal=_half(goal), absent=slow.absent)
        told.append(f"slow: {slow.summary}; {_told(slow_fit)}")
    made = assemble(
        fitted,
        slow_fit,
        fingerprint=fingerprint or deps.encoder.fingerprint,
        division=meta.division,
        data=data,
        scale=scale,
        second=second_fit,
        coarsest_m=coarsest_m,
    )
    return made, told


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="+", type=Path, help="JSONL files with scene, question and roi")
    parser.add_argument("--data", required=True, help="description of the questions, kept in the calibration")
    parser.add_argument("--collection", default="patches", help="name or alias of the patch collection")
    parser.add_argument("--scale", type=float, default=DEFAULT_SCALE, help="inverse temperature of the margin")
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("--precision", type=float, help="minimum precision; default: best F1")
    wanted.add_argument(
        "--false-cues",
        type=float,
        help="maximum share of absent targets that get a cue; half of it on the slow path",
    )
    parser.add_argument("--coarsest", type=float, help="ground sampling distance, m, beyond which nothing is offered")
    parser.add_argument("--for", dest="encoder", help="encoder to write it for; default: the one used for the fit")
    parser.add_argument("--out", type=Path, help="file to write; default: the installation's object store")
    given = parser.parse_args(arguments)
    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.questions.evidence import Viewer

    try:
        targets = read_targets(_lines(given.questions))
        with Platform(load_settings()) as platform, Viewer(platform) as viewer:
            made, told = calibrate(
                platform,
                targets,
                data=given.data,
                collection=given.collection,
                scale=given.scale,
                goal=Goal(given.precision, given.false_cues),
                coarsest_m=given.coarsest,
                look=viewer,
                fingerprint=encoder_fingerprint(given.encoder, platform.settings) if given.encoder else None,
            )
            where = str(given.out) if given.out else save_calibration(platform.store, made)
        if given.out:
            _write(given.out, made.to_json())
    except ImageRAGError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print("\n".join([*told, f"calibration {made.version} written to {where}"]))
    return 0


def _half(goal: Goal | None) -> Goal | None:
    """Halve the share of false cues: the slow path adds its own where the fast path found nothing."""
    return replace(goal, false_cues=goal.false_cues / 2) if goal and goal.false_cues is not None else goal


def _only(target: Target) -> Filter:
    return Filter().scene_in([target.scene])


def _judge(near: Neighbours, values: NDArray[np.float64], head: Head, target: Target, number: int) -> Samples:
    keep = suppress(near.windows, head.logit(values), [row["scene_key"] for row in near.rows])[:CANDIDATES_JUDGED]
    return _samples(values[keep], near.windows[keep], target, number)


def _samples(values: NDArray[np.float64], windows: NDArray[np.int64], target: Target, number: int) -> Samples:
    whose = np.full(len(values), -1 if target.windows else number, dtype=np.int64)
    return Samples(values.reshape(-1, 2), covers(windows.reshape(-1, 4), target.windows), whose)


def _together(judged: Sequence[Samples]) -> Samples:
    nothing = np.zeros((0, 2)), np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64)
    parts = [nothing, *((part.features, part.hits, part.absent) for part in judged)]
    features, hits, absent = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Samples(features, hits, absent)


def _told(fitted: Fit) -> str:
    return (
        f"threshold {fitted.threshold:.3f} has precision {fitted.precision:.3f}, recall {fitted.recall:.3f} "
        f"(margin {fitted.head.margin:.3f}, score {fitted.head.score:.3f}, bias {fitted.head.bias:.3f})"
    )


def _lines(paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        try:
            yield from read_text(path).splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"The questions cannot be read: {error}", fix="Check the path", file=path) from None


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, data)


if __name__ == "__main__":
    sys.exit(main())
