"""Decide whether a collection may take over from the one in use.

Some checks must pass in any case; others measure agreement and quality, and may be overruled.  Each check looks and
reports; `backfill` asks for them and acts on the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.encoders.registry import load_encoder
from imagerag_assets.errors import EncoderError, FingerprintError, UnknownEncoderError
from imagerag_assets.ingestion.index_scene import indexed_rows
from imagerag_assets.ingestion.shard_checks import NORM_TOLERANCE
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import UNKNOWN, Serving, Target
from imagerag_assets.objects.store import read_all
from imagerag_assets.retrieval.background import PROMPTS
from imagerag_assets.retrieval.calibration import load_calibration
from imagerag_assets.scenes.records import find_record, list_records, load_record
from imagerag_assets.scenes.removed import list_removed
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import iter_batches, sample_rows, shard_info

PROBES = 512
"""Patches on which two collections are compared, spread over the scenes."""
FEWEST_PROBES = 60
NEAREST = 10
NEIGHBOUR_FLOOR = 0.15
"""Least agreement on which patches are alike: 0 is chance, 1 means the same nearest ten for every patch."""
PHRASE_FLOOR = 0.10
"""Least agreement on which patches show what a phrase says, on the same scale."""
BENCHMARK_MARGIN = 0.05
"""How much the recall of the benchmark may drop."""
_NAMED = 5

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class GateCheck:
    """Result of one check."""

    name: str
    passed: bool | None
    """None: it could not be made, which does not prevent the switch."""
    required: bool
    """Whether a failure prevents the switch even if it is forced."""
    detail: str
    """One line."""
    value: float | None = None
    floor: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


@dataclass(frozen=True)
class Gate:
    """The checks of one switch."""

    checks: tuple[GateCheck, ...]

    @property
    def failed(self) -> tuple[GateCheck, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if check.passed is False)

    def opens(self, *, force: bool) -> bool:
        """Whether the switch may be made; `force` overrules checks of quality, never required ones."""
        return not any(check.required or not force for check in self.failed)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {"passed": not self.failed, "checks": [check.to_dict() for check in self.checks]}


@dataclass(frozen=True)
class Measured:
    """Result of a benchmark of one encoder."""

    recall: float
    """Share of targets half covered by a cue."""
    questions: int


Measure = Callable[[Platform], Measured | None]
"""Ask an installation the questions of a benchmark; None where none of them can be asked."""


def examine(platform: Platform, serving: Serving, target: Target, measure: Measure | None) -> Gate:
    """Make all checks of a target that is to replace the serving one.

    Raises:
        StoreError: Milvus or the object store fails.
    """
    missing = uncovered(platform, target)
    if missing:  # the other checks would only see a part
        return Gate((_coverage(missing, platform),))
    collection = target.collection
    checks = [_coverage(missing, platform), _vectors(platform, target, collection), _calibration(platform, target)]
    checks += _agreement(platform, serving, target, collection)
    return Gate((*checks, _benchmark(platform, serving, target, collection, measure)))


def scenes_to_cover(platform: Platform) -> list[str]:
    """Return the keys of registered scenes that are not marked as removed from their source."""
    removed = {mark.scene for mark in list_removed(platform)}
    return [key for key in list_records(platform) if key not in removed]


def uncovered(platform: Platform, target: Target) -> list[str]:
    """Return the keys of scenes whose current version the target has not embedded and indexed in full.

    Raises:
        StoreError: Milvus or the object store fails.
    """

    def covered(key: str) -> bool:
        record = find_record(platform, key)
        return record is None or indexed_rows(platform, target, record) is not None  # purged meanwhile

    keys = scenes_to_cover(platform)
    return [key for key, done in zip(keys, read_all(covered, keys), strict=True) if not done]


def _coverage(missing: Sequence[str], platform: Platform) -> GateCheck:
    total = len(scenes_to_cover(platform))
    if missing:
        named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
        detail = f"{len(missing)} of {total} scenes are not complete: {named}"
    else:
        detail = f"all {total} scenes have the shard of their current version, and all of its rows"
    return GateCheck("coverage", not missing, True, detail, 1 - len(missing) / max(1, total), 1.0)


def _vectors(platform: Platform, target: Target, collection: str) -> GateCheck:
    """Whether every vector of every shard is finite, of length 1 and of the collection's dimension."""
    dim, rows, bad = platform.vectors.meta(collection).dim, 0, 0
    for key in scenes_to_cover(platform):
        shard = target.key(load_record(platform, key))
        if shard_info(platform.store, shard).dim != dim:
            return GateCheck("vectors", False, True, f"The shard of {key} is not of dimension {dim}")
        for batch in iter_batches(platform.store, shard, columns=["embedding"]):
            lengths = np.linalg.norm(embeddings_of(batch), axis=1)
            rows += len(lengths)
            bad += int(np.count_nonzero(~(np.abs(lengths - 1) <= NORM_TOLERANCE)))  # also true of NaN
    detail = f"{rows:,} vectors of dimension {dim}, {bad:,} of them not finite or not of length 1"
    return GateCheck("vectors", bad == 0, True, detail)


