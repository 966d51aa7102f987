"""Whether the pages of a listing were all of it: what they say of how many items there are, and what came.

`api` asks for the pages of a search; :func:`item_pages` follows those of an item collection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from imagerag_assets.errors import IncompleteListingError, SourceError
from imagerag_assets.escaping import one_line
from imagerag_assets.objects.boundary import authority, check, is_same_host
from imagerag_assets.settings import Settings
from imagerag_assets.stac.documents import Document, Kind, kind_of, read_document
from imagerag_assets.stac.reading_time import ReadingTime

_OF_PAGES = re.compile(
    r"accept|accept-language|content-type|prefer"
    r"|(?:x-)?(?:search|page|paging|pagination|next|cursor|continuation|after|offset|limit)(?:-[\w-]+)?",
    re.IGNORECASE,
)
"""Headers that a link to the next page may ask for, such as STAC's example `Search-After`."""
_EMPTY_PAGES = 50
"""Pages without an item, in succession, after which a server is not asked for more."""


class EndlessPagesError(ValueError):
    """The pages of a listing repeat, have no items any more, or are too many."""


@dataclass
class Pages:
    """The pages of one listing so far."""

    asked: float | None = None
    """Items that each page was asked to hold."""
    settings: Settings | None = None
    """The limits; None: none."""
    seen: set[str] = field(default_factory=set)
    """What identifies each item that came."""
    _told: set[float] = field(default_factory=set)  # how many items there are, as pages said
    _sizes: list[int] = field(default_factory=list)
    _limit: float | None = None  # items of a page, as the last page said
    broken: int = 0
    """Entries that are not items."""
    _open: bool = False  # the last page links to a next one without an address
    _empty: int = 0

    def take(self, page: Any) -> list[dict[str, Any]]:
        """Return the items of a page that did not come before.

        Raises:
            TypeError: it is no item collection.
            EndlessPagesError: nothing new comes any more, or there are too many.
        """
        features = page.get("features") if isinstance(page, dict) else None
        if not isinstance(page, dict) or "features" not in page:
            raise TypeError(f"a page is not an item collection: {json.dumps(page, default=str)[:100]}")
        if not isinstance(features, list):
            raise TypeError("its features are not a list")
        items = [each for each in features if isinstance(each, dict)]
        fresh = {name: each for each in items if (name := _name(each)) not in self.seen}
        self.broken += len(features) - len(items)
        self._sizes.append(len(features))
        self._empty = 0 if features else self._empty + 1
        self._check_limits(fresh)
        context = page.get("context")
        context = context if isinstance(context, dict) else {}
        self._limit = _count(context.get("limit"))
        told = (_count(value) for value in (page.get("numberMatched"), context.get("matched")))
        self._told.update(count for count in told if count is not None)
        self._open = next_link(page) is None and any(link.get("rel") == "next" for link in _links(page))
        self.seen.update(fresh)
        if items and not fresh:
            raise EndlessPagesError("the API returns the same page again")
        if self._empty > _EMPTY_PAGES:
            raise EndlessPagesError("the API's pages are empty")
        return list(fresh.values())

    def _check_limits(self, fresh: Mapping[str, object]) -> None:
        if self.settings is None:
            return
        pages, items = self.settings.limit_pages, self.settings.limit_items
        if len(self._sizes) > pages:
            raise EndlessPagesError(f"it has more than {pages:,} pages (IMAGERAG_LIMIT_PAGES)")
        if len(self.seen) + len(fresh) > items:
            raise EndlessPagesError(f"it has more than {items:,} items (IMAGERAG_LIMIT_ITEMS)")

    def shortfall(self) -> str | None:
        """Return why the pages up to the last one are not known to be the whole listing; None if they are.

        They are if as many items came as the largest number that any of them said, or, if none said one, if the last
        one was not full: it has fewer items than it was asked for, than its `limit`, and than the page before.
        """
        came = len(self.seen)
        if self._open:
            return "the link to the next page has no address"
        if self._told and came < max(self._told):
            return f"{came} of {max(self._told):.0f} items came"
        if self._told and came > max(self._told):
            return f"{came} items came, although the API says that it has {max(self._told):.0f}"
        if self.broken:
            return f"{self.broken} entries are not items"
        *before, last = self._sizes or [0]
        full = min((size for size in (self.asked, self._limit, max(before, default=0)) if size), default=None)
        if not self._told and full is not None and last >= full:
            return "the last page is full, and nothing says whether more items follow"
        return None


