"""Fetch the raster of a scene that is an online layer.  What a layer is belongs to `online_layers`."""

from __future__ import annotations

from imagerag_assets.installation.platform import Platform
from imagerag_assets.online_layers.items import fetch, is_layer_item, layer_size
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


def expected_size(platform: Platform, scene: Scene) -> tuple[int, int] | None:
    """Return (width, height) of an online layer in pixels, fetched or not; None for other scenes."""
    return layer_size(scene.properties) if _is_layer(platform, scene) else None


def _is_layer(platform: Platform, scene: Scene) -> bool:
    return is_layer_item(scene.scene_key, scene.properties, scene.imagery.hrefs, platform.settings)
