"""Many questions at a time through one process, while other processes ingest and backfill.

    python -m benchmarks.load SOURCE [--at-once 50] [--seconds 600] [--backfill NAME]

The installation is that of the settings (``IMAGERAG_HOME``, ``IMAGERAG_MILVUS_URI``), with at least one scene.  It
prints one JSON document: questions, errors, collections whose answers name several encoders, seconds a question, and
the memory of this process in each tenth of the questions.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
import psutil

from imagerag_assets.errors import describe
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.ask import ask
from imagerag_assets.questions.question import Question
from imagerag_assets.settings import Settings, load_settings

QUESTIONS = ("where is a boat?", "is there a bridge?", "how many trees are there?", "where is a road?")


@dataclass
class Load:
    """What was seen."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    fingerprints: dict[str, set[str]] = field(default_factory=dict)
    """Of the answers from each collection."""
    rss: list[int] = field(default_factory=list)
    """Bytes, after each answer."""
    others: list[dict[str, Any]] = field(default_factory=list)
    """How the other processes ended."""
    lock: Lock = field(default_factory=Lock)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        tenths = np.array_split(np.array(self.rss, np.int64), 10) if len(self.rss) >= 10 else []
        return {
            "questions": len(self.seconds),
            "errors": self.errors,
            "wrong": sorted(name for name, found in self.fingerprints.items() if len(found) != 1),
            "median_s": round(float(np.median(self.seconds)), 3) if self.seconds else None,
            "p95_s": round(float(np.quantile(self.seconds, 0.95)), 3) if self.seconds else None,
            "rss_mb": [round(float(np.median(each)) / 2**20) for each in tenths],
            "others": self.others,
        }


def run_command(command: Sequence[str]) -> tuple[int, str]:
    """Run ``imagerag`` in a process of its own; return its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "imagerag_assets.cli", *command], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr.strip() or done.stdout.strip()


def put_under_load(
    settings: Settings,
    *,
    at_once: int,
    until: float,
    questions: int,
    commands: Sequence[Sequence[str]] = (),
    run: Callable[[Sequence[str]], tuple[int, str]] = run_command,
    pause: float = 0.0,
) -> Load:
    """Ask questions from threads, and run commands one after the other beside them.

    Args:
        settings: The installation; the commands find it by the environment.
        at_once: Questions in flight.
        until: Seconds after which no question begins.
        questions: The least number of questions.
        commands: Arguments of ``imagerag``.
        run: Runs one of them.
        pause: Seconds from the start of one question to that of the next, at least.
    """
    load, process, started = Load(), psutil.Process(), time.monotonic()

    def one(number: int) -> None:
        begun = time.monotonic()
        try:
            question = Question(QUESTIONS[number % len(QUESTIONS)], path="fast", answer=False)
            lineage = ask(platform, question).to_dict()["lineage"]
        except Exception as error:  # counted, whatever it is
            with load.lock:
                load.errors.append(describe(error))
            return
        with load.lock:
            load.seconds.append(time.monotonic() - begun)
            load.fingerprints.setdefault(lineage["collection"], set()).add(lineage["fingerprint"])
            load.rss.append(process.memory_info().rss)

    def beside() -> None:
        for command in commands:
            code, said = run(command)
            load.others.append({"command": command[0], "code": code, "said": said.splitlines()[-1:] if code else []})

    with Platform(settings) as platform, ThreadPoolExecutor(at_once + 1) as pool:
        other = pool.submit(beside)
        number = 0
        running: set[Future[None]] = set()
        while number < questions or (time.monotonic() - started < until) or not other.done():
            running = {each for each in running if not each.done()}
            if len(running) < at_once:
                running.add(pool.submit(one, number))
                number += 1
                wait([other], pause)
            else:
                next(iter(running)).exception()
    return load


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="What is ingested meanwhile.")
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--backfill", help="Encoder to switch to meanwhile.")
    given = parser.parse_args()
    commands = [["ingest", given.source]]
    if given.backfill:
        commands.append(["backfill", "--encoder", given.backfill, "--force"])
    load = put_under_load(
        load_settings(), at_once=given.at_once, until=given.seconds, questions=given.at_once, commands=commands
    )
    print(json.dumps(load.to_dict(), indent=1))
    sys.exit(bool(load.errors or load.to_dict()["wrong"]))


if __name__ == "__main__":
    main()
