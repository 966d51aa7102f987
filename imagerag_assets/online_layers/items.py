"""The STAC item of a layer, and the raster that it names: fetched once, when its scene is registered.

The raster is ``layers/{item id}.tif`` in the object store.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pystac

from imagerag_assets.errors import RasterError, StoreError, shown
from imagerag_assets.masking import masked
from imagerag_assets.objects.apart import reading
from imagerag_assets.objects.gdal import gdal_path, rasterio_env
from imagerag_assets.objects.opening import open_raster, raster_errors
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.online_layers.address import Layer
from imagerag_assets.online_layers.fetching import MISSING, REASON, RESIZED, TILES, fetched
from imagerag_assets.online_layers.plans import make_plan
from imagerag_assets.plain_files.dates import Dated
from imagerag_assets.plain_files.footprint import find_footprint
from imagerag_assets.plain_files.items import content_of, make_item
from imagerag_assets.plain_files.names import made_id
from imagerag_assets.settings import Settings

LAYER = "imagerag:layer"
"""Property that holds the layer: kind, template (its keys hidden), bbox, zoom and date."""
FOLDER = "layers"
_RAISED: tuple[type[BaseException], ...] = (*raster_errors(), RasterError, OSError)
_PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"


def layer_id(layer: Layer) -> str:
    """Return the id of a layer's item: the same for the same address, box, zoom and date."""
    host = (urlsplit(layer.template).hostname or "layer").replace(":", "_")
    name = f"{host}-z{layer.zoom}{f'-{layer.date[:10]}' if layer.date else ''}"
    return made_id(name, json.dumps(layer.to_dict(), sort_keys=True))


def layer_key(item_id: str) -> str:
    """Return the object key of a layer's raster."""
    return f"{FOLDER}/{item_id}.tif"


def item_of_layer(layer: Layer, settings: Settings) -> dict[str, Any]:
    """Return the JSON of the item of a layer.  No tile is fetched; of a WMTS, the capabilities are read.

    Raises:
        SourceError: as for :func:`imagerag_assets.online_layers.plans.make_plan`.
    """
    plan, name = make_plan(layer, settings), layer_id(layer)
    grid, cover = plan.cover.grid, plan.cover
    dated = Dated(layer.moment, "option" if layer.moment else "nowhere")
    place = find_footprint(cover.width, cover.height, cover.transform, grid.crs)
    item = make_item(name, place, dated, "online layer")
    item.stac_extensions = [_PROJECTION]
    item.properties |= {
        LAYER: layer.to_dict(),
        "proj:shape": [cover.height, cover.width],
        "proj:transform": list(cover.transform)[:6],
        **({"proj:code": grid.crs} if grid.crs.startswith("EPSG:") else {"proj:wkt2": grid.crs}),
    }
    address = open_store(settings).url(layer_key(name))
    item.add_asset("visual", pystac.Asset(address, media_type=pystac.MediaType.COG, roles=["visual", "data"]))
    return content_of(item, dated)


def is_layer_item(scene_key: str, properties: dict[str, Any], hrefs: tuple[str, ...], settings: Settings) -> bool:
    """Return whether a scene is a layer of this installation, and not one whose item only says so."""
    return isinstance(properties.get(LAYER), dict) and hrefs == (open_store(settings).url(layer_key(scene_key)),)


def layer_size(properties: dict[str, Any]) -> tuple[int, int]:
    """Return (width, height) in pixels that a layer's item says."""
    height, width = properties["proj:shape"]
    return int(width), int(height)


def fetch(scene_key: str, properties: dict[str, Any], settings: Settings, store: ObjectStore) -> list[str]:
    """Fetch the raster of a layer, unless it is there; return what a person should know of it.

    Args:
        scene_key: Key of its scene, which is its item's id.
        properties: Of its item.
        settings: The installation.
        store: Its object store.

    Raises:
        SourceError: the layer's key is not known, or the service is unreachable.
        RasterError: too many tiles cannot be fetched, or the raster that is there is damaged.
        StoreError: the store cannot be read or written, or the disk is full.
    """
    layer, key = Layer.from_dict(properties[LAYER]), layer_key(scene_key)
    if not store.exists(key):
        with fetched(make_plan(layer, settings), settings) as file:
            store.put_file(file, key)
    return _notes(store.url(key), settings)


def _tags(address: str, settings: Settings) -> dict[str, str]:
    with rasterio_env(settings, [address]), open_raster(gdal_path(address)) as dataset:
        tags: dict[str, str] = dataset.tags()
        return tags


def _notes(address: str, settings: Settings) -> list[str]:
    try:
        tags = reading(address, "opened", settings, _tags, address, settings)
    except _RAISED as error:
        raise StoreError(
            f"The raster of an online layer cannot be opened ({masked(str(error))[:120]})",
            fix="Delete it, and ingest the layer again",
            object=address,
        ) from shown(error)
    notes = []
    if MISSING in tags:
        notes.append(
            f"{tags[MISSING]} of {tags.get(TILES, '?')} tiles could not be fetched ({tags.get(REASON, 'unknown')}): "
            "they have no pixels"
        )
    if RESIZED in tags:
        notes.append(f"The tiles have {tags[RESIZED]} px a side and were fitted to the zoom; a higher one shows more")
    return notes
