"""Photograph the top of a page of an answer, in Chromium: `photograph_page.py PAGE.html OUT.jpg`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1180, 1040


def main() -> None:
    """Photograph the page that the first argument names into the file that the second one names."""
    page_file, out = map(Path, sys.argv[1:3])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(page_file.absolute().as_uri())
        page.screenshot(path=out, type="jpeg", quality=82)
        browser.close()


if __name__ == "__main__":
    main()
