"""STAC documents of exported embeddings: a collection, and an item for each scene.

They follow the STAC embedding extension, a proposal, as of v0.0.1 (geo-embeddings/embeddings-stac-specification), which
builds on STAC 1.0.0.  Collection: ``emb:type`` (chip), ``emb:dimensions``, ``data_type``, ``emb:chip_layout``,
``emb:temporal_resolution``, ``emb:fit_for_use``, links ``emb:model`` and ``emb:source-data``.  Item:
``emb:runtime_parameters``, ``emb:preprocessing``, ``emb:postprocessing``, a link ``emb:source-data`` and the asset
``embeddings``.  Sizes and checksums follow the file extension.  The embedding extension allows no other ``emb:`` field,
so the other fields that a reader needs begin with ``imagerag:``: encoder, fingerprint, division, normalisation, etag,
rows.

Only documents belong here: no file is read or written, and nothing is known about stores or encoders.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pystac
from pystac.errors import STACValidationError
from pystac.utils import str_to_datetime
from pystac.validation import validate_dict
from shapely import to_geojson
from shapely.geometry import shape

from imagerag_assets.errors import SourceError
from imagerag_assets.objects.addresses import absolute_href
from imagerag_assets.raster.geo import box_geometry, joint_box
from imagerag_assets.stac.types import Scene

EMBEDDINGS = "https://stac-extensions.github.io/embeddings/v0.0.1/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
ITEM_ASSETS = "https://stac-extensions.github.io/item-assets/v1.0.0/schema.json"
PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
NORMALISATION = "l2"
_VERSION = "1.0.0"
_CHECKED_LINKS = 100
_SHA256 = "1220"  # a multihash begins with its function and its length
_JSON, _PARQUET = "application/json", "application/vnd.apache.parquet"
# An item needs a time; an unknown one lies between these.
_ANY_TIME = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_GEOMETRIES = frozenset({"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"})

ASSETS: Mapping[str, dict[str, Any]] = {
    "embeddings": {"type": _PARQUET, "roles": ["data"], "title": "One vector for each patch (GeoParquet)"},
    "patches": {"type": _PARQUET, "roles": ["metadata"], "title": "The patches that the scene was cut into"},
    "overview": {"type": "image/jpeg", "roles": ["overview"], "title": "The scene as the encoder saw it"},
    "record": {"type": _JSON, "roles": ["metadata"], "title": "Grid, display limits and item of the scene"},
}
"""The assets of an item; all but ``patches`` are required."""


@dataclass(frozen=True)
class Product:
    """What all embeddings of a collection have in common."""

    encoder: str
    """Registry name, for people."""
    fingerprint: str
    """The encoder's, 64 hexadecimal digits."""
    dim: int
    """Length of a vector."""
    division: str
    """Key of the division."""
    patch_px: int | None = None
    """Side of a patch in pixels of its level, if the division has a fixed one."""
    stride_px: int | None = None
    """Distance from one patch to the next in pixels of its level, if the division has a fixed one."""

    @property
    def collection_id(self) -> str:
        """Return the id of the collection."""
        return re.sub(r"[^A-Za-z0-9_.-]+", "-", f"imagerag-{self.encoder}-{self.division}-{self.fingerprint[:12]}")


@dataclass(frozen=True)
class ExportedFile:
    """One file of an item."""

    name: str
    """File name, beside the item."""
    size: int
    """Bytes."""
    sha256: str


