"""What a terminal shows of runs: warnings and errors.  The UI has every event, whatever is shown.

A configuration of a run may say otherwise (`loggers`).
See https://docs.dagster.io/guides/log-debug/logging
"""

from __future__ import annotations

from imagerag_assets.orchestration._dagster_private import show_runs_from

LEVEL = "WARNING"

show_runs_from(LEVEL)
