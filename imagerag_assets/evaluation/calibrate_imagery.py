"""Fit the calibration of an encoder on the installation's own imagery, without labels or with a few.

The best candidates for many words, in a few scenes, are looked at a second time.  Candidates that show their word have
a high margin at all places and orientations, and the others a low one: two groups, which are told apart without labels
(`retrieval/two_kinds.py`).  Labels, where there are some, say of which group a candidate is.  The logistic functions
are fitted around those of the default, so that few candidates change little.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.errors import InputError
from imagerag_assets.evaluation.calibrate import CANDIDATES_JUDGED, Target, covers
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Serving, find_serving, serving_from, target_of
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.retrieval.calibration import (
    Calibration,
    Fit,
    Kind,
    assemble,
    default_calibration,
    load_calibration,
    save_calibration,
)
from imagerag_assets.retrieval.fast import neighbours, phrase_scorers, suppressed_cues
from imagerag_assets.retrieval.scoring import Head
from imagerag_assets.retrieval.second_look import WORTH_A_LOOK, Scorer, crops_per_candidate, look_again
from imagerag_assets.retrieval.things import things
from imagerag_assets.retrieval.two_kinds import FEWEST, UNKNOWN, TwoKinds, false_cue_threshold, fit_around, two_kinds
from imagerag_assets.retrieval.types import Cue, Search
from imagerag_assets.retrieval.word_reach import Reaches, measure_nonsense, reaches, save_reaches
from imagerag_assets.scenes.records import list_records
from imagerag_assets.stores.milvus_filter import Filter

SCENES = 12
"""Scenes that are looked at, at most."""
CANDIDATES = 240
"""Candidates that are looked at in all of them, at most: 30 patches each."""
FALSE_CUES = 0.10
"""Share of the absent words that may get a cue, as far as this can be known."""
PRESENCE = 0.7
"""Confidence from which presence is stated."""
_EACH = 2  # candidates of a word in a scene
_NEAR = 32  # patches that they are chosen from
_AT_ONCE = 16  # words that are looked for in one request
_TRUST = 5.0  # candidates that the default is worth
_LABEL_WEIGHT = 3.0
_FEWEST_LABELS = 4  # candidates with a label that are worth a fit without the two groups

Progress = Callable[[int, int, str], None]


@dataclass
class Candidates:
    """Candidates before and after the second look; lists of one length."""

    fast: list[NDArray[np.float64]] = field(default_factory=list)
    """Features of the patch, (2,)."""
    second: list[NDArray[np.float64]] = field(default_factory=list)
    """Features after the second look, (2,)."""
    steady: list[float] = field(default_factory=list)
    """Mean margin over places and orientations."""
    labels: list[int] = field(default_factory=list)
    """1 right, 0 wrong, `UNKNOWN`."""
    groups: list[int] = field(default_factory=list)
    """The number of their word and scene."""

    def __len__(self) -> int:
        return len(self.steady)


def calibrate_encoder(
    platform: Platform,
    encoder: str | None = None,
    *,
    labels: Callable[[Viewer], Sequence[Target]] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit and store the calibration of an encoder, and how far nonsense words reach in its collection.

    Thresholds that were fitted on labels are not replaced by thresholds without.

    Args:
        platform: The installation.
        encoder: Registry name; default: the one that answers questions.
        labels: Reads the labels, given what knows the scenes.
        progress: Told candidates done, their number, and the scene.

    Returns:
        What was made, and how, as JSON of the command.

    Raises:
        InputError: no scene is embedded with the encoder, or the labels cannot be used.
        StoreError, EncoderError: the retrieval failed.
    """
    serving = _serving(platform, encoder)
    own, target = serving.platform, serving.target
    start = default_calibration(own.encoder.logit_scale)
    with Viewer(own) as viewer:
        targets = list(labels(viewer)) if labels else []
        words = measure_nonsense(own, collection=serving.collection)
        found = _candidates(serving, viewer, start, words, targets, progress or (lambda done, total, what: None))
    made, told = fit_candidates(
        found, start, serving.target.fingerprint, target.recipe.division_key, _data(found, targets)
    )
    used = load_calibration(
        platform.store, target.fingerprint, target.recipe.division_key, logit_scale=own.encoder.logit_scale
    )
    stored = made is not None and not (used.kind == "labelled" and made.kind != "labelled")
    if made is None:
        told.append(f"Nothing was stored; in use: the {used.kind} calibration {used.version}")
    elif not stored:
        told.append(
            f"The calibration in use ({used.version}) was fitted on labels, which are surer than imagery alone: it "
            "stays. With --labels it is replaced"
        )
    else:
        save_calibration(platform.store, made)
        used = made
    save_reaches(platform.store, words)
    return {
        "encoder": target.encoder,
        "fingerprint": target.fingerprint,
        "division": target.recipe.division_key,
        "stored": stored,
        "kind": used.kind,
        "calibration": used.version,
        "threshold": used.second_threshold,
        "presence_minimum": used.presence_minimum,
        "candidates": len(found),
        "labels": {"present": sum(bool(t.windows) for t in targets), "absent": sum(not t.windows for t in targets)},
        "words": {"patches": words.patches, "nonsense": len(words.nonsense), "level": round(words.level, 3)},
        "notes": told,
    }


