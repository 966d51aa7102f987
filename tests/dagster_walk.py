"""Walking through Dagster's UI as a person does: ingest new imagery, ask a question, look at what came of it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

PATIENCE_MS = 180_000
"""How long a machine that has much else to do may take."""
JOBS = "/locations/imagerag/jobs"


def fill_launchpad(page: Page, first: str, text: str) -> None:
    """Put a configuration in place of the one that the launchpad is filled in with.

    Args:
        page: Shows a launchpad.
        first: What its first field is to be, below the line of help.
        text: YAML.
    """
    editor = page.locator(".CodeMirror").filter(has_text=f"{first}:")
    expect(editor).to_be_visible()
    shown = editor.inner_text()
    help_line, field = [line.strip() for line in shown.splitlines() if "#" in line or f"{first}:" in line][:2]
    assert (help_line[0], field.partition(":")[0]) == ("#", first), shown
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)
    expect(page.get_by_text("No errors").first).to_be_visible()


def open_scan(page: Page, address: str) -> None:
    """Open the launchpad for new imagery, from the job that asks for a partition."""
    page.goto(f"{address}{JOBS}/ingest_scenes")
    page.get_by_role("link", name="scan_source").first.click()
    expect(page.get_by_role("button", name="Launch Run")).to_be_enabled()


def open_question(page: Page, address: str) -> None:
    """Open the launchpad of a question: its job's button opens it, as the question is for a person to fill in."""
    page.goto(f"{address}{JOBS}/ask_question")
    page.get_by_role("button", name="Materialize").first.click()
    confirm = page.get_by_role("button", name="Confirm")  # knowledge bases are no must
    launchpad = page.get_by_text("Launchpad (configure assets)")
    expect(confirm.or_(launchpad)).to_be_visible()
    if confirm.is_visible():
        confirm.click()
    expect(launchpad).to_be_visible()


def launched(page: Page) -> str:
    """Return the id of the run whose page the launchpad leads to, and leave it: it is drawn anew all the time."""
    page.wait_for_url("**/runs/*")
    run_id = page.url.rpartition("/")[2].partition("?")[0]
    page.goto("about:blank")
    return run_id


def expect_answer(page: Page, address: str, question: str) -> None:
    """Look at the newest answer on the page of the asset: pictures and cues, without a click."""
    page.goto(f"{address}/assets/answer?view=events")
    expect(page.get_by_text(question).first).to_be_visible()
    for name in ("overview", "cue 1"):
        expect(page.get_by_role("img", name=name, exact=True)).to_be_visible()
        # Looked for anew each time: the UI draws its pages again and again.
        drawn = "name => [...document.images].some(each => each.alt === name && each.naturalWidth > 0)"
        page.wait_for_function(drawn, arg=name)
    expect(page.get_by_role("columnheader", name="confidence")).to_be_visible()


def expect_lineage(page: Page, address: str) -> None:
    """Look at where answers come from."""
    page.goto(f"{address}/assets/answer?view=lineage")
    for name in ("patch_collection", "knowledge_labels", "answer"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