def _calibration(platform: Platform, target: Target) -> GateCheck:
    """Whether there is a calibration.  Without one, generic thresholds apply and answers say so."""
    try:
        found = load_calibration(platform.store, target.fingerprint, target.recipe.division_key)
    except FingerprintError as error:
        return GateCheck("calibration", False, False, error.message)
    version = found.version
    none = "none: the default thresholds apply; `imagerag calibrate` fits them to the scenes"
    said = f"version {version} ({found.kind})" if found.fingerprint else none
    if found.fingerprint and found.division != target.recipe.division_key:
        said += f", made for {found.division}: it holds for patches of so many metres, too"
    return GateCheck("calibration", True if found.fingerprint else None, False, said)


def _agreement(platform: Platform, serving: Serving, target: Target, collection: str) -> list[GateCheck]:
    old, new = _probes(platform, serving, target, collection)
    if len(old) < FEWEST_PROBES:
        reason = f"only {len(old)} patches in common, fewer than {FEWEST_PROBES}"
        return [GateCheck(name, None, False, reason) for name in ("neighbours", "phrases")]
    alike = _overlap(_without_self(old @ old.T), _without_self(new @ new.T), len(old) - 1)
    checks = [_agreed("neighbours", alike, NEIGHBOUR_FLOOR, f"nearest {NEAREST} of {len(old)} patches")]
    try:
        before = load_encoder(serving.target.encoder, platform.settings).encode_texts(PROMPTS)
    except (EncoderError, UnknownEncoderError) as error:
        return [*checks, GateCheck("phrases", None, False, f"the serving encoder is not available: {error.message}")]
    after = load_encoder(target.encoder, platform.settings).encode_texts(PROMPTS)
    shown = _overlap(before @ old.T, after @ new.T, len(old))
    what = f"nearest {NEAREST} of {len(old)} patches to {len(PROMPTS)} phrases"
    return [*checks, _agreed("phrases", shown, PHRASE_FLOOR, what)]


def _agreed(name: str, value: float, floor: float, what: str) -> GateCheck:
    detail = f"agreement on the {what}: {value:.2f}, at least {floor:.2f} (0 is chance)"
    return GateCheck(name, value >= floor, False, detail, round(value, 4), floor)


def _probes(platform: Platform, serving: Serving, target: Target, collection: str) -> tuple[Vectors, Vectors]:
    """Return the vectors of the same patches in both collections, float32 (n, dim), over at most `PROBES` scenes."""
    keys = scenes_to_cover(platform)
    keys = keys[:: -(-len(keys) // PROBES)] if keys else []
    ids: list[str] = []
    for key in keys:
        shard = target.key(load_record(platform, key))
        sample = sample_rows(platform.store, shard, -(-PROBES // len(keys)), columns=["patch_id"])
        ids += sample.column("patch_id").to_pylist()
    ids = ids[:PROBES]
    found = [
        {row["patch_id"]: row["embedding"] for row in platform.vectors.get_rows(name, ids, embedding=True)}
        for name in (serving.collection, collection)
    ]
    common = [patch for patch in ids if patch in found[0] and patch in found[1]]
    if not common:
        return np.zeros((0, 1), np.float32), np.zeros((0, 1), np.float32)
    return np.stack([found[0][patch] for patch in common]), np.stack([found[1][patch] for patch in common])


def _without_self(similarity: Vectors) -> Vectors:
    np.fill_diagonal(similarity, -np.inf)
    return similarity


def _overlap(first: Vectors, second: Vectors, candidates: int) -> float:
    """Return the mean share of each row's `NEAREST` that both have in common, on a scale where chance is 0.

    Args:
        first: (rows, n) similarities.
        second: Likewise.
        candidates: How many of the n can be among the nearest.
    """
    nearest = [np.argpartition(-each, NEAREST, axis=1)[:, :NEAREST] for each in (first, second)]
    shared = [len(np.intersect1d(one, other)) for one, other in zip(*nearest, strict=True)]
    chance = NEAREST / candidates
    return float((np.mean(shared) / NEAREST - chance) / (1 - chance))


def _benchmark(
    platform: Platform, serving: Serving, target: Target, collection: str, measure: Measure | None
) -> GateCheck:
    if measure is None:
        return GateCheck("benchmark", None, False, "no benchmark is configured (IMAGERAG_BENCHMARK)")
    if serving.target.encoder == UNKNOWN:
        return GateCheck("benchmark", None, False, "the serving encoder is not available")
    before = measure(serving.platform)
    after = measure(platform.using(target.encoder, collection=collection))
    if before is None or after is None:
        return GateCheck("benchmark", None, False, "none of the benchmark's questions can be asked of these scenes")
    detail = (
        f"recall {after.recall:.3f} over {after.questions} questions, before {before.recall:.3f}, "
        f"at most {BENCHMARK_MARGIN} worse"
    )
    floor = before.recall - BENCHMARK_MARGIN
    return GateCheck("benchmark", after.recall >= floor, False, detail, after.recall, floor)
