"""What starts without loading what it does not need: help, commands, and Dagster's definitions."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
import typer
import typer.main

from imagerag_assets.cli._commands import COMMANDS
from imagerag_assets.cli._help import GROUPS


@pytest.mark.parametrize("module", sorted({each.module for each in COMMANDS.values()}))
def test_each_listed_command_is_that_of_its_module(module: str) -> None:
    made = typer.Typer()
    made.callback()(lambda: None)
    importlib.import_module(f"imagerag_assets.cli.{module}").register(made)
    commands = typer.main.get_command(made).commands  # type: ignore[attr-defined]
    said = {name: " ".join((command.help or "").split("\n\n")[0].split()) for name, command in commands.items()}
    assert said == {name: each.summary for name, each in COMMANDS.items() if each.module == module}


def test_each_command_is_in_one_group() -> None:
    assert sorted(COMMANDS) == sorted(name for group in GROUPS.values() for name in group)


_HELP = "from imagerag_assets.cli import main; main(['--help'])"


@pytest.mark.parametrize(
    ("code", "without"),
    [
        (_HELP, ("pydantic", "numpy", "imagerag_assets.settings", "imagerag_assets.cli.ask")),
        ("import definitions", ("torch", "pandas", "pymilvus", "rasterio", "pyproj", "pystac", "dask", "scipy", "PIL")),
    ],
)
def test_what_starts_does_not_load_what_it_does_not_need(code: str, without: tuple[str, ...]) -> None:
    look = f"{code}\nimport sys\nprint(*sorted(set({without!r}) & set(sys.modules)), sep=',', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stderr.strip().splitlines()[-1:] in ([], [""])
