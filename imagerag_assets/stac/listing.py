"""List what a source holds, and in which version, without reading the items, so that it can be done often.

A bucket prefix is listed, of items or of plain rasters; in a static catalog only the catalogs are read; an API is asked
for new items.  Items that `watched_sources.tick` picks are read here too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

from imagerag_assets.errors import ImageRAGError, IncompleteListingError, SourceError, error_of_item
from imagerag_assets.objects.addresses import is_http, is_remote, join_href, local_path
from imagerag_assets.objects.boundary import refusal
from imagerag_assets.online_layers.address import is_layer, parse_layer
from imagerag_assets.online_layers.items import layer_id
from imagerag_assets.plain_files.names import is_raster
from imagerag_assets.settings import Settings
from imagerag_assets.stac.api import Since, search_api
from imagerag_assets.stac.documents import (
    Document,
    Kind,
    Version,
    followed,
    holds_stac,
    is_folder,
    list_folder,
    list_versions,
    read_document,
    read_documents,
    version_of,
)
from imagerag_assets.stac.item_refs import ItemRef, Made, failed_document, found_in, items_of
from imagerag_assets.stac.items import scene_from_item, stable_content
from imagerag_assets.stac.made import file_item, keep, layer_item, recordable
from imagerag_assets.stac.paging import is_item, item_pages, next_link
from imagerag_assets.stac.parsing import too_many
from imagerag_assets.stac.reading_time import ReadingTime
from imagerag_assets.stac.signed_links import SignedLinks
from imagerag_assets.stac.source import ROOT_DOCUMENTS
from imagerag_assets.stac.types import FailedItem, Scene

_THREADS = 16  # items validated at once: each looks up the versions of its files, which may be far away
_CHUNK = 64


@dataclass(frozen=True)
class ListedItem:
    """A document (or an item of an API) that a source holds."""

    ref: str
    """Address of the document; of an API's item, its collection and id."""
    version: str
    """Changes when the document does; empty if only reading it can tell."""
    updated: datetime | None
    """When it last changed, if that is known; never in the future."""
    collection: str | None = None
    """The collection it was found in."""
    document: Document | None = None
    """Its content, if it came with the listing."""
    made: Made = ""
    """What its item is made from here: `ref` is then a raster file, or an online layer."""
    linked: bool = False
    """A catalog names it as an item."""


@dataclass(frozen=True)
class Unread:
    """A catalog that there was no time to read."""

    href: str
    origin: str
    """The document that names it."""
    collection: str | None = None


@dataclass
class Listing:
    """The documents of a source; iterate over them once."""

    listed: Iterator[ListedItem]
    whole: bool
    """The whole source is listed before the first item is yielded, the oldest first."""
    ordered: bool = True
    """So far, items came with the oldest update first."""
    problems: list[ImageRAGError] = field(default_factory=list)
    """Branches that could not be read, filled while iterating.  If there are any, the listing is incomplete."""
    unread: list[Unread] = field(default_factory=list)
    """Catalogs for which the time was up, of which one is a problem."""


def list_source(
    source: str,
    settings: Settings,
    *,
    collections: Sequence[str] = (),
    since: Since | None = None,
    unread: Sequence[Unread] = (),
    seconds: float | None = None,
) -> Listing:
    """List a source.  An API is asked page by page as the listing is consumed.

    Args:
        source: As in :func:`imagerag_assets.stac.source.find_scenes`.
        settings: How it is reached.
        collections: Search an API for these only; elsewhere :func:`read_listed` selects them.
        since: Ask an API for newer items only.
        unread: Of a catalog, list only what is in these, which an earlier listing had no time for.
        seconds: How long reading catalogs and pages may take; at most IMAGERAG_LIMIT_SOURCE_S.

    Raises:
        SourceError: the source cannot be reached or is not STAC.
    """
    source = recordable(source.strip())
    reading = ReadingTime(settings, seconds)
    if is_layer(source):
        version = hashlib.sha256(source.encode()).hexdigest()[:32]
        return Listing(iter([ListedItem(source, version, None, made="layer")]), whole=True)
    href = source if is_remote(source) else local_path(source)
    if is_folder(href, settings):
        folder = list_folder(href, settings)
        versions = folder.documents
        root = next((join_href(href, name) for name in ROOT_DOCUMENTS if join_href(href, name) in versions), None)
        if root is None:
            if folder.rasters and not holds_stac(list(versions), settings):
                files = (_listed(name, version, made="file") for name, version in folder.rasters.items())
                return Listing(iter(_sorted(files)), whole=True, problems=list(folder.problems))
            if not versions:
                raise SourceError(
                    "There are no STAC items in this folder, and no rasters", fix="Check the path", href=href
                )
            found = _sorted(_listed(name, version) for name, version in versions.items())
            return Listing(iter(found), whole=True, problems=list(folder.problems))
        document = read_document(root, settings)
    elif is_raster(href):
        return Listing(iter([_file(href, settings)]), whole=True)
    else:
        document, versions = read_document(href, settings), None
    if document.kind is Kind.OTHER:
        raise SourceError("This JSON is not STAC", fix="Name a STAC document, a folder of them, or an API", href=href)
    if document.kind is Kind.API and is_http(href):
        search = Listing(iter(()), whole=False)
        search.listed = _search(href, settings, frozenset(collections), since, search, reading)
        return search
    return _catalog(document, versions, settings, reading, unread)


