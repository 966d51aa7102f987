"""The demo's report: answers first, right and wrong to filter, scenes on a map, each picture once, and no digests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagerag_assets.demo.report import DemoAnswer, write_report
from imagerag_assets.errors import StoreError
from imagerag_assets.ingestion.results import SceneResult
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings
from tests.answers import kept_answer
from tests.browser import PHONE, axe_findings, open_page, running_browser, sideways


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """An installation with nothing in it; no report needs an encoder."""
    with Platform(settings) as opened:
        yield opened


def test_the_report(platform: Platform, tmp_path: Path) -> None:
    choices = {"A": "upper left", "B": "lower right"}
    record = kept_answer(platform, tmp_path / "port", choices=choices, choice="A", answer="upper left")
    answers = [DemoAnswer("position", "upper left", record), DemoAnswer("position", "lower right", record),
               DemoAnswer("free words", None, record)]  # fmt: skip
    scenes = [SceneResult("port", "ingested", 1234, 5.6), SceneResult("gone", "failed", 0, 0.1, "no file")]
    report = write_report(tmp_path / "out", platform, scenes, answers, 12.3)
    page = report.read_text("utf-8")
    for word in ("<img", "Question", "Answer", "Lineage", "1 of 2 known answers are right", "1,234", "expected: lower"):
        assert word in page, word
    assert len(re.findall(r'<image id="scene-\d" href="data:', page)) == 1
    shown = re.sub(r"<style>.*?</style>|<script>.*?</script>|data:[^\"]+|content=\"[^\"]*\"", "", page, flags=re.DOTALL)
    assert re.search(r"[0-9a-f]{16}", shown) is None

    with running_browser() as browser:
        with open_page(browser, report.as_uri()) as seen:
            assert axe_findings(seen) == []
            seen.get_by_role("button", name="Wrong").click()
            assert seen.locator("article:visible").count() == 1
            assert "expected: lower right" in seen.locator("article:visible").inner_text()
            assert seen.get_by_role("status").inner_text() == "1 shown"
            assert seen.locator("article:visible svg.scene use").bounding_box() is not None
        with open_page(browser, report.as_uri(), size=PHONE, scheme="dark") as seen:
            assert axe_findings(seen) == [] and sideways(seen) == 0

    (tmp_path / "a file").touch()
    with pytest.raises(StoreError, match="Give another folder with --out"):
        write_report(tmp_path / "a file", platform, scenes, answers, 12.3)
