"""What a person gives to name an online layer: an address, a box, a zoom and a date, as one text.

The text is the address followed by ``#bbox=W,S,E,N&zoom=Z&date=D``, so that it passes wherever a source does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from imagerag_assets.errors import SourceError
from imagerag_assets.objects.addresses import is_http
from imagerag_assets.online_layers.hosts import check_address
from imagerag_assets.online_layers.secrets import HIDDEN, hide_keys, without_variables

MAX_ZOOM = 24
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_KNOWN = frozenset({"z", "x", "y", "-y", "date"})
_ALIASES = {"TileMatrix": "z", "TileCol": "x", "TileRow": "y", "zoom": "z", "Time": "date"}
_OPTIONS = ("bbox", "zoom", "date")
_EXAMPLE = "https://host/{z}/{x}/{y}.png"


@dataclass(frozen=True)
class Layer:
    """A part of an online layer."""

    kind: Literal["xyz", "wmts", "wms"]
    template: str
    """The address, its keys hidden."""
    bbox: tuple[float, float, float, float]
    """West, south, east, north in degrees; west < east."""
    zoom: int
    """Of web maps: a pixel is 156543 m / 2**zoom at the equator."""
    date: str | None = None
    """When the imagery was taken, ISO 8601; also what ``{date}`` in the template stands for."""

    @property
    def source(self) -> str:
        """Return the layer as one text, its keys hidden."""
        return layer_source(self.template, bbox=self.bbox, zoom=self.zoom, date=self.date)

    @property
    def has_hidden_keys(self) -> bool:
        """Return whether the address held a key in clear text."""
        return HIDDEN in self.template

    @property
    def moment(self) -> datetime | None:
        """Return the date, aware, in UTC."""
        if self.date is None:
            return None
        moment = datetime.fromisoformat(self.date)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON; :meth:`from_dict` reads it."""
        return {"kind": self.kind, "template": self.template, "bbox": list(self.bbox), "zoom": self.zoom,
                "date": self.date}  # fmt: skip

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> Layer:
        """Read what :meth:`to_dict` wrote, and check it again.

        Raises:
            SourceError: it is not such a layer.
        """
        try:
            return parse_layer(
                layer_source(said["template"], bbox=said["bbox"], zoom=said["zoom"], date=said.get("date"))
            )
        except (KeyError, TypeError) as error:
            raise SourceError(f"This is not the description of a layer ({error})", fix="Ingest it again") from None


def layer_source(
    source: str, *, bbox: Sequence[float] | str | None = None, zoom: int | None = None, date: str | None = None
) -> str:
    """Return a source and its options as one text; options that are given replace those in the text."""
    address, _, fragment = source.strip().partition("#")
    box = bbox if isinstance(bbox, str) or bbox is None else ",".join(f"{value:.15g}" for value in bbox)
    given = {"bbox": box, "zoom": None if zoom is None else str(zoom), "date": date}
    options = _options(fragment) | {name: value for name, value in given.items() if value is not None}
    return address + ("#" if options else "") + "&".join(f"{name}={options[name]}" for name in options)


def is_layer(source: str) -> bool:
    """Return whether a source is meant as an online layer: a template, a WMS or WMTS address, or one with options."""
    address, _, fragment = source.strip().partition("#")
    if "://" not in address:
        return False
    found = {_ALIASES.get(name, name) for name in _PLACEHOLDER.findall(without_variables(address))}
    if _options(fragment).keys() & {"bbox", "zoom"} or ("x" in found and found & {"y", "-y"}):
        return True
    return is_http(address) and (bool(found) or _service(address) is not None)


def parse_layer(source: str) -> Layer:
    """Read the text that names a layer, and check it; keys in it are hidden.

    Raises:
        SourceError: the address is not http(s), leads to a metadata service, or is of no known kind; or the box, the
            zoom or the date is missing or cannot be used.
    """
    address, _, fragment = source.strip().partition("#")
    address = address.replace("%7B", "{").replace("%7D", "}").replace("%7b", "{").replace("%7d", "}")
    template = hide_keys(address)
    check_address(_PLACEHOLDER.sub("0", without_variables(address)), shown=template)
    options = _options(fragment)
    kind, template = _kind(address, template)
    date = _date(options.get("date"), template)
    return Layer(kind, template, _bbox(options.get("bbox"), template), _zoom(options.get("zoom"), template), date)


