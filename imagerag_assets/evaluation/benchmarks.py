"""Keep and find benchmark figures in the object store: `benchmarks/{name}/{time}.json`, each with its encoder.

`evaluate` measures the figures, and their readers decide what follows from them.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from imagerag_assets.errors import InputError, StoreError
from imagerag_assets.ingestion.checks import CheckOutcome
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.store import HasStore
from imagerag_assets.stac.keys import is_scene_key

BENCHMARKS = "benchmarks"


@dataclass(frozen=True)
class Benchmark:
    """One measurement."""

    name: str
    """Name of the series of figures, in the characters of a scene key."""
    at: str
    """Time of the measurement, ISO 8601, UTC."""
    encoder: str
    fingerprint: str
    """Fingerprint of the encoder, 64 hexadecimal digits."""
    questions: int
    """Number of questions asked, failed ones included."""
    failed: int
    """Number of questions that failed."""
    left_out: int
    """Number of questions not asked, because their scenes were missing."""
    options: dict[str, Any]
    """Mode, retrieval, division, path and so on."""
    metrics: dict[str, Any]
    """What `evaluation.metrics.measure_run` returned."""


def save_benchmark(platform: HasStore, benchmark: Benchmark) -> str:
    """Store a measurement and return its key; the keys of a benchmark sort by time.

    Raises:
        InputError: the name cannot be part of a key.
        StoreError: the store cannot be written.
    """
    if not is_scene_key(benchmark.name):
        raise InputError(f"{benchmark.name!r} cannot name a benchmark", fix="Use 1 to 200 of: A-Z a-z 0-9 _ . -")
    time = datetime.fromisoformat(benchmark.at).astimezone(UTC)
    key = f"{BENCHMARKS}/{benchmark.name}/{time:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}.json"
    platform.store.write_json(key, asdict(benchmark))
    return key


def latest_benchmark(platform: HasStore, fingerprint: str, name: str | None = None) -> Benchmark | None:
    """Return the latest measurement of an encoder, by one benchmark or by any; None if there is none.

    Raises:
        StoreError: the store cannot be read, or a measurement is damaged.
    """
    keys = platform.store.list(f"{BENCHMARKS}/{name}" if name else BENCHMARKS)
    for key in sorted(keys, key=lambda key: key.rsplit("/", 1)[-1], reverse=True):
        try:
            found = Benchmark(**platform.store.read_json(key))
        except TypeError:
            raise StoreError("A benchmark record is damaged", fix="Delete it", object=platform.store.url(key)) from None
        if found.fingerprint == fingerprint:
            return found
    return None


def check_benchmark(platform: Platform) -> CheckOutcome:
    """Check ``benchmark`` (warn): report the latest figures of the encoder in use, or that there are none.

    Raises:
        StoreError: the store cannot be read, or a measurement is damaged.
    """
    name, found = platform.settings.active_encoder, latest_benchmark(platform, platform.fingerprint)
    if found is None:
        text = f"Encoder {name} has no benchmark figures yet: run the job benchmark"
        return CheckOutcome("benchmark", False, "warn", text)
    recall = found.metrics["recall"]["all"]["half_covered"]
    if recall["value"] is None:
        text = f"{found.name} of {found.at} has no question about a target in the scene"
        return CheckOutcome("benchmark", False, "warn", text, {"questions": found.questions})
    return CheckOutcome(
        "benchmark",
        True,
        "warn",
        f"{found.name} of {found.at}: cues cover half of the target in {recall['value']:.0%} of {recall['n']}"
        f" questions (95 % interval {recall['low']:.0%} to {recall['high']:.0%}), with encoder {name}",
        {"recall": recall["value"], "low": recall["low"], "high": recall["high"], "questions": recall["n"]},
    )
