"""Thresholds and weights of confidence, fitted on held-out data per (encoder, division), stored as versioned artefacts.

The record, where it is looked for, and the fit.  `evaluation/calibrate.py` gathers samples from an installation.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib import resources
from itertools import chain
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from imagerag_assets.errors import FingerprintError, InputError, StoreError
from imagerag_assets.patches.names import in_pixels
from imagerag_assets.retrieval.background import BACKGROUND_VERSION
from imagerag_assets.retrieval.scoring import Floats, Head

if TYPE_CHECKING:
    from imagerag_assets.objects.store import ObjectStore

DEFAULT_SCALE = 40.0
"""Inverse temperature: a cosine difference of .025 is a factor e.  CLIP's 100 makes the background's best match decide
alone."""
_FIX = "Run: imagerag calibrate"
_DEFAULT = "default-"
Kind = Literal["labelled", "imagery", "default"]
"""What a calibration was fitted on: imagery with labels, imagery alone, or nothing."""


@dataclass(frozen=True)
class Calibration:
    """How similarities of one encoder on patches of one division become confidences."""

    fingerprint: str
    """Of the encoder; empty: of no encoder in particular."""
    division: str
    """The collection's division, e.g. ``pyramid``; empty: of none in particular."""
    scale: float
    fast: Head
    threshold: float
    """Least confidence of a cue of the fast path."""
    slow: Head
    slow_threshold: float
    """Least confidence of a cue of the slow path."""
    data: str
    """What it was fitted on, for a person."""
    second: Head | None = None
    """Weights after the second look of the fast path; None: those of `fast`."""
    second_minimum: float | None = None
    """Least confidence after the second look; None: `threshold`."""
    presence_minimum: float | None = None
    """Least confidence, after the second look, of a phrase's best cue from which it is said to be there; None: what
    passes is there."""
    coarsest_m: float | None = None
    """Ground sampling distance, m, beyond which the encoder cannot be trusted; None: no limit is known."""
    background: int = BACKGROUND_VERSION
    version: str = "uncalibrated"
    """``uncalibrated``, ``default-SCALE``, or the first 16 digits of the content's sha256."""
    kind: Kind = "labelled"

    @property
    def second_threshold(self) -> float:
        """Least confidence of a cue of the fast path that was looked at again."""
        return self.threshold if self.second_minimum is None else self.second_minimum

    def to_json(self) -> bytes:
        """Return the stored form."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False).encode()


GENERIC = Calibration(
    fingerprint="",
    division="",
    scale=DEFAULT_SCALE,
    fast=Head(margin=1.0, score=0.0, bias=0.0),
    threshold=0.5,
    slow=Head(margin=1.0, score=1.0, bias=2.0),
    slow_threshold=0.5,
    data="none: the zero-shot probability of the phrase against the background",
    kind="default",
)
"""Of no encoder: more likely the phrase than everything in the background together.  In the slow path also: about as
similar to the label's prototype as its own exemplars are."""

_ADAPTER = TypeAdapter(Calibration)


def calibration_key(fingerprint: str, division: str) -> str:
    """Return the key in the object store."""
    return f"calibrations/{fingerprint[:16]}/{division}.json"


def default_calibration(logit_scale: float | None = None) -> Calibration:
    """Return what is safe for an encoder that nothing was fitted for: :data:`GENERIC` at the scale it was trained with.

    Args:
        logit_scale: `Encoder.logit_scale`.  A greater one than `DEFAULT_SCALE` is cut to it, which asks more of a cue.
            One that is no positive number is not used.
    """
    if logit_scale is None or not math.isfinite(logit_scale) or not 1 <= logit_scale < DEFAULT_SCALE:
        return GENERIC
    shown = f"{logit_scale:.4g}"
    # Likeness to exemplars counts in cosines, whatever the scale.
    slow = replace(GENERIC.slow, score=GENERIC.slow.score * DEFAULT_SCALE / float(shown))
    return replace(GENERIC, scale=float(shown), slow=slow, version=f"{_DEFAULT}{shown}")


