"""The page at /, in a browser: a question to its answer, hostile names, a phone, keys and screen readers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from imagerag_assets.serve.asking import Asking
from imagerag_assets.serve.guard import access_from
from imagerag_assets.serve.server import _server
from tests.browser import PHONE, axe_findings, open_page, running_browser, sideways

PATIENCE_MS = 120_000
"""How long a machine that has much else to do may take."""


@contextmanager
def serving(asking: Asking) -> Iterator[str]:
    """The address of a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _server(asking, access_from(asking.settings, "127.0.0.1"), None)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def address(asking: Asking) -> Iterator[str]:
    with serving(asking) as served:
        yield served


@contextmanager
def opened(browser: Browser, address: str, **about: object) -> Iterator[Page]:
    """The page, ready to be used.  What fails, warns, or comes from elsewhere fails the test when it is left."""
    elsewhere: list[str] = []
    with open_page(browser, "about:blank", **about) as page:  # type: ignore[arg-type]
        page.on("request", lambda sent: None if sent.url.startswith((address, "data:")) else elsewhere.append(sent.url))
        page.on("requestfailed", lambda sent: elsewhere.append(f"{sent.url} failed: {sent.failure}"))
        page.on("dialog", lambda shown: elsewhere.append(f"a script of a name ran: {shown.message}"))
        page.on(
            "console",
            lambda said: (
                elsewhere.append(said.text)
                if said.type in ("error", "warning") and "a status of 422" not in said.text  # what a test asks for
                else None
            ),
        )
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        expect(page.locator("#scope")).to_contain_text("Looks in all scenes", timeout=PATIENCE_MS)
        yield page
    assert not elsewhere


def test_a_question_its_evidence_and_its_answer(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.get_by_role("alert").first).to_contain_text("The question is empty. Ask something, e.g.")
        question = page.get_by_label("Your question")
        question.fill("where is a boat?")
        question.press("Enter")
        expect(page.locator(".plan li").first).to_contain_text("Find where the boat lies", timeout=PATIENCE_MS)
        expect(page.locator(".cue").first).to_be_visible(timeout=PATIENCE_MS)
        expect(page.locator(".said")).to_contain_text("boat", timeout=PATIENCE_MS)
        expect(page.get_by_role("alert").first).to_be_empty()
        expect(page.locator("#map .cue-box").first).to_be_visible()
        picture = page.locator(".cue img").first
        page.wait_for_function("picture => picture.complete && picture.naturalWidth > 0", arg=picture.element_handle())
        page.locator(".leaflet-tile-loaded").first.wait_for(state="attached")
        assert page.locator(".lineage .node").count() > 3
        page.get_by_role("button", name="Good: cue 1 is an example of boat").click()
        expect(page.locator("#cue-1 [role=status]")).to_contain_text("Kept for my:boat")
        assert "#answer=" in page.url
        page.get_by_text("Give choices").click()
        page.get_by_label("One choice a line").fill("in the upper left\n\n ")
        with page.expect_request("**/api/questions") as sent:
            question.press("Enter")
        assert sent.value.post_data_json["choices"] == {"A": "in the upper left"}
        alone = "A question needs at least two choices (got one). Add another, or leave choices out."
        expect(page.get_by_role("alert").first).to_contain_text(alone, timeout=PATIENCE_MS)
        page.get_by_role("button", name="Draw an area").click()
        stage = page.locator("#map").bounding_box()
        assert stage is not None
        page.mouse.move(stage["x"] + 200, stage["y"] + 200)
        page.mouse.down()
        page.mouse.move(stage["x"] + 400, stage["y"] + 300, steps=3)
        page.mouse.up()
        expect(page.locator("#scope .chip")).to_contain_text("area ")
        assert axe_findings(page) == []


def test_names_are_text_and_every_part_is_reached_by_keys(browser: Browser, address: str) -> None:
    with opened(browser, address, size=PHONE, scheme="dark") as page:
        page.get_by_role("tab", name="Ask").press("ArrowRight")
        hostile = page.get_by_role("heading", name="<img src=x onerror=alert(1)>\\u202e")  # what turns text is shown
        expect(hostile).to_be_visible(timeout=PATIENCE_MS)
        assert page.locator("img[src=x]").count() == 0
        page.get_by_role("button", name="Show <img").press("Enter")
        page.locator("#pixels .leaflet-tile-loaded").first.wait_for(state="attached")
        expect(page.locator("#over")).to_contain_text("has no place on the ground")
        assert (axe_findings(page), sideways(page)) == ([], 0)
        page.get_by_role("tab", name="Scenes").press("End")
        expect(page.locator("#part-status")).to_contain_text("2 of 2 scenes embedded", timeout=PATIENCE_MS)
        assert (axe_findings(page), sideways(page)) == ([], 0)
