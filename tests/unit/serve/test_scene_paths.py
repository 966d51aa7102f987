"""Scenes over HTTP: where they lie, and their imagery as tiles and crops, drawn as their patches are."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.scenes.records import list_records
from imagerag_assets.serve.asking import Asking
from tests.unit.serve.conftest import HOSTILE


def _picture(api: TestClient, path: str) -> Image.Image:
    given = api.get(path)
    assert given.status_code == 200, given.text
    return Image.open(io.BytesIO(given.content))


def _other(asking: Asking) -> str:
    """The key of the scene without a place."""
    (key,) = set(list_records(asking.platform)) - {"a"}
    return key


def test_scenes_lie_where_their_imagery_says(asking: Asking, api: TestClient) -> None:
    found = api.get("/api/footprints").json()
    assert (found["type"], found["total"]) == ("FeatureCollection", 2)
    here, nowhere = sorted(found["features"], key=lambda each: each["geometry"] is None)
    assert here["geometry"]["type"] == "Polygon"
    assert here["properties"]["map_zoom"] > 10
    assert (nowhere["geometry"], nowhere["properties"]["item"], nowhere["properties"]["map_zoom"]) == (
        None,
        HOSTILE,
        None,
    )
    detail = api.get("/api/scenes/a").json()
    assert (detail["footprint"], detail["pixel_zoom"]) == (here["geometry"], 1)
    west, south, east, north = here["bbox"]
    listed = api.get("/api/scenes", params={"bbox": f"{west},{south},{east},{north}"}).json()
    assert "a" in [each["scene"] for each in listed["scenes"]]
    assert api.get("/api/scenes", params={"bbox": "-90,-60,-89,-59"}).json()["total"] == 0


def test_tiles_of_a_map_show_what_the_patches_show(asking: Asking, api: TestClient) -> None:
    from rio_tiler.constants import WEB_MERCATOR_TMS

    (feature,) = (each for each in api.get("/api/footprints").json()["features"] if each["geometry"])
    west, south, east, north = feature["bbox"]
    zoom = feature["properties"]["map_zoom"] - 3
    tile = WEB_MERCATOR_TMS.tile((west + east) / 2, (south + north) / 2, zoom)
    path = f"/api/scenes/a/tiles/{tile.z}/{tile.x}/{tile.y}.png"
    shown = _picture(api, path)
    assert (shown.size, shown.mode) == ((256, 256), "RGBA")
    pixels = np.asarray(shown)
    valid = pixels[..., 3] > 0
    assert 0 < valid.mean() < 1  # the scene is smaller than the tile
    with Viewer(asking.platform) as viewer:
        whole = viewer.read("a", (0, 0, 300, 300), 0)
    assert np.abs(pixels[valid][:, :3].mean(axis=0) - whole.mean(axis=(0, 1))).max() < 5
    assert _picture(api, path).tobytes() == shown.tobytes()  # kept
    assert api.get(f"/api/scenes/a/tiles/{tile.z}/{tile.x + 5}/{tile.y}.png").status_code == 404


def test_tiles_in_pixels_and_crops_need_no_place(asking: Asking, api: TestClient) -> None:
    key = _other(asking)
    whole, native = (_picture(api, f"/api/scenes/{key}/pixels/{z}/0/0.png") for z in (0, 2))
    assert (whole.size, native.size) == ((256, 256), (256, 256))
    assert whole.getbbox() == (0, 0, 130, 75)
    edge = _picture(api, f"/api/scenes/{key}/pixels/2/2/1.png")
    assert edge.getbbox() == (0, 0, 8, 44)
    with Viewer(asking.platform) as viewer:
        assert np.array_equal(np.asarray(edge)[:44, :8, :3], viewer.read(key, (512, 256, 520, 300), 0))
    crop = _picture(api, f"/api/scenes/{key}/crop.jpg?window=-10,0,200,100&size=50")
    assert (crop.format, crop.size) == ("JPEG", (50, 25))


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/scenes/nothing", 404, "There is no such scene"),
        ("/api/scenes/nothing/pixels/0/0/0.png", 404, "There is no such scene"),
        ("/api/scenes/..%2F..%2Fa/pixels/0/0/0.png", 404, ""),
        ("/api/scenes/a/tiles/25/0/0.png", 422, "There is no tile 25/0/0"),
        ("/api/scenes/a/tiles/3/8/0.png", 422, "There is no tile 3/8/0"),
        ("/api/scenes/a/tiles/3/x/0.png", 422, "x is not valid"),
        ("/api/scenes/a/pixels/2/0/0.png", 422, "There is no tile 2/0/0"),
        ("/api/scenes/a/pixels/1/7/0.png", 404, "shows nothing of the scene"),
        ("/api/scenes/a/crop.jpg?window=1,2,3", 422, "window is not x0,y0,x1,y1"),
        ("/api/scenes/a/crop.jpg?window=900,900,999,999", 422, "shows nothing of the scene"),
        ("/api/scenes/a/crop.jpg?window=0,0,9,9&size=5000", 422, "size is not valid"),
        ("/api/scenes?bbox=1,2,x,3", 422, "bbox is not W,S,E,N"),
        ("/api/scenes?bbox=1,2,nan,3", 422, "bbox is not on the Earth"),
        ("/api/scenes?datetime=soon", 422, "is not a date"),
        ("/api/footprints?page=3", 422, "There is no page 3"),
    ],
)
def test_what_is_not_there_is_a_sentence(api: TestClient, path: str, status: int, said: str) -> None:
    given = api.get(path)
    assert given.status_code == status, given.text
    assert said in given.json()["error"]["message"]
    assert given.json()["error"]["fix"]


def test_a_map_of_a_scene_without_a_place_is_refused(asking: Asking, api: TestClient) -> None:
    error = api.get(f"/api/scenes/{_other(asking)}/tiles/0/0/0.png").json()["error"]
    assert (error["message"], error["fix"]) == ("The scene has no place on the ground", "Take its tiles in pixels")


def test_a_scene_whose_files_are_gone_is_drawn_from_its_overview(asking: Asking, api: TestClient) -> None:
    from imagerag_assets.scenes.records import load_record
    from imagerag_assets.serve.pictures import Pictures

    files = [asking.platform.settings.home.parent / "scene" / "a.tif"]
    before = api.get("/api/scenes/a/pixels/0/0/0.png").content
    away = files[0].with_suffix(".away")
    assert load_record(asking.platform, "a").scene.scene_key == "a"
    files[0].rename(away)
    pictures = Pictures(asking.platform)
    try:
        shown = pictures.pixel_tile("a", 0, 0, 0)
    finally:
        pictures.close()
        away.rename(files[0])
    assert shown is not None
    one, other = (np.asarray(Image.open(io.BytesIO(each)).convert("RGB"), int) for each in (before, shown))
    assert one.shape == other.shape
    assert np.abs(one - other).mean() < 20
