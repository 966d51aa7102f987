"""Where a scene's item came from: what it says of files is trusted as far as that."""

from __future__ import annotations

from imagerag_assets.objects.addresses import absolute_href
from imagerag_assets.objects.boundary import Refusal, refusal
from imagerag_assets.plain_files.kept import item_address
from imagerag_assets.settings import Settings
from imagerag_assets.stac.types import Scene


def refused(address: str, scene: Scene, settings: Settings) -> tuple[Refusal, str] | None:
    """Return why an address that a scene's record names must not be read, and for which document; None: it may.

    A record that was imported is held to where it was imported from, and to where it says that its item is.
    """
    for origin in (scene.imported_from, origin_of(scene, settings)):
        if origin is not None and (why := refusal(address, origin, settings)) is not None:
            return why, origin
    return None


def origin_of(scene: Scene, settings: Settings) -> str | None:
    """Return the document that names a scene's files; None if its item was made here, of what a person named."""
    if scene.item_href is None:
        return absolute_href(scene.source, None)
    # The id of an item that was made here is its scene's key; others may hold what no object key can.
    if scene.scene_key == scene.item_id and scene.item_href == item_address(scene.item_id, settings):
        return None
    return scene.item_href
