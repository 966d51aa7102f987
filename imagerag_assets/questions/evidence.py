"""The evidence of an answer: the pictures that a model and a person look at, and the cues as GeoJSON."""

from __future__ import annotations

import io
import json
import math
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imagerag_assets.errors import RasterError, StoreError, UnknownSceneError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox, window_feature
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.retrieval.types import Cue
from imagerag_assets.scenes.reading import open_reader
from imagerag_assets.scenes.records import SceneRecord, load_record, overview_key

Window = tuple[int, int, int, int]
_OPEN_SCENES = 4
_CUE_PX = 512  # longest side of a cue's picture, px
_COLOURS = ("#ffd21f", "#ff5a5f", "#3ddc97", "#4cc9f0", "#f78c6b", "#c77dff")


class Viewer:
    """Open scenes once for many questions, and close them.  Not for several threads.

    Overviews are never built, since a question must not read a whole scene.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._records: dict[str, SceneRecord] = {}
        self._overviews: OrderedDict[str, Image.Image] = OrderedDict()
        self._readers: OrderedDict[str, SceneReader] = OrderedDict()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def record(self, scene_key: str) -> SceneRecord:
        """Return the scene's record.

        Raises:
            UnknownSceneError: There is none.
        """
        if scene_key not in self._records:
            self._records[scene_key] = load_record(self._platform, scene_key)
        return self._records[scene_key]

    def overview(self, scene_key: str) -> Image.Image:
        """Return the whole scene, RGB, at most IMAGERAG_OVERVIEW_PX a side."""
        if scene_key not in self._overviews:
            data = self._platform.store.read_bytes(overview_key(scene_key))
            self._overviews[scene_key] = Image.open(io.BytesIO(data)).convert("RGB")
            if len(self._overviews) > _OPEN_SCENES:
                self._overviews.popitem(last=False)
        return self._overviews[scene_key]

    def patch(self, scene_key: str, window: Window) -> Image.Image:
        """Return a native pixel window as a model sees it; see :func:`cue_picture`."""
        return cue_picture(self._reader(scene_key), window)

    def patch_of_overview(self, scene_key: str, window: Window) -> Image.Image:
        """Return the same window cut from the stored overview: coarse, but available without the scene's files."""
        grid, overview = self.record(scene_key).grid, self.overview(scene_key)
        across, down = overview.width / grid.width, overview.height / grid.height
        left, top = int(window[0] * across), int(window[1] * down)
        right, bottom = math.ceil(window[2] * across), math.ceil(window[3] * down)
        picture = overview.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
        scale = _CUE_PX / 2 / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        return picture.resize(size, Image.Resampling.BICUBIC) if scale > 1 else picture

    def size(self, scene_key: str) -> tuple[int, int]:
        """Return (width, height) of the scene in native pixels."""
        grid = self.record(scene_key).grid
        return grid.width, grid.height

    def finest_level(self, scene_key: str) -> int:
        """Return the level of the scene's smallest patches in the collection in use; 0 where that cannot be told."""
        if self._recipe.layout is None:
            return 0
        try:
            start = self._recipe.start_for(self.record(scene_key).grid)
        except (StoreError, UnknownSceneError):  # whoever reads the scene says what is wrong with it
            return 0
        return 0 if start is None else start.level

    def read(self, scene_key: str, window: Window, level: int) -> NDArray[np.uint8]:
        """Return a native pixel window at a level, uint8 (h, w, 3), as `patch_embeddings` saw it.

        Raises:
            RasterError: The scene's file can no longer be read.
        """
        return self._reader(scene_key).read(window, level)[0]

    def bbox(self, scene_key: str, window: Window) -> tuple[float, float, float, float] | None:
        """Return (west, south, east, north) in degrees of a native pixel window; None without a place."""
        return pixel_window_to_lonlat_bbox(self.record(scene_key).grid, window)

    @cached_property
    def _serving(self) -> Platform:
        """The installation with the settings of the collection in use, by which its pixels were cut and stretched."""
        serving = find_serving(self._platform, orphaned=True)
        return self._platform if serving is None else serving.platform

    @cached_property
    def _recipe(self) -> Recipe:
        return self._serving.recipe

    def _reader(self, scene_key: str) -> SceneReader:
        if scene_key not in self._readers:
            record = self.record(scene_key)
            self._readers[scene_key] = open_reader(self._serving.settings, record, build_overviews=False)
            if len(self._readers) > _OPEN_SCENES:
                self._readers.popitem(last=False)[1].close()
        self._readers.move_to_end(scene_key)
        return self._readers[scene_key]


