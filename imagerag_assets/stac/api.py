"""Search a STAC API with pystac-client.

Only the conversation with the API belongs here; items come back as JSON, to be validated like any others.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pystac_client
from pystac import Link
from pystac_client.conformance import ConformanceClasses
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from requests import Request
from requests.exceptions import RequestException

from imagerag_assets.errors import SourceError, shown
from imagerag_assets.json_text import read_json
from imagerag_assets.masking import masked
from imagerag_assets.objects.addresses import is_http
from imagerag_assets.objects.failures import is_transient, passed_limit
from imagerag_assets.objects.guarded import Reach, guarded_session
from imagerag_assets.objects.http import retries
from imagerag_assets.objects.signed import requested
from imagerag_assets.settings import Settings
from imagerag_assets.stac.paging import EndlessPagesError, Pages, incomplete, next_request
from imagerag_assets.stac.parsing import check_shape
from imagerag_assets.stac.reading_time import ReadingTime

_PAGE = 100
_NAMED, _MOST_COLLECTIONS = 50, 10_000
_TIMEOUT_S = 60
#: By pystac-client; NotImplementedError if an API does not say that it can be searched.
_RAISED = (
    APIError,
    RequestException,
    NotImplementedError,
    AttributeError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
)
_HASHED_KEY = re.compile(r"-[0-9a-f]{12}$")


@dataclass(frozen=True)
class Since:
    """Which items to look at again."""

    updated: datetime
    """Items updated since then, if the API can filter by that."""
    acquired: datetime | None
    """Otherwise items acquired since then; None: all."""


def search_api(
    url: str,
    settings: Settings,
    collections: frozenset[str],
    scenes: frozenset[str] = frozenset(),
    limit: int | None = None,
    *,
    since: Since | None = None,
    everything: bool = False,
    reading: ReadingTime | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the items of an API, page by page as they are consumed, the oldest update first if the API sorts.

    An item that comes twice, because the pages shifted between two requests, is skipped.

    Args:
        url: The landing page.
        settings: What its documents may link to.
        collections: Search these collections; may be empty where `scenes` or `limit` bounds the search.
        scenes: Search for these scene keys or item ids; items with similar ids may be among the results.
        limit: About how many items will be consumed.
        since: Leave out older items.
        everything: Search the whole API if nothing else limits the search.
        reading: How long it may take; no page is asked for after that.

    Raises:
        SourceError: the API cannot be reached, refuses the search, or would be read as a whole.
        IncompleteListingError: the API failed, or listed fewer items than it says that it has, or does not say that it
            listed all of them.  The items before that were yielded.
    """
    pages = Pages(settings=settings)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an API that forgets to declare a conformance class still works
            api = _Api(url, settings)
            client = pystac_client.Client.open(requested(url), stac_io=api, timeout=_TIMEOUT_S)
            if not (collections or scenes or limit or everything):
                names = ", ".join(collection.id for collection in islice(client.get_collections(), _NAMED))
                raise SourceError(
                    f"An API is searched by collection; it has: {names[:400] or 'none'}",
                    fix="Give --collection, --scene or --limit",
                    source=url,
                )
            search = client.search(
                method="POST" if _posts(client) else "GET",
                collections=sorted(collections) or None,
                ids=_ids(client, collections, scenes) or None,
                limit=min(limit or _PAGE, _PAGE),
                **(_newer(client, since) if since is not None or everything else {}),
            )
        pages.asked = search.get_parameters().get("limit") or _PAGE
        for page in _pages(api, search, url, reading):
            if isinstance(page, dict):
                check_shape(page, url, settings)
            yield from pages.take(page)
        if what := pages.shortfall():
            raise incomplete(url, what)
    except SourceError:
        raise
    except EndlessPagesError as error:
        raise incomplete(url, str(error)) from None
    except _RAISED as error:
        status = str(getattr(error, "status_code", None) or "")
        detail = masked(" ".join(str(error).split()))[:200] or type(error).__name__
        detail = f"HTTP {status}: {detail}" if status else detail
        unreachable = isinstance(error, RequestException) or "Max retries" in detail
        transient = unreachable or is_transient(error, url) or status == "429" or status[:1] == "5"
        said = "Cannot connect to the API" if unreachable else f"The API refused the search ({detail})"
        said, fix = passed_limit(error) or (said, "Check the URL, the network and the collections")
        if pages.seen:
            raise incomplete(url, f"{len(pages.seen)} items came, then: {said}", transient=transient) from shown(error)
        raise SourceError(said, fix=fix, transient=transient, source=url) from shown(error)


