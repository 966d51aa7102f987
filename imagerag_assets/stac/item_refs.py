"""An item's JSON between being found and being validated: where it was, and how it is named until then.

Walking and listing are `source`'s and `listing`'s part, validation is `items`'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from imagerag_assets.errors import ItemError
from imagerag_assets.objects.addresses import absolute_href
from imagerag_assets.stac.documents import Document, Kind, kind_of
from imagerag_assets.stac.keys import safe_key, scene_key


@dataclass(frozen=True)
class ItemRef:
    """An item's JSON before validation."""

    content: dict[str, Any]
    href: str | None
    """Where the item itself is, if anywhere."""
    base: str
    """The document against which relative hrefs are resolved."""
    parent_collection: str | None = None

    @property
    def collections(self) -> set[str]:
        """The collection the item names and the one it was found in."""
        return {name for name in (self.content.get("collection"), self.parent_collection) if isinstance(name, str)}

    @property
    def key(self) -> str:
        """The scene key, or the id made safe where it gives none."""
        collection = self.content.get("collection")
        try:
            return scene_key(collection if isinstance(collection, str) and collection else None, self.content.get("id"))  # type: ignore[arg-type]
        except ItemError:
            return safe_key(self.content.get("id"))


def items_of(document: Document, collection: str | None) -> Iterator[ItemRef]:
    """The item that a document is, or the items of an item collection."""
    if document.kind is Kind.ITEM:
        yield ItemRef(document.content, document.href, document.href, collection)
        return
    for content in document.content["features"]:
        if isinstance(content, dict) and kind_of(content) is Kind.ITEM:
            yield found_in(content, base=document.href, collection=collection)


def found_in(content: dict[str, Any], *, base: str, collection: str | None = None) -> ItemRef:
    """An item that is part of a larger document: relative hrefs are resolved against its self link if it has one."""
    own = Document(base, content).links("self")
    href = absolute_href(own[0], base) if own else None
    return ItemRef(content, href, href or base, collection)


def stem(href: str) -> str:
    """The name of a document without its folders and suffix."""
    return href.rstrip("/").rsplit("/", 1)[-1].removesuffix(".json")
