"""Work that the page starts: an ingest is estimated, begun and followed to its end; and two dates are compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir
from datetime import UTC, datetime
from pathlib import Path

import pystac
import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.serve.asking import Asking
from imagerag_assets.settings import load_settings
from tests.browser import axe_findings, running_browser
from tests.items import scene_at, texture, write_scene
from tests.tiny_encoder import write_tiny_encoder
from tests.unit.serve.test_page_in_browser import PATIENCE_MS, opened, serving


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """An installation with one scene; beside it is a later one of the same place."""
    folder = tmp_path_factory.mktemp("work")
    settings = load_settings(
        _env_file=None, home=folder / "home", encoders_file=write_tiny_encoder(folder), encoder="tiny", patch_px=128,
        read_apart=False,
    )  # fmt: skip
    with chdir(folder), Asking(settings) as opened:
        before = write_scene(folder, "before", texture(300, 300))
        assert ingest_scene(opened.platform, scene_at(before, settings)).error is None
        item = pystac.Item.from_file(str(write_scene(folder, "after", texture(300, 300, 1))))
        item.datetime = datetime(2025, 7, 8, tzinfo=UTC)
        item.save_object(include_self_link=False, dest_href=str(folder / "after.json"))
        yield opened


def test_an_ingest_is_followed_and_two_dates_are_compared(asking: Asking) -> None:
    with running_browser() as browser, serving(asking) as address, opened(browser, address) as page:
        page.get_by_role("tab", name="Status").click()
        page.get_by_label("Source, its first 20 scenes").fill("after.json")
        page.get_by_role("button", name="Estimate", exact=True).click()
        expect(page.get_by_text("after: new")).to_be_visible(timeout=PATIENCE_MS)
        page.get_by_role("button", name="Ingest", exact=True).click()
        shown = page.locator("#part-status [role=status]").first
        expect(shown).to_contain_text("0 of 1 scenes", timeout=PATIENCE_MS)
        expect(shown.get_by_role("progressbar")).to_be_visible()
        expect(shown).to_contain_text("1 of 1 scenes", timeout=PATIENCE_MS)
        expect(shown).to_contain_text("after: ingested", timeout=PATIENCE_MS)
        done = asking.long_work.state()
        assert (done["state"], done["steps"]) == ("done", ["looking for scenes", "embedding after"])
        assert done["patches"] > 0 and f"{done['patches']} patches" in shown.inner_text()
        assert axe_findings(page) == []

        page.get_by_role("tab", name="Scenes").click()
        for name in ("before", "after"):
            page.get_by_role("button", name=f"Compare {name} with another date").click()
        page.get_by_role("button", name="Compare with a slider").click()
        slider = page.get_by_label("Show 2024-05-06 on the left and 2025-07-08 on the right")
        expect(slider).to_be_focused()
        for pane in ("before", "after"):
            page.locator(f".leaflet-{pane}-pane .leaflet-tile-loaded").first.wait_for(state="attached")
        cut = "() => document.querySelector('.leaflet-after-pane').style.clip"
        first = page.evaluate(cut)
        slider.press("End")
        assert page.evaluate(cut) != first
        assert axe_findings(page) == []
        page.get_by_role("button", name="End", exact=True).click()
        expect(slider).to_have_count(0)
        assert page.locator(".leaflet-after-pane img").count() == 0


def test_only_what_was_estimated_is_started(asking: Asking, client: TestClient) -> None:
    unknown = client.post("/api/work", json={"confirm": "0123456789abcdef"})
    assert (unknown.status_code, unknown.json()["error"]["fix"]) == (404, "Estimate it again")
    assert client.post("/api/work", json={}).status_code == 422
    nothing = client.post("/api/explain", json={"source": "before.json"}).json()
    assert (nothing["totals"]["current"], nothing["confirm"]) == (1, None)
    assert client.get("/api/work").json()["state"] == asking.long_work.state()["state"]


@pytest.fixture
def client(asking: Asking) -> TestClient:
    """A client of the application as it listens on a port of this machine."""
    from imagerag_assets.serve.app import make_app
    from imagerag_assets.serve.guard import PageGuard, access_from

    access = access_from(asking.settings, "127.0.0.1")
    app = PageGuard(make_app(asking, access=access), access)
    return TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False)


def test_a_work_that_ends_without_a_result_has_failed_and_a_stopped_one_has_not(asking: Asking, tmp_path: Path) -> None:
    """Killed while it starts, before it does anything."""
    from imagerag_assets.serve.work import UnderWayError, Work
    from imagerag_assets.serve.worker import Task

    work = Work(asking.settings)
    confirm = work.offer(Task("ingest", str(tmp_path)))
    assert work.start(confirm)["state"] == "running"
    with pytest.raises(UnderWayError):
        work.start(confirm)
    assert work.stop()["state"] == "stopped"
    late = Work(asking.settings, iter((0.0, 10_000.0)).__next__)
    with pytest.raises(Exception, match="too old"):
        late.start(late.offer(Task("switch")))
