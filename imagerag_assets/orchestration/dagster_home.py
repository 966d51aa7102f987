"""Dagster's home below `IMAGERAG_HOME`: its settings file, and opening the instance in it.

See https://docs.dagster.io/deployment/oss/oss-instance-configuration
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.aside import replace_text
from imagerag_assets.orchestration._dagster_private import without_captured_output

if TYPE_CHECKING:
    from imagerag_assets.settings import Settings


# The daemon's queue enforces limits for whole runs, never for single steps: otherwise a slot that a killed process
# still holds would block every later run.
_NO_SIGN_UP = """\
nux:
  enabled: false
"""
DAGSTER_YAML = f"""\
# Written once by imagerag; edit it freely. Storage is SQLite in this folder.
telemetry:
  enabled: false
{_NO_SIGN_UP}concurrency:
  runs:
    max_concurrent_runs: 2
  pools:
    granularity: run
    default_limit: 1
freshness:
  enabled: true
"""


def prepare_dagster_home(settings: Settings) -> Path:
    """Create HOME/dagster and its `dagster.yaml` if they are missing; return the absolute path of the folder.

    A file as an earlier version wrote it is replaced; one that was edited stays.

    Raises:
        StoreError: The folder cannot be written.
    """
    home = settings.dagster_home.expanduser().absolute()
    config = home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not config.exists() or config.read_text("utf-8") == DAGSTER_YAML.replace(_NO_SIGN_UP, ""):
            replace_text(config, DAGSTER_YAML)
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"Dagster's folder {home} cannot be written: {error}", fix="Correct IMAGERAG_HOME") from None
    return home


def dagster_instance(settings: Settings) -> dg.DagsterInstance:
    """Open the instance in HOME/dagster, whatever DAGSTER_HOME says.  Use it as a context manager.

    The output of steps goes to the terminal and is not captured.

    Raises:
        StoreError: The folder cannot be written, or its `dagster.yaml` is not valid.
    """
    home = prepare_dagster_home(settings)
    try:
        # Despite its name it is an instance like any other, in a folder that stays; `get()` would read DAGSTER_HOME and
        # takes no overrides.
        with (home / ".opening").open("w") as turn:
            # Two first commands would both make Dagster's databases, and one of them would fail.
            fcntl.flock(turn, fcntl.LOCK_EX)
            return dg.DagsterInstance.local_temp(str(home), overrides=without_captured_output())
    except (dg.DagsterError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise StoreError(
            f"Dagster cannot use {home}: {first}", fix="Correct or delete the dagster.yaml in it"
        ) from error
