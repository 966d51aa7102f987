"""Where windows of scenes lie, for those who draw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagerag_assets.errors import ImageRAGError
from imagerag_assets.raster.geo import window_geometry
from imagerag_assets.scenes.records import load_record

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform


def geometry_of(platform: Platform, scene: str, window: tuple[int, int, int, int]) -> dict[str, Any] | None:
    """Return the outline of a window as GeoJSON in lon/lat; None without a place, or where the scene is gone."""
    try:
        return window_geometry(load_record(platform, scene).grid, window)
    except ImageRAGError:
        return None
