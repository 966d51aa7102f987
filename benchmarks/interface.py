"""The HTTP interface against the library, and how soon the page shows the first evidence.

    python -m benchmarks.interface --scene SCENE QUESTION... [--rounds 10] [--page-rounds 5]

The installation is that of the settings (``IMAGERAG_HOME``), where SCENE is ingested.  A server is started in a process
of its own.  Each question is asked of it and of the library in turns, without a multimodal model, so that both have the
machine alike; then the page is opened in Chromium, and asked.  It prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
import numpy as np

from benchmarks.record import describe_machine
from imagerag_assets import Platform, Question, ask, load_settings

_MARK_EVENTS = """
const fetched = window.fetch;
window.fetch = async (...sent) => {
  const answer = await fetched(...sent);
  if (!(answer.headers.get("content-type") || "").startsWith("text/event-stream")) return answer;
  const [one, other] = answer.body.tee();
  (async () => {
    const reader = one.getReader(), text = new TextDecoder();
    let read = "";
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return;
      read += text.decode(value, {stream: true});
      if (read.includes("event: found")) { window.foundAt ??= performance.now(); }
    }
  })();
  return new Response(other, {headers: answer.headers, status: answer.status});
};
"""
_FIRST_CROP = """() => new Promise((done) => {
  const look = () => {
    const crop = document.querySelector(".cue img");
    if (window.foundAt && crop && crop.complete && crop.naturalWidth > 0) done(performance.now() - window.foundAt);
    else requestAnimationFrame(look);
  };
  look();
})"""


@contextmanager
def serving() -> Iterator[str]:
    """Run `imagerag serve` on a free port; yield its address."""
    command = [sys.executable, "-m", "imagerag_assets.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = next(word for line in process.stdout for word in line.split() if word.startswith("http://"))
            yield address
        finally:
            process.terminate()


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def by_turns(address: str, scene: str, questions: Sequence[str], rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds of each question over HTTP, and by the library in this process."""
    over_http: list[float] = []
    in_process: list[float] = []
    with Platform(load_settings()) as platform, httpx2.Client(base_url=address, timeout=600.0) as client:
        for turn in range(rounds + 1):
            for text in questions:
                asked: dict[str, Any] = {"question": text, "scenes": [scene], "answer": False}
                http = seconds(lambda asked=asked: client.post("/api/questions", json=asked).raise_for_status())
                library = seconds(lambda asked=asked: ask(platform, Question(**asked)))
                if turn:  # the first one loads the models
                    over_http.append(http)
                    in_process.append(library)
    return over_http, in_process


def first_evidence(address: str, scene: str, question: str, rounds: int) -> list[float]:
    """Return the seconds from the event that retrieval has found something to the first crop on the page."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    found: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(rounds):
            page = browser.new_page()
            page.add_init_script(_MARK_EVENTS)
            page.goto(address)
            page.get_by_role("button", name=f"Ask about it: {scene}").first.click(timeout=120_000)
            box = page.get_by_label("Your question")
            box.fill(question)
            box.press("Enter")
            page.set_default_timeout(600_000)
            found.append(page.evaluate(_FIRST_CROP) / 1000)
            page.close()
        browser.close()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="+")
    parser.add_argument("--scene", required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--page-rounds", type=int, default=5)
    options = parser.parse_args()
    with serving() as address:
        over_http, in_process = by_turns(address, options.scene, options.questions, options.rounds)
        shown = first_evidence(address, options.scene, options.questions[0], options.page_rounds)
    p95 = [float(np.percentile(each, 95)) for each in (over_http, in_process)]
    print(
        json.dumps(
            {
                "machine": describe_machine(),
                "questions": len(over_http),
                "http_s": {"p50": float(np.median(over_http)), "p95": p95[0]},
                "library_s": {"p50": float(np.median(in_process)), "p95": p95[1]},
                "p95_http_over_library": p95[0] / p95[1],
                "found_to_first_crop_s": {"median": float(np.median(shown)), "most": max(shown), "n": len(shown)},
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
