"""The pixels of exemplars: whole picture files, and windows of scenes, rendered as their patches are."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.errors import KnowledgeError, RasterError
from imagerag_assets.knowledge.importers import read_bytes, read_picture
from imagerag_assets.knowledge.types import Cut, Entry
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings

_OPEN_SCENES = 4


class Pictures:
    """Read exemplars; open a scene once for exemplars that follow each other.  Not safe for several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._readers: OrderedDict[str, SceneReader] = OrderedDict()

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def read(self, entry: Entry) -> NDArray[np.uint8]:
        """Read the picture: uint8 (h, w, 3), RGB.

        Raises:
            KnowledgeError: it cannot be read, or has too little data.
        """
        if entry.cut is None:
            return read_picture(entry.href, self._settings)
        try:
            pixels, valid = self._reader(entry.cut).read(entry.cut.window, entry.cut.level)
        except RasterError as error:
            raise KnowledgeError(error.message, fix=error.fix, transient=error.transient, href=entry.href) from None
        if valid.mean() < self._settings.min_valid_fraction:
            raise KnowledgeError("the scene has no data there", fix="Replace or remove it", href=entry.href)
        return pixels

    def _reader(self, cut: Cut) -> SceneReader:
        key = cut.scene.scene_key
        if key not in self._readers:
            self._readers[key] = SceneReader(cut.scene, self._settings)
            if len(self._readers) > _OPEN_SCENES:
                self._readers.popitem(last=False)[1].close()
        self._readers.move_to_end(key)
        return self._readers[key]


def picture_version(entry: Entry, settings: Settings) -> str:
    """Return a text that changes when the picture does.  Of a window of a scene, no pixel is read."""
    if entry.cut is not None:
        return f"{entry.cut.scene.version}:{entry.cut.window}:{entry.cut.level}"
    try:
        return hashlib.sha256(read_bytes(entry.href, settings)).hexdigest()
    except KnowledgeError:
        return "unreadable"