def item_document(
    product: Product,
    scene: Scene,
    files: Mapping[str, ExportedFile],
    *,
    rows: int,
    runtime: Mapping[str, Any],
    collection_href: str,
) -> dict[str, Any]:
    """Return the item of one scene's embeddings.

    Args:
        product: What all embeddings of the collection have in common.
        scene: The scene that was embedded.
        files: By asset key (:data:`ASSETS`).
        rows: Number of vectors.
        runtime: How the encoder was run, JSON values.
        collection_href: The collection, relative to the item.

    Raises:
        SourceError: the item would not be valid STAC.
    """
    source = absolute_href(scene.source, None)
    unknown = scene.acquired_at is None
    geometry = _geometry(scene)
    item = pystac.Item(
        id=scene.scene_key,
        geometry=geometry,
        bbox=None if geometry is None else list(scene.bbox or shape(geometry).bounds),
        datetime=None if scene.acquired_until else scene.acquired_at,
        start_datetime=_ANY_TIME[0] if unknown else scene.acquired_at if scene.acquired_until else None,
        end_datetime=_ANY_TIME[1] if unknown else scene.acquired_until,
        properties={
            "emb:runtime_parameters": dict(runtime),
            "emb:preprocessing": {"format": "text", "expression": "bands to uint8 by linear display limits, resized"},
            "emb:postprocessing": {"format": "numpy", "expression": "x / numpy.linalg.norm(x, axis=1, keepdims=True)"},
            "imagerag:encoder": product.encoder,
            "imagerag:fingerprint": product.fingerprint,
            "imagerag:division": product.division,
            "imagerag:normalisation": NORMALISATION,
            "imagerag:source": source,
            "imagerag:etag": scene.version,
            "imagerag:rows": rows,
        },
        stac_extensions=[EMBEDDINGS, FILE, PROCESSING],
        collection=product.collection_id,
        assets={key: _asset(key, file) for key, file in files.items()},
    )
    item.links = [
        *(pystac.Link(each, collection_href, pystac.MediaType.JSON) for each in ("root", "parent", "collection")),
        *(pystac.Link(each, scene.item_href or source) for each in ("emb:source-data", "derived_from")),
    ]
    return _valid(item, pystac.STACObjectType.ITEM)


