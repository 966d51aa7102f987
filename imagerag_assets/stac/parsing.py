"""Parse JSON documents within the limits of the settings."""

from __future__ import annotations

import json
import zlib
from typing import Any

from imagerag_assets.errors import SourceError
from imagerag_assets.json_text import read_json
from imagerag_assets.settings import Settings


def parse(data: bytes, href: str, settings: Settings) -> dict[str, Any]:
    """Parse one JSON object, gzipped or not; NaN and infinities, which are not JSON, become null.

    Raises:
        SourceError: it is not a JSON object, or passes a limit.
    """
    data = _unzipped(data, href, settings.limit_document_bytes)
    if not data.strip():
        raise SourceError("The document is empty", fix="Write it again", href=href)
    _check_values(data, href, settings.limit_document_values)
    try:
        content = read_json(data.decode(json.detect_encoding(data)))
    except UnicodeDecodeError:
        raise SourceError("This is not Unicode text, so it is not JSON", fix="Write it in UTF-8", href=href) from None
    except ValueError as error:
        raise SourceError(
            f"This is not JSON ({str(error)[:100]})", fix="Name a STAC document or API", href=href
        ) from None
    if not isinstance(content, dict):
        raise SourceError("This JSON is not an object, so it is not STAC", fix="Name a STAC document or API", href=href)
    check_shape(content, href, settings)
    return content


def _check_values(data: bytes, href: str, at_most: int) -> None:
    """Refuse JSON of so many values that reading it would take gigabytes; commas and brackets tell before it is read.

    Raises:
        SourceError: it is.
    """
    if len(data) <= at_most:
        return
    count = sum(map(data.count, (b",", b"[", b"{")))
    if count > at_most:
        raise SourceError(
            f"The document has some {count:,} values; at most {at_most:,} are read",
            fix="Split it, or raise IMAGERAG_LIMIT_DOCUMENT_VALUES",
            href=href,
        )


def check_shape(content: dict[str, Any], href: str, settings: Settings) -> None:
    """Refuse a document that is nested too deeply, or has too many links.

    Raises:
        SourceError: it is.
    """
    level: list[Any] = [content]
    depth = 0
    while level:
        depth += 1
        if depth > settings.limit_document_depth:
            raise SourceError(
                f"The document is nested deeper than {settings.limit_document_depth} levels",
                fix="Correct it, or raise IMAGERAG_LIMIT_DOCUMENT_DEPTH",
                href=href,
            )
        level = [
            each
            for value in level
            for each in (value.values() if isinstance(value, dict) else value)
            if isinstance(each, dict | list)
        ]
    links = content.get("links")
    if isinstance(links, list) and len(links) > settings.limit_links:
        raise SourceError(
            f"The document has {len(links):,} links; at most {settings.limit_links:,} are followed",
            fix="Split it into catalogs, or raise IMAGERAG_LIMIT_LINKS",
            href=href,
        )


def too_many(what: str, at_most: int, setting: str, href: str) -> SourceError:
    """Return the error for a source that has more of something than is read."""
    return SourceError(
        f"The source has more than {at_most:,} {what}; the others are not read",
        fix=f"Name a part of it, or raise IMAGERAG_LIMIT_{setting}",
        href=href,
    )


def _unzipped(data: bytes, href: str, at_most: int) -> bytes:
    """Return a document without its compression: buckets keep some gzipped, and not every client is told so."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    unzip = zlib.decompressobj(wbits=31)
    try:
        plain = unzip.decompress(data, at_most)
    except zlib.error:
        plain = b""
    if len(plain) == at_most and not unzip.eof:
        raise SourceError(f"The document has more than {at_most:,} bytes when it is unzipped",
                          fix="Split it, or raise IMAGERAG_LIMIT_DOCUMENT_BYTES", href=href)  # fmt: skip
    if not unzip.eof:
        raise SourceError("The gzipped document is damaged", fix="Write it again", href=href)
    return plain
