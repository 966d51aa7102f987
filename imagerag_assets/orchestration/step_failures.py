"""How a step fails in Dagster: with the error in one line, and with retries only if the error is transient.

Only this translation and the retry policy belong here; what went wrong is said where it is raised.  See https://docs.dagster.io/guides/build/ops/op-retries
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import dagster as dg

from imagerag_assets.errors import ImageRAGError, StoreError, describe, disk_error
from imagerag_assets.masking import mask_logs, masked
from imagerag_assets.orchestration._dagster_private import mask_error_texts

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform


RETRY = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""The policy of every step: only errors that `failures` marks as transient are retried, after about 2, 6 and 14 s."""


mask_error_texts(masked)
mask_logs()


@contextmanager
def failures(platform: Platform, *, scene_key: str | None = None, item_href: str | None = None) -> Iterator[None]:
    """Turn an error into a Dagster failure, and record it for the scene that it is about.

    Raises:
        dagster.Failure: The error is its cause; the step may be retried if the error is transient.
    """
    from imagerag_assets.scenes.failures import record_failure

    try:
        yield
    except Exception as error:
        if scene_key is not None and not isinstance(error, dg.Failure):
            with suppress(StoreError):  # the store may be what failed; the run shows the error in any case
                record_failure(platform, scene_key, error, item_href=item_href)
        if isinstance(error, dg.Failure):
            raise
        if not isinstance(error, ImageRAGError):
            error = disk_error(error) or error
        if not isinstance(error, ImageRAGError):  # a bug: the traceback is below, and a retry would not help
            raise dg.Failure(description=describe(error), allow_retries=False) from error
        metadata: dict[str, str] = {"error": type(error).__name__, "message": error.message}
        if error.fix:
            metadata["fix"] = error.fix
        metadata |= {name: masked(str(value))[:500] for name, value in error.ids.items()}
        again = error.transient and _may_repeat()
        raise dg.Failure(description=str(error), metadata=metadata, allow_retries=again) from error


def _may_repeat() -> bool:
    """Return whether the step has tries left.

    If the last try asked for another one, Dagster would report the number of tries and not the error.
    """
    try:
        return dg.OpExecutionContext.get().retry_number < RETRY.max_retries
    except dg.DagsterInvariantViolationError:  # not within a step
        return False
