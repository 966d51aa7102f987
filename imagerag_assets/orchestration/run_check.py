"""What `imagerag status` and `imagerag doctor` say of Dagster's runs.  This only reads, and creates no instance."""

from __future__ import annotations

from imagerag_assets.errors import StoreError
from imagerag_assets.installation.doctor import Check
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.orchestration.dead_runs import DeadRun, dead_run_differences, find_dead_runs
from imagerag_assets.settings import Settings

_SHOWN = 10  # runs that are named


def dead_runs(settings: Settings) -> list[DeadRun]:
    """Return the runs that nobody works on any more; none if there is no instance yet.

    Raises:
        StoreError: Dagster cannot use its folder.
    """
    if not (settings.dagster_home / "dagster.yaml").is_file():
        return []
    with dagster_instance(settings) as instance:
        return find_dead_runs(instance, settings)


def check_runs(settings: Settings) -> Check:
    """Check whether there are runs that nobody works on any more, as one of the checks of the doctor."""
    if not (settings.dagster_home / "dagster.yaml").is_file():
        return Check("runs", "ok", "there are none yet")
    try:
        with dagster_instance(settings) as instance:
            found = [f"{each.name}: {each.detail}" for each in dead_run_differences(instance, settings)]
    except StoreError as error:
        return Check("runs", "fail", error.message, error.fix)
    except Exception as error:  # a broken database may raise anything
        said = " ".join(str(error).split())[:300]
        return Check("runs", "fail", f"{type(error).__name__}: {said}", "Restore Dagster's folder from a backup")
    if not found:
        return Check("runs", "ok", "each run under way has its process")
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    fix = "The next command that writes closes them, and so does: imagerag doctor --deep --repair"
    return Check("runs", "warn", f"nobody works on: {'; '.join(found[:_SHOWN])}{more}", fix)
