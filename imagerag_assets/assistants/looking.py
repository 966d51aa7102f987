"""Cut a part out of a scene, at a level, within what a picture for an assistant may have."""

from __future__ import annotations

from typing import Any

from PIL import Image

from imagerag_assets.assistants.pictures import MOST_PX
from imagerag_assets.errors import InputError, RasterError, StoreError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.raster.geo import box_geometry, geometry_window
from imagerag_assets.raster.types import Grid
from imagerag_assets.scenes.ground import pixel_m
from imagerag_assets.scenes.removed import refuse_removed

Window = tuple[int, int, int, int]


def look_at(
    platform: Platform, scene: str, window: list[int] | None, bbox: list[float] | None, level: int | None
) -> tuple[dict[str, Any], Image.Image]:
    """Return a part of a scene and what it shows.

    It is read at the wanted level, or at the first coarser one at which it has at most `MOST_PX` a side.  What the
    stored overview shows as finely is cut from that, as reading a whole scene takes long.

    Args:
        platform: The installation.
        scene: Its key.
        window: x0, y0, x1, y1 in native pixels; None: as `bbox` says.
        bbox: West, south, east, north in degrees; None: the whole scene.
        level: 0 is native; None: the finest that fits.

    Returns:
        The keys of `results.Look`, and an RGB picture.

    Raises:
        UnknownSceneError: There is no such scene.
        RemovedSceneError: It was removed.
        InputError: The box is not in the scene.
        StoreError: The store cannot be read.
    """
    if window is not None and bbox is not None:
        raise InputError("A window and a bbox were both given", fix="Give one of them")
    refuse_removed(platform, scene)
    with Viewer(platform) as viewer:
        record = viewer.record(scene)
        grid = record.grid
        wanted = tuple(window) if window is not None else grid.window if bbox is None else _window_of(grid, bbox)
        part = _inside(grid, wanted)
        finest = 0
        while max(part[2] - part[0], part[3] - part[1]) >> finest > MOST_PX:
            finest += 1
        used, notes = max(level or 0, finest), []
        if level is not None and used > level:
            notes.append(f"Level {level} has more than {MOST_PX} pixels a side here, so level {used} is shown")
        picture, note = _picture(viewer, scene, part, used)
        metres = pixel_m(grid)
        acquired = record.scene.acquired_at
        about = {
            "scene": scene,
            "window": list(part),
            "bbox": viewer.bbox(scene, part),
            "level": used,
            "width": picture.width,
            "height": picture.height,
            "metres_per_pixel": None if metres is None else round(metres * (part[2] - part[0]) / picture.width, 3),
            "acquired": None if acquired is None else acquired.isoformat(),
            "notes": [*notes, *note],
        }
    return about, picture


def _window_of(grid: Grid, bbox: list[float]) -> tuple[int, ...]:
    west, south, east, north = bbox
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90 and west != east):
        raise InputError("The bbox is not an area on the globe", fix="Give west, south, east, north in degrees")
    found = geometry_window(grid, box_geometry(west, south, east, north))
    if found is None:
        raise InputError("This scene has no place on the ground there", fix="Give a window in native pixels")
    return found


def _inside(grid: Grid, wanted: tuple[int, ...]) -> Window:
    x0, y0, x1, y1 = wanted
    part = max(x0, 0), max(y0, 0), min(x1, grid.width), min(y1, grid.height)
    if part[0] >= part[2] or part[1] >= part[3]:
        raise InputError(
            "The box is not in the scene", fix=f"The scene has the pixels 0, 0, {grid.width}, {grid.height}"
        )
    return part


def _picture(viewer: Viewer, scene: str, part: Window, level: int) -> tuple[Image.Image, list[str]]:
    overview = viewer.overview(scene)
    size = tuple(max(1, -(-(high - low) >> level)) for low, high in ((part[0], part[2]), (part[1], part[3])))
    if overview.width << level >= viewer.size(scene)[0]:
        return viewer.patch_of_overview(scene, part).resize((size[0], size[1]), Image.Resampling.BICUBIC), []
    try:
        return Image.fromarray(viewer.read(scene, part, level)), []
    except (RasterError, StoreError) as error:
        return viewer.patch_of_overview(scene, part), [f"The picture is cut from the stored overview: {error}"]