def cue_picture(reader: SceneReader, window: Window) -> Image.Image:
    """Return a native pixel window, RGB, read at the coarsest level that still gives `_CUE_PX`.

    Raises:
        RasterError: The scene's file can no longer be read.
    """
    side, level = max(window[2] - window[0], window[3] - window[1]), 0
    while side >> (level + 1) >= _CUE_PX // 2:
        level += 1
    return Image.fromarray(reader.read(window, level)[0])


def outlined(overview: Image.Image, windows: Sequence[Window], size: tuple[int, int]) -> Image.Image:
    """Return the overview with each window outlined and numbered.

    Args:
        overview: RGB.
        windows: Native pixels, best first.
        size: (width, height) of the scene in native pixels.
    """
    picture = overview.copy()
    draw = ImageDraw.Draw(picture)
    scale_x, scale_y = picture.width / size[0], picture.height / size[1]
    font = ImageFont.load_default(size=max(12, picture.width // 50))
    for number, (x0, y0, x1, y1) in enumerate(windows, 1):
        colour = _COLOURS[(number - 1) % len(_COLOURS)]
        box = (x0 * scale_x, y0 * scale_y, max(x1 * scale_x, x0 * scale_x + 4), max(y1 * scale_y, y0 * scale_y + 4))
        draw.rectangle(box, outline="black", width=5)
        draw.rectangle(box, outline=colour, width=3)
        draw.text((box[0] + 4, box[1] + 2), str(number), fill=colour, font=font, stroke_width=2, stroke_fill="black")
    return picture


def geojson(viewer: Viewer, cues: Sequence[Cue]) -> dict[str, Any]:
    """Return the cues as a GeoJSON FeatureCollection in lon/lat.  A cue of a scene without a place has no geometry."""
    features = [window_feature(viewer.record(cue.scene).grid, cue.window, cue.to_dict()) for cue in cues]
    return {"type": "FeatureCollection", "features": features}


def store_evidence(
    platform: Platform,
    viewer: Viewer,
    folder: str,
    scene_key: str | None,
    cues: Sequence[Cue],
    pictures: Mapping[int, Image.Image],
) -> set[str]:
    """Write `evidence/overview.jpg`, `evidence/cue-N.jpg` and `cues.geojson` under an answer's folder.

    Args:
        platform: The installation.
        viewer: Opens the scenes.
        folder: Key prefix of the answer.
        scene_key: The scene whose overview is shown; None: there is none.
        cues: The cues.
        pictures: Their pictures by rank.

    Returns:
        The keys written.
    """
    written: dict[str, bytes] = {}
    if scene_key is not None:
        grid = viewer.record(scene_key).grid
        own = [cue.window for cue in cues if cue.scene == scene_key]
        shown = outlined(viewer.overview(scene_key), own, (grid.width, grid.height))
        written[f"{folder}/evidence/overview.jpg"] = _jpeg(shown)
    written |= {f"{folder}/evidence/cue-{rank}.jpg": _jpeg(picture) for rank, picture in pictures.items()}
    written[f"{folder}/cues.geojson"] = json.dumps(geojson(viewer, cues)).encode()
    for key, data in written.items():
        platform.store.write_bytes(key, data)
    return set(written)


def remove_other_evidence(platform: Platform, folder: str, written: Collection[str]) -> None:
    """Remove pictures, prompt and page of an earlier try at a question, once the record that replaces it is stored.

    Args:
        platform: The installation.
        folder: Key prefix of the answer.
        written: Keys that belong to the record that stands now.
    """
    for key in [*platform.store.list(f"{folder}/evidence"), f"{folder}/prompt.txt", f"{folder}/page.html"]:
        if key not in written and platform.store.exists(key):
            platform.store.delete(key)


def cue_pictures(viewer: Viewer, cues: Sequence[Cue]) -> tuple[dict[int, Image.Image], tuple[str, ...]]:
    """Return the cues' pictures by rank, and a note for each that had to be cut from the overview."""
    pictures, notes = {}, []
    for cue in cues:
        pictures[cue.rank], note = picture_of(viewer, cue.scene, cue.window)
        if note:
            notes.append(f"Cue {cue.rank} is cut from the overview: {note}")
    return pictures, tuple(notes)


def picture_of(viewer: Viewer, scene_key: str, window: Window) -> tuple[Image.Image, str | None]:
    """Return a window of a scene; where that cannot be read, the window of its overview, and why."""
    try:
        return viewer.patch(scene_key, window), None
    except (RasterError, StoreError) as error:
        return viewer.patch_of_overview(scene_key, window), str(error)


def side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    """Put two pictures into one, the left one scaled to the size of the right one, with a white line between."""
    gap = max(4, right.width // 64)
    picture = Image.new("RGB", (2 * right.width + gap, right.height), "white")
    picture.paste(left.resize(right.size, Image.Resampling.BICUBIC), (0, 0))
    picture.paste(right, (right.width + gap, 0))
    return picture


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
