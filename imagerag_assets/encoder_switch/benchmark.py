"""Measure both encoders' collections with the benchmark of the settings, before a switch."""

from __future__ import annotations

from datetime import UTC, datetime

from imagerag_assets.encoder_switch.gate import Measure, Measured
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving


def benchmark_measure(platform: Platform, run_id: str) -> Measure | None:
    """Return a function that measures an encoder by IMAGERAG_BENCHMARK and keeps the figures; None if that is not set.

    Raises:
        InputError: the questions cannot be read.
    """
    questions = platform.settings.benchmark
    if questions is None:
        return None
    from imagerag_assets.evaluation.benchmarks import Benchmark, save_benchmark
    from imagerag_assets.evaluation.evaluate import evaluate  # retrieval and answering load when they are needed
    from imagerag_assets.evaluation.loaders import load_cases
    from imagerag_assets.evaluation.run import missing_scenes

    loaded = load_cases([questions])
    cases = [case for each in loaded for case in each.cases]

    def measure(asked: Platform) -> Measured | None:
        missing = missing_scenes(asked, cases)
        if not [case for case in cases if not missing.keys() & set(case.scenes)]:
            return None
        serving = find_serving(asked)
        assert serving is not None  # there are scenes
        folder = platform.settings.home / "evaluations" / f"{run_id}-{serving.target.fingerprint[:16]}"
        done = evaluate(asked, loaded, folder, options={"answer": False})
        save_benchmark(
            platform,
            Benchmark(
                name="switch",
                at=datetime.now(UTC).isoformat(timespec="seconds"),
                encoder=serving.target.encoder,
                fingerprint=serving.target.fingerprint,
                questions=done["questions"],
                failed=done["failed"],
                left_out=done["left_out"],
                options=done["run"]["options"],
                metrics=done["metrics"],
            ),
        )
        found = done["metrics"]["recall"]["all"]["half_covered"]
        return None if found["value"] is None else Measured(float(found["value"]), int(found["n"]))

    return measure
