"""Fetch the raster of a scene that is an online layer.  What a layer is belongs to `online_layers`."""

from __future__ import annotations

from pyproj import CRS

from imagerag_assets.installation.platform import Platform
from imagerag_assets.online_layers.items import fetch, is_layer_item, layer_size
from imagerag_assets.raster.types import Grid
from imagerag_assets.stac.types import Scene


def fetched_layer(platform: Platform, scene: Scene) -> list[str]:
    """Fetch the raster of an online layer, unless it is there; return what to note.  Do nothing for other scenes.

    Raises:
        SourceError: the layer's key is not known, or the service is unreachable.
        RasterError: too many tiles cannot be fetched.
        StoreError: the store cannot be read or written, or the disk is full.
    """
    if not _is_layer(platform, scene):
        return []
    return fetch(scene.scene_key, scene.properties, platform.settings, platform.store)


def expected_grid(platform: Platform, scene: Scene) -> Grid | None:
    """Return the pixel grid of an online layer, fetched or not; None for other scenes."""
    if not _is_layer(platform, scene):
        return None
    (width, height), (a, b, c, d, e, f) = layer_size(scene.properties), scene.properties["proj:transform"]
    crs = CRS.from_user_input(scene.properties.get("proj:code") or scene.properties["proj:wkt2"])
    return Grid(width, height, crs.to_wkt(), (a, b, c, d, e, f), has_overviews=False)


def _is_layer(platform: Platform, scene: Scene) -> bool:
    return is_layer_item(scene.scene_key, scene.properties, scene.imagery.hrefs, platform.settings)
