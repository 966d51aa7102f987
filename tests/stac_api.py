"""A small STAC API on a real port, which pystac-client really searches.

Import :func:`stac_api` to have the fixture.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

Item = dict[str, Any]


@dataclass
class StacApi:
    """A running API over a list of items."""

    url: str
    items: list[Item]
    searches: list[dict[str, str]] = field(default_factory=list)
    """The query of every page that was asked for."""
    page: int = 2
    fail_at_token: str | None = None
    filters: bool = False
    """It conforms to the filter and sort extensions, as far as `updated` goes."""
    repeats: bool = False
    """Every page links to itself as the next one."""
    gaps: bool = False
    """Every page is followed by an empty one that links to the next."""
    matched: dict[str, Any] = field(default_factory=dict)
    """What each page says of the number of all items, e.g. ``{"numberMatched": 5}``."""
    busy: int = 0
    """So many searches more are answered with 429."""
    down_at_token: str | None = None
    """The page with this token is answered with 503, always."""
    relative: bool = False
    """Links to the next page are relative to the page."""
    cut: bool = False
    """Only the first page comes, without a link to the next."""


@pytest.fixture
def stac_api() -> Iterator[StacApi]:
    """A STAC API with landing page, collections and paged item search; put items into ``.items``."""
    api = StacApi(url="", items=[])

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing on the terminal."""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, content = _answer(api, parts.path, query)
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if status == 429:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield api
    server.shutdown()
    server.server_close()
    thread.join()


def _answer(api: StacApi, path: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
    if path == "/":
        return 200, {
            "type": "Catalog", "id": "api", "stac_version": "1.0.0", "description": "test API",
            "conformsTo": [
                "https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/collections",
                "https://api.stacspec.org/v1.0.0/item-search",
                *(f"https://api.stacspec.org/v1.0.0/item-search#{name}" for name in ("filter", "sort") if api.filters),
            ],
            "links": [
                {"rel": "self", "href": f"{api.url}/"}, {"rel": "root", "href": f"{api.url}/"},
                {"rel": "data", "href": f"{api.url}/collections"},
                {"rel": "search", "type": "application/geo+json", "href": f"{api.url}/search", "method": "GET"},
            ],
        }  # fmt: skip
    names = sorted({name for item in api.items if isinstance(name := item.get("collection"), str)})
    if path == "/collections":
        return 200, {"collections": [_collection(api, name) for name in names], "links": []}
    if path == "/search":
        return _search(api, query)
    parts = path.strip("/").split("/")
    if parts[0] == "collections" and parts[1] in names:
        return (200, _collection(api, parts[1])) if len(parts) == 2 else _search(api, query, path)
    return 404, {"code": "NotFound", "description": path}


def _collection(api: StacApi, name: str) -> dict[str, Any]:
    return {
        "type": "Collection", "id": name, "stac_version": "1.0.0", "description": name, "license": "other",
        "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
        "links": [
            {"rel": "self", "href": f"{api.url}/collections/{name}"},
            {"rel": "items", "href": f"{api.url}/collections/{name}/items"},
        ],
    }  # fmt: skip


def _search(api: StacApi, query: dict[str, str], path: str = "/search") -> tuple[int, dict[str, Any]]:
    api.searches.append(query)
    if api.busy:
        api.busy -= 1
        return 429, {"code": "TooMany", "description": "wait"}
    if api.down_at_token is not None and query.get("token") == api.down_at_token:
        return 503, {"code": "Down", "description": "try later"}
    gap = query.get("token", "").endswith("-gap")
    start = int(query.get("token", "0").removesuffix("-gap"))
    if api.fail_at_token is not None and query.get("token") == api.fail_at_token:
        return 400, {"code": "BadRequest", "description": "no such token"}
    chosen = [
        item
        for item in api.items
        if ("collections" not in query or item["collection"] in query["collections"].split(","))
        and ("ids" not in query or item["id"] in query["ids"].split(","))
        and ("filter" not in query or item["properties"].get("updated", "") >= query["filter"].split("'")[1])
    ]
    if "sortby" in query:
        chosen.sort(key=lambda item: item["properties"].get("updated", ""))
    size = min(api.page, int(query.get("limit", "10")))
    links = []
    if (gap or start + size < len(chosen)) and not api.cut:
        ahead = 0 if api.repeats or gap else size
        token = f"{start + ahead}{'-gap' if api.gaps and not gap else ''}"
        others = "&".join(f"{name}={value}" for name, value in query.items() if name != "token")
        links = [
            {
                "rel": "next",
                "method": "GET",
                "href": f"{'.' if api.relative else api.url}{path}?{others}&token={token}",
            }
        ]
    features = [] if gap else chosen[start : start + size]
    return 200, {"type": "FeatureCollection", "features": features, "links": links, **api.matched}
