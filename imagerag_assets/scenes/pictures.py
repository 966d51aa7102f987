"""The overview of a scene as a picture file: read from the imagery where it is, as an encoder sees it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from imagerag_assets.errors import RasterError, StoreError
from imagerag_assets.objects.aside import remove_left, replace_bytes, reporting_full_disk
from imagerag_assets.objects.store import HasStore
from imagerag_assets.scenes.reading import open_reader
from imagerag_assets.scenes.records import SceneRecord, overview_key
from imagerag_assets.settings import Settings


def overview_of(platform: HasStore, settings: Settings, record: SceneRecord, max_px: int) -> tuple[Image.Image, str]:
    """Return the whole scene, its longest side at most `max_px`, and a note where it is the stored overview.

    Pixels that hold no data are transparent.  Overviews are not built for it: that would read all of a large file.

    Args:
        platform: The installation.
        settings: How the imagery is reached and shown.
        record: The scene.
        max_px: Longest side, in pixels.

    Raises:
        StoreError: neither the imagery nor the stored overview can be read.
    """
    try:
        with open_reader(settings, record, build_overviews=False) as reader:
            pixels, valid = reader.overview(max_px)
    except RasterError as error:
        return _stored(platform, record, max_px), f"The picture is the stored overview: {error}"
    if valid.all():
        return Image.fromarray(pixels), ""
    return Image.fromarray(np.dstack([pixels, np.where(valid, 255, 0).astype(np.uint8)])), ""


def _stored(platform: HasStore, record: SceneRecord, max_px: int) -> Image.Image:
    key = overview_key(record.scene.scene_key)
    try:
        picture = Image.open(io.BytesIO(platform.store.read_bytes(key))).convert("RGB")
    except (OSError, SyntaxError) as error:  # Pillow's, of broken files
        raise StoreError(
            f"The stored overview is no picture: {error}", fix="Ingest the scene again", object=platform.store.url(key)
        ) from None
    picture.thumbnail((max_px, max_px))
    return picture


def write_png(picture: Image.Image, target: Path) -> None:
    """Write a picture as PNG, whole or not at all; make its folder.

    Raises:
        StoreError: it cannot be written.
    """
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    try:
        with reporting_full_disk(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            remove_left(target.parent)
            replace_bytes(target, buffer.getvalue())
    except OSError as error:
        raise StoreError(f"The picture cannot be written: {error.strerror}", fix="Give --out", path=target) from None
