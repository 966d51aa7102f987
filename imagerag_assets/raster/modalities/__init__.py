"""Kinds of imagery that need more than a stretch of three bands: one file each, which defines ``MODALITY``.

docs/modalities.md adds one.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from imagerag_assets.errors import RasterError
from imagerag_assets.raster.modality import Facts, Modality


@cache
def modalities() -> dict[str, Modality]:
    """Return those of this folder, by name, in the order of their files' names."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    known = [import_module(f"{__name__}.{name}").MODALITY for name in names]
    return {each.name: each for each in known}


def modality_of(facts: Facts) -> Modality | None:
    """Return the first one that applies to a scene; None: its three bands are stretched as they are."""
    return next((each for each in modalities().values() if each.applies(facts)), None)


def modality_named(name: str) -> Modality:
    """Return the one that a stored render names.

    Raises:
        RasterError: this version does not have it.
    """
    found = modalities().get(name)
    if found is None:
        raise RasterError(
            f"The scene was rendered as {name!r}, which this version does not have",
            fix="Put its file into imagerag_assets/raster/modalities, or ingest the scene again",
        )
    return found
