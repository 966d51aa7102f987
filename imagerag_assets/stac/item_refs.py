"""An item's JSON after it was found and before it is validated: where it was, and what it is called until then.

`source` and `listing` walk and list; `items` validates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from imagerag_assets.errors import ItemError, error_of_item
from imagerag_assets.objects.addresses import absolute_href
from imagerag_assets.objects.boundary import refusal
from imagerag_assets.plain_files.kept import item_address
from imagerag_assets.settings import Settings
from imagerag_assets.stac.documents import Document, Kind, kind_of
from imagerag_assets.stac.keys import other_key, safe_key, scene_key
from imagerag_assets.stac.types import FailedItem

Made = Literal["", "file", "layer"]


@dataclass(frozen=True)
class ItemRef:
    """An item's JSON before validation."""

    content: dict[str, Any]
    href: str | None
    """Where the item itself is stored, if it has a document of its own."""
    base: str
    """The document against which relative hrefs are resolved."""
    parent_collection: str | None = None
    made: Made = ""
    """What the item was made from here; empty: it was found."""
    origin: str | None = None
    """The document that it was read in, where `base` is what that document says of itself."""

    def within_boundary(self, settings: Settings) -> ItemRef:
        """Return the item without a self link that its document may not name: servers often give inner addresses."""
        if self.origin is None or refusal(self.base, self.origin, settings) is None:
            return self
        return replace(self, href=None, base=self.origin, origin=None)

    def failed(self, error: Exception) -> FailedItem:
        """Return the item as one that cannot be used, for whatever was raised.

        Raises:
            StoreError, SettingsError, MemoryError: what concerns every item.
        """
        return FailedItem(self.key, self.href, error_of_item(error, href=self.href or self.base), self.other_key)

    @property
    def collections(self) -> set[str]:
        """Return the collection that the item names and the one it was found in."""
        return {name for name in (self.content.get("collection"), self.parent_collection) if isinstance(name, str)}

    @property
    def identity(self) -> tuple[str | None, object]:
        """Return collection and id, as those of a scene."""
        collection = self.content.get("collection")
        return collection if isinstance(collection, str) and collection else None, self.content.get("id")

    @property
    def key(self) -> str:
        """Return the scene key, or the id made safe if it gives none."""
        collection, item_id = self.identity
        try:
            return scene_key(collection, item_id)  # type: ignore[arg-type]
        except ItemError:
            return safe_key(self.content.get("id"))

    @property
    def other_key(self) -> str:
        """Return the scene key that it has where its plain one is another item's."""
        collection, item_id = self.identity
        return other_key(collection, item_id) if isinstance(item_id, str) else self.key


def items_of(document: Document, collection: str | None) -> Iterator[ItemRef]:
    """Yield the item of a document, or the items of an item collection."""
    if document.kind is Kind.ITEM:
        yield ItemRef(document.content, document.href, document.href, collection)
        return
    for content in document.content["features"]:
        if isinstance(content, dict) and kind_of(content) is Kind.ITEM:
            yield found_in(content, base=document.href, collection=collection)


def found_in(content: dict[str, Any], *, base: str, collection: str | None = None) -> ItemRef:
    """Return an item of a larger document; its relative hrefs are resolved against its self link if it has one."""
    own = Document(base, content).links("self")
    href = absolute_href(own[0], base) if own else None
    return ItemRef(content, href, href or base, collection, origin=base if href else None)


def made_here(content: dict[str, Any], made: Made, settings: Settings) -> ItemRef:
    """Return an item that was made here of a file or an online layer; its document is kept in the object store."""
    (asset,) = content["assets"].values()
    return ItemRef(content, item_address(content["id"], settings), asset["href"], made=made)


def failed_document(href: str, error: Exception) -> FailedItem:
    """Return a document that cannot be used, for whatever was raised, as a failed item; raise as `ItemRef.failed`."""
    return FailedItem(safe_key(stem(href)), href, error_of_item(error, href=href))


def stem(href: str) -> str:
    """Return the name of a document without its folders and suffix."""
    return href.rstrip("/").rsplit("/", 1)[-1].removesuffix(".json")
