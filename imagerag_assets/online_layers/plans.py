"""What fetching a layer takes: its grid, the pixels that cover the box, and the address of each tile."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from imagerag_assets.errors import ImageRAGError, SourceError
from imagerag_assets.objects import http
from imagerag_assets.objects.boundary import refusal
from imagerag_assets.objects.failures import is_transient
from imagerag_assets.objects.guarded import Reach
from imagerag_assets.online_layers.address import Layer
from imagerag_assets.online_layers.grids import WEB_MERCATOR, Cover, TileGrid, cover, web_grid
from imagerag_assets.online_layers.secrets import reveal_keys
from imagerag_assets.online_layers.wmts import capabilities_address, read_capabilities
from imagerag_assets.settings import Settings

_WMS_PX = 1024  # a WMS draws what it is asked for: larger pieces are fewer requests
_LARGEST_CAPABILITIES = 64 * 2**20
_PLACE = re.compile(r"\{(z|x|-?y|date|zoom|Time|TileMatrix|TileCol|TileRow)\}")

TileAddress = Callable[[int, int], str]


@dataclass(frozen=True)
class Plan:
    """How a layer is fetched."""

    layer: Layer
    cover: Cover
    address: TileAddress
    """Return the address of the tile in a column and row; keys are in it in clear text."""

    @property
    def folder(self) -> str:
        """Return a name for the tiles of this layer, date and level, whatever the box."""
        said = [self.layer.template, self.layer.date, self.cover.grid.level, self.cover.grid.tile_px]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24]


def make_plan(layer: Layer, settings: Settings) -> Plan:
    """Return how a layer is fetched; of a WMTS, the capabilities are read.

    Args:
        layer: The layer.
        settings: How many pixels it may have.

    Raises:
        SourceError: a key is missing, the service is unreachable or has no such layer, or the box cannot be used.
    """
    if layer.kind == "wmts":
        grid, address = _wmts(layer, settings)
    else:
        template = reveal_keys(layer.template)
        if layer.kind == "wms":
            grid = web_grid(layer.zoom, _WMS_PX)
            address = _get_map(layer, template, grid)
        else:
            grid = web_grid(layer.zoom)
            address = _filled(layer, template, grid)
    return Plan(layer, cover(grid, layer.bbox, settings.layer_pixels, layer.template), address)


def _filled(layer: Layer, template: str, grid: TileGrid) -> TileAddress:
    """Return the address of tiles that a template gives."""

    def address(column: int, row: int) -> str:
        values = {"x": column, "TileCol": column, "y": row, "TileRow": row, "-y": grid.rows - 1 - row}
        values |= dict.fromkeys(("z", "zoom", "TileMatrix"), grid.level)  # type: ignore[arg-type]
        values |= dict.fromkeys(("date", "Time"), layer.date or "")  # type: ignore[arg-type]
        return _PLACE.sub(lambda found: quote(str(values[found[1]]), safe=":"), template)

    return address


def _get_map(layer: Layer, template: str, grid: TileGrid) -> TileAddress:
    """Return the address of pieces of a WMS's map."""
    parts = urlsplit(template)
    given = {name.upper(): value for name, value in parse_qsl(parts.query, keep_blank_values=True)}
    if not given.get("LAYERS"):
        raise SourceError("The address names no layer of the WMS", fix="Add layers=NAME to it", href=layer.template)
    query = {"STYLES": "", "FORMAT": "image/png", "TRANSPARENT": "TRUE", "VERSION": "1.1.1"} | given
    query |= {"SERVICE": "WMS", "REQUEST": "GetMap", "WIDTH": str(grid.tile_px), "HEIGHT": str(grid.tile_px)}
    query.pop("CRS", None), query.pop("SRS", None)
    query["SRS" if query["VERSION"].startswith(("1.0", "1.1")) else "CRS"] = WEB_MERCATOR
    query = {name: _PLACE.sub(lambda _: layer.date or "", value) for name, value in query.items()}
    side = grid.resolution * grid.tile_px

    def address(column: int, row: int) -> str:
        left, top = grid.left + column * side, grid.top - row * side
        box = ",".join(f"{value:.15g}" for value in (left, top - side, left + side, top))
        return urlunsplit(parts._replace(query=urlencode(query | {"BBOX": box}, safe=",:/")))

    return address


def _wmts(layer: Layer, settings: Settings) -> tuple[TileGrid, TileAddress]:
    given = reveal_keys(layer.template)
    given = _PLACE.sub(lambda _: layer.date or "", given)
    address = capabilities_address(given)
    reach = Reach([address], settings, shown=layer.template)
    (data,) = http.read_all([address], at_most=_LARGEST_CAPABILITIES, reach=reach)
    if isinstance(data, ImageRAGError):
        raise data
    if isinstance(data, Exception):
        raise SourceError(
            f"The capabilities of the WMTS cannot be read ({reason_of(data)})",
            fix="Check the address and the network",
            transient=is_transient(data, given),
            href=layer.template,
        ) from None
    tiles = read_capabilities(data, given, layer.zoom, layer.date, layer.template)
    if (refused := refusal(_PLACE.sub("0", tiles.template), address, settings)) is not None:
        raise refused.error(layer.template, None)
    return tiles.grid, _filled(layer, tiles.template, tiles.grid)


def reason_of(error: Exception) -> str:
    """Return why a tile or document did not come, without its address, which may hold a key."""
    if isinstance(error, FileNotFoundError):
        return "not found"
    if isinstance(error, PermissionError):
        return "access denied"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"HTTP {status}"
    name = type(error).__name__
    if "Timeout" in name:
        return "the server is too slow"
    if "Connection" in name or "Retry" in name or "Proxy" in name or "SSL" in name:
        return "cannot connect"
    if isinstance(error, ImageRAGError):
        return error.message
    return "too large" if str(error).startswith("more than") else name
