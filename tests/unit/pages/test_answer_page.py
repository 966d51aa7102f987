"""The page of an answer: what it says, what it lets one take along, how large it is, and that text stays text."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import geopandas
import pytest
from playwright.sync_api import Browser
from rasterio.warp import transform

from imagerag_assets.installation.platform import Platform
from imagerag_assets.pages.answer_page import MOST_BYTES, answer_page, write_answer_page
from imagerag_assets.pages.components import render_page
from imagerag_assets.pages.imagery import Scenes
from imagerag_assets.pages.lineage_graph import lineage_graph
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.scenes.records import overview_key
from imagerag_assets.settings import Settings
from tests.answers import answer_record, kept_answer
from tests.browser import PHONE, axe_findings, open_page, running_browser, sideways

EVIL = "</style></script></title><script>window.hacked=1</script>\"'><img src=x onerror=window.hacked=1>{{7*7}}\u202e"
FILES = re.compile(r'download="([^"]+)" href="data:[^,"]+;base64,([^"]+)"')


def text_of(page: str) -> str:
    """What a page shows, without pictures and markup."""
    without = re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]*>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(without).split())


def kept(folder: Path, data: bytes) -> Path:
    """A GeoPackage as a file, which is how it is opened."""
    file = folder / "cues.gpkg"
    file.write_bytes(data)
    return file


def files_of(page: str) -> dict[str, bytes]:
    """The files that a page holds, by the end of their names."""
    return {name.rpartition(".")[2]: base64.b64decode(data) for name, data in FILES.findall(page)}


def test_what_was_asked_understood_and_found_with_everything_to_take_along(platform: Platform, tmp_path: Path) -> None:
    note = "The scene is partly cloudy"
    record = kept_answer(platform, tmp_path / "port", notes=[note, "Choice by the evidence: upper left"])
    page = platform.store.read_bytes(write_answer_page(platform, record.answer_id)).decode()
    said = text_of(page)
    order = ["Where are the ships?", "1 ship was found, in the upper left.", "91 %", "what the model saw", note,
             "What was understood", "Find where the ship lies", "Choice by the evidence", "2 cues",
             "Lineage"]  # fmt: skip
    assert [said.index(each) for each in order] == sorted(said.index(each) for each in order), said
    (east,), (north,) = transform("EPSG:32633", "EPSG:4326", [500_052], [5_299_938])
    degrees = f"{north:.5f} N, {east:.5f} E"
    for shown in ("Harbour", "2024-05-06", degrees, "500052 E, 5299938 N (EPSG:32633)", "64 m × 64 m",
                  "93 %", "confirmed", "41 %", "rejected", "600 × 600 pixels of 0.5 m"):  # fmt: skip
        assert shown in said, shown
    assert page.count("<img") == 2 and page.count('class="box"') == 2
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "") and "https://" not in page
    assert len(page.encode()) < MOST_BYTES

    files = files_of(page)
    places = geopandas.read_file(kept(tmp_path, files["gpkg"]), layer="cues")
    same = geopandas.read_file(io.BytesIO(files["geojson"]))
    rows = list(csv.DictReader(io.StringIO(files["csv"].decode())))
    for table in (places.to_dict("records"), same.to_dict("records"), rows):
        assert [str(row["rank"]) for row in table] == ["1", "2"]
        known = {name: str(table[0][name]) for name in ("record", "scene", "item", "phrase", "confidence", "verdict")}
        assert known == {"record": record.answer_id, "scene": "port", "item": "port", "phrase": "ship",
                         "confidence": "0.93", "verdict": "confirmed"}  # fmt: skip
        assert str(table[0]["date"]).startswith("2024-05-06")
    assert places.crs == "EPSG:4326" and same.geometry.iloc[0].equals_exact(places.geometry.iloc[0], 1e-7)
    west, south, east, north = record.cues[0].bbox or (0, 0, 0, 0)
    assert places.geometry.iloc[0].bounds == pytest.approx((west, south, east, north), abs=1e-6)
    assert rows[0]["wkt"].startswith("POLYGON")


def test_a_page_of_an_answer_without_evidence_or_whose_scene_is_gone(platform: Platform, tmp_path: Path) -> None:
    nothing = answer_record(question="Is there a whale?", answer="No whale was found.", outcome="not_found")
    said = text_of(answer_page(platform, nothing))
    assert "No cues" in said and "no picture of a scene" in said and "Take it along" not in said
    failed = answer_record(error={"type": "ModelError", "message": "No server", "fix": "Start it"})
    assert "No server. Start it" in text_of(answer_page(platform, failed))

    record = kept_answer(platform, tmp_path / "port")
    changed = AnswerRecord.model_validate(
        record.to_dict() | {"lineage": record.to_dict()["lineage"] | {"scenes": {"port": "of an earlier version"}}}
    )
    several = AnswerRecord.model_validate(
        record.to_dict() | {"lineage": record.to_dict()["lineage"] | {"scenes": {"gone": "x", **record.lineage.scenes}}}
    )
    nodes = {(node.kind, node.label): node for node in lineage_graph(several, Scenes(platform, several)).nodes}
    assert nodes["item", "port"].y == nodes["scene", "Harbour"].y != nodes["scene", "gone"].y

    page = answer_page(platform, changed, ["The scene's version was a and is b"])
    assert "kept with the answer" in page and page.count('class="box"') == 0 and page.count("<img") == 2
    assert "This answer is outdated" in page
    platform.store.delete(overview_key("port"))
    assert "kept with the answer" in answer_page(platform, record)
    assert json.loads(files_of(page)["geojson"])["features"][0]["geometry"]["type"] == "Polygon"


def test_a_page_with_many_cues_stays_small(platform: Platform, tmp_path: Path) -> None:
    windows = [(x, y, x + 250, y + 250) for x in range(0, 350, 35) for y in range(0, 350, 35)]
    box = (15.0, 47.8, 15.001, 47.801)
    cues = [{"rank": rank, "window": window, "scene": "port", "bbox": box} for rank, window in enumerate(windows, 1)]
    record = kept_answer(platform, tmp_path / "port", cues=cues)
    page = answer_page(platform, record)
    assert len(page.encode()) < MOST_BYTES
    assert "40 more are in the downloads" in page and "100 cues" in page
    assert len(geopandas.read_file(kept(tmp_path, files_of(page)["gpkg"]))) == 100


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """An installation with nothing in it; no page needs an encoder."""
    with Platform(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, which takes a second to start."""
    with running_browser() as started:
        yield started


