"""The figures of benchmarks in the object store: `benchmarks/{name}/{time}.json`, with the encoder they are of.

Only keeping and finding them; how they are measured is `evaluation`'s, and what they decide is their readers'.
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
    """What a series of figures is called, in the characters of a scene key."""
    at: str
    """ISO 8601, UTC."""
    encoder: str
    fingerprint: str
    """The encoder's, 64 hexadecimal digits."""
    questions: int
    """Asked; more are in `left_out`, about scenes that were not there."""
    failed: int
    left_out: int
    options: dict[str, Any]
    """Mode, retrieval, division, path..."""
    metrics: dict[str, Any]
    """As `evaluation.metrics.measure_run` gives them."""


def save_benchmark(platform: HasStore, benchmark: Benchmark) -> str:
    """Store a measurement; returns its key, which sorts by time.

    Raises:
        InputError: its name cannot be part of a key.
        StoreError: the store does not take it.
    """
    if not is_scene_key(benchmark.name):
        raise InputError(f"{benchmark.name!r} cannot name a benchmark", fix="Use 1 to 200 of A-Z a-z 0-9 _ . -")
    time = datetime.fromisoformat(benchmark.at).astimezone(UTC)
    key = f"{BENCHMARKS}/{benchmark.name}/{time:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}.json"
    platform.store.write_json(key, asdict(benchmark))
    return key


def latest_benchmark(platform: HasStore, fingerprint: str, name: str | None = None) -> Benchmark | None:
    """The last measurement of an encoder, of one benchmark or of any; None if there is none.

    Raises:
        StoreError: the store cannot be read, or a measurement is damaged.
    """
    keys = platform.store.list(f"{BENCHMARKS}/{name}" if name else BENCHMARKS)
    for key in sorted(keys, key=lambda key: key.rsplit("/", 1)[-1], reverse=True):
        try:
            found = Benchmark(**platform.store.read_json(key))
        except TypeError:
            raise StoreError(
                "The record of a benchmark is damaged", fix="Delete it", object=platform.store.url(key)
            ) from None
        if found.fingerprint == fingerprint:
            return found
    return None


def check_benchmark(platform: Platform) -> CheckOutcome:
    """``benchmark`` (warn): the latest figures of the chosen encoder, if there are any.

    Raises:
        StoreError: the store cannot be read, or a measurement is damaged.
    """
    name, found = platform.settings.active_encoder, latest_benchmark(platform, platform.fingerprint)
    if found is None:
        text = f"Nothing was measured with the encoder {name} yet: run the job benchmark"
        return CheckOutcome("benchmark", False, "warn", text)
    recall = found.metrics["recall"]["all"]["half_covered"]
    if recall["value"] is None:
        text = f"{found.name} of {found.at} has no question about a target that is there"
        return CheckOutcome("benchmark", False, "warn", text, {"questions": found.questions})
    return CheckOutcome(
        "benchmark",
        True,
        "warn",
        f"{found.name} of {found.at}: half of the target is covered for {recall['value']:.0%} of {recall['n']}"
        f" questions (95 % interval {recall['low']:.0%} to {recall['high']:.0%}), with the encoder {name}",
        {"recall": recall["value"], "low": recall["low"], "high": recall["high"], "questions": recall["n"]},
    )
