"""What an assistant may name as a source: the same files and addresses as a job's launchpad.

A text in a scene could make an assistant name any file, so the folder for jobs is never all of the machine by chance:
clients start servers in whatever folder they like.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from imagerag_assets.errors import InputError

if TYPE_CHECKING:
    from imagerag_assets.settings import Settings

MOST_SCENES = 200
"""Scenes of one call: what a person consents to is a list that is not endless."""
Source = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2000,
        description="STAC catalog, collection, item or API; bucket prefix; or raster file or folder of them",
    ),
]
ItemKeys = Annotated[list[str] | None, Field(description="Only the scenes with these keys or item ids")]
Collections = Annotated[list[str] | None, Field(description="Only items of these collections")]
Limit = Annotated[int, Field(ge=1, le=MOST_SCENES, description="Stop after so many scenes")]


def check_source(source: str, settings: Settings) -> None:
    """Refuse a file outside the folders for jobs, and an address that may not be read.

    Raises:
        InputError: It is refused.
    """
    from imagerag_assets.objects.addresses import is_remote
    from imagerag_assets.orchestration.job_paths import JobPaths  # Dagster takes seconds to import

    here = Path.cwd()
    if not settings.job_roots and not is_remote(source) and here in (Path(here.anchor), Path.home()):
        raise InputError(
            "No folder of imagery is named to this server", fix="Start it with e.g. IMAGERAG_JOB_ROOTS='[\"/data\"]'"
        )
    JobPaths().check_address(source, settings)
