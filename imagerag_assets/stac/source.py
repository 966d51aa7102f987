"""Find the scenes of a source: a document, a folder, a bucket prefix, a STAC API, plain rasters, or an online layer.

Walking, listing, duplicates and the selection of what was asked for belong here.  `items` decides whether an item is
usable, `documents` what a document is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from imagerag_assets.errors import IncompleteListingError, SourceError, UnknownSceneError
from imagerag_assets.objects.addresses import is_http, is_remote, join_href, local_path
from imagerag_assets.online_layers.address import is_layer
from imagerag_assets.plain_files.names import is_raster, item_id
from imagerag_assets.settings import Settings
from imagerag_assets.stac.api import search_api
from imagerag_assets.stac.documents import (
    Document,
    Kind,
    Version,
    followed,
    holds_stac,
    is_folder,
    list_folder,
    read_document,
    read_documents,
)
from imagerag_assets.stac.item_refs import ItemRef, failed_document, found_in, items_of, stem
from imagerag_assets.stac.items import scene_from_item
from imagerag_assets.stac.keys import clash, folded, other_key, safe_key
from imagerag_assets.stac.made import file_item, keep, layer_item, recordable
from imagerag_assets.stac.paging import item_pages
from imagerag_assets.stac.parsing import too_many
from imagerag_assets.stac.reading_time import ReadingTime
from imagerag_assets.stac.signed_links import SignedLinks
from imagerag_assets.stac.types import FailedItem, Scene

ROOT_DOCUMENTS = ("catalog.json", "collection.json")
_SUGGESTED_FROM = 10_000


@dataclass
class _Choice:
    """What was asked for, and which of it was seen."""

    collections: frozenset[str]
    scenes: frozenset[str]
    seen_collections: set[str] = field(default_factory=set)
    seen_scenes: set[str] = field(default_factory=set)
    others: list[str] = field(default_factory=list)
    """Names of scenes that were not asked for, for suggestions; of large sources only the first ones."""
    chosen: int = 0
    failures: list[FailedItem] = field(default_factory=list)

    def takes(self, found: ItemRef) -> bool:
        self.seen_collections |= found.collections
        if self.collections and not self.collections & found.collections:
            return False
        names = {found.key, found.other_key, str(found.content.get("id"))} & self.scenes
        self.seen_scenes |= names
        if self.scenes and not names and len(self.others) < _SUGGESTED_FROM:
            self.others.append(found.key)
        self.chosen += not self.scenes or bool(names)
        return not self.scenes or bool(names)

    def takes_failure(self, failed: FailedItem) -> bool:
        """Return whether to report a branch that cannot be read: not if single scenes were asked for."""
        self.failures.append(failed)
        return not self.scenes

    def check_all_found(self, source: str) -> None:
        """Raise an error if the source lacks something that was named."""
        unread = f"; {len(self.failures)} documents could not be read" if self.failures else ""
        missing = sorted(self.scenes - self.seen_scenes)
        if missing:
            raise UnknownSceneError(
                f"The source has no scene {', '.join(missing)[:300]}{unread}",
                fix=f"{_nearest(missing[0], self.others)}Give scene keys or item ids of the source",
                source=source,
            )
        if self.collections and not self.chosen and not self.failures:
            others = ", ".join(sorted(self.seen_collections))[:300] or "none"
            raise SourceError(
                f"The source has no item of collection {', '.join(sorted(self.collections))[:300]}; seen: {others}",
                fix=f"{_nearest(min(self.collections), self.seen_collections)}Correct the collection",
                source=source,
            )


def _nearest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"Did you mean {close[0]}? " if close else ""


def find_scenes(
    source: str,
    settings: Settings,
    *,
    collections: Sequence[str] = (),
    scenes: Sequence[str] = (),
    limit: int | None = None,
    keep_items: bool = True,
) -> Iterator[Scene | FailedItem]:
    """Find and validate the scenes of a source, one at a time.

    Args:
        source: A path, ``s3://`` or ``http(s)://`` address of a STAC catalog, collection, item or item collection; a
            folder or bucket prefix with items in it (its ``catalog.json``, if it has one); the landing page of a STAC
            API; a raster file, or a folder or prefix of rasters without items; or an online layer, as
            :func:`imagerag_assets.online_layers.address.layer_source` writes it.
        settings: How S3 is reached, and which assets are imagery.
        collections: Take only items of these collections.
        scenes: Take only these scene keys or item ids.
        limit: Stop after so many results.
        keep_items: Store the items that are made of files and layers.

    Yields:
        A :class:`Scene`, or a :class:`FailedItem` for an item that cannot be used; the others follow.

    Raises:
        SourceError: the source cannot be reached or is not STAC, or has nothing of the named collections.
        UnknownSceneError: at the end, if a named scene was not in the source.
        StoreError: an item that was made cannot be stored.
    """
    source = recordable(source.strip())
    choice = _Choice(frozenset(collections), frozenset(scenes))
    first_seen: dict[tuple[str | None, str], str] = {}
    taken: set[str] = set()
    yielded = 0
    if limit is not None and limit <= 0:
        return
    for found in _listed(source, settings, choice, limit):
        result: Scene | FailedItem
        if isinstance(found, FailedItem):
            if not choice.takes_failure(found):
                continue
            result = found
        elif choice.takes(found):
            if keep_items:
                keep(found, settings)
            result = _validated(found, source, settings, first_seen, taken)
        else:
            continue
        yield result
        yielded += 1
        if limit is not None and yielded >= limit:
            return
    choice.check_all_found(source)


def find_items(source: str, settings: Settings) -> Iterator[ItemRef | FailedItem]:
    """Yield the items of a source unchecked, and a :class:`FailedItem` for each document that cannot be read.

    Args:
        source: As for :func:`find_scenes`.
        settings: How S3 is reached.

    Raises:
        SourceError: the source cannot be reached or is not STAC.
    """
    yield from _listed(recordable(source.strip()), settings, _Choice(frozenset(), frozenset()), None)


def find_item(source: str, item: tuple[str | None, str], settings: Settings) -> ItemRef | None:
    """Return the item of a source with this collection and id, as it is there now; None if it is not found.

    Raises:
        SourceError: the source cannot be reached or is not STAC.
    """
    collection, item_id = item
    choice = _Choice(frozenset({collection} if collection else ()), frozenset({item_id}))
    for found in _listed(recordable(source), settings, choice, None):
        if isinstance(found, ItemRef) and found.identity == item:
            return found
    return None


def _validated(
    found: ItemRef, source: str, settings: Settings, first_seen: dict[tuple[str | None, str], str], taken: set[str]
) -> Scene | FailedItem:
    try:
        found = found.within_boundary(settings)
        here = found.href or found.base
        scene = scene_from_item(
            found.content, item_href=found.href, base=found.base, source=source, settings=settings, made=found.made
        )
        if scene.identity in first_seen:
            raise clash(scene.scene_key, first=first_seen[scene.identity], second=here)
        if folded(scene.scene_key) in taken:
            scene = replace(scene, scene_key=other_key(*scene.identity))
    except Exception as error:  # of one item
        return found.failed(error)
    first_seen[scene.identity] = here
    taken.add(folded(scene.scene_key))
    return scene


def _listed(source: str, settings: Settings, choice: _Choice, limit: int | None) -> Iterator[ItemRef | FailedItem]:
    reading = ReadingTime(settings)
    found = _found(source, settings, choice, limit, reading)
    yield from reading.limited(found, lambda error: failed_document(source, error), source)


def _found(
    source: str, settings: Settings, choice: _Choice, limit: int | None, reading: ReadingTime
) -> Iterator[ItemRef | FailedItem]:
    if not source:
        raise SourceError("No source was given", fix="Give a path, an s3:// address or the URL of a STAC API")
    if is_layer(source):
        yield layer_item(source, settings)
        return
    href = source if is_remote(source) else local_path(source)
    if is_folder(href, settings):
        folder = list_folder(href, settings)
        documents, rasters = list(folder.documents), folder.rasters
        root = next((join_href(href, name) for name in ROOT_DOCUMENTS if join_href(href, name) in documents), None)
        if root is None:
            for problem in folder.problems:
                yield FailedItem(safe_key(stem(str(problem.ids.get("href", href)))), href, problem)
            plain = rasters and not holds_stac(documents, settings)
            yield from _plain(rasters, settings, choice) if plain else _in_folder(href, documents, settings)
            return
        href = root
    elif is_raster(href):
        yield file_item(href, settings)
        return
    document = read_document(href, settings)
    if document.kind is Kind.OTHER:
        raise SourceError("This JSON is not STAC", fix="Name a STAC document, a folder of them, or an API", href=href)
    if document.kind is Kind.API and is_http(href):
        try:
            for content in search_api(href, settings, choice.collections, choice.scenes, limit, reading=reading):
                yield found_in(content, base=href)
        except IncompleteListingError as error:  # the items before that count
            yield failed_document(href, error)
        return
    yield from _walk(document, settings, reading)


def _plain(rasters: Mapping[str, Version], settings: Settings, choice: _Choice) -> Iterator[ItemRef | FailedItem]:
    """Yield an item for each raster file; where scenes are named, open only the files of these."""
    for href, version in rasters.items():
        if not choice.scenes or item_id(href) in choice.scenes:
            yield file_item(href, settings, version.updated)


def _in_folder(folder: str, documents: Sequence[str], settings: Settings) -> Iterator[ItemRef | FailedItem]:
    """Yield the items below a folder; skip JSON that is not STAC, report documents that are not JSON at all."""
    found_any = False
    for href, document in read_documents(documents, settings):
        if isinstance(document, SourceError):
            found_any = True
            yield failed_document(href, document)
        elif document.kind in (Kind.ITEM, Kind.ITEMS):
            found_any = True
            yield from items_of(document, None)
    if not found_any:
        raise SourceError("There are no STAC items in this folder, and no rasters", fix="Check the path", href=folder)


def _walk(root: Document, settings: Settings, reading: ReadingTime) -> Iterator[ItemRef | FailedItem]:
    """Yield every item below a document, depth first, in the order of the links; read each document once."""
    visited = {root.href}
    signed = SignedLinks(settings)
    waiting: list[tuple[Document | tuple[str, SourceError | None], str | None]] = [(root, None)]
    catalogs = 0
    while waiting:
        if reading.is_up:
            yield failed_document(root.href, reading.error(root.href))
            return
        target, collection = waiting.pop()
        if len(visited) > settings.limit_items:
            passed = too_many("items", settings.limit_items, "ITEMS", root.href)
            yield FailedItem(safe_key(stem(root.href)), root.href, passed)
            return
        try:
            document = target if isinstance(target, Document) else _read(target, signed)
            if document.kind is Kind.OTHER:
                raise SourceError("This JSON is not STAC", fix="Correct the link to it", href=document.href)
        except Exception as error:  # of one branch
            yield failed_document(target.href if isinstance(target, Document) else target[0], error)
            continue
        if document.kind is Kind.ITEM:
            yield from items_of(document, collection)
            continue
        if document.kind is Kind.ITEMS:
            for page in item_pages(document, settings, reading):
                if isinstance(page, SourceError):
                    yield failed_document(document.href, page)
                else:
                    yield from items_of(page, collection)
            continue
        catalogs += 1
        if catalogs > settings.limit_catalogs:  # the items of the others still count
            if catalogs == settings.limit_catalogs + 1:
                passed = too_many("catalogs", settings.limit_catalogs, "CATALOGS", root.href)
                yield FailedItem(safe_key(stem(root.href)), root.href, passed)
            continue
        collection = document.collection_of_items(collection)
        hrefs = document.links("item", "items", "child")
        fresh = [href for href in dict.fromkeys(hrefs) if href not in visited]
        visited.update(fresh)
        signed.note(document, fresh)
        links = list(followed(fresh, document.href, settings))
        waiting.extend((link, collection) for link in reversed(links))


def _read(link: tuple[str, SourceError | None], signed: SignedLinks) -> Document:
    href, refused = link
    if refused is not None:
        raise refused
    return signed.read(href)