def load_calibration(
    store: ObjectStore, fingerprint: str, division: str, *, logit_scale: float | None = None
) -> Calibration:
    """Load the calibration of an encoder and division: the stored one, else a packaged one, else the default.

    For patches of so many metres, one for patches of so many pixels holds, too, if there is none of their own; its
    `division` says so (decision 0651).

    Args:
        store: The installation's.
        fingerprint: The encoder's.
        division: The division's key.
        logit_scale: The encoder's, for :func:`default_calibration`.

    Raises:
        FingerprintError: the stored one was fitted for another encoder, division or background.
        StoreError: the stored one cannot be read.
    """
    for each in dict.fromkeys((division, in_pixels(division))):
        key = calibration_key(fingerprint, each)
        if store.exists(key):
            found = parse(store.read_bytes(key), store.url(key))
            _require(found, fingerprint, each, store.url(key))
            return found
        if (packaged := packaged_calibration(fingerprint, each)) is not None:
            return packaged
    return default_calibration(logit_scale)


def packaged_calibration(fingerprint: str, division: str) -> Calibration | None:
    """Return the calibration of an encoder and division that comes with this package; None: there is none."""
    wanted = (fingerprint, division, BACKGROUND_VERSION)
    return next((each for each in _packaged() if (each.fingerprint, each.division, each.background) == wanted), None)


def find_calibration(store: ObjectStore, fingerprint: str, division: str, version: str) -> Calibration | None:
    """Find the calibration of one version, whether or not it is the one in use; None if it is not kept."""
    if version.startswith(_DEFAULT):
        return default_calibration(_number(version.removeprefix(_DEFAULT)))
    divisions = dict.fromkeys((division, in_pixels(division)))
    kept = [
        key
        for each in divisions
        for key in (calibration_key(fingerprint, each), _version_key(fingerprint, each, version))
    ]
    stored = (parse(store.read_bytes(key), store.url(key)) for key in kept if store.exists(key))
    for found in chain(stored, _packaged(), [GENERIC]):
        if found.version == version and (found is GENERIC or found.fingerprint == fingerprint):
            return found
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def save_calibration(store: ObjectStore, calibration: Calibration) -> str:
    """Store a calibration for its encoder and division, with a copy that later ones do not replace; return its key."""
    key = calibration_key(calibration.fingerprint, calibration.division)
    copy = _version_key(calibration.fingerprint, calibration.division, calibration.version)
    for each in (copy, key):
        store.write_bytes(each, calibration.to_json())
    return key


def _version_key(fingerprint: str, division: str, version: str) -> str:
    return f"{calibration_key(fingerprint, division).removesuffix('.json')}/{version}.json"


def parse(data: bytes, where: str) -> Calibration:
    """Read the stored form.

    Raises:
        StoreError: it is not a calibration; the message names `where`.
    """
    try:
        return _ADAPTER.validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise StoreError(f"Not a calibration: {field}: {first['msg']}", fix=_FIX, object=where) from None


def _require(found: Calibration, fingerprint: str, division: str, where: str) -> None:
    pairs = {
        "fingerprint": (found.fingerprint, fingerprint),
        "division": (found.division, division),
        "background": (found.background, BACKGROUND_VERSION),
    }
    wrong = [
        f"{name} stored={stored}, required={required}"
        for name, (stored, required) in pairs.items()
        if stored != required
    ]
    if wrong:
        raise FingerprintError(f"The calibration does not apply: {'; '.join(wrong)}", fix=_FIX, object=where)


def _packaged() -> Iterator[Calibration]:
    folder = resources.files("imagerag_assets").joinpath("weights", "calibrations")
    if not folder.is_dir():
        return
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".json"):
            yield parse(file.read_bytes(), file.name)


@dataclass(frozen=True)
class Fit:
    """A fitted head and its threshold."""

    head: Head
    threshold: float
    precision: float
    """Share of hits among the samples at or above the threshold."""
    recall: float


@dataclass(frozen=True)
class Goal:
    """What a threshold is chosen for; with neither field: the best F1."""

    precision: float | None = None
    """Least share of right candidates among those that pass; of such thresholds the one with the best recall."""
    false_cues: float | None = None
    """Largest share of absent targets for which a candidate passes; the lowest such threshold."""


