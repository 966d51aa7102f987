"""Measure how many of the demo's own questions the whole pipeline answers correctly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.mosaics import ask_files
from imagerag_assets.demo.scenes import generate_demo
from imagerag_assets.errors import StoreError
from imagerag_assets.evaluation.loaders import load_cases
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.build import open_runner
from imagerag_assets.settings import Settings


def measure(settings: Settings, folder: Path) -> dict[str, Any]:
    """Draw the demo's scenes, ingest them, build the knowledge bases, and ask every question.

    Args:
        settings: Settings of an installation that holds nothing else.
        folder: Folder of the run; a killed run in it continues.

    Returns:
        ``accuracy`` by kind, and the accuracy of ``guessing``.

    Raises:
        StoreError: a scene was not ingested.
    """
    catalog = generate_demo(settings.home / "demo")
    with open_runner(settings) as runner:
        failed = [each for each in runner.ingest_source(str(catalog.catalog)) if each.status == "failed"]
        if failed:
            raise StoreError(f"A demo scene was not ingested: {failed[0].error}", scene=failed[0].scene)
        runner.build_knowledge("labels", str(catalog.knowledge / "labels"))
        runner.build_knowledge("captions", str(catalog.knowledge / "captions.jsonl"))
    with Platform(settings) as platform:
        done = ask_files(platform, [catalog.questions], folder)
    cases = [case for each in load_cases([catalog.questions]) for case in each.cases if case.choices]
    guessing = sum(1 / len(case.choices) for case in cases) / len(cases)
    return {"accuracy": done["metrics"]["accuracy"], "guessing": guessing}
