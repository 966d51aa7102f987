"""Items written to disk, and a small STAC API that pystac-client really searches."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

Item = dict[str, Any]


@pytest.fixture
def item() -> Callable[..., Item]:
    """Build a STAC 1.0 item with one RGB asset; keyword arguments replace top-level fields."""

    def build(item_id: str = "scene-1", href: str = "./image.tif", **fields: Any) -> Item:
        return {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": item_id,
            "bbox": [10.0, 50.0, 10.01, 50.01],
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[10.0, 50.0], [10.01, 50.0], [10.01, 50.01], [10.0, 50.01], [10.0, 50.0]]],
            },
            "properties": {"datetime": "2024-05-01T10:00:00Z", "eo:cloud_cover": 12.5},
            "links": [],
            "assets": {"image": {"href": href, "type": "image/tiff; application=geotiff", "roles": ["data"]}},
        } | fields

    return build


@pytest.fixture
def write() -> Callable[[Path, Any], Path]:
    """Write JSON to a path, making its folders."""

    def to(path: Path, content: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return to


@pytest.fixture
def write_tif() -> Callable[..., Path]:
    """Write a small tiled GeoTIFF whose every value differs from its neighbours'."""

    def to(path: Path, *, size: int = 64, bands: int = 3) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.arange(bands * size * size, dtype=np.uint32).reshape(bands, size, size) % 251
        with rasterio.open(
            path, "w", driver="GTiff", width=size, height=size, count=bands, dtype="uint8", crs="EPSG:32632",
            tiled=True, blockxsize=64, blockysize=64, transform=from_origin(500000, 5600000, 1, 1),
        ) as target:  # fmt: skip
            target.write(values.astype(np.uint8))
        return path

    return to


@dataclass
class StacApi:
    """A running API over a list of items."""

    url: str
    items: list[Item]
    searches: list[dict[str, str]] = field(default_factory=list)
    """The query of every page that was asked for."""
    page: int = 2
    fail_at_token: str | None = None


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
            ],
            "links": [
                {"rel": "self", "href": f"{api.url}/"}, {"rel": "root", "href": f"{api.url}/"},
                {"rel": "data", "href": f"{api.url}/collections"},
                {"rel": "search", "type": "application/geo+json", "href": f"{api.url}/search", "method": "GET"},
            ],
        }  # fmt: skip
    names = sorted({item["collection"] for item in api.items})
    if path == "/collections":
        return 200, {"collections": [_collection(api, name) for name in names], "links": []}
    if path == "/search":
        return _search(api, query)
    return 404, {"code": "NotFound", "description": path}


def _collection(api: StacApi, name: str) -> dict[str, Any]:
    return {
        "type": "Collection", "id": name, "stac_version": "1.0.0", "description": name, "license": "other",
        "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
        "links": [{"rel": "self", "href": f"{api.url}/collections/{name}"}],
    }  # fmt: skip


def _search(api: StacApi, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
    api.searches.append(query)
    start = int(query.get("token", "0"))
    if api.fail_at_token is not None and query.get("token") == api.fail_at_token:
        return 400, {"code": "BadRequest", "description": "no such token"}
    chosen = [
        item
        for item in api.items
        if ("collections" not in query or item["collection"] in query["collections"].split(","))
        and ("ids" not in query or item["id"] in query["ids"].split(","))
    ]
    size = min(api.page, int(query.get("limit", "10")))
    links = []
    if start + size < len(chosen):
        others = "&".join(f"{name}={value}" for name, value in query.items() if name != "token")
        links = [{"rel": "next", "method": "GET", "href": f"{api.url}/search?{others}&token={start + size}"}]
    return 200, {"type": "FeatureCollection", "features": chosen[start : start + size], "links": links}
