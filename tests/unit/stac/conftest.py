"""Items written to disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from tests.stac_api import stac_api  # noqa: F401

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
