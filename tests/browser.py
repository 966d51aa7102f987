"""Debian's Chromium, driven by playwright, and axe-core's accessibility checks of what it shows.

Use one browser for several looks at a page: it takes a second to start.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")
_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
DESKTOP, PHONE = (1280, 900), (390, 844)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A headless Chromium with an empty profile.

    Where Chromium is not installed, a test is skipped and says so; where tests run by themselves, it fails.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=list(_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(
    browser: Browser,
    address: str,
    *,
    size: tuple[int, int] = DESKTOP,
    scheme: Literal["light", "dark"] = "light",
    headers: dict[str, str] | None = None,
) -> Iterator[Page]:
    """A page at an address, in a profile of its own.  Errors of its script fail the test when it is left.

    Args:
        browser: Of :func:`running_browser`.
        address: What to open: ``Path.as_uri()`` or of a server.
        size: Width and height in pixels.
        scheme: The colours that the system prefers.
        headers: Sent with every request.
    """
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        extra_http_headers=headers or {},
        bypass_csp=False,
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(address)
        yield page
        assert not errors, errors
    finally:
        context.close()


def axe_findings(page: Page) -> list[str]:
    """What axe-core finds serious or critical on a page as it is now: one line each, with the elements."""
    page.evaluate(AXE.read_text(encoding="utf-8"))  # not as an element: the page's policy would refuse it
    found: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['impact']} {each['id']}: {each['help']}: {[node['html'][:160] for node in each['nodes'][:5]]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]


def sideways(page: Page) -> int:
    """Pixels by which a page is wider than its window, so that one would have to scroll sideways."""
    return int(page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth"))
