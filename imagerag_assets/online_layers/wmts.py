"""Read what a WMTS says of a layer: the address of its tiles, and its grid at a zoom.

Only WMTS 1.0 is read, in whatever coordinate system the tiles have.
https://portal.ogc.org/files/?artifact_id=35326
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from xml.etree import ElementTree as ET

from pyproj import CRS
from pyproj.exceptions import CRSError

from imagerag_assets.errors import SourceError
from imagerag_assets.online_layers.grids import TileGrid, web_grid

_OWS, _WMTS = "{http://www.opengis.net/ows/1.1}", "{http://www.opengis.net/wmts/1.0}"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_PIXEL_M = 0.00028  # to which the standard's scales refer
_DEGREE_M = 6378137.0 * math.pi / 180
_WEB_PIXEL_M = web_grid(0).resolution
_OFF_AT_MOST = 0.75
"""How far the nearest level may be from the zoom that was asked for; some grids have steps of 2.5."""
_OGC = frozenset({"service", "request", "version", "layer", "style", "format", "tilematrixset"})
_FORMATS = ("image/png", "image/jpeg", "image/jpg", "image/webp")


@dataclass(frozen=True)
class Tiles:
    """A layer at one zoom."""

    grid: TileGrid
    template: str
    """Address of a tile, with ``{TileMatrix}``, ``{TileCol}`` and ``{TileRow}``; its keys are in clear text."""


def capabilities_address(address: str) -> str:
    """Return the address of the capabilities of a WMTS, from that of any of its requests."""
    parts = urlsplit(address)
    if parts.path.lower().endswith(".xml"):
        return urlunsplit(parts._replace(query=urlencode(_others(address))))
    asked = {"SERVICE": "WMTS", "REQUEST": "GetCapabilities", "VERSION": "1.0.0"}
    return urlunsplit(parts._replace(query=urlencode(asked | _others(address))))


def read_capabilities(data: bytes, address: str, zoom: int, date: str | None, shown: str) -> Tiles:
    """Return the tiles of the layer that an address names.

    Args:
        data: The capabilities.
        address: What was given, with the parameter `layer`, and `tilematrixset`, `style` and `format` where the service
            has several.
        zoom: The level whose name ends with this number; otherwise so many levels below the coarsest one.
        date: What the layer's dimension of time is set to; default: the layer's own default.
        shown: The layer, for errors.

    Raises:
        SourceError: the capabilities cannot be read, or the layer or its grid is not in them.
    """
    fault = _Faults(shown)
    try:
        root = ET.fromstring(data)  # nosec B314 # expat bounds what entities grow to, and fetches nothing
    except ET.ParseError as error:
        fault.tell(f"The capabilities of the WMTS cannot be read ({str(error)[:100]})", "Check the address")
    asked = {name.lower(): value for name, value in parse_qsl(urlsplit(address).query)}
    layers = {_text(each, f"{_OWS}Identifier"): each for each in root.iter(f"{_WMTS}Layer")}
    if "layer" not in asked and len(layers) == 1:
        asked["layer"] = next(iter(layers))
    layer = layers.get(asked.get("layer", ""))
    if layer is None:
        said = "The WMTS has no such layer" if "layer" in asked else "The address names no layer of the WMTS"
        fault.tell(f"{said}; it has {', '.join(layers)[:300] or 'none'}", "Add layer=NAME to the address")
    matrix_set = _matrix_set(root, layer, asked.get("tilematrixset"), fault)
    grid = _grid(matrix_set, zoom, fault)
    formats = [each.text or "" for each in layer.findall(f"{_WMTS}Format")]
    form = asked.get("format") or next((each for each in _FORMATS if each in formats), None)
    if form is None:
        fault.tell(f"The layer has no tiles that can be read; it has {', '.join(formats)[:200] or 'none'}", "")
    style = asked.get("style") or _style(layer)
    chosen = {"Style": style, "TileMatrixSet": _text(matrix_set, f"{_OWS}Identifier")} | _dimensions(layer, date)
    resource = next(
        (each.get("template") for each in layer.findall(f"{_WMTS}ResourceURL")
         if each.get("resourceType") == "tile" and each.get("format") == form and each.get("template")),
        None,
    )  # fmt: skip
    if resource is not None:
        for name, value in chosen.items():
            resource = re.sub(rf"\{{{re.escape(name)}\}}", lambda _, v=value: v, resource, flags=re.IGNORECASE)  # type: ignore[misc]
        return Tiles(grid, resource)
    base = _get_tile(root) or address
    query = {"SERVICE": "WMTS", "REQUEST": "GetTile", "VERSION": "1.0.0", "LAYER": asked["layer"], "FORMAT": form}
    query |= {name.upper(): value for name, value in chosen.items()}
    query = _others(base) | (_others(address) if urlsplit(base).netloc == urlsplit(address).netloc else {}) | query
    places = "TILEMATRIX={TileMatrix}&TILEROW={TileRow}&TILECOL={TileCol}"
    return Tiles(grid, f"{base.partition('?')[0]}?{urlencode(query)}&{places}")


@dataclass(frozen=True)
class _Faults:
    shown: str

    def tell(self, what: str, fix: str) -> NoReturn:
        raise SourceError(what, fix=fix, href=self.shown) from None


def _others(address: str) -> dict[str, str]:
    """Return the parameters of an address that are none of the standard's, a key for example."""
    query = parse_qsl(urlsplit(address).query, keep_blank_values=True)
    return {name: value for name, value in query if name.lower() not in _OGC}


