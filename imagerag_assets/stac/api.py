"""Searching a STAC API with pystac-client.

Only the conversation with the API lives here; items come back as JSON, to be validated like any other.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

import pystac_client
from pystac_client.exceptions import APIError
from requests.exceptions import RequestException

from imagerag_assets.errors import SourceError

_PAGE = 100
_TIMEOUT_S = 60
_HASHED_KEY = re.compile(r"-[0-9a-f]{12}$")


def search_api(
    url: str, collections: frozenset[str], scenes: frozenset[str], limit: int | None
) -> Iterator[dict[str, Any]]:
    """Items of an API, page by page as they are consumed.

    Args:
        url: The landing page.
        collections: Search these collections; may be empty where `scenes` or `limit` bounds the search.
        scenes: Search for these scene keys or item ids; items that only look alike may come too.
        limit: About how many items will be consumed.

    Raises:
        SourceError: the API cannot be reached, refuses the search, or would be read as a whole.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an API that forgets to declare a conformance class still works
            client = pystac_client.Client.open(url, timeout=_TIMEOUT_S)
            if not (collections or scenes or limit):
                names = ", ".join(collection.id for collection in client.get_collections())
                raise SourceError(
                    f"An API is searched by collection; it has: {names[:400] or 'none'}",
                    fix="Give --collection, --scene or --limit",
                    source=url,
                )
            search = client.search(
                method="GET" if not _posts(client) else "POST",
                collections=sorted(collections) or None,
                ids=_ids(client, collections, scenes) or None,
                limit=min(limit or _PAGE, _PAGE),
            )
        yield from search.items_as_dicts()
    except SourceError:
        raise
    except (APIError, RequestException, NotImplementedError, KeyError, TypeError, ValueError) as error:
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        unreachable = isinstance(error, RequestException) or "Max retries" in detail
        raise SourceError(
            "Cannot connect to the API" if unreachable else f"The API refused the search ({detail})",
            fix="Check the URL, the network and the collections",
            source=url,
        ) from error


def _posts(client: pystac_client.Client) -> bool:
    return any(
        link.rel == "search" and str(link.extra_fields.get("method", "")).upper() == "POST" for link in client.links
    )


def _ids(client: pystac_client.Client, collections: frozenset[str], scenes: frozenset[str]) -> list[str]:
    """Item ids that the wanted names may stand for: a scene key is an id, or a collection, a dot and an id.

    Empty (search all) if a name is a scene key from which the id cannot be told.
    """
    if any(_HASHED_KEY.search(name) for name in scenes):
        return []
    known = collections or {collection.id for collection in client.get_collections()} if scenes else ()
    shortened = {name.removeprefix(f"{collection}.") for name in scenes for collection in known}
    return sorted(scenes | shortened)
