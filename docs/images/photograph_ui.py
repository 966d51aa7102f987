"""Photograph Dagster's UI and the page of `imagerag serve` in Chromium: `photograph_ui.py FOLDER [OUT]`.

A scene is drawn into a folder, ingested from Dagster's launchpad and asked about with the shipped models, as the tests
walk through it.  It takes minutes.  Set PYTHONPATH to the project's folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pystac
from PIL import Image
from playwright.sync_api import Page, expect

PROJECT = Path(__file__).resolve().parents[2]
from imagerag_assets.demo.scenes import ScenePlan, draw_scene, scene_item, write_cog
from imagerag_assets.orchestration.dev import free_port, listening
from tests.browser import open_page, running_browser
from tests.dagster_ui import ask, running_dev
from tests.dagster_walk import (
    JOBS,
    PATIENCE_MS,
    expect_answer,
    fill_launchpad,
    launched,
    open_question,
    open_scan,
)

SIZE = (1240, 800)
COLOURS = 96
STATUS = "query($id:ID!){runOrError(runId:$id){...on Run{status}}}"
QUESTION = "Where is the stadium?"
SCAN = "ops:\n  scan:\n    config:\n      source: imagery/catalog.json\n"
ASK = f"ops:\n  answer:\n    config:\n      question: {QUESTION}\n"


def draw(folder: Path) -> None:
    """Draw a scene and its catalog into a folder."""
    catalog = pystac.Catalog("harbour", "A drawn scene")
    plan, origin = ScenePlan("harbour", 1792, 1280, water=0.2), (560_000.0, 5_350_000.0)
    raster = folder / "harbour" / "harbour.tif"
    raster.parent.mkdir(parents=True, exist_ok=True)
    write_cog(draw_scene(plan, np.random.default_rng((20, 7)))[0], raster, origin)
    catalog.add_item(scene_item(plan, 0, origin, raster))
    catalog.normalize_hrefs(str(folder))
    for item in catalog.get_items():
        item.make_asset_hrefs_relative()
    catalog.save(pystac.CatalogType.SELF_CONTAINED)


def photograph(page: Page, out: Path) -> None:
    """Write what a page shows: as a JPEG, or as a PNG of few colours."""
    expect(page.get_by_text("Checking config...")).to_have_count(0)
    page.wait_for_timeout(1500)  # what slides and fades is at rest
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    if out.suffix == ".jpg":
        picture.save(out, quality=78, optimize=True)
    else:
        picture.quantize(COLOURS, dither=Image.Dither.NONE).save(out, optimize=True)
    print(f"{out}: {out.stat().st_size / 1000:.0f} KB")


def wait_for_run(page: Page, port: int) -> None:
    """Wait until the run whose page is shown has succeeded."""
    run_id = launched(page)
    while (status := ask(port, STATUS, id=run_id)["runOrError"]["status"]) != "SUCCESS":
        assert status not in ("FAILURE", "CANCELED"), status
        time.sleep(1)


def dagster(folder: Path, out: Path) -> None:
    """Ingest and ask in Dagster's UI."""
    port = free_port("127.0.0.1")
    address = f"http://127.0.0.1:{port}"
    with (
        running_dev(port, folder / "dev.log", folder) as process,
        running_browser() as browser,
        open_page(browser, "about:blank", size=SIZE) as page,
    ):
        page.set_default_timeout(PATIENCE_MS)
        wait_until(port, process)
        open_scan(page, address)
        photograph(page, out / "dagster-scan.png")
        fill_launchpad(page, "source", SCAN)
        page.get_by_role("button", name="Launch Run").click()
        wait_for_run(page, port)
        open_question(page, address)
        photograph(page, out / "dagster-launchpad.png")
        fill_launchpad(page, "question", ASK)
        page.get_by_role("button", name="Materialize").last.click()
        wait_for_run(page, port)
        expect_answer(page, address, QUESTION)
        photograph(page, out / "dagster-answer.png")
        found = quote(f"tag:imagerag/question={QUESTION}")
        page.goto(f"{address}{JOBS}/ask_question/runs?q[0]={found}")
        expect(page.get_by_text("imagerag/question").first).to_be_visible()
        photograph(page, out / "dagster-runs.png")


def own_page(folder: Path, out: Path) -> None:
    """Look at the answer on the page of `imagerag serve`, and at what an ingest would take."""
    port = free_port("127.0.0.1")
    with (
        serving(folder, port),
        running_browser() as browser,
        open_page(browser, f"http://127.0.0.1:{port}/", size=SIZE) as page,
    ):
        page.set_default_timeout(PATIENCE_MS)
        page.get_by_role("button", name=QUESTION).first.click()
        crop = page.locator(".cue img").first
        page.wait_for_function("crop => crop.complete && crop.naturalWidth > 0", arg=crop.element_handle())
        page.locator(".leaflet-tile-loaded").first.wait_for(state="attached")
        photograph(page, out / "ask-page.jpg")
        page.get_by_role("tab", name="Status").click()
        page.get_by_label("Source, its first 20 scenes").fill("imagery/catalog.json")
        page.get_by_role("button", name="Estimate", exact=True).click()
        page.get_by_text("There is nothing to do").or_(
            page.get_by_role("button", name="Ingest")
        ).scroll_into_view_if_needed()
        photograph(page, out / "status-page.jpg")


@contextmanager
def serving(folder: Path, port: int) -> Iterator[None]:
    """`imagerag serve` in a folder."""
    command = [sys.executable, "-m", "imagerag_assets.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(PROJECT)})
    try:
        wait_until(port, process)
        yield
    finally:
        process.terminate()
        process.wait()


def wait_until(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process listens on a port."""
    while not listening("127.0.0.1", port):
        assert process.poll() is None, "it has ended"
        time.sleep(0.5)


def main() -> None:
    """Photograph both into the folder that the second argument names."""
    folder, out = Path(sys.argv[1]).absolute(), Path(*sys.argv[2:3] or [Path(__file__).parent]).absolute()
    expect.set_options(timeout=PATIENCE_MS)
    draw(folder / "imagery")
    dagster(folder, out)
    own_page(folder, out)


if __name__ == "__main__":
    main()