def fit_candidates(
    found: Candidates, start: Calibration, fingerprint: str, division: str, data: str
) -> tuple[Calibration | None, list[str]]:
    """Fit a calibration on candidates; return it, or None where they say nothing, and what a person should read."""
    labels = np.array(found.labels, dtype=np.int64)
    labelled = labels != UNKNOWN
    groups = two_kinds(np.array(found.steady), labels)
    kind: Kind = "labelled" if {0, 1} <= set(labels.tolist()) else "imagery"
    told = [] if kind == "labelled" or not labelled.any() else [_ONE_SIDED]
    if groups is not None and groups.apart:
        right, used = groups.right, np.ones(len(found), dtype=bool)
        told.append(_told(groups))
    elif kind == "labelled" and labelled.sum() >= _FEWEST_LABELS:
        right, used = labels.astype(np.float64), labelled
        told.append("Without labels, right and wrong candidates cannot be told apart here: only labels were used")
    else:
        return None, [*told, _why_not(found, groups)]
    weights = np.where(labelled, _LABEL_WEIGHT, 1.0)[used]
    numbers = np.array(found.groups)[used]
    fits = [
        _fit(np.array(values)[used], right[used], weights, numbers, head)
        for values, head in ((found.fast, start.fast), (found.second, start.fast))
    ]
    made = assemble(
        fits[0],
        None,
        fingerprint=fingerprint,
        division=division,
        data=data,
        scale=start.scale,
        second=fits[1],
        presence_minimum=max(PRESENCE, fits[1].threshold),
        kind=kind,
        start=start,
    )
    return made, told


_ONE_SIDED = "The labels have no right candidate, or no wrong one: they count, and the calibration is called 'imagery'"


def _fit(
    values: NDArray[np.float64],
    right: NDArray[np.float64],
    weights: NDArray[np.float64],
    groups: NDArray[np.int64],
    start: Head,
) -> Fit:
    head = fit_around(start, values, right, weights, trust=_TRUST)
    confidence = head.confidence(values)
    threshold = false_cue_threshold(confidence, right, groups, least=0.5, false_cues=FALSE_CUES)
    passing = confidence >= threshold
    precision = float(right[passing].mean()) if passing.any() else 1.0
    return Fit(head, threshold, precision, float(right[passing].sum() / max(right.sum(), 1e-9)))


def _told(groups: TwoKinds) -> str:
    return (
        f"{len(groups.right)} candidates in two groups: margin {groups.high:.2f} of the right ones, {groups.low:.2f} "
        f"of the wrong ones, standard deviation {groups.spread:.2f}, share of right ones {groups.right.mean():.2f}"
    )


def _why_not(found: Candidates, groups: TwoKinds | None) -> str:
    if len(found) < FEWEST:
        return (
            f"The scenes gave {len(found)} candidates that were worth a second look, and at least {FEWEST} are needed: "
            "ingest more imagery, or give --labels"
        )
    if groups is None:
        return "All candidates look the same: scenes of one colour say nothing about an encoder. Give --labels"
    return (
        "Right and wrong candidates cannot be told apart in these scenes: they have few of the things that the encoder "
        "knows, or it was not made for such imagery. Give --labels"
    )