def _catalog(
    root: Document,
    versions: dict[str, Version] | None,
    settings: Settings,
    reading: ReadingTime,
    unread: Sequence[Unread],
) -> Listing:
    """Read catalogs and collections level by level, and list the items that they link to."""
    if versions is None and not is_http(root.href):
        versions = list_versions(root.href.rpartition("/")[0], settings)
    listed: list[ListedItem] = []
    problems: list[ImageRAGError] = []
    seen = {root.href}
    signed = SignedLinks(settings)
    level: list[tuple[Document | SourceError, str | None]] = [] if unread else [(root, None)]
    left = _still_followed(unread, settings)
    seen.update(each.href for each in left)
    read = 1
    while level or left:
        below, left = {each.href: each for each in left}, []
        for document, collection in level:
            if len(listed) > settings.limit_items:
                problems.append(too_many("items", settings.limit_items, "ITEMS", root.href))
                return Listing(iter(_sorted(listed[: settings.limit_items])), whole=True, problems=problems)
            if isinstance(document, SourceError) or document.kind is Kind.OTHER:
                problems.append(
                    document
                    if isinstance(document, SourceError)
                    else SourceError("This JSON is not STAC", fix="Correct the link to it", href=document.href)
                )
                continue
            if document.kind in (Kind.ITEM, Kind.ITEMS):
                listed.extend(_with_pages(document, collection, problems, settings, reading))
                continue
            collection = document.collection_of_items(collection)
            by_relation = {"item": document.links("item"), "child": document.links("items", "child")}
            for relation, hrefs in by_relation.items():
                fresh = [href for href in dict.fromkeys(hrefs) if href not in seen]
                seen.update(fresh)
                links = list(followed(fresh, document.href, settings))
                problems += [refused for _, refused in links if refused is not None]
                fresh = [href for href, refused in links if refused is None]
                signed.note(document, fresh)
                if relation == "item":
                    found = (_listed(href, (versions or {}).get(href), collection) for href in fresh)
                    listed.extend(replace(each, linked=True) for each in found)
                else:
                    below.update({href: Unread(href, document.href, collection) for href in fresh})
        if below and level and reading.is_up:  # some are read each time, so that it ends
            left = list(below.values())
            problems.append(reading.error(root.href))
            break
        if read + len(below) > settings.limit_catalogs:
            problems.append(too_many("catalogs", settings.limit_catalogs, "CATALOGS", root.href))
            below = dict(islice(below.items(), settings.limit_catalogs - read))
        level = []
        for href, each in signed.read_many(list(below), until=lambda: reading.is_up):
            level.append((each, below.pop(href).collection))
        read += len(level)
        left = list(below.values())
    return Listing(iter(_sorted(listed)), whole=True, problems=problems, unread=left)


def _still_followed(unread: Sequence[Unread], settings: Settings) -> list[Unread]:
    """Return what may be read yet: the settings may have changed, and this process may not know the hosts."""
    return [each for each in unread if refusal(each.href, each.origin, settings) is None]


def _with_pages(
    document: Document,
    collection: str | None,
    problems: list[ImageRAGError],
    settings: Settings,
    reading: ReadingTime,
) -> Iterator[ListedItem]:
    """Yield a document of items; if it is the first of several pages, between which items move, the items of all."""
    if document.kind is Kind.ITEM:
        yield _listed(document.href, None, collection, document)
        return
    single = next_link(document.content) is None
    for page in item_pages(document, settings, reading):
        if isinstance(page, SourceError):
            problems.append(page)
        elif single:
            yield _listed(page.href, None, collection, page)
        else:
            yield from (_entry(each, page.href, collection) for each in page.content["features"] if is_item(each))


def _entry(content: dict[str, Any], page: str, collection: str | None = None) -> ListedItem:
    """Return an item of a page by its collection and id, wherever the page is."""
    ref = f"{content.get('collection') or ''}/{content.get('id')}"
    updated = _moment(_properties(content).get("updated") or _properties(content).get("created"))
    return ListedItem(ref, _digest(content), updated, collection, document=Document(page, content))


def _search(
    url: str,
    settings: Settings,
    collections: frozenset[str],
    since: Since | None,
    listing: Listing,
    reading: ReadingTime,
) -> Iterator[ListedItem]:
    latest: datetime | None = None
    try:
        for content in search_api(url, settings, collections, since=since, everything=True, reading=reading):
            found = _entry(content, url)
            listing.ordered &= not (latest and found.updated and found.updated < latest)
            latest = found.updated or latest
            yield found
    except IncompleteListingError as error:
        listing.problems.append(error)


