"""Refuse to read a file that was replaced since its scene was listed: its pixels would go by another version's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from imagerag_assets.errors import RasterError
from imagerag_assets.objects.addresses import is_http
from imagerag_assets.objects.file_versions import is_replaced, version_now
from imagerag_assets.settings import Settings
from imagerag_assets.stac.renewal import read_again
from imagerag_assets.stac.types import Scene


def versions_now(scene: Scene, settings: Settings) -> dict[str, str]:
    """Return the versions of a scene's files, as far as they can be told: those of the listing, and the web's."""
    versions = dict(scene.file_versions)
    for href in scene.imagery.hrefs:
        if is_http(href) and (version := version_now(href, settings)) is not None:
            versions[href] = version
    return versions


def as_it_is_now(scene: Scene, settings: Settings) -> Scene:
    """Return a scene with the versions of its files: of those that were replaced since it was listed, the new ones.

    To be called before anything is read of them.

    Raises:
        RasterError: a file was replaced, and the scene's item cannot be looked up anew.
        ImageRAGError: the item cannot be used any more.
    """
    try:
        refuse_replaced(scene.file_versions, settings)
    except RasterError:
        now = read_again(scene, settings)
        if now is None:
            raise
        scene = now
    return replace(scene, file_versions=versions_now(scene, settings))


def refuse_replaced(versions: Mapping[str, str], settings: Settings) -> None:
    """Check that files are what they were.

    Args:
        versions: Version by address, as :func:`versions_now` returned it.
        settings: How the files are reached.

    Raises:
        RasterError: one was replaced.
    """
    for href, version in versions.items():
        if is_replaced(href, version, version_now(href, settings)):
            raise RasterError(
                "the file was replaced after its scene was listed",
                fix="Ingest the scene again: the new file is then read under its own version",
                href=href,
            )
