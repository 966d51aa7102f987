"""Where a scene's item came from: what it says of files is trusted as far as that."""

from __future__ import annotations

from imagerag_assets.objects.addresses import absolute_href
from imagerag_assets.plain_files.kept import item_address
from imagerag_assets.settings import Settings
from imagerag_assets.stac.types import Scene


def origin_of(scene: Scene, settings: Settings) -> str | None:
    """Return the document that names a scene's files; None if its item was made here, of what a person named."""
    if scene.item_href is None:
        return absolute_href(scene.source, None)
    # The id of an item that was made here is its scene's key; others may hold what no object key can.
    if scene.scene_key == scene.item_id and scene.item_href == item_address(scene.item_id, settings):
        return None
    return scene.item_href