def _file(href: str, settings: Settings) -> ListedItem:
    """Return a single raster file; one of the web has no version, so it is read once, and again by a full scan."""
    if is_http(href):
        return ListedItem(href, "", None, made="file")
    return _listed(href, version_of(href, settings), made="file")


def _listed(
    href: str,
    version: Version | None,
    collection: str | None = None,
    document: Document | None = None,
    made: Made = "",
) -> ListedItem:
    if version is None:
        return ListedItem(href, _digest(document.content) if document else "", None, collection, document)
    now = datetime.now(UTC)
    updated = min(version.updated, now) if version.updated else None
    return ListedItem(href, version.token, updated, collection, document, made)


def _sorted(listed: Iterator[ListedItem] | list[ListedItem]) -> list[ListedItem]:
    beginning = datetime.min.replace(tzinfo=UTC)
    return sorted(listed, key=lambda each: (each.updated or beginning, each.ref))


def _digest(content: dict[str, Any]) -> str:
    """Return the digest of an item's JSON without its links and signatures."""
    try:
        text = json.dumps(stable_content(content), sort_keys=True, default=lambda _: None)
    except RecursionError:  # the item will be refused; until then, only reading it tells whether it changed
        return ""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _properties(content: dict[str, Any]) -> dict[str, Any]:
    properties = content.get("properties")
    return properties if isinstance(properties, dict) else {}


def _moment(text: object) -> datetime | None:
    """Return a time of an item, at most now: a clock that is ahead must not hide later items."""
    try:
        moment = datetime.fromisoformat(str(text))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(moment.astimezone(UTC), datetime.now(UTC))
    except (ValueError, OverflowError):  # no time, or one that is before the year 1 or after 9999 in UTC
        return None


def read_listed(
    listed: Sequence[ListedItem],
    source: str,
    settings: Settings,
    *,
    collections: Sequence[str] = (),
    items: Collection[str] = (),
) -> Iterator[tuple[ListedItem, list[Scene | FailedItem]]]:
    """Read and validate documents in order, several at once; yield each with its scenes and unusable items.

    The list is empty for JSON that is not STAC, and for items in none of `collections` if any are given.

    Args:
        listed: The documents, as :func:`list_source` lists them.
        source: What the person gave.
        settings: How the documents are reached, and which assets are imagery.
        collections: Take only items of these.
        items: References of documents that held items before: if one is not STAC any more, that is an error, since a
            server's message in its place does not say that the items are gone.
    """
    wanted = frozenset(collections)
    source = recordable(source.strip())

    def validated(found: ItemRef | FailedItem) -> Scene | FailedItem:
        if isinstance(found, FailedItem):
            return found
        try:
            keep(found, settings)
            found = found.within_boundary(settings)
            return scene_from_item(
                found.content, item_href=found.href, base=found.base, source=source, settings=settings, made=found.made
            )
        except Exception as error:  # of one item
            return found.failed(error)

    with ThreadPoolExecutor(_THREADS) as pool:

        def results(each: ListedItem, document: Document | SourceError | None) -> list[Scene | FailedItem]:
            if document is None:
                return [] if wanted else [validated(made[each.ref])]
            if isinstance(document, SourceError):
                return [failed_document(each.ref, document)]
            if document.kind is Kind.OTHER and each.ref in items:
                error = SourceError("This JSON is not STAC any more", fix="Write the item again", href=each.ref)
                return [failed_document(each.ref, error)]
            if document.kind is Kind.OTHER and each.linked:
                error = SourceError("This JSON is not STAC", fix="Correct the link to it", href=each.ref)
                return [failed_document(each.ref, error)]
            found = [item for item in _items(each, document) if not wanted or wanted & item.collections]
            return list(pool.map(validated, found))

        for start in range(0, len(listed), _CHUNK):
            chunk = listed[start : start + _CHUNK]
            files = [each for each in chunk if each.made]
            made = {
                each.ref: item
                for each, item in zip(files, pool.map(partial(_made, settings=settings), files), strict=True)
            }
            unread = [each.ref for each in chunk if each.document is None and not each.made]
            documents = dict(read_documents(unread, settings))
            for each in chunk:
                try:
                    found = results(each, None if each.made else each.document or documents[each.ref])
                except Exception as error:  # of one document
                    found = [failed_document(each.ref, error)]
                yield each, found


def _made(listed: ListedItem, settings: Settings) -> ItemRef | FailedItem:
    """Return the item that is made of a file or layer, or why there is none."""
    if listed.made == "file":
        return file_item(listed.ref, settings)
    try:
        return layer_item(listed.ref, settings)
    except Exception as error:  # of one layer
        return FailedItem(layer_id(parse_layer(listed.ref)), listed.ref, error_of_item(error, href=listed.ref))


def _items(listed: ListedItem, document: Document) -> list[ItemRef]:
    if listed.ref != document.href:  # an item of a page
        return [found_in(document.content, base=document.href, collection=listed.collection)]
    return list(items_of(document, listed.collection)) if document.kind in (Kind.ITEM, Kind.ITEMS) else []