class _Api(StacApiIO):
    """Talks to an API, whose documents lead to what they may name only: never to files of this machine."""

    def __init__(self, url: str, settings: Settings) -> None:
        super().__init__(timeout=_TIMEOUT_S, request_modifier=_with_login)
        self.session = guarded_session(Reach([url], settings), retries())

    def read_text(self, source: Any, *args: Any, **kwargs: Any) -> str:
        if not isinstance(source, Link) and not is_http(str(source)):
            raise SourceError("A document of the web names a file of this machine", href=str(source))
        return super().read_text(source, *args, **kwargs)

    def json_loads(self, txt: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read what orjson would refuse, too: one item with NaN, a huge number or half a character is no bad page."""
        page: dict[str, Any] = read_json(txt)
        return page


def _with_login(request: Request) -> Request:
    request.url = requested(str(request.url))
    return request


def _pages(
    api: StacApiIO, search: pystac_client.ItemSearch, url: str, reading: ReadingTime | None
) -> Iterator[dict[str, Any]]:
    """Yield the pages of a search.  An empty one does not end it, as long as it links to the next."""
    parameters = search.get_parameters()
    page = api.read_json(search.url, method=search.method, parameters=parameters)
    at = search.url
    asked: set[str] = set()
    while True:
        yield page
        following = next_request(page, at)
        if following is None:
            return
        at = str(following["href"])
        request = json.dumps([at, following.get("body"), following.get("headers")], sort_keys=True)
        if request in asked:
            raise incomplete(url, "the API returns the same page again")
        asked.add(request)
        if reading is not None and reading.is_up:
            raise incomplete(url, reading.say(), transient=True)
        page = api.read_json(Link.from_dict(following), parameters=parameters)


def _newer(client: pystac_client.Client, since: Since | None) -> dict[str, Any]:
    """Return the arguments of a search for new items, as far as the API supports that."""
    options: dict[str, Any] = {}
    if client.conforms_to(ConformanceClasses.SORT):
        options["sortby"] = "+properties.updated"
    if since is None:
        return options
    if client.conforms_to(ConformanceClasses.FILTER):
        moment = since.updated.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        if _posts(client):
            options["filter"] = {"op": ">=", "args": [{"property": "updated"}, {"timestamp": moment}]}
        else:
            options["filter"] = f"updated >= TIMESTAMP('{moment}')"
    elif since.acquired is not None:
        options["datetime"] = f"{since.acquired.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z/.."
    return options


def _posts(client: pystac_client.Client) -> bool:
    return any(
        link.rel == "search" and str(link.extra_fields.get("method", "")).upper() == "POST" for link in client.links
    )


def _ids(client: pystac_client.Client, collections: frozenset[str], scenes: frozenset[str]) -> list[str]:
    """Return the item ids that names may stand for: a scene key is an id, or a collection, a dot and an id.

    Return none (search all) if the id cannot be read off a scene key.
    """
    if any(_HASHED_KEY.search(name) for name in scenes):
        return []
    every = islice(client.get_collections(), _MOST_COLLECTIONS)
    known = collections or {collection.id for collection in every} if scenes else ()
    shortened = {name.removeprefix(f"{collection}.") for name in scenes for collection in known}
    return sorted(scenes | shortened)
