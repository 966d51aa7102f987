"""Read and list JSON documents, and tell which kind of STAC they are.

All JSON except an API's search results comes through here.  What an item means does not belong here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import fsspec

from imagerag_assets.errors import SourceError, shown
from imagerag_assets.objects import http
from imagerag_assets.objects.addresses import absolute_href, filesystem, is_http, is_remote, is_s3, other_spellings
from imagerag_assets.objects.boundary import refusal
from imagerag_assets.objects.bounded import find_objects, info_of, read_object
from imagerag_assets.objects.deadlines import TooManyError, TooSlowError, in_time
from imagerag_assets.objects.failures import explain_failure, is_transient
from imagerag_assets.objects.guarded import Reach
from imagerag_assets.objects.signed import has_expired, keep_signature, requested
from imagerag_assets.plain_files.names import is_raster
from imagerag_assets.settings import Settings
from imagerag_assets.stac.parsing import parse

_SUFFIXES = (".json", ".geojson")
_BATCH = 32
_LOOKED_INTO = 64


class Kind(Enum):
    """What a JSON document is."""

    ITEM = "item"
    ITEMS = "item collection"
    CATALOG = "catalog or collection"
    API = "API landing page"
    OTHER = "not STAC"


@dataclass(frozen=True)
class Document:
    """A JSON object and where it was read."""

    href: str
    content: dict[str, Any]

    @property
    def kind(self) -> Kind:
        """Which kind of STAC this is."""
        return kind_of(self.content)

    def collection_of_items(self, above: str | None) -> str | None:
        """Return the id of the collection that items below this document belong to; `above`: that of those above it."""
        is_collection = self.content.get("type") == "Collection" or "extent" in self.content
        return str(self.content.get("id")) if is_collection else above

    def links(self, *relations: str) -> list[str]:
        """Return the absolute hrefs of the links with one of these relations, in order; skip links without an href."""
        links = self.content.get("links")
        return [
            absolute_href(link["href"], self.href, page=link["rel"] == "next")
            for link in (links if isinstance(links, list) else [])
            if isinstance(link, dict) and link.get("rel") in relations and isinstance(link.get("href"), str)
        ]


def followed(hrefs: Iterable[str], origin: str, settings: Settings) -> Iterator[tuple[str, SourceError | None]]:
    """Yield the links of the document at `origin`, each with the error if it must not be followed."""
    for href in hrefs:
        refused = refusal(href, origin, settings)
        yield href, None if refused is None else refused.error(href, origin)


def kind_of(content: dict[str, Any]) -> Kind:
    """Return which kind of STAC a JSON object is, if any."""
    kind, links = content.get("type"), content.get("links")
    if kind == "Feature":
        return Kind.ITEM if "stac_version" in content or "assets" in content else Kind.OTHER
    if kind == "FeatureCollection":
        features = content.get("features")
        if not isinstance(features, list):
            return Kind.OTHER
        is_stac = "stac_version" in content or not features or any(_is_item(each) for each in features)
        return Kind.ITEMS if is_stac else Kind.OTHER
    if kind not in ("Catalog", "Collection") and _may_have_been_item(content):
        return Kind.ITEM  # which is checked: it is to fail under its name, and not to be taken for an empty catalog
    if not isinstance(links, list) or not ("stac_version" in content or kind in ("Catalog", "Collection")):
        return Kind.OTHER
    if any(isinstance(link, dict) and link.get("rel") == "search" for link in links):
        return Kind.API
    return Kind.CATALOG


def _is_item(entry: Any) -> bool:
    return isinstance(entry, dict) and kind_of(entry) is Kind.ITEM


def _may_have_been_item(content: dict[str, Any]) -> bool:
    """Return whether an object has what items have, and nothing of catalogs and collections."""
    known = content.keys()
    is_stac = "stac_version" in known or "assets" in known
    return is_stac and len({"geometry", "properties", "assets", "bbox"} & known) > 1 and "extent" not in known


def read_document(href: str, settings: Settings, *, page: bool = False) -> Document:
    """Read one JSON object from a path, an ``s3://`` or an ``http(s)://`` address.

    Args:
        href: Where it is.
        settings: How S3 is reached.
        page: It is a further page of a listing, so that a `token` in its address is no signature.

    Raises:
        SourceError: it is missing, cannot be reached or read, or is not a JSON object.
    """
    href = keep_signature(href, page=page)
    try:
        (data,) = _contents([href], settings)
        if isinstance(data, Exception):
            raise data
        return Document(href, parse(data, href, settings))
    except SourceError:  # also one of the boundary
        raise
    except IsADirectoryError:
        raise SourceError("This is a folder, not a JSON document", fix="Name a document in it", href=href) from None
    except Exception as error:  # fsspec, s3fs, botocore and requests share no base class
        raise failure(error, href, settings) from shown(error)


def failure(error: BaseException, href: str, settings: Settings) -> SourceError:
    """Return the one-line error for anything that a file system raised."""
    if isinstance(error, SourceError):
        return error
    message, fix = explain_failure(error, href, settings)
    if isinstance(error, PermissionError) and has_expired(href):
        message, fix = "The signature of the address has expired", "Get a new one from where it came from"
    return SourceError(message, fix=fix, transient=is_transient(error, href), href=href)


def is_folder(href: str, settings: Settings) -> bool:
    """Return whether this is a folder, a bucket, or a prefix with objects below it.

    Raises:
        SourceError: nothing has that name, or it cannot be reached.
    """
    if is_http(href) or (is_s3(href) and href.lower().endswith(_SUFFIXES)):
        return False
    try:
        if is_s3(href) and not filesystem(href, settings)[1]:
            raise SourceError("The address names no bucket", fix="Give s3://bucket/prefix", href=href)
        return bool(info_of(href, settings)["type"] == "directory")
    except SourceError:
        raise
    except Exception as error:  # see read_document
        raise failure(error, href, settings) from error


@dataclass(frozen=True)
class Version:
    """What a listing says about a document."""

    token: str
    """Changes when the document does."""
    updated: datetime | None
    """Aware, UTC."""


def list_documents(folder: str, settings: Settings) -> list[str]:
    """Return the addresses of the JSON documents in a folder or below a prefix, at any depth, sorted.

    Raises:
        SourceError: the folder is missing or cannot be reached.
    """
    return list(list_versions(folder, settings))


def list_versions(folder: str, settings: Settings) -> dict[str, Version]:
    """Return the same as :func:`list_documents`, each with its version.  No document is read.

    Raises:
        SourceError: the folder is missing or cannot be reached.
    """
    return list_folder(folder, settings).documents


@dataclass(frozen=True)
class Folder:
    """What is in a folder or below a prefix, at any depth: addresses, sorted, each with its version."""

    documents: dict[str, Version]
    """JSON documents."""
    rasters: dict[str, Version]
    """Raster files, those that belong to items among them."""
    problems: tuple[SourceError, ...] = ()
    """Folders below it that could not be listed."""


def list_folder(folder: str, settings: Settings) -> Folder:
    """List a folder or prefix once.  No file is read.

    Raises:
        SourceError: the folder is missing or cannot be reached.
    """
    unlisted: list[OSError] = []
    try:
        fs, path = filesystem(folder, settings)
        if is_remote(folder):
            found = find_objects(folder, settings)
        else:
            slow = TooSlowError(settings.limit_listing_s, "LISTING")
            found = in_time(slow, _files_below, fs, path, unlisted.append, settings.limit_items)
            if not found:
                in_time(slow, fs.ls, path)  # it may be missing
    except Exception as error:  # see read_document
        raise failure(error, folder, settings) from error
    scheme = folder.split("://", 1)[0] + "://" if is_remote(folder) else ""
    named = {scheme + name: info for name, info in sorted(found.items())}
    return Folder(
        documents={
            name: _version(info)
            for name, info in named.items()
            if name.lower().endswith(_SUFFIXES)
            and (info.get("size") or 0) <= settings.limit_document_bytes  # larger ones are not items
            and not name.rsplit("/", 1)[-1].startswith("._")  # macOS's notes about a file of that name
        },
        rasters={name: _version(info) for name, info in named.items() if is_raster(name)},
        problems=tuple(failure(error, str(error.filename or folder), settings) for error in unlisted),
    )


def _files_below(
    fs: fsspec.AbstractFileSystem, path: str, unlisted: Callable[[OSError], None], at_most: int
) -> dict[str, dict[str, Any]]:
    """Return the files below a local folder; `fs.find` would leave out, in silence, folders that cannot be listed.

    What was deleted meanwhile is gone; `lost+found` belongs to the file system, and only root may list it.
    """
    found: dict[str, dict[str, Any]] = {}
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        try:
            listed = fs.ls(folder, detail=True)
        except OSError as error:
            if os.path.isdir(folder) and os.path.basename(folder) != "lost+found":
                unlisted(OSError(error.errno, error.strerror, folder))
            continue
        waiting += [info["name"] for info in listed if info["type"] == "directory"]
        found |= {info["name"]: info for info in listed if info["type"] != "directory"}
        if len(found) + len(waiting) > at_most:
            raise TooManyError(at_most)
    return found


def holds_stac(documents: Sequence[str], settings: Settings) -> bool:
    """Return whether a folder with these documents is a source of STAC items, and not one of plain files.

    It is if one of the first documents is STAC, cannot be read, or may have been an item before it broke: a broken item
    must not make plain scenes of its files.  What does not even begin like JSON or a server's message was none.
    So is a folder with more documents of other kinds than are worth reading at every tick.
    """
    first = documents[:_LOOKED_INTO]
    for start in range(0, len(first), _BATCH):
        batch = first[start : start + _BATCH]
        contents = zip(batch, _contents(batch, settings), strict=True)
        if any(_may_be_stac(href, data, settings) for href, data in contents):
            return True
    return len(documents) > _LOOKED_INTO


def _may_be_stac(href: str, data: bytes | Exception, settings: Settings) -> bool:
    if isinstance(data, Exception):
        return True
    try:
        return kind_of(parse(data, href, settings)) is not Kind.OTHER
    except SourceError:
        begin = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        return begin in (b"", b"{", b"<")


def version_of(href: str, settings: Settings) -> Version:
    """Return the version of one file.

    Raises:
        SourceError: it is missing or cannot be reached.
    """
    try:
        return _version(info_of(href, settings))
    except Exception as error:  # see read_document
        raise failure(error, href, settings) from error


def _version(info: dict[str, Any]) -> Version:
    """Return the version in fsspec's description of an S3 object or a local file."""
    updated = info.get("LastModified") or info.get("mtime")
    if isinstance(updated, float | int):
        updated = datetime.fromtimestamp(updated, UTC)
    token = str(info.get("ETag") or "").strip('"') or f"{info.get('size')}-{info.get('mtime')}"
    return Version(token, updated if isinstance(updated, datetime) else None)