def fit(
    samples: Floats, hits: NDArray[np.bool_], *, goal: Goal | None = None, absent: NDArray[np.integer] | None = None
) -> Fit:
    """Fit the logistic function and choose the threshold.

    Args:
        samples: (n, 2), from `scoring.features`.
        hits: bool, (n,), whether the candidate shows what was looked for.
        goal: What the threshold is chosen for.  A goal that no threshold reaches is ignored.
        absent: int, (n,), for a goal of false cues: the number of the absent target that a candidate was found for; -1
            for targets that are present.

    Raises:
        InputError: the samples lack hits or misses, or are not finite.
    """
    from sklearn.linear_model import LogisticRegression

    values, truth = np.asarray(samples, dtype=np.float64), np.asarray(hits, dtype=bool)
    if len(values) != len(truth) or truth.all() or not truth.any() or not np.isfinite(values).all():
        raise InputError(
            f"A calibration needs finite samples of hits and misses; got {int(truth.sum())} hits of {len(truth)}",
            fix="Give more questions, with present and absent targets",
        )
    spread = values.std(axis=0) + 1e-9  # so that the penalty weighs both features alike
    model = LogisticRegression(C=10.0, max_iter=1000).fit(values / spread, truth)
    margin, score = (float(weight) for weight in model.coef_[0] / spread)
    head = Head(margin=margin, score=score, bias=float(model.intercept_[0]))
    confidence = head.confidence(values)
    wanted = goal or Goal()
    if wanted.false_cues is not None and absent is not None and (absent >= 0).any():
        tops = np.array([confidence[absent == number].max() for number in np.unique(absent[absent >= 0])])
        # Just above the top of the first absent target that may no longer pass.
        stops = np.sort(tops)[::-1][int(wanted.false_cues * len(tops)) :]
        threshold = float(np.nextafter(stops[0], 1.0)) if len(stops) else 0.0
        passing = confidence >= threshold
        return Fit(
            head, threshold, float(truth[passing].mean()) if passing.any() else 1.0, float(passing[truth].mean())
        )
    return _with_threshold(head, confidence, truth, wanted.precision)


def _with_threshold(head: Head, confidence: Floats, truth: NDArray[np.bool_], precision: float | None) -> Fit:
    from sklearn.metrics import precision_recall_curve

    precisions, recalls, thresholds = precision_recall_curve(truth, confidence)
    precisions, recalls = precisions[:-1], recalls[:-1]  # the last pair belongs to no threshold
    f1 = 2 * precisions * recalls / np.maximum(precisions + recalls, 1e-12)
    best = int(np.argmax(f1))
    if precision is not None and (precisions >= precision).any():
        best = int(np.argmax(np.where(precisions >= precision, recalls, -1.0)))
    return Fit(head, float(thresholds[best]), float(precisions[best]), float(recalls[best]))


def assemble(
    fast: Fit,
    slow: Fit | None,
    *,
    fingerprint: str,
    division: str,
    data: str,
    scale: float = DEFAULT_SCALE,
    second: Fit | None = None,
    coarsest_m: float | None = None,
    presence_minimum: float | None = None,
    kind: Kind = "labelled",
    start: Calibration | None = None,
) -> Calibration:
    """Make a calibration of fitted heads, with its version; without a slow fit, keep that of `start` (`GENERIC`)."""
    start = start or GENERIC
    draft = Calibration(
        fingerprint=fingerprint,
        division=division,
        scale=scale,
        fast=fast.head,
        threshold=fast.threshold,
        slow=slow.head if slow else start.slow,
        slow_threshold=slow.threshold if slow else start.slow_threshold,
        data=data,
        second=second.head if second else None,
        second_minimum=second.threshold if second else None,
        presence_minimum=presence_minimum,
        coarsest_m=coarsest_m,
        version="",
        kind=kind,
    )
    return replace(draft, version=hashlib.sha256(draft.to_json()).hexdigest()[:16])
