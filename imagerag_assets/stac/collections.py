"""What a collection says of the assets of its items (`item_assets`), where the items themselves do not.

A field of the item comes before the same field of the collection, also within the entry of a band.
A collection is read once in ten minutes.
"""

from __future__ import annotations

import threading
import time
from typing import Any
from urllib.parse import urlsplit

from imagerag_assets.errors import SourceError
from imagerag_assets.objects.addresses import absolute_href, is_remote
from imagerag_assets.objects.boundary import check, refusal
from imagerag_assets.settings import Settings
from imagerag_assets.stac.documents import read_document
from imagerag_assets.stac.pixel_values import BAND_LISTS, is_named

_KEPT_S, _FAILED_S = 600.0, 60.0
_MOST = 256

_Assets = dict[str, dict[str, Any]]
_known: dict[str, tuple[float, _Assets | SourceError]] = {}
_lock = threading.Lock()


def with_item_assets(
    content: dict[str, Any], base: str, settings: Settings, notes: list[str], *, needed: bool
) -> dict[str, Any]:
    """Return an item's JSON with what its collection says of its assets; the same JSON if that is nothing.

    Args:
        content: The item's JSON, whose assets were checked; not changed.
        base: The document against which relative links are resolved.
        settings: How the collection is reached.
        notes: Gets a line if the collection is needed and cannot be read.
        needed: The item does not describe its imagery.  Otherwise a collection is read only where the item is.
    """
    assets: _Assets = content["assets"]
    href = _collection_href(content, base)
    if href is None or not (needed or _beside(href, base)):
        return content
    refused = refusal(href, base, settings)
    said = _item_assets(href, settings) if refused is None else refused.error(href, base)
    if isinstance(said, SourceError):
        if needed:
            notes.append(f"What the collection says of the bands is unknown: {said.message}")
        return content
    if not said.keys() & assets.keys():
        return content
    merged = {key: _merged(asset, said[key]) if key in said else asset for key, asset in assets.items()}
    return content | {"assets": merged}


def read_collection(content: dict[str, Any], base: str, settings: Settings) -> dict[str, Any] | None:
    """Return the JSON of an item's collection; None if it names none, or it cannot be read.

    Args:
        content: The item's JSON.
        base: The document against which relative links are resolved.
        settings: How the collection is reached.
    """
    href = _collection_href(content, base)
    try:
        if href is None:
            return None
        check(href, base, settings)
        return read_document(href, settings).content
    except SourceError:
        return None


def _beside(href: str, base: str) -> bool:
    """Return whether two documents are on this machine, in the same bucket or on the same host."""
    if not is_remote(href) or not is_remote(base):
        return not is_remote(href) and not is_remote(base)
    return urlsplit(href)[:2] == urlsplit(base)[:2]


def _merged(asset: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    more = {name: value for name, value in said.items() if name not in ("href", "title", "description")}
    own = {name: value for name, value in asset.items() if value is not None}
    bands = {name: _merged_bands(own[name], more[name]) for name in BAND_LISTS if name in own and name in more}
    return more | own | bands


def _merged_bands(own: Any, said: Any) -> Any:
    """Return the entries of the item with what the collection says of the same band: by name, else by position."""
    if not (isinstance(own, list) and isinstance(said, list) and all(isinstance(each, dict) for each in (*own, *said))):
        return own
    by_name = {each["name"]: each for each in said if isinstance(each.get("name"), str)}
    if len(own) == 1 and not is_named(own[0]):
        own = own * len(said)
    merged = []
    for position, each in enumerate(own):
        if isinstance(each.get("name"), str):
            like = by_name.get(each["name"], {})
        else:
            like = said[position] if len(own) == len(said) else {}
        merged.append(like | {name: value for name, value in each.items() if value is not None})
    return merged


def _collection_href(content: dict[str, Any], base: str) -> str | None:
    links = content.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "collection" and isinstance(link.get("href"), str):
            return absolute_href(link["href"], base)
    return None


def _item_assets(href: str, settings: Settings) -> _Assets | SourceError:
    with _lock:
        known = _known.get(href)
    if known is not None and time.monotonic() < known[0]:
        return known[1]
    found: _Assets | SourceError
    try:
        content = read_document(href, settings).content
        said = content.get("item_assets")
        found = {
            key: fields
            for key, fields in (said.items() if isinstance(said, dict) else ())
            if isinstance(key, str) and isinstance(fields, dict)
        }
    except SourceError as error:
        found = error
    with _lock:
        if len(_known) >= _MOST:
            _known.clear()
        _known[href] = time.monotonic() + (_FAILED_S if isinstance(found, SourceError) else _KEPT_S), found
    return found
