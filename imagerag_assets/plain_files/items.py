"""Make the STAC item of one raster file: footprint, time and bands, as far as the file tells."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pystac
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_gcps

from imagerag_assets.errors import RasterError
from imagerag_assets.objects.addresses import is_http
from imagerag_assets.objects.apart import reading
from imagerag_assets.objects.bounded import info_of
from imagerag_assets.objects.failures import explain_failure, is_transient
from imagerag_assets.objects.gdal import gdal_path, rasterio_env
from imagerag_assets.objects.opening import open_raster, raster_errors
from imagerag_assets.objects.peek import check_way
from imagerag_assets.plain_files.dates import Dated, find_date
from imagerag_assets.plain_files.footprint import Footprint, find_footprint
from imagerag_assets.plain_files.names import driver, file_name, item_id, media_type
from imagerag_assets.settings import Settings

ASSET = "image"
MADE_FROM, DATE_FROM = "imagerag:made_from", "imagerag:datetime_from"
"""Properties of items that were made here: what of, and where the time comes from."""

_PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
_EO = "https://stac-extensions.github.io/eo/v2.0.0/schema.json"
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)  # for pystac, which refuses an item without any time; never shown
_COLOURS = {ColorInterp.red: "red", ColorInterp.green: "green", ColorInterp.blue: "blue"}
_RAISED: tuple[type[BaseException], ...] = (*raster_errors(), OSError)


def item_of_file(href: str, settings: Settings, modified: datetime | None = None) -> dict[str, Any]:
    """Return the JSON of a STAC item for a raster file; only the file's head is read.

    Args:
        href: Absolute path, ``s3://`` or ``http(s)://`` address of a GeoTIFF, JPEG 2000, PNG or JPEG.
        settings: How it is reached.
        modified: When the file was last changed; default: the file system is asked.

    Raises:
        RasterError: it cannot be opened, or is in another format than its name says.
    """
    name = file_name(href)
    check_way(href, settings)
    if modified is None:
        modified = _modified(href, settings)
    place, dated, bands, projection = reading(href, "opened", settings, _head, href, name, modified, settings)
    item = make_item(item_id(href), place, dated, "file")
    item.properties |= {"title": name} | projection
    item.stac_extensions = [_PROJECTION, *([_EO] if any("eo:common_name" in band for band in bands) else [])]
    asset = pystac.Asset(href, title=name, media_type=media_type(href), roles=["data"], extra_fields={"bands": bands})
    item.add_asset(ASSET, asset)
    return content_of(item, dated)


def _head(
    href: str, name: str, modified: datetime | None, settings: Settings
) -> tuple[Footprint | None, Dated, list[dict[str, Any]], dict[str, Any]]:
    """Return place, time, bands and grid by the head of a file."""
    with rasterio_env(settings, [href]), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with open_raster(gdal_path(href), driver=driver(href)) as dataset:
                dated = find_date(_tags(dataset), name.rpartition(".")[0], modified)
                return _place(dataset), dated, _bands(dataset), _projection(dataset)
        except _RAISED as error:
            detail = str(error.__cause__ or error).split("\n", 1)[0].replace(gdal_path(href), "the file")
            raise RasterError(
                f"image cannot be opened ({detail[:200]})",
                href=href.split("?", 1)[0] if is_http(href) else href,
                transient=is_transient(error, href),
                fix="Check that the file is complete, and is the GeoTIFF, JPEG 2000, PNG or JPEG that its name says",
            ) from error


def make_item(name: str, place: Footprint | None, dated: Dated, made_from: str) -> pystac.Item:
    """Return an item without assets that says what it was made from, and where its time comes from."""
    return pystac.Item(
        id=name,
        geometry=None if place is None else place.geometry,
        bbox=None if place is None else list(place.bbox),
        datetime=dated.moment or _NO_TIME,
        properties={MADE_FROM: made_from, DATE_FROM: dated.source},
    )


def content_of(item: pystac.Item, dated: Dated) -> dict[str, Any]:
    """Return the JSON of an item that was made here."""
    content = item.to_dict(include_self_link=False, transform_hrefs=False)
    if dated.moment is None:
        content["properties"]["datetime"] = None
    return content


def made_note(content: dict[str, Any]) -> str:
    """Return a line for a person about an item that was made here: what of, and where its date comes from."""
    made_from, source = content["properties"][MADE_FROM], content["properties"][DATE_FROM]
    where = {"file name": "its name", "file modification time": "its modification time", "option": "the option"}
    date = "its date is unknown" if source == "nowhere" else f"date from {where.get(source, f'its {source}')}"
    return f"Item made from the {made_from}; {date}"


def _modified(href: str, settings: Settings) -> datetime | None:
    if is_http(href):
        return None
    try:
        about = info_of(href, settings)
    except Exception as error:  # fsspec, s3fs and botocore share no base class
        message, fix = explain_failure(error, href, settings)
        raise RasterError(message, fix=fix, transient=is_transient(error, href), href=href) from error
    changed = about.get("LastModified") or about.get("mtime")
    if isinstance(changed, int | float):
        return datetime.fromtimestamp(changed, UTC)
    return changed if isinstance(changed, datetime) else None


def _place(dataset: Any) -> Footprint | None:
    crs, transform = dataset.crs, dataset.transform
    points, points_crs = dataset.gcps
    if (crs is None or transform.is_identity) and points and points_crs is not None:
        crs, transform = points_crs, from_gcps(points)
    if crs is None or transform.is_identity:
        return None
    return find_footprint(dataset.width, dataset.height, transform, crs.to_wkt())


def _tags(dataset: Any) -> Iterator[tuple[str, str]]:
    for group in ("IMAGERY", "IMD", None, *dataset.tag_namespaces()):
        if group is None or not group.startswith(("xml:", "json:")):
            yield from dataset.tags(ns=group).items()


def _projection(dataset: Any) -> dict[str, Any]:
    """Return the grid by STAC's projection extension; `proj:shape` is rows, then columns."""
    found: dict[str, Any] = {"proj:shape": [dataset.height, dataset.width]}
    if dataset.crs is not None and not dataset.transform.is_identity:
        epsg = dataset.crs.to_epsg()
        found |= {"proj:transform": list(dataset.transform)[:6]}
        found |= {"proj:code": f"EPSG:{epsg}"} if epsg else {"proj:wkt2": dataset.crs.to_wkt()}
    return found


def _bands(dataset: Any) -> list[dict[str, Any]]:
    """Return what the file says of each band: its description as the name, its colour, its data type."""
    described: list[dict[str, Any]] = []
    for text, colour, kind in zip(dataset.descriptions, dataset.colorinterp, dataset.dtypes, strict=True):
        band: dict[str, Any] = {"data_type": str(kind)}
        if text and text.strip():
            band["name"] = " ".join(text.split())[:80]
        if colour in _COLOURS:
            band["eo:common_name"] = _COLOURS[colour]
        described.append(band)
    return described
