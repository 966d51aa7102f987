"""Parse JSON documents within the limits of the settings, and say which limit was passed."""

from __future__ import annotations

import json
import zlib
from typing import Any

from imagerag_assets.errors import SourceError
from imagerag_assets.objects.bounded import TooManyError
from imagerag_assets.objects.deadlines import TooLargeError, TooSlowError
from imagerag_assets.settings import Settings


def passed_limit(error: BaseException, settings: Settings) -> tuple[str, str] | None:
    """Return what was too much and which setting says so, in two short texts; None: no limit was passed."""
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, TooLargeError):
            return f"The document has {each}", "Split it, or raise IMAGERAG_LIMIT_DOCUMENT_BYTES"
        if isinstance(each, TooManyError):
            return f"The listing has {each}", "Name a folder or prefix below it, or raise IMAGERAG_LIMIT_ITEMS"
        if isinstance(each, TooSlowError):
            listing = each.seconds == settings.limit_listing_s
            what, name = ("listing", "LISTING") if listing else ("document", "DOCUMENT")
            return (f"The {what} did not come in {each.seconds:g} s",
                    f"Try again later, or raise IMAGERAG_LIMIT_{name}_S")  # fmt: skip
        each = each.__cause__ or each.__context__
    return None


def parse(data: bytes, href: str, settings: Settings) -> dict[str, Any]:
    """Parse one JSON object, gzipped or not; NaN and infinities, which are not JSON, become null.

    Raises:
        SourceError: it is not a JSON object, or passes a limit.
    """
    data = _unzipped(data, href, settings.limit_document_bytes)
    if not data.strip():
        raise SourceError("The document is empty", fix="Write it again", href=href)
    try:
        content = json.loads(data.decode(json.detect_encoding(data)), parse_constant=lambda _: None)
    except UnicodeDecodeError:
        raise SourceError("This is not Unicode text, so it is not JSON", fix="Write it in UTF-8", href=href) from None
    except (ValueError, RecursionError) as error:
        detail = str(error) if not isinstance(error, RecursionError) else "nested too deeply"
        raise SourceError(f"This is not JSON ({detail[:100]})", fix="Name a STAC document or API", href=href) from None
    if not isinstance(content, dict):
        raise SourceError("This JSON is not an object, so it is not STAC", fix="Name a STAC document or API", href=href)
    check_shape(content, href, settings)
    return content


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
