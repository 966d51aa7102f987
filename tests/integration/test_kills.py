"""Commands that are killed at many moments and run again: what is stored is that of a run nobody disturbed.

Killed is the command, or with it the processes that read for it, or with those the server of Milvus Lite; its rasters
are read apart, as users have it, in every second home.  The nightly size is chosen with NIGHTLY=1; `make test` runs a
tenth of it.
"""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from typing import Any

import psutil
import pytest

from imagerag_assets.objects.aside import ASIDE
from imagerag_assets.settings import Settings
from tests.conftest import NIGHTLY
from tests.items import texture, write_scene
from tests.killed import Commands, Kill, forked_commands, processes_of
from tests.tiny_encoder import tiny_registry  # noqa: F401

INGEST, BACKFILL, ASK = (100, 40, 20) if NIGHTLY else (10, 4, 2)
AT_LEAST, AT_MOST = (1, 5) if NIGHTLY else (5, 5)
"""How often a command is killed in one home until it is left to end."""
ALSO: tuple[dict[str, bool], ...] = ({}, {"readers": True}, {"readers": True, "server": True})
_GONE_S = 600
"""A process that is left is one that stays for ever; a busy machine takes seconds to end one."""


@dataclass(frozen=True)
class Home:
    """An installation that commands are run in."""

    settings: Settings
    commands: Commands

    def run(self, *command: str, kill: Kill | None = None) -> tuple[int, str, int]:
        """Run a command; return how it ended, what it said, and how many changes it made."""
        (done,) = self.commands.run(self.settings, command, kill=kill)
        return done.code, done.out + done.err, done.changes

    def changes(self, *command: str) -> int:
        """Run a command to its end; return how many changes it made."""
        code, said, changes = self.run(*command)
        assert code == 0, said
        return changes

    def stored(self) -> Any:
        """Return shards, rows and aliases; check that nothing is amiss, and that nothing else is left."""
        found, doctor = self.commands.look(self.settings, str(self.settings.home.parent))
        assert doctor["differences"] == []
        home = self.settings.home
        # Files that a killed write left aside are no part of anything; `doctor` looks after them.
        left = [path for path in (home / "scratch").rglob("*") if path.is_file() and not path.name.startswith(ASIDE)]
        assert left == []
        locks = [path for path in (home / "objects" / "locks").rglob("*.json") if not path.name.startswith(ASIDE)]
        assert locks == []
        self.require_no_process()
        return found

    def require_no_process(self) -> None:
        """Check that all that commands have started here ends with them."""
        _, left = psutil.wait_procs(processes_of(self.settings), timeout=_GONE_S)
        assert [each.cmdline() for each in left] == []

    def copy(self, folder: Path) -> Home:
        """Return a copy of the installation."""
        shutil.copytree(self.settings.home, folder)
        return Home(self.settings.model_copy(update={"home": folder}), self.commands)

    def reading(self, *, apart: bool) -> Home:
        """Return this home with rasters read in processes of their own, or not."""
        return Home(self.settings.model_copy(update={"read_apart": apart}), self.commands)


def require_same(found: Any, whole: Any) -> None:
    """Check that all that is stored is as in another installation."""
    assert found[0].keys() == whole[0].keys()
    assert [path for path in found[0] if not found[0][path].equals(whole[0][path])] == []
    assert found[1:] == whole[1:]


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    with forked_commands() as found:
        yield found


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, tiny_registry: Path, commands: Commands) -> Home:  # noqa: F811
    folder = tmp_path_factory.mktemp("empty") / "home"
    folder.mkdir()
    settings = Settings(home=folder, encoders_file=tiny_registry, patch_px=128, supertile_px=512, _env_file=None)
    settings.active_encoder_file.write_text("tiny\n")
    return Home(settings, commands)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    return write_scene(folder, "a", texture(300, 600))


@pytest.fixture(scope="module")
def undisturbed(empty: Home, source: Path) -> tuple[Home, int, Any]:
    """A home with the scene, how many changes made it, and what it stores."""
    home = empty.copy(empty.settings.home.parent / "undisturbed")
    changes = home.changes("ingest", str(source))
    return home, changes, home.stored()


def kill(times: int, changes: int, command: tuple[str, ...], new: Callable[[], Home], whole: Any) -> None:
    """Kill a command at random changes, again and again, in as many homes as that takes; let it end in each."""
    chance, also, apart = random.Random(15), cycle(ALSO), cycle((True, False))
    hits = 0
    while hits < times:
        home = new().reading(apart=next(apart))
        for _ in range(min(chance.randint(AT_LEAST, AT_MOST), times - hits)):
            code, said, _ = home.run(*command, kill=Kill(chance.randint(1, max(1, changes // 2)), **next(also)))
            if code != -signal.SIGKILL:
                assert code == 0, said
                break
            hits += 1
            home.require_no_process()
        code, said, _ = home.run(*command)
        assert code == 0, said
        require_same(home.stored(), whole)
        print(f"{command[0]}: {hits} of {times} kills")


def test_killed_ingests_leave_what_an_undisturbed_one_leaves(
    tmp_path: Path, empty: Home, source: Path, undisturbed: tuple[Home, int, Any]
) -> None:
    _, changes, whole = undisturbed
    numbers = count()
    kill(INGEST, changes, ("ingest", str(source)), lambda: empty.copy(tmp_path / str(next(numbers))), whole)


def test_killed_backfills_and_switches_leave_what_an_undisturbed_one_leaves(
    tmp_path: Path, undisturbed: tuple[Home, int, Any]
) -> None:
    ingested, numbers = undisturbed[0], count()
    command = ("backfill", "--encoder", "tiny-twin")
    switched = ingested.copy(tmp_path / "switched")
    changes = switched.changes(*command)
    kill(BACKFILL, changes, command, lambda: ingested.copy(tmp_path / str(next(numbers))), switched.stored())


def test_killed_questions_leave_no_half_of_an_answer(undisturbed: tuple[Home, int, Any]) -> None:
    home, _, whole = undisturbed
    question = ("ask", "where is a boat?", "--no-answer")
    kill(ASK, home.changes(*question), question, lambda: home, whole)
    code, said, _ = home.run("answers", "--json")
    assert code == 0, said


def test_two_first_commands_in_a_new_home_both_work(tmp_path: Path, empty: Home) -> None:
    home = empty.copy(tmp_path / "home")
    items = [write_scene(tmp_path / "source", name, texture(300, 300, ord(name))) for name in "ab"]
    for done in home.commands.run(home.settings, *(["ingest", str(item), "--json"] for item in items)):
        assert done.code == 0, done
    shards, rows, aliases = home.stored()
    assert len(shards) == len(items)
    assert sum(map(len, rows.values())) == sum(table.num_rows for table in shards.values())
    assert aliases.keys() == {"patches"}
