"""Commands that are killed at many moments and run again: what is stored is that of a run nobody disturbed.

The nightly size is chosen with NIGHTLY=1; `make test` runs a tenth of it.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.aside import ASIDE
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus_filter import EVERYTHING
from imagerag_assets.stores.shards import list_shards, read_shard
from tests.conftest import NIGHTLY
from tests.items import texture, write_scene
from tests.tiny_encoder import tiny_registry  # noqa: F401

INGEST, BACKFILL, ASK = (100, 40, 20) if NIGHTLY else (10, 4, 2)


@dataclass(frozen=True)
class Home:
    """An installation that commands are run in."""

    settings: Settings

    def run(self, number: int, *command: str) -> tuple[int, str]:
        """Run a command that is killed at a change, or not at all; return how it ended, and what it said."""
        of = self.settings
        variables = {
            "IMAGERAG_HOME": str(of.home),
            "IMAGERAG_ENCODERS_FILE": str(of.encoders_file),
            "IMAGERAG_PATCH_PX": str(of.patch_px),
            "IMAGERAG_SUPERTILE_PX": str(of.supertile_px),
            "IMAGERAG_READ_APART": "false",
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.killed_at", str(of.home), str(number), *command],
            env=os.environ | variables,
            capture_output=True,
            text=True,
            start_new_session=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def changes(self, *command: str) -> int:
        """Run a command to its end; return how many changes it made."""
        code, said = self.run(0, *command)
        assert code == 0, said
        found = re.search(r"changes: (\d+)", said)
        assert found is not None
        return int(found[1])

    def processes(self) -> list[psutil.Process]:
        """Return the processes of this installation."""
        home = str(self.settings.home)
        return [
            each
            for each in psutil.process_iter(["cmdline"])
            if any(part.startswith(home) for part in each.info["cmdline"] or ())
        ]

    def stored(self) -> tuple[dict[str, pa.Table], dict[str, list[str]], dict[str, str]]:
        """Return what is stored: shards by path, rows by collection, and aliases."""
        with Platform(self.settings) as platform:
            shards = {ref.path: read_shard(platform.store, ref.path) for ref in list_shards(platform.store)}
            vectors = platform.vectors
            rows = {
                each.name: sorted(row["patch_id"] for row in vectors.query(each.name, EVERYTHING, ["patch_id"]))
                for each in vectors.list_collections()
            }
            return shards, rows, vectors.aliases()

    def require_as(self, other: Home) -> None:
        """Check that all that is stored is as in another installation, and that nothing else is left."""
        mine, others = self.stored(), other.stored()
        assert mine[0].keys() == others[0].keys()
        assert [path for path in mine[0] if not mine[0][path].equals(others[0][path])] == []
        assert mine[1:] == others[1:]
        home = self.settings.home
        # Files that a killed write left aside are no part of anything; `doctor` looks after them.
        left = [path for path in (home / "scratch").rglob("*") if path.is_file() and not path.name.startswith(ASIDE)]
        assert left == []
        locks = [path for path in (home / "objects" / "locks").rglob("*.json") if not path.name.startswith(ASIDE)]
        assert locks == []
        psutil.wait_procs(self.processes(), timeout=30)
        assert self.processes() == []


def home_of(folder: Path, registry: Path) -> Home:
    settings = Settings(home=folder, encoders_file=registry, patch_px=128, supertile_px=512, _env_file=None)
    folder.mkdir()
    settings.active_encoder_file.write_text("tiny\n")
    return Home(settings)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    return write_scene(folder, "a", texture(300, 600))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_registry: Path, source: Path) -> tuple[Home, int]:  # noqa: F811
    home = home_of(tmp_path_factory.mktemp("undisturbed") / "home", tiny_registry)
    return home, home.changes("ingest", str(source))


def kill(times: int, changes: int, command: tuple[str, ...], new: Callable[[], Home], whole: Home) -> None:
    """Kill a command at random changes, again and again until it is through, in as many new homes as that takes."""
    chance, home, hits = random.Random(15), new(), 0
    while hits < times:
        code, said = home.run(chance.randint(1, max(1, changes // 2)), *command)
        if code == -signal.SIGKILL:
            hits += 1
            if hits % 3 == 0:
                for server in home.processes():
                    server.kill()
            continue
        assert code == 0, said
        home.require_as(whole)
        home = new()
    assert home.run(0, *command)[0] == 0
    home.require_as(whole)


def test_killed_ingests_leave_what_an_undisturbed_one_leaves(
    tmp_path: Path,
    tiny_registry: Path,  # noqa: F811
    source: Path,
    undisturbed: tuple[Home, int],
) -> None:
    whole, changes = undisturbed
    numbers = count()
    kill(INGEST, changes, ("ingest", str(source)), lambda: home_of(tmp_path / str(next(numbers)), tiny_registry), whole)


def test_killed_backfills_and_switches_leave_what_an_undisturbed_one_leaves(
    tmp_path: Path,
    tiny_registry: Path,  # noqa: F811
    source: Path,
) -> None:
    numbers = count()

    def ingested() -> Home:
        home = home_of(tmp_path / str(next(numbers)), tiny_registry)
        home.changes("ingest", str(source))
        return home

    whole, command = ingested(), ("backfill", "--encoder", "tiny-twin")
    kill(BACKFILL, whole.changes(*command), command, ingested, whole)


def test_killed_questions_leave_no_half_of_an_answer(undisturbed: tuple[Home, int]) -> None:
    home, _ = undisturbed
    question = ("ask", "where is a boat?", "--no-answer")
    changes = home.changes(*question)
    kill(ASK, changes, question, lambda: home, home)
    code, said = home.run(0, "answers", "--json")
    assert code == 0, said


def test_two_first_commands_in_a_new_home_both_work(tmp_path: Path, tiny_registry: Path) -> None:  # noqa: F811
    home = home_of(tmp_path / "home", tiny_registry)
    items = [write_scene(tmp_path / "source", name, texture(300, 300, ord(name))) for name in "abc"]
    variables = {
        "IMAGERAG_HOME": str(home.settings.home),
        "IMAGERAG_ENCODERS_FILE": str(home.settings.encoders_file),
        "IMAGERAG_PATCH_PX": "128",
    }
    commands = [["ingest", str(item), "--json"] for item in items]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "imagerag_assets.cli", *command],
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in commands
    ]
    for process in running:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
    shards, rows, aliases = home.stored()
    assert len(shards) == len(items)
    assert sum(map(len, rows.values())) == sum(table.num_rows for table in shards.values())
    assert aliases.keys() == {"patches"}
