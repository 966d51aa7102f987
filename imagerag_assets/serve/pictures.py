"""Pictures of scenes for many requests: scenes stay open for a while, and tiles are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagerag_assets.errors import ImageRAGError, RasterError, StoreError
from imagerag_assets.installation.serving import find_serving
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.raster.types import Window
from imagerag_assets.scenes.reading import open_reader
from imagerag_assets.scenes.records import SceneRecord, load_record
from imagerag_assets.scenes.tiles import Read, crop, map_tile, pixel_tile

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.raster.reader import SceneReader
    from imagerag_assets.settings import Settings

_OPEN = 4
_KEPT_BYTES = 32 * 2**20
Key = tuple[str, str]
"""Scene key and version."""


@dataclass
class _Opened:
    reader: SceneReader
    users: int = 0
    dropped: bool = False


class Pictures:
    """Draws parts of scenes as their patches are drawn.  For any number of threads.

    A scene whose files cannot be read, or have no overviews to read so large a part from, is drawn from its stored
    overview.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._opened: OrderedDict[Key, _Opened] = OrderedDict()
        self._tiles: OrderedDict[tuple[object, ...], bytes | None] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._viewer, self._viewing = Viewer(platform), threading.Lock()

    def close(self) -> None:
        """Close the scenes."""
        with self._lock:
            left, self._opened = list(self._opened.values()), OrderedDict()
        for each in left:
            each.reader.close()

    def map_tile(self, scene: str, z: int, x: int, y: int) -> bytes | None:
        """Return a tile of a web map as PNG; see `scenes.tiles.map_tile`."""
        record = load_record(self._platform, scene)
        return self._tile(record, ("map", z, x, y), lambda read: map_tile(read, record.grid, z, x, y))

    def pixel_tile(self, scene: str, z: int, x: int, y: int) -> bytes | None:
        """Return a tile in the scene's pixels as PNG; see `scenes.tiles.pixel_tile`."""
        record = load_record(self._platform, scene)
        return self._tile(record, ("pixels", z, x, y), lambda read: pixel_tile(read, record.grid, z, x, y))

    def crop(self, scene: str, window: Window, max_px: int) -> bytes:
        """Return a part of a scene as JPEG; see `scenes.tiles.crop`."""
        record = load_record(self._platform, scene)
        with self._reading(record) as read:
            return crop(read, record.grid, window, max_px)

    def _tile(
        self, record: SceneRecord, about: tuple[object, ...], make: Callable[[Read], bytes | None]
    ) -> bytes | None:
        key = (*_key(record), *about)
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
                return self._tiles[key]
        with self._reading(record) as read:
            made = make(read)
        with self._lock:
            if key not in self._tiles:
                self._tiles[key] = made
                self._bytes += _size(made)
            while self._bytes > _KEPT_BYTES:
                self._bytes -= _size(self._tiles.popitem(last=False)[1])
        return made

    @contextmanager
    def _reading(self, record: SceneRecord) -> Iterator[Read]:
        """Give what reads a scene; it stays open for the next one."""
        try:
            opened: _Opened | None = self._open(record)
        except RasterError:
            opened = None

        def read(window: Window, shape: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
            if opened is not None:
                try:
                    return opened.reader.read(window, out_shape=shape)
                except RasterError:
                    pass
            return self._of_overview(record, window, shape)

        try:
            yield read
        finally:
            if opened is not None:
                self._leave(opened)

    def _open(self, record: SceneRecord) -> _Opened:
        key = _key(record)
        with self._lock:
            found = self._opened.get(key)
            if found is not None:
                found.users += 1
                self._opened.move_to_end(key)
                return found
        made = _Opened(open_reader(self._settings(), record, build_overviews=False), users=1)
        with self._lock:
            other = self._opened.get(key)
            if other is not None:  # another thread opened it meanwhile
                other.users += 1
            else:
                self._opened[key] = made
            unused = [self._opened.popitem(last=False)[1] for _ in range(len(self._opened) - _OPEN)]
            for each in unused:
                each.dropped = True
            closing = [each.reader for each in unused if not each.users]
        for reader in [*closing, *([made.reader] if other is not None else [])]:
            reader.close()
        return other or made

    def _leave(self, opened: _Opened) -> None:
        with self._lock:
            opened.users -= 1
            closing = opened.dropped and not opened.users
        if closing:
            opened.reader.close()

    def _settings(self) -> Settings:
        """Return the settings of the collection in use, by which its pixels were cut and stretched."""
        try:
            serving = find_serving(self._platform, orphaned=True) if self._platform.has_vectors else None
        except ImageRAGError:  # Milvus is down; imagery can be looked at all the same
            serving = None
        return self._platform.settings if serving is None else serving.platform.settings

    def _of_overview(
        self, record: SceneRecord, window: Window, shape: tuple[int, int]
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return a part of the stored overview; all of it counts as data."""
        try:
            with self._viewing:
                picture = self._viewer.patch_of_overview(record.scene.scene_key, window)
        except (OSError, SyntaxError):  # Pillow's, of broken files
            raise StoreError(
                "The stored overview is no picture", fix="Ingest the scene again", scene=record.scene.scene_key
            ) from None
        pixels = np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR).convert("RGB"))
        return pixels, np.ones(shape, bool)


def _key(record: SceneRecord) -> Key:
    return record.scene.scene_key, record.scene.version


def _size(tile: bytes | None) -> int:
    return 256 + len(tile or b"")