def _contents(hrefs: Sequence[str], settings: Settings) -> list[bytes | Exception]:
    """Return the content of each document, several read at a time; an exception in place of a failed one."""
    web = [href for href in hrefs if is_http(href)]
    signed = [requested(href) for href in web]
    most, seconds = settings.limit_document_bytes, settings.limit_document_s
    came = http.read_all(signed, at_most=most, seconds=seconds, reach=Reach(signed, settings)) if web else ()
    read_there = dict(zip(web, came, strict=True))

    def read(href: str) -> bytes | Exception:
        if href in read_there:
            return read_there[href]
        error: Exception | None = None
        # Other spellings are tried where nothing has the name.  `fs.cat` would take brackets for patterns.
        for name in (href, *other_spellings(href)):
            try:
                return read_object(name, settings)
            except FileNotFoundError as missing:
                error = error or missing
            except Exception as other:  # see read_document
                return error or other
        assert error is not None
        return error

    with ThreadPoolExecutor(min(_BATCH, len(hrefs))) as pool:
        return list(pool.map(read, hrefs))


def read_documents(
    hrefs: Sequence[str], settings: Settings, until: Callable[[], bool] = lambda: False
) -> Iterator[tuple[str, Document | SourceError]]:
    """Read many documents, in order, several at a time; yield an error in place of a failed one.

    `until` is asked after some of them whether to stop.
    """
    for start in range(0, len(hrefs), _BATCH):
        if start and until():
            return
        batch = hrefs[start : start + _BATCH]
        for href, data in zip(batch, _contents(batch, settings), strict=True):
            try:
                if isinstance(data, Exception):
                    raise failure(data, href, settings)
                yield href, Document(href, parse(data, href, settings))
            except SourceError as error:
                yield href, error
