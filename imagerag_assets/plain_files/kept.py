"""Items that were made here, kept in the object store as ``made_items/{item id}.json``."""

from __future__ import annotations

from typing import Any

from imagerag_assets.errors import StoreError
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.settings import Settings

FOLDER = "made_items"


def item_key(item_id: str) -> str:
    """Return the object key of an item that was made here."""
    return f"{FOLDER}/{item_id}.json"


def item_address(item_id: str, settings: Settings) -> str:
    """Return where an item that was made here is kept, or will be."""
    return open_store(settings).url(item_key(item_id))


def keep_item(content: dict[str, Any], settings: Settings) -> None:
    """Store an item, unless the same one is there.

    Raises:
        StoreError: the store cannot be written.
    """
    store, key = open_store(settings), item_key(content["id"])
    if _stored(store, key) != content:
        store.write_json(key, content)


def _stored(store: ObjectStore, key: str) -> Any:
    try:
        return store.read_json(key)
    except StoreError:  # there is none yet, or a damaged one, which is replaced
        return None