def next_link(page: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the link of a page to the next one, if it has one with an address."""
    links = (each for each in _links(page) if each.get("rel") == "next")
    return next((each for each in links if isinstance(each.get("href"), str) and each["href"]), None)


def next_request(page: Mapping[str, Any], at: str) -> dict[str, Any] | None:
    """Return the link to the next page as it may be followed from the page at `at`; None if there is none.

    Its address is absolute.  Of the headers that it asks for, those remain that page through a listing, and none
    remains for another host: a document must not choose what else is sent in our name.

    Raises:
        SourceError: it asks for another method than GET and POST, or for a POST to another host.
    """
    following = next_link(page)
    if following is None:
        return None
    href = urljoin(at, str(following["href"]))  # some write it relative to the page that it is on
    method, same = (
        str(following.get("method") or "GET").upper(),
        is_same_host(authority(at), authority(href) or ("", 0)),
    )
    if method not in ("GET", "POST") or (method == "POST" and not same):
        what = "to another host" if method in ("GET", "POST") else "that may change something"
        raise SourceError(
            f"The next page asks for a {one_line(method)[:20]} {what}",
            fix="Report it to the API's operators",
            href=href,
        )
    given = following.get("headers")
    headers = {
        name: value
        for name, value in (given.items() if isinstance(given, dict) and same else ())
        if isinstance(value, str) and _OF_PAGES.fullmatch(name) and value.isprintable()
    }
    return {name: value for name, value in following.items() if name != "headers"} | {
        "href": href,
        "method": method,
        **({"headers": headers} if headers else {}),
    }


def is_item(entry: Any) -> bool:
    """Return whether an entry of a page is an item."""
    return isinstance(entry, dict) and kind_of(entry) is Kind.ITEM


def incomplete(source: str, what: str, *, transient: bool = False) -> IncompleteListingError:
    """Return the error for a listing that is not whole, or not known to be."""
    return IncompleteListingError(
        f"The listing is incomplete: {what}",
        fix="Try again later; if it stays so, report it to the API's operators",
        transient=transient,
        source=source,
    )


def item_pages(
    first: Document, settings: Settings, reading: ReadingTime | None = None
) -> Iterator[Document | SourceError]:
    """Yield an item collection and those that it links to as next, each with the items that did not come before.

    The last one is an error if a page cannot be read, if the time to read the source is up, or if they are not known to
    be the whole listing.  An item that comes twice within one document is yielded twice.
    """
    pages = Pages(_count(parse_qs(urlsplit(first.href).query).get("limit", [None])[0]), settings)
    page, read = first, {first.href}
    while True:
        features = page.content["features"]
        fresh = [each for each in features if not isinstance(each, dict) or _name(each) not in pages.seen]
        try:
            pages.take(page.content)
        except (TypeError, EndlessPagesError) as error:
            yield incomplete(first.href, str(error))
            return
        pages.broken += sum(isinstance(each, dict) and not is_item(each) for each in features)
        yield page if len(fresh) == len(features) else Document(page.href, page.content | {"features": fresh})
        following = page.links("next") if next_link(page.content) else []
        if not following:
            break
        if following[0] in read:
            yield incomplete(first.href, "the API returns the same page again")
            return
        read.add(following[0])
        if reading is not None and reading.is_up:
            yield incomplete(first.href, reading.say(), transient=True)
            return
        try:
            check(following[0], page.href, settings)
            page = read_document(following[0], settings, page=True)
            if page.kind is not Kind.ITEMS:
                raise SourceError("The next page is not an item collection", fix="Correct the link", href=page.href)
        except SourceError as error:
            yield error
            return
    if what := pages.shortfall():
        yield incomplete(first.href, what)


def _links(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    links = page.get("links")
    return [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []


def _count(value: object) -> float | None:
    """Return a number of items, also if it is written as text; None for anything else."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value[:30])
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None


def _name(item: dict[str, Any]) -> str:
    """Return what identifies an item: its collection and id, or its whole content if it has no id."""
    what = [item.get("collection"), item["id"]] if item.get("id") else item
    return json.dumps(what, sort_keys=True, default=str)
