"""Paths of scenes: list them, where they lie, everything of one, and its imagery as tiles and crops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from imagerag_assets.errors import ImageRAGError, InputError
from imagerag_assets.ingestion.inventory import SceneFilter, facts_of, list_scenes
from imagerag_assets.lineage.scene_facts import scene_facts
from imagerag_assets.objects.store import read_all
from imagerag_assets.questions.question import interval
from imagerag_assets.raster.geo import window_feature
from imagerag_assets.scenes.records import SceneRecord, find_record, list_records
from imagerag_assets.scenes.removed import list_removed
from imagerag_assets.scenes.tiles import MAX_CROP_PX, native_zoom, pixel_zooms
from imagerag_assets.serve.described import gives, gives_file
from imagerag_assets.serve.documents import NotThereError, result
from imagerag_assets.serve.rights import may

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.serve.asking import Asking

_PAGE = 50
_MOST = 1000
_TILES = {"Cache-Control": "private, max-age=600"}
_INT = 2**31 - 1

Limit = Annotated[int, Query(ge=1, le=_MOST)]
PageNumber = Annotated[int, Query(ge=1, le=_INT)]
Key = Annotated[str, Path(max_length=400)]
Zoom = Annotated[int, Path(ge=0, le=30)]
Place = Annotated[int, Path(ge=0, le=_INT)]


def scene_router(asking: Asking) -> APIRouter:
    """Return the paths."""
    router = APIRouter(prefix="/api", tags=["scenes"], dependencies=[Depends(may("read"))])

    @router.get(
        "/scenes",
        summary="List the ingested scenes",
        responses=gives("As `imagerag scenes --json` prints them", 422),
    )
    async def scenes(
        limit: Limit = _PAGE,
        page: PageNumber = 1,
        collection: Annotated[list[str] | None, Query(max_length=100)] = None,
        bbox: Annotated[str | None, Query(max_length=200, description="West, south, east, north in degrees")] = None,
        datetime: Annotated[str | None, Query(max_length=100, description="START/END")] = None,
    ) -> Response:
        wanted = _filter(collection, bbox, datetime)
        return result(await asking.read(lambda platform: list_scenes(platform, wanted, limit=limit, page=page)))

    @router.get(
        "/footprints",
        summary="Return where the scenes lie, as GeoJSON",
        responses=gives("A FeatureCollection in degrees; a scene without a place has no geometry", 422),
    )
    async def footprints(limit: Limit = _MOST, page: PageNumber = 1) -> Response:
        return result(await asking.read(lambda platform: _footprints(platform, limit, page)))

    @router.get(
        "/scenes/{scene}",
        summary="Return everything that is known of a scene",
        responses=gives("As `imagerag scenes show --json` prints it, and the zooms of its tiles", 404),
    )
    async def scene(scene: Key) -> Response:
        return result(await asking.read(lambda platform: _detail(platform, scene)))

    @router.get(
        "/scenes/{scene}/tiles/{z}/{x}/{y}.png",
        summary="Return a tile of a scene's imagery for a web map (EPSG:3857)",
        responses=gives_file("256 x 256, transparent where there is no data", "image/png", 404, 422, 500),
    )
    async def tile(scene: Key, z: Zoom, x: Place, y: Place) -> Response:
        return _png(await asking.draw(lambda pictures: pictures.map_tile(scene, z, x, y)))

    @router.get(
        "/scenes/{scene}/pixels/{z}/{x}/{y}.png",
        summary="Return a tile of a scene in its own pixels",
        description="At zoom 0 one tile shows the whole scene; at the last one (`pixel_zoom` of the scene) pixels are"
        " native.",
        responses=gives_file("256 x 256, transparent beside the scene", "image/png", 404, 422, 500),
    )
    async def pixels(scene: Key, z: Zoom, x: Place, y: Place) -> Response:
        return _png(await asking.draw(lambda pictures: pictures.pixel_tile(scene, z, x, y)))

    @router.get(
        "/scenes/{scene}/crop.jpg",
        summary="Return a part of a scene as a picture",
        responses=gives_file("Its longest side at most `size`, never enlarged", "image/jpeg", 404, 422, 500),
    )
    async def crop(
        scene: Key,
        window: Annotated[str, Query(max_length=60, description="x0,y0,x1,y1 in native pixels")],
        size: Annotated[int, Query(ge=1, le=MAX_CROP_PX)] = 512,
    ) -> Response:
        box = window_of(window)
        data = await asking.draw(lambda pictures: pictures.crop(scene, box, size))
        return Response(data, media_type="image/jpeg", headers=_TILES)

    return router


def window_of(text: str) -> tuple[int, int, int, int]:
    """Return x0,y0,x1,y1 as numbers.

    Raises:
        InputError: the text is not four whole numbers.
    """
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().removeprefix("-").isdecimal() for part in parts):
        raise InputError("window is not x0,y0,x1,y1", fix="Give four whole numbers of native pixels")
    x0, y0, x1, y1 = (min(max(int(part), -_INT), _INT) for part in parts)
    return x0, y0, x1, y1


def _filter(collection: list[str] | None, bbox: str | None, datetime: str | None) -> SceneFilter:
    start, end = interval(datetime)
    area = None
    if bbox is not None:
        try:
            west, south, east, north = (float(part) for part in bbox.split(","))
        except ValueError:
            raise InputError("bbox is not W,S,E,N", fix="Give four numbers in degrees") from None
        if not (abs(west) <= 180 and abs(east) <= 180 and -90 <= south <= north <= 90):
            raise InputError("bbox is not on the Earth", fix="Give W,S,E,N in degrees, with S below N")
        area = (west, south, east, north)
    return SceneFilter(collections=tuple(collection or ()), start_ms=start, end_ms=end, bbox=area)


def _footprints(platform: Platform, limit: int, page: int) -> dict[str, Any]:
    keys = list_records(platform)
    pages = max(1, -(-len(keys) // limit))
    if page > pages:
        raise InputError(f"There is no page {page}", fix=f"Give a page of 1 to {pages}")
    gone = {mark.scene for mark in list_removed(platform) if mark.asked}

    def feature(key: str) -> dict[str, Any] | None:
        try:
            record = find_record(platform, key)
        except ImageRAGError:  # /api/scenes says what is wrong with it
            return None
        return None if record is None else _feature(record, removed=key in gone)

    found = read_all(feature, keys[(page - 1) * limit : page * limit])
    features = [each for each in found if each is not None]
    return {"type": "FeatureCollection", "features": features, "total": len(keys), "page": page, "pages": pages}


def _feature(record: SceneRecord, *, removed: bool) -> dict[str, Any]:
    grid = record.grid
    about = facts_of(record) | {"removed": removed, **_zooms(record)}
    del about["source"]
    return window_feature(grid, grid.window, about)


def _zooms(record: SceneRecord) -> dict[str, int | None]:
    return {"map_zoom": native_zoom(record.grid), "pixel_zoom": pixel_zooms(record.grid)}


def _detail(platform: Platform, scene: str) -> dict[str, Any]:
    found = scene_facts(platform, scene)
    record = find_record(platform, scene) if found.get("width") else None
    return found | ({"map_zoom": None, "pixel_zoom": None} if record is None else _zooms(record))


def _png(data: bytes | None) -> Response:
    if data is None:
        raise NotThereError("The tile shows nothing of the scene", fix="Ask for tiles within its footprint")
    return Response(data, media_type="image/png", headers=_TILES)