def _text(element: ET.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _matrix_set(root: ET.Element, layer: ET.Element, asked: str | None, fault: _Faults) -> ET.Element:
    """Return the set of matrices that was asked for; else the web map's, else the layer's first."""
    linked = [_text(each, f"{_WMTS}TileMatrixSet") for each in layer.findall(f"{_WMTS}TileMatrixSetLink")]
    sets = {_text(each, f"{_OWS}Identifier"): each for each in root.iter(f"{_WMTS}TileMatrixSet") if len(each)}
    known = [name for name in linked if name in sets]
    if asked is not None and asked not in known:
        fault.tell(f"The layer has no grid {asked[:60]}; it has {', '.join(known)[:200]}", "Correct tilematrixset")
    if not known:
        fault.tell("The WMTS describes no grid of the layer", "Give the address of its tiles, with {z}, {x} and {y}")
    web = [name for name in known if re.search(r"(3857|900913)$", _text(sets[name], f"{_OWS}SupportedCRS"))]
    return sets[asked or (web or known)[0]]


def _grid(matrix_set: ET.Element, zoom: int, fault: _Faults) -> TileGrid:
    matrices = matrix_set.findall(f"{_WMTS}TileMatrix")
    try:
        crs = CRS.from_user_input(_text(matrix_set, f"{_OWS}SupportedCRS"))
        scales = {id(each): float(_text(each, f"{_WMTS}ScaleDenominator")) for each in matrices}
        matrices.sort(key=lambda each: -scales[id(each)])
        # Levels are numbered as each service likes: what a zoom means is the width of its pixels.
        zooms = [math.log2(_WEB_PIXEL_M / (scales[id(each)] * _PIXEL_M)) for each in matrices]
        index = min(range(len(zooms)), key=lambda number: abs(zooms[number] - zoom))
        if abs(zooms[index] - zoom) > _OFF_AT_MOST:
            listed = ", ".join(dict.fromkeys(f"{each:.0f}" for each in zooms))
            fault.tell(f"The grid has no zoom {zoom}; it has about {listed[:200]}", "Correct --zoom")
        found = matrices[index]
        first, second = (float(value) for value in _text(found, f"{_WMTS}TopLeftCorner").split())
        # The corner's numbers are in the order of the system's axes.
        north_first = crs.axis_info[0].direction in ("north", "south")
        left, top = (second, first) if north_first else (first, second)
        unit = _DEGREE_M if crs.is_geographic else crs.axis_info[0].unit_conversion_factor
        sizes = [int(_text(found, f"{_WMTS}{name}")) for name in ("TileWidth", "TileHeight", "MatrixWidth",
                                                                   "MatrixHeight")]  # fmt: skip
    except (CRSError, ValueError, IndexError, KeyError, ZeroDivisionError) as error:
        fault.tell(f"The grid of the layer cannot be read ({str(error)[:100]})", "Check the service")
    if sizes[0] != sizes[1] or not 64 <= sizes[0] <= 4096 or min(sizes) < 1 or not scales[id(found)] > 0:
        fault.tell(f"The tiles of the layer are of {sizes[0]}x{sizes[1]} px", "Give a grid of square tiles")
    step = scales[id(found)] * _PIXEL_M / unit
    epsg = crs.to_epsg()
    web = web_grid(zoom, sizes[0])
    if epsg in (3857, 900913) and abs(web.resolution / step - 1) < 1e-6 and abs(left - web.left) < web.resolution:
        left, top, step = web.left, web.top, web.resolution  # as exact as can be
    return TileGrid(
        f"EPSG:{epsg}" if epsg else crs.to_wkt(),
        left,
        top,
        step,
        sizes[0],
        sizes[2],
        sizes[3],
        _text(found, f"{_OWS}Identifier"),
    )


def _style(layer: ET.Element) -> str:
    styles = layer.findall(f"{_WMTS}Style")
    best = next((each for each in styles if each.get("isDefault") == "true"), styles[0] if styles else None)
    return "default" if best is None else _text(best, f"{_OWS}Identifier")


def _dimensions(layer: ET.Element, date: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in layer.findall(f"{_WMTS}Dimension"):
        name = _text(each, f"{_OWS}Identifier")
        found[name] = date if date and name.lower() == "time" else _text(each, f"{_WMTS}Default")
    return found


def _get_tile(root: ET.Element) -> str | None:
    for operation in root.iter(f"{_OWS}Operation"):
        if operation.get("name") == "GetTile":
            return next((each.get(_XLINK) for each in operation.iter(f"{_OWS}Get") if each.get(_XLINK)), None)
    return None