def collection_document(product: Product, items: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return the collection of some items.

    Args:
        product: What the embeddings have in common.
        items: Each item's href, relative to the collection, and its document.

    Raises:
        SourceError: the collection would not be valid STAC.
    """
    layout: dict[str, Any] = {"layout_type": "variable_grid", "grid_id": product.division}
    if product.patch_px and product.stride_px:
        layout |= {"chip_size": [product.patch_px] * 2, "stride": [product.stride_px] * 2}
    sources = sorted({item["properties"]["imagerag:source"] for _, item in items})
    common = {"emb:type": "chip", "emb:dimensions": product.dim, "data_type": "float32"}
    collection = pystac.Collection(
        id=product.collection_id,
        title=f"Patch embeddings by {product.encoder}",
        description=f"Vectors of {product.dim} dimensions, one a patch, L2-normalised, of the encoder with the"
        f" fingerprint {product.fingerprint}. Only vectors with this fingerprint can be compared with them.",
        license="various",  # as the imagery's
        extent=_extent([item for _, item in items]),
        stac_extensions=[EMBEDDINGS, ITEM_ASSETS],
        extra_fields={
            **common,
            "emb:chip_layout": layout,
            "emb:temporal_resolution": "single_acquisition",
            "emb:fit_for_use": ["retrieval", "similarity_search"],
            "imagerag:encoder": product.encoder,
            "imagerag:fingerprint": product.fingerprint,
            "imagerag:division": product.division,
            "imagerag:normalisation": NORMALISATION,
            "item_assets": {key: dict(asset) for key, asset in ASSETS.items()},
        },
        summaries=pystac.Summaries({name: [value] for name, value in common.items()}),
    )
    collection.links = [
        pystac.Link("root", "./collection.json", pystac.MediaType.JSON),
        pystac.Link("emb:model", "./model.json", pystac.MediaType.JSON, product.encoder),
        *(pystac.Link("emb:source-data", href) for href in sources),
        *(pystac.Link("item", href, pystac.MediaType.GEOJSON, item["id"]) for href, item in items),
    ]
    return _valid(collection, pystac.STACObjectType.COLLECTION)


def read_product(collection: Mapping[str, Any], href: str) -> Product:
    """Return what a collection says its embeddings have in common.

    Raises:
        SourceError: this system did not write the collection.
    """
    fields = ("imagerag:encoder", "imagerag:fingerprint", "imagerag:division")
    encoder, fingerprint, division = texts = [collection.get(field) for field in fields]
    dim = collection.get("emb:dimensions")
    if collection.get("type") != "Collection" or not isinstance(dim, int) or not all(map(_is_text, texts)):
        raise SourceError(
            "Not an imagerag export",
            fix="Name a folder that `imagerag export` wrote; to read imagery, run: imagerag ingest",
            href=href,
        )
    return Product(str(encoder), str(fingerprint), dim, str(division))


def item_hrefs(collection: Mapping[str, Any]) -> list[str]:
    """Return the hrefs of a collection's items, as they are written there, each once."""
    links = collection.get("links")
    hrefs = (link.get("href") for link in links or () if isinstance(link, dict) and link.get("rel") == "item")
    return list(dict.fromkeys(href for href in hrefs if isinstance(href, str)))


def read_files(item: Mapping[str, Any], href: str) -> dict[str, ExportedFile]:
    """Return the files of an item by asset key; ignore other assets.

    Raises:
        SourceError: a file is missing, is not beside the item, or has no size or checksum.
    """
    files: dict[str, ExportedFile] = {}
    assets = item.get("assets")
    for key in ASSETS:
        asset = assets.get(key) if isinstance(assets, dict) else None
        if asset is None and key == "patches":
            continue
        values = asset if isinstance(asset, dict) else {}
        name, size, digest = (values.get(each) for each in ("href", "file:size", "file:checksum"))
        beside = re.fullmatch(r"\./([A-Za-z0-9_-]+\.[a-z]+)", name) if isinstance(name, str) else None
        checksum = re.fullmatch(_SHA256 + "([0-9a-f]{64})", digest) if isinstance(digest, str) else None
        if beside is None or checksum is None or not isinstance(size, int):
            raise SourceError(f"The item has no usable asset {key!r}", fix="Export it again", href=href)
        files[key] = ExportedFile(beside[1], size, checksum[1])
    return files


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _asset(key: str, file: ExportedFile) -> pystac.Asset:
    about = dict(ASSETS[key])
    return pystac.Asset(
        f"./{file.name}",
        title=about["title"],
        media_type=about["type"],
        roles=list(about["roles"]),
        extra_fields={"file:size": file.size, "file:checksum": _SHA256 + file.sha256},
    )


def _valid(made: pystac.Item | pystac.Collection, kind: pystac.STACObjectType) -> dict[str, Any]:
    """Return the JSON of an item or collection that STAC's core schema accepts.  The schemas come with pystac.

    Raises:
        SourceError: it is not valid; the message says where.
    """
    document = made.to_dict(include_self_link=False, transform_hrefs=False)
    checked = document | {"links": document["links"][:_CHECKED_LINKS]}  # links to items are all of one form
    try:
        validate_dict(checked, kind, stac_version=pystac.get_stac_version(), extensions=[])
    except STACValidationError as error:
        detail = str(error.source[0].message if error.source else error).split("\n")[0]
        what = "item" if isinstance(made, pystac.Item) else "collection"
        raise SourceError(
            f"The export's {what} is not valid STAC: {detail[:200]}",
            fix="Correct the scene's item and ingest it again",
            id=made.id,
        ) from error
    # The embedding extension builds on this version, and so did every export until now.
    return document | {"stac_version": _VERSION}


def _geometry(scene: Scene) -> dict[str, Any] | None:
    """Return the scene's geometry if it is one that a GeoJSON Feature may have, else its box; None without a place."""
    if scene.geometry is not None and _is_geometry(scene.geometry):
        return scene.geometry
    return None if scene.bbox is None else json.loads(to_geojson(box_geometry(*scene.bbox)))


def _is_geometry(geometry: dict[str, Any]) -> bool:
    try:
        return geometry.get("type") in _GEOMETRIES and not shape(geometry).is_empty
    except Exception:  # shapely raises whatever the malformed coordinates lead it to
        return False


def _extent(items: Sequence[dict[str, Any]]) -> pystac.Extent:
    bounds = joint_box([item["bbox"] for item in items if "bbox" in item])
    every = [item["properties"] for item in items]
    times = [
        str_to_datetime(properties[name])
        for properties in every
        for name in ("datetime", "start_datetime", "end_datetime")
        if properties.get(name)
    ]
    times = [moment for moment in times if moment not in _ANY_TIME]
    interval: list[datetime | None] = [min(times), max(times)] if times else [None, None]
    return pystac.Extent(
        pystac.SpatialExtent([list(bounds or (-180.0, -90.0, 180.0, 90.0))]), pystac.TemporalExtent([interval])
    )