def _options(fragment: str) -> dict[str, str]:
    return {name: value for name, value in parse_qsl(fragment, keep_blank_values=True) if name in _OPTIONS}


def _service(address: str) -> Literal["wms", "wmts"] | None:
    query = {name.lower(): value.lower() for name, value in parse_qsl(urlsplit(address).query, keep_blank_values=True)}
    path = urlsplit(address).path.lower()
    if query.get("service") == "wmts" or "wmtscapabilities" in path or re.search(r"(^|[/.])wmts/?$", path):
        return "wmts"
    if query.get("service") == "wms" or query.get("request") == "getmap" or re.search(r"(^|[/.])wms/?$", path):
        return "wms"
    return None


def _kind(address: str, template: str) -> tuple[Literal["xyz", "wmts", "wms"], str]:
    named = _PLACEHOLDER.findall(without_variables(address))
    found = {_ALIASES.get(name, name) for name in named}
    if unknown := sorted(found - _KNOWN):
        raise SourceError(
            f"The template has a placeholder that is not known: {{{unknown[0][:40]}}}",
            fix="Use {z}, {x}, {y} (or {-y} where rows count from the south) and {date}",
            href=template,
        )
    service = _service(address)
    if found - {"date"} or service is None:
        missing = [name for name in ("z", "x", "y") if name not in found and not (name == "y" and "-y" in found)]
        if missing:
            braces = ", ".join(f"{{{name}}}" for name in missing)
            raise SourceError(
                f"The template of tiles has no {braces}",
                fix=f"Give an address like {_EXAMPLE}, or one of a WMS or WMTS with service=WMS or service=WMTS",
                href=template,
            )
        return "xyz", template
    return service, template


def _bbox(text: str | None, template: str) -> tuple[float, float, float, float]:
    about: dict[str, Any] = {"bbox": text, "href": template}
    if text is None:
        raise SourceError(
            "An online layer needs a box", fix="Give --bbox W,S,E,N in degrees, and --zoom", href=template
        )
    try:
        west, south, east, north = (float(value) for value in text.split(","))
    except ValueError:
        raise SourceError("The bbox is not four numbers", fix="Give W,S,E,N in degrees", **about) from None
    if not all(map(math.isfinite, (west, south, east, north))):
        raise SourceError("The bbox is not four numbers", fix="Give W,S,E,N in degrees", **about)
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= 90 and -90 <= north <= 90):
        raise SourceError("The bbox is not in degrees of longitude and latitude", fix="Give W,S,E,N", **about)
    if west > east:
        raise SourceError(
            "The bbox crosses the antimeridian (west > east)", fix="Ingest its two halves, or swap the two", **about
        )
    if west == east or south >= north:
        what = "width" if west == east else "height"
        raise SourceError(f"The bbox has no {what}", fix="Give W,S,E,N with W < E and S < N", **about)
    return west, south, east, north


def _zoom(text: str | None, template: str) -> int:
    if text is None:
        raise SourceError("An online layer needs a zoom", fix=f"Give --zoom 0 to {MAX_ZOOM}", href=template)
    if not re.fullmatch(r"\d{1,2}", text) or int(text) > MAX_ZOOM:
        raise SourceError(
            f"The zoom {text[:20]!r} is not a whole number from 0 to {MAX_ZOOM}", fix="Correct it", href=template
        )
    return int(text)


def _date(text: str | None, template: str) -> str | None:
    if text is None:
        if any(_ALIASES.get(name, name) == "date" for name in _PLACEHOLDER.findall(without_variables(template))):
            raise SourceError("The template asks for a date", fix="Give --date, e.g. 2024-06-30", href=template)
        return None
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise SourceError(
            f"The date {text[:40]!r} cannot be read", fix="Give one like 2024-06-30 or 2024-06-30T10:11:12Z",
            href=template,
        ) from None  # fmt: skip
    return text