def _data(found: Candidates, targets: Sequence[Target]) -> str:
    labelled = f" and {len(targets)} labels" if targets else ""
    return f"{len(found)} candidates of the installation's own scenes{labelled}"


def _serving(platform: Platform, encoder: str | None) -> Serving:
    if encoder is None:
        found = find_serving(platform)
    else:
        collection = target_of(platform, encoder).collection
        found = serving_from(platform, collection) if platform.vectors.exists(collection) else None
    if found is None:
        name = encoder or platform.settings.active_encoder
        raise InputError(
            f"No scene is embedded with the encoder {name!r}", fix="Run: imagerag ingest SOURCE, or imagerag backfill"
        )
    return found


def _candidates(
    serving: Serving,
    viewer: Viewer,
    start: Calibration,
    words: Reaches,
    targets: Sequence[Target],
    progress: Progress,
) -> Candidates:
    """Collect candidates for labels, and for words that the encoder can tell, in scenes from all over the installation.

    Each scene gives the same candidates each time.
    """
    own, found = serving.platform, Candidates()
    for number, target in enumerate(targets):
        progress(number, len(targets) + CANDIDATES, target.scene)
        _add(serving, viewer, start, found, target.scene, [target.phrase], CANDIDATES_JUDGED, CANDIDATES, target)
    names = tuple(things())
    reach = reaches(own, names, collection=serving.collection)
    told = [name for name, far in zip(names, reach, strict=True) if far > words.level]
    scenes = sorted(list_records(own))
    scenes = scenes[:: max(1, -(-len(scenes) // SCENES))]
    already = len(found)
    for number, scene in enumerate(scenes, start=1):
        rng = random.Random(scene)  # nosec B311 # a sample
        order = rng.sample(told, len(told))
        most = already + CANDIDATES * number // len(scenes)
        for at in range(0, len(order), _AT_ONCE):
            if len(found) >= most:
                break
            progress(len(targets) + len(found) - already, len(targets) + CANDIDATES, scene)
            _add(serving, viewer, start, found, scene, order[at : at + _AT_ONCE], _EACH, most)
    return found


def _add(
    serving: Serving,
    viewer: Viewer,
    start: Calibration,
    found: Candidates,
    scene: str,
    phrases: Sequence[str],
    each: int,
    most: int,
    target: Target | None = None,
) -> None:
    """Add the best candidates for phrases in one scene, until there are `most`."""
    own = serving.platform
    search = Search(start, Filter().scene_in([scene]), collection=serving.collection)
    scorers = phrase_scorers(own, phrases, start)
    near = neighbours(own.vectors, own.encoder.encode_texts(phrases), search, _NEAR)
    for phrase, rows in zip(phrases, near, strict=True):
        if target is None and len(found) >= most:
            return
        _, values = scorers[phrase].score(rows.embeddings)
        by_patch = {row["patch_id"]: value for row, value in zip(rows.rows, values, strict=True)}
        cues = suppressed_cues(rows, values, start.fast, phrase, "fast")[:each]
        group = 1 + max(found.groups, default=-1)
        for cue in cues:
            if cue.confidence >= WORTH_A_LOOK:
                _look(serving, viewer, found, cue, by_patch[cue.patch_id], scorers[phrase], group, target)


def _look(
    serving: Serving,
    viewer: Viewer,
    found: Candidates,
    cue: Cue,
    fast: NDArray[np.float64],
    scorer: Scorer,
    group: int,
    target: Target | None,
) -> None:
    seen, _ = look_again(
        serving.platform, viewer, [cue], scorer, budget=crops_per_candidate(cue.level, viewer.finest_level(cue.scene))
    )
    for each in seen:
        if each.features is None or each.steady is None:  # the scene cannot be read now
            continue
        found.fast.append(fast)
        found.second.append(each.features)
        found.steady.append(each.steady)
        found.labels.append(UNKNOWN if target is None else _label(each.cue, target))
        found.groups.append(group)


def _label(cue: Cue, target: Target) -> int:
    """Return whether a candidate is right; one beside the boxes of a phrase may be another of its kind."""
    if not target.windows:
        return 0
    return 1 if covers(np.array([cue.window]), target.windows)[0] else UNKNOWN
