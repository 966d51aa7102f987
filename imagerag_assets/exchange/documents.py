"""STAC documents of exported embeddings: a collection, and an item for each scene.

They follow the STAC embedding extension, a proposal, as of v0.0.1 (geo-embeddings/embeddings-stac-specification), which
builds on STAC 1.0.0.  Collection: ``emb:type`` (chip), ``emb:dimensions``, ``data_type``, ``emb:chip_layout``,
``emb:temporal_resolution``, ``emb:fit_for_use``, links ``emb:model`` and ``emb:source-data``.  Item:
``emb:runtime_parameters``, ``emb:preprocessing``, ``emb:postprocessing``, a link ``emb:source-data`` and the asset
``embeddings``.  Sizes and checksums are those of the file extension.  The extension allows no other ``emb:`` field, so
what else a reader needs is named ``imagerag:``: encoder, fingerprint, division, normalisation, version, rows.

Only documents live here: no file is read or written, and nothing is known of stores or encoders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapely.geometry import box, mapping, shape

from imagerag_assets.errors import SourceError
from imagerag_assets.objects.addresses import absolute_href
from imagerag_assets.stac.types import Scene

EMBEDDINGS = "https://stac-extensions.github.io/embeddings/v0.0.1/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
ITEM_ASSETS = "https://stac-extensions.github.io/item-assets/v1.0.0/schema.json"
PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
NORMALISATION = "l2"
_VERSION = "1.0.0"
_SHA256 = "1220"  # a multihash begins with its function and its length
_JSON, _GEOJSON, _PARQUET = "application/json", "application/geo+json", "application/vnd.apache.parquet"
# An item needs a time; one that is unknown is at least within these.
_ANY_TIME = {"datetime": None, "start_datetime": "0001-01-01T00:00:00Z", "end_datetime": "9999-12-31T23:59:59Z"}

ASSETS: Mapping[str, dict[str, Any]] = {
    "embeddings": {"type": _PARQUET, "roles": ["data"], "title": "One vector for each patch (GeoParquet)"},
    "patches": {"type": _PARQUET, "roles": ["metadata"], "title": "The patches that the scene was cut into"},
    "overview": {"type": "image/jpeg", "roles": ["overview"], "title": "The scene as the encoder saw it"},
    "record": {"type": _JSON, "roles": ["metadata"], "title": "Grid, display limits and item of the scene"},
}
"""What belongs to an item; all but ``patches`` must be there."""


@dataclass(frozen=True)
class Product:
    """What all embeddings of one collection have in common."""

    encoder: str
    """Registry name, for people."""
    fingerprint: str
    """The encoder's, 64 hexadecimal digits."""
    dim: int
    """Length of a vector."""
    division: str
    """Key of the division."""
    patch_px: int | None = None
    """Side of a patch in pixels of its level, where the division has one."""
    stride_px: int | None = None
    """From one patch to the next, in pixels of its level, where the division has one."""

    @property
    def collection_id(self) -> str:
        """The id of the collection."""
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
    """The item of one scene's embeddings.

    Args:
        product: What they have in common with the others.
        scene: What was embedded.
        files: By asset key (:data:`ASSETS`).
        rows: Number of vectors.
        runtime: How the encoder was run, JSON values.
        collection_href: The collection, relative to the item.
    """
    source = absolute_href(scene.source, None)
    when = dict(_ANY_TIME) if scene.acquired_at is None else {"datetime": _timestamp(scene)}
    document: dict[str, Any] = {
        "type": "Feature",
        "stac_version": _VERSION,
        "stac_extensions": [EMBEDDINGS, FILE, PROCESSING],
        "id": scene.scene_key,
        "collection": product.collection_id,
        "geometry": _geometry(scene),
        "properties": {
            **when,
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
        "links": [
            *({"rel": each, "href": collection_href, "type": _JSON} for each in ("root", "parent", "collection")),
            *({"rel": each, "href": scene.item_href or source} for each in ("emb:source-data", "derived_from")),
        ],
        "assets": {
            key: ASSETS[key]
            | {"href": f"./{file.name}", "file:size": file.size, "file:checksum": _SHA256 + file.sha256}
            for key, file in files.items()
        },
    }
    if document["geometry"] is not None:
        document["bbox"] = list(scene.bbox or shape(document["geometry"]).bounds)
    return document


def collection_document(product: Product, items: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """The collection over some items.

    Args:
        product: What the embeddings have in common.
        items: Each item's href, relative to the collection, and its document.
    """
    layout: dict[str, Any] = {"layout_type": "variable_grid", "grid_id": product.division}
    if product.patch_px and product.stride_px:
        layout |= {"chip_size": [product.patch_px] * 2, "stride": [product.stride_px] * 2}
    sources = sorted({item["properties"]["imagerag:source"] for _, item in items})
    common = {"emb:type": "chip", "emb:dimensions": product.dim, "data_type": "float32"}
    links = [
        {"rel": "root", "href": "./collection.json", "type": _JSON},
        {"rel": "emb:model", "href": "./model.json", "type": _JSON, "title": product.encoder},
        *({"rel": "emb:source-data", "href": href} for href in sources),
        *({"rel": "item", "href": href, "type": _GEOJSON, "title": item["id"]} for href, item in items),
    ]
    return {
        "type": "Collection",
        "stac_version": _VERSION,
        "stac_extensions": [EMBEDDINGS, ITEM_ASSETS],
        "id": product.collection_id,
        "title": f"Patch embeddings by {product.encoder}",
        "description": f"Vectors of {product.dim} dimensions, one a patch, L2-normalised, of the encoder with the"
        f" fingerprint {product.fingerprint}. Only vectors with this fingerprint can be compared with them.",
        "license": "various",  # as the imagery's
        "extent": _extent([item for _, item in items]),
        **common,
        "emb:chip_layout": layout,
        "emb:temporal_resolution": "single_acquisition",
        "emb:fit_for_use": ["retrieval", "similarity_search"],
        "imagerag:encoder": product.encoder,
        "imagerag:fingerprint": product.fingerprint,
        "imagerag:division": product.division,
        "imagerag:normalisation": NORMALISATION,
        "item_assets": {key: dict(asset) for key, asset in ASSETS.items()},
        "summaries": {name: [value] for name, value in common.items()},
        "links": links,
    }


def read_product(collection: Mapping[str, Any], href: str) -> Product:
    """What a collection says its embeddings have in common.

    Raises:
        SourceError: it is not a collection of embeddings that this system wrote.
    """
    fields = ("imagerag:encoder", "imagerag:fingerprint", "imagerag:division")
    encoder, fingerprint, division = texts = [collection.get(field) for field in fields]
    dim = collection.get("emb:dimensions")
    if collection.get("type") != "Collection" or not isinstance(dim, int) or not all(map(_is_text, texts)):
        raise SourceError(
            "This is not a collection of embeddings that can be imported",
            fix="Name what `imagerag export` wrote; imagery is read by: imagerag ingest",
            href=href,
        )
    return Product(str(encoder), str(fingerprint), dim, str(division))


def item_hrefs(collection: Mapping[str, Any]) -> list[str]:
    """The hrefs of a collection's items, as they stand there, each once."""
    links = collection.get("links")
    hrefs = (link.get("href") for link in links or () if isinstance(link, dict) and link.get("rel") == "item")
    return list(dict.fromkeys(href for href in hrefs if isinstance(href, str)))


def read_files(item: Mapping[str, Any], href: str) -> dict[str, ExportedFile]:
    """The files of an item by asset key; assets of other names are left out.

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


def _timestamp(scene: Scene) -> str:
    assert scene.acquired_at is not None
    return scene.acquired_at.isoformat().replace("+00:00", "Z")


def _geometry(scene: Scene) -> dict[str, Any] | None:
    if scene.geometry is not None or scene.bbox is None:
        return scene.geometry
    west, south, east, north = scene.bbox
    if west <= east:
        return dict(mapping(box(west, south, east, north)))
    return dict(mapping(box(west, south, 180.0, north).union(box(-180.0, south, east, north))))


def _extent(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    boxes = [item["bbox"] for item in items if "bbox" in item]
    crossing = any(each[0] > each[2] for each in boxes)
    bounds = [-180.0, -90.0, 180.0, 90.0]
    if boxes:
        wests, souths, easts, norths = zip(*boxes, strict=True)
        across = (-180.0, 180.0) if crossing else (min(wests), max(easts))
        bounds = [across[0], min(souths), across[1], max(norths)]
    times = [item["properties"]["datetime"] for item in items if item["properties"]["datetime"]]
    interval = [min(times), max(times)] if times else [None, None]
    return {"spatial": {"bbox": [bounds]}, "temporal": {"interval": [interval]}}
