"""Sign the addresses of a scene's files anew: fetch its item again from where it came from.

A signature lasts for an hour or so, and is never stored.  So it is missing where a scene is read later, and may end
while it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import TypeVar

from imagerag_assets.errors import ImageRAGError, RasterError
from imagerag_assets.objects.addresses import absolute_href
from imagerag_assets.objects.boundary import refusal
from imagerag_assets.objects.signed import has_expired, requested
from imagerag_assets.settings import Settings
from imagerag_assets.stac.alternates import hrefs_of
from imagerag_assets.stac.documents import Kind, read_document
from imagerag_assets.stac.item_refs import ItemRef, items_of
from imagerag_assets.stac.items import scene_from_item
from imagerag_assets.stac.source import find_item
from imagerag_assets.stac.types import Scene

_TRIES = 3
"""Another process may have the addresses signed anew at the same time, and a server may accept the newest only."""
_renewing = Lock()
T = TypeVar("T")


def needs_signature(scene: Scene, href: str) -> bool:
    """Return whether a file of a scene is read by a signed address."""
    return requested(href) != href or any(
        band.signed and href in (band.href, *band.alternates) for band in scene.imagery.bands
    )


def signed_anew(scene: Scene, href: str, settings: Settings, read: Callable[[], T]) -> T:
    """Return what `read` returns, after the item was fetched anew if the file's signature is missing or has ended.

    Args:
        scene: The scene.
        href: The file that is read, without its signature.
        settings: How the item is reached.
        read: Reads the file; called again when it failed and there is another signature.

    Raises:
        RasterError: as `read`; or there is no other signature to be had.
    """
    if not needs_signature(scene, href):
        return read()
    if requested(href) == href or has_expired(href):
        renew(scene, href, settings, used=requested(href))
    for _ in range(_TRIES):
        used = requested(href)
        try:
            return read()
        except RasterError as error:
            try:
                renew(scene, href, settings, used=used)
            except RasterError as other:
                if requested(href) == href or has_expired(href):
                    raise other from error
                raise error from None
            if requested(href) == used:
                raise
    return read()


def renew(scene: Scene, href: str, settings: Settings, *, used: str) -> None:
    """Fetch the item of a scene anew, unless another thread did since `used` was the address requested.

    Raises:
        RasterError: neither the item nor its source can be read, or it is not there any more.
    """
    with _renewing:
        if requested(href) != used:
            return
        problem: ImageRAGError | None = None
        for find in (_by_itself, _by_source):
            try:
                found = find(scene, settings)
            except ImageRAGError as error:
                problem = problem or error
                continue
            if found is not None:
                _take(found)
                if requested(href) != used:
                    return
        if problem is None and requested(href) != href and not has_expired(href):
            return  # the source gives the same address as before: it is not the signature that is wrong
        why = f" ({problem.message})" if problem else ""
        raise RasterError(
            f"the signature of the address is missing or has expired, and its item cannot be fetched anew{why}",
            fix="Ingest the scene again from a source that signs it",
            transient=problem is not None and problem.transient,
            href=href,
            item=scene.item_href or scene.source,
        )


def read_again(scene: Scene, settings: Settings) -> Scene | None:
    """Return a scene as its item and its files are now; None if its item has no document, or it is no more in it.

    Raises:
        ImageRAGError: the item cannot be read, or cannot be used any more.
    """
    found = _by_itself(scene, settings)
    if found is None:
        return None
    now = scene_from_item(
        found.content,
        item_href=scene.item_href,
        base=found.base,
        source=scene.source,
        settings=settings,
        made=found.made,
    )
    return replace(now, scene_key=scene.scene_key, imported_from=scene.imported_from)


def _by_itself(scene: Scene, settings: Settings) -> ItemRef | None:
    if scene.item_href is None or _is_refused(scene.item_href, scene, settings):
        return None
    document = read_document(scene.item_href, settings)
    if document.kind not in (Kind.ITEM, Kind.ITEMS):
        return None
    return next((found for found in items_of(document, None) if found.identity == scene.identity), None)


def _by_source(scene: Scene, settings: Settings) -> ItemRef | None:
    if scene.source == scene.item_href or _is_refused(scene.source, scene, settings):
        return None
    return find_item(scene.source, scene.identity, settings)


def _is_refused(address: str, scene: Scene, settings: Settings) -> bool:
    """Return whether whoever wrote a record that was imported may not name an address."""
    origin = scene.imported_from
    return origin is not None and refusal(absolute_href(address, None), origin, settings) is not None


def _take(found: ItemRef) -> None:
    """Keep the signatures of an item's assets."""
    assets = found.content.get("assets")
    for asset in assets.values() if isinstance(assets, dict) else ():
        for href in hrefs_of(asset):
            absolute_href(href, found.base)
