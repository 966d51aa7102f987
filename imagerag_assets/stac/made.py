"""Items that are made here, of plain files and online layers, where a source has none."""

from __future__ import annotations

from datetime import datetime

from imagerag_assets.errors import error_of_item
from imagerag_assets.objects.bucket_addresses import web_address
from imagerag_assets.objects.signed import keep_signature
from imagerag_assets.online_layers.address import is_layer, parse_layer
from imagerag_assets.online_layers.items import item_of_layer
from imagerag_assets.plain_files.items import item_of_file
from imagerag_assets.plain_files.kept import keep_item
from imagerag_assets.plain_files.names import item_id
from imagerag_assets.settings import Settings
from imagerag_assets.stac.item_refs import ItemRef, made_here
from imagerag_assets.stac.types import FailedItem


def recordable(source: str) -> str:
    """Return a source as it may be stored: without its keys or signature, which this process keeps.

    Raises:
        SourceError: it is meant as an online layer, and cannot be one.
    """
    return parse_layer(source).source if is_layer(source) else keep_signature(web_address(source))


def layer_item(source: str, settings: Settings) -> ItemRef:
    """Return the item of an online layer.

    Raises:
        SourceError: the layer cannot be used.
    """
    return made_here(item_of_layer(parse_layer(source), settings), "layer", settings)


def file_item(href: str, settings: Settings, modified: datetime | None = None) -> ItemRef | FailedItem:
    """Return the item of a raster file, or why it cannot be used.

    Args:
        href: Absolute path or address.
        settings: How it is reached.
        modified: When the file was last changed; default: the file system is asked.
    """
    try:
        return made_here(item_of_file(href, settings, modified), "file", settings)
    except Exception as error:  # of one file
        return FailedItem(item_id(href), href, error_of_item(error, href=href))


def keep(found: ItemRef, settings: Settings) -> None:
    """Store an item that was made here; do nothing about others.

    Raises:
        StoreError: the store cannot be written.
    """
    if found.made:
        keep_item(found.content, settings)
