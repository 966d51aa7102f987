"""A real server of map tiles for tests: XYZ, TMS, WMS and WMTS on a free loopback port.

Every pixel of a tile says which tile it is.  Import :func:`tile_server` to have the fixture.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.objects import http

HALF = 20037508.342789244


@dataclass
class TileServer:
    """A running server; change its fields to have it misbehave."""

    url: str
    asked: list[str] = field(default_factory=list)
    """Path and query of every request."""
    codes: dict[str, int] = field(default_factory=dict)
    """The status of requests whose path and query contain a text; the first that fits counts."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """What is sent, with status 200, in place of tiles whose path contains a text."""
    redirects: dict[str, str] = field(default_factory=dict)
    """Where requests whose path contains a text are sent on to."""
    px: int = 256

    def colour(self, z: int, x: int, y: int) -> tuple[int, int, int]:
        """Return the colour of a tile of the web map."""
        return 40 + z * 5 % 200, 10 + x * 37 % 240, 10 + y * 53 % 240


def picture(colour: tuple[int, int, int], px: int, size: tuple[int, int] | None = None) -> bytes:
    """Return a PNG of one colour with a little texture, which keeps blue, green and red within 3 of it."""
    width, height = size or (px, px)
    grain = np.random.default_rng(sum(colour)).integers(0, 4, (height, width, 1), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray((np.array(colour, np.uint8) + grain).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def tile_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[TileServer]:
    """Serve tiles until the test ends; repeated requests do not wait."""
    monkeypatch.setattr(http, "_BACKOFF_S", 0)
    server = TileServer("")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing on the terminal."""

        def do_GET(self) -> None:
            server.asked.append(self.path)
            for text, target in server.redirects.items():
                if text in self.path:
                    self.send_response(302)
                    self.send_header("Location", target)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
            code = next((code for text, code in server.codes.items() if text in self.path), 200)
            body = next((body for text, body in server.bodies.items() if text in self.path), None)
            if code == 200 and body is None:
                try:
                    body = _body(server, self.path)
                except (KeyError, ValueError, IndexError):
                    code = 404
            self.send_response(code)
            body = body if code == 200 and body is not None else b"no"
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        server.url = f"http://127.0.0.1:{running.server_address[1]}"
        yield server
        running.shutdown()
        thread.join()


def _body(server: TileServer, path: str) -> bytes:
    parts = urlsplit(path)
    query = {name.upper(): values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    kind, *rest = parts.path.strip("/").split("/")
    if kind == "xyz":
        z, x, y = (int(value) for value in [*rest[-3:-1], rest[-1].partition(".")[0]])
        return picture(server.colour(z, x, y), server.px)
    if kind == "tms":
        z, x, y = (int(value) for value in [*rest[-3:-1], rest[-1].partition(".")[0]])
        return picture(server.colour(z, x, 2**z - 1 - y), server.px)
    if kind == "wms":
        return _map(server, query)
    if kind == "wmts" and query.get("REQUEST", "").lower() == "getcapabilities":
        return capabilities(server.url).encode()
    if kind == "wmts" and query.get("REQUEST", "").lower() == "gettile":
        level, column, row = query["TILEMATRIX"], int(query["TILECOL"]), int(query["TILEROW"])
        return picture(server.colour(int(level.rpartition(":")[2]), column, row), 256)
    raise ValueError(path)


def _map(server: TileServer, query: dict[str, str]) -> bytes:
    """Draw the web map in a box: each pixel has the colour of the zoom 12 tile that it lies in."""
    if query["REQUEST"] != "GetMap" or query["LAYERS"] != "ortho" or query.get("SRS", query.get("CRS")) != "EPSG:3857":
        return b"<ServiceExceptionReport/>"
    left, bottom, right, top = (float(value) for value in query["BBOX"].split(","))
    width, height = int(query["WIDTH"]), int(query["HEIGHT"])
    side = 2 * HALF / 2**12
    xs = ((left + (np.arange(width) + 0.5) * (right - left) / width + HALF) // side).astype(int)
    ys = ((HALF - top + (np.arange(height) + 0.5) * (top - bottom) / height) // side).astype(int)
    pixels = np.zeros((height, width, 3), np.uint8)
    for x in np.unique(xs):
        for y in np.unique(ys):
            pixels[np.ix_(ys == y, xs == x)] = server.colour(12, int(x), int(y))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def capabilities(url: str, *, resource: str = "", formats: str = "<Format>image/png</Format>") -> str:
    """Return the capabilities of a WMTS with the layers `ortho` (web map) and `plate` (degrees)."""
    web = "".join(
        f"<TileMatrix><ows:Identifier>web:{z}</ows:Identifier>"
        f"<ScaleDenominator>{2 * HALF / (256 * 2**z) / 0.00028!r}</ScaleDenominator>"
        f"<TopLeftCorner>{-HALF} {HALF}</TopLeftCorner><TileWidth>256</TileWidth><TileHeight>256</TileHeight>"
        f"<MatrixWidth>{2**z}</MatrixWidth><MatrixHeight>{2**z}</MatrixHeight></TileMatrix>"
        for z in range(16)
    )
    degree_m = 6378137.0 * np.pi / 180
    plate = "".join(
        f"<TileMatrix><ows:Identifier>{z}</ows:Identifier>"
        f"<ScaleDenominator>{180 / 256 / 2**z * degree_m / 0.00028!r}</ScaleDenominator>"
        f"<TopLeftCorner>90 -180</TopLeftCorner><TileWidth>256</TileWidth><TileHeight>256</TileHeight>"
        f"<MatrixWidth>{2 * 2**z}</MatrixWidth><MatrixHeight>{2**z}</MatrixHeight></TileMatrix>"
        for z in range(12)
    )

    def layer(name: str, grid: str) -> str:
        return (
            f"<Layer><ows:Identifier>{name}</ows:Identifier><Style isDefault='true'><ows:Identifier>plain"
            f"</ows:Identifier></Style>{formats}<TileMatrixSetLink><TileMatrixSet>{grid}</TileMatrixSet>"
            f"</TileMatrixSetLink>{resource}</Layer>"
        )

    return (
        '<?xml version="1.0"?><Capabilities xmlns="http://www.opengis.net/wmts/1.0" '
        'xmlns:ows="http://www.opengis.net/ows/1.1" xmlns:xlink="http://www.w3.org/1999/xlink">'
        '<ows:OperationsMetadata><ows:Operation name="GetTile"><ows:DCP><ows:HTTP>'
        f'<ows:Get xlink:href="{url}/wmts?"/></ows:HTTP></ows:DCP></ows:Operation></ows:OperationsMetadata>'
        f"<Contents>{layer('ortho', 'web')}{layer('plate', 'plate')}"
        f"<TileMatrixSet><ows:Identifier>web</ows:Identifier><ows:SupportedCRS>urn:ogc:def:crs:EPSG::3857"
        f"</ows:SupportedCRS>{web}</TileMatrixSet>"
        f"<TileMatrixSet><ows:Identifier>plate</ows:Identifier><ows:SupportedCRS>urn:ogc:def:crs:EPSG::4326"
        f"</ows:SupportedCRS>{plate}</TileMatrixSet></Contents></Capabilities>"
    )
