"""Figures of benchmarks: kept by name and time, found by encoder."""

from __future__ import annotations

from typing import Any

import pytest

from imagerag_assets.errors import InputError, StoreError
from imagerag_assets.evaluation.benchmarks import Benchmark, latest_benchmark, save_benchmark
from imagerag_assets.installation.platform import Platform


def measured(at: str, fingerprint: str = "a" * 64, name: str = "retrieval") -> Benchmark:
    metrics: dict[str, Any] = {"recall": {"all": {}}}
    return Benchmark(name, at, "tiny", fingerprint, 10, 0, 0, {"retrieval": "default"}, metrics)


def test_the_last_one_of_an_encoder_is_found(platform: Platform) -> None:
    assert latest_benchmark(platform, "a" * 64) is None
    for each in (
        measured("2026-01-02T00:00:00+00:00"),
        measured("2026-01-03T00:00:00+01:00", name="another"),  # 2026-01-02 23:00 UTC
        measured("2026-01-04T00:00:00+00:00", "b" * 64),
        measured("2026-01-01T00:00:00+00:00"),
    ):
        key = save_benchmark(platform, each)
        assert platform.store.exists(key)
        assert key.startswith(f"benchmarks/{each.name}/2026010")
    last, retrieval = latest_benchmark(platform, "a" * 64), latest_benchmark(platform, "a" * 64, "retrieval")
    assert last is not None and retrieval is not None
    assert (last.name, retrieval.at) == ("another", "2026-01-02T00:00:00+00:00")
    assert latest_benchmark(platform, "b" * 64) == measured("2026-01-04T00:00:00+00:00", "b" * 64)
    assert latest_benchmark(platform, "b" * 64, "another") is None


def test_a_name_or_record_that_cannot_be_used_is_said(platform: Platform) -> None:
    with pytest.raises(InputError, match="cannot name a benchmark"):
        save_benchmark(platform, measured("2026-01-02T00:00:00+00:00", name="../answers"))
    platform.store.write_json("benchmarks/retrieval/20270101T000000-0000.json", {"name": "retrieval"})
    with pytest.raises(StoreError, match="damaged"):
        latest_benchmark(platform, "a" * 64)
