"""How an expected error looks in Dagster: one line as the run's failure, no traceback of ours to read.

Only the translation lives here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import dagster as dg

from imagerag_assets.errors import ImageRAGError, StoreError
from imagerag_assets.pipelines.scenes import record_failure

if TYPE_CHECKING:
    from imagerag_assets.pipelines.platform import Platform


@contextmanager
def failures(platform: Platform, *, scene_key: str | None = None, item_href: str | None = None) -> Iterator[None]:
    """Turn an ImageRAGError into a Dagster failure, and note it with the scene it is about.

    Raises:
        dagster.Failure: with the error as its cause.
    """
    try:
        yield
    except Exception as error:
        if scene_key is not None and not isinstance(error, dg.Failure):
            with suppress(StoreError):  # the store may be what failed; the run shows the error in any case
                record_failure(platform, scene_key, error, item_href=item_href)
        if not isinstance(error, ImageRAGError):
            raise
        metadata: dict[str, str] = {"error": type(error).__name__, "message": error.message}
        if error.fix:
            metadata["fix"] = error.fix
        metadata |= {name: str(value)[:500] for name, value in error.ids.items()}
        raise dg.Failure(description=str(error), metadata=metadata, allow_retries=False) from error
