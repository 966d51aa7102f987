"""Many questions at a time through the resident process, while other processes ingest and backfill.

    python -m benchmarks.load SOURCE... [--at-once 50] [--seconds 600] [--backfill NAME]...

The installation is that of the settings (``IMAGERAG_HOME``, ``IMAGERAG_MILVUS_URI``, Dagster's storage in
``HOME/dagster/dagster.yaml``), with at least one scene.  It prints one JSON document: questions, errors, collections
whose answers name several encoders, seconds a question, and the memory of the resident process in each tenth.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from threading import Lock
from typing import Any

import numpy as np
import psutil

from imagerag_assets.errors import describe
from imagerag_assets.resident.client import post
from imagerag_assets.resident.identity import identity_of
from imagerag_assets.resident.place import Resident, find_resident
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
    """Bytes of the resident process, after each answer."""
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


@contextmanager
def resident_process(settings: Settings, at_once: int) -> Iterator[Resident]:
    """Run the resident process of an installation while the context lasts.

    Args:
        settings: The installation, which the process finds by the environment.
        at_once: Questions in flight that it takes on.

    Raises:
        RuntimeError: it did not start.
    """
    environment = {**os.environ, "IMAGERAG_SERVE_IN_FLIGHT": str(at_once)}
    command = [sys.executable, "-m", "imagerag_assets.cli", "serve", "--no-port"]
    with subprocess.Popen(command, env=environment, start_new_session=True) as process:
        try:
            while (found := find_resident(settings)) is None or found.owner.pid != process.pid:
                if process.poll() is not None:
                    raise RuntimeError(f"The resident process ended with {process.returncode}")
                time.sleep(0.1)
            yield found
        finally:
            process.terminate()


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
    repeat: bool = False,
    run: Callable[[Sequence[str]], tuple[int, str]] = run_command,
    pause: float = 0.0,
) -> Load:
    """Ask the resident process questions from threads, and run commands one after the other beside them.

    Args:
        settings: The installation; the other processes find it by the environment.
        at_once: Questions in flight.
        until: Seconds after which no question begins.
        questions: The least number of questions.
        commands: Arguments of ``imagerag``.
        repeat: Whether to begin with the first command again after the last one, until the time is over.
        run: Runs one of them.
        pause: Seconds from an answer to the next question of a thread.
    """
    load, numbers, identity = Load(), count(), identity_of(settings)
    started = time.monotonic()

    def over() -> bool:
        return time.monotonic() - started >= until

    def ask_on() -> None:
        while (number := next(numbers)) < questions or not over() or not (repeat or other.done()):
            begun = time.monotonic()
            asked = {"question": QUESTIONS[number % len(QUESTIONS)], "path": "fast", "answer": False}
            try:
                status, said = post(resident, {"identity": identity, "question": asked})
                if status != 200:
                    raise RuntimeError(f"{status}: {said}")
                lineage = said["answer"]["lineage"]
            except Exception as error:  # counted, whatever it is
                with load.lock:
                    load.errors.append(describe(error))
                time.sleep(1)
                continue
            with load.lock:
                load.seconds.append(time.monotonic() - begun)
                load.fingerprints.setdefault(lineage["collection"], set()).add(lineage["fingerprint"])
                load.rss.append(process.memory_info().rss)
            time.sleep(pause)

    def beside() -> None:
        for command in cycle(commands) if repeat else commands:
            code, said = run(command)
            load.others.append({"command": command[0], "code": code, "said": said.splitlines()[-1:] if code else []})
            if repeat and over():
                return

    with resident_process(settings, at_once) as resident, ThreadPoolExecutor(at_once + 1) as pool:
        process = psutil.Process(resident.owner.pid)
        other = pool.submit(beside)
        for asking in [pool.submit(ask_on) for _ in range(at_once)]:
            asking.result()
    return load


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="+", help="What is ingested meanwhile, one by one, each before a backfill.")
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--backfill", action="append", default=[], help="Encoder to switch to meanwhile; repeatable.")
    given = parser.parse_args()
    commands = []
    encoders = cycle(given.backfill)
    for source in given.source:
        commands.append(["ingest", source])
        if given.backfill:
            commands.append(["backfill", "--encoder", next(encoders), "--force"])
    load = put_under_load(
        load_settings(),
        at_once=given.at_once,
        until=given.seconds,
        questions=given.at_once,
        commands=commands,
        repeat=True,
    )
    print(json.dumps(load.to_dict(), indent=1))
    sys.exit(bool(load.errors or load.to_dict()["wrong"]))


if __name__ == "__main__":
    main()