@pytest.fixture
def hostile(platform: Platform, tmp_path: Path) -> Path:
    """A page of a record in which every text is an attack."""
    record = kept_answer(
        platform, tmp_path / "port", title=EVIL, question=EVIL, answer=EVIL, choice=EVIL, choices={EVIL: EVIL},
        notes=[EVIL], asked_at=EVIL, id=EVIL, error={"type": EVIL, "message": EVIL, "fix": EVIL}, after=EVIL,
        plan=[{"op": EVIL}, {"op": "where", "thing": {"name": EVIL[:100], "look_for": EVIL[20:120]}}],
        result=[{"kind": EVIL, "value": EVIL}, {"kind": "where", "places": [{"cue": 1, "name": EVIL}]}],
        lineage={
            "encoder": EVIL, "mllm": {"name": EVIL, "revision": EVIL}, "concepts": {EVIL: {}}, "version": EVIL,
            "after": EVIL, "acquired": {"port": EVIL}, "calibration_kind": EVIL, "scenes": {"port": "x", EVIL: EVIL},
        },
        cues=[
            {"rank": 1, "scene": "port", "window": (0, 0, 90, 90), "phrase": EVIL, "patch_id": EVIL},
            {"rank": 2, "scene": "port", "window": (9, 9, 90, 90), "phrase": "=HYPERLINK(1)", "verdict": "rejected"},
        ],
    )  # fmt: skip
    file = tmp_path / "page.html"
    file.write_text(answer_page(platform, record, [EVIL]), encoding="utf-8")
    return file


def test_text_of_a_record_never_runs(hostile: Path, browser: Browser) -> None:
    page = hostile.read_text(encoding="utf-8")
    assert page.count("<script") == 1 and "<img src=x" not in page and "\u202e" not in page
    assert files_of(page)["csv"].decode().count("'=HYPERLINK(1)") == 1
    with open_page(browser, hostile.as_uri()) as shown:
        for button in shown.locator("button").all():
            button.click()
        assert shown.evaluate("() => [window.hacked, document.scripts.length, document.images.length]") == [None, 1, 2]
        assert EVIL[:-1] in shown.locator(".said").inner_text()
        # Also what got past the escaping would be refused by the page's policy.
        shown.evaluate(
            "() => document.body.append(Object.assign(document.createElement('script'), {text: 'hacked=1'}))"
        )
        assert shown.evaluate("() => window.hacked") is None


def test_the_page_in_a_browser_by_keyboard_on_a_phone_and_in_the_dark(
    platform: Platform, tmp_path: Path, browser: Browser
) -> None:
    file = tmp_path / "page.html"
    file.write_text(answer_page(platform, kept_answer(platform, tmp_path / "port"), ["A newer scene"]), "utf-8")
    with open_page(browser, file.as_uri()) as page:
        assert axe_findings(page) == []
        scene = page.locator("svg.scene")
        assert scene.get_attribute("viewBox") == "0 0 600 600"
        assert page.locator(".scale span").inner_text() == "50 m"
        scene.focus()
        page.keyboard.press("+")
        page.keyboard.press("ArrowRight")
        x, y, width, _ = map(float, (scene.get_attribute("viewBox") or "").split())
        assert width == pytest.approx(375) and (x, y) == pytest.approx((187.5, 112.5))
        page.keyboard.press("0")
        assert scene.get_attribute("viewBox") == "0 0 600 600"
        page.locator("#cue-1 button").click()
        x, y, width, height = map(float, (scene.get_attribute("viewBox") or "").split())
        assert width < 400 and x <= 40 and y <= 60 and x + width >= 168 and y + height >= 188
        assert page.evaluate("() => document.activeElement.dataset.cue") == "1"
        page.keyboard.press("Enter")
        assert page.url.endswith("#cue-1")
        assert "47.8" in page.locator(".here").inner_text() and "5299" in page.locator(".here").inner_text()
    with open_page(browser, file.as_uri(), size=PHONE, scheme="dark") as page:
        assert axe_findings(page) == [] and sideways(page) == 0


def test_a_page_of_another_package_takes_the_macros_and_its_own_templates() -> None:
    with pytest.raises(Exception, match="report.html"):
        render_page("report.html")
