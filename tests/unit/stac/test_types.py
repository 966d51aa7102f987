from __future__ import annotations

import json
from datetime import UTC, datetime

from imagerag_assets.stac.types import Band, Imagery, Scene


def test_a_scene_survives_json() -> None:
    band = Band("image", "s3://b/a.tif", 1, "B04", "red")
    scene = Scene(
        scene_key="c.a", item_id="a", collection="c", source="s3://b", item_href=None, version="ab" * 32,
        acquired_at=datetime(2024, 5, 1, 10, 0, 0, 24000, tzinfo=UTC), bbox=(179.5, -1.0, -179.5, 1.0),
        geometry={"type": "Point", "coordinates": [180.0, 0.0]}, imagery=Imagery((band,) * 3, "sar", ("image",)),
        cloud_cover=3.5, properties={"x": [1, {"y": None}]}, notes=("The item has no time",),
    )  # fmt: skip
    assert Scene.from_dict(json.loads(json.dumps(scene.to_dict(), allow_nan=False))) == scene
    assert scene.imagery.hrefs == ("s3://b/a.tif",)


def test_absent_values_survive_json() -> None:
    imagery = Imagery(tuple(Band("i", "/a.tif", n) for n in (1, 2, 3)), "other", ("i",))
    scene = Scene("a", "a", None, "/", "/a.json", "0" * 64, None, None, None, imagery, None)
    assert Scene.from_dict(json.loads(json.dumps(scene.to_dict()))) == scene
