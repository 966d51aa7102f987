"""A catalog of a stranger from the command line: what leads away fails by name, the rest is ingested, nothing leaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.cli import main
from imagerag_assets.settings import Settings
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.items import texture, write_item, write_tiff
from tests.web_server import serve


@pytest.mark.usefixtures("milvus_stays", "installed")
def test_what_leads_away_fails_and_the_rest_is_ingested(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = write_tiff(tmp_path / "secret.tif", texture(200, 200))
    with serve(tmp_path / "inner") as inner, serve(tmp_path / "outer") as outer:
        write_tiff(inner.folder / "a.tif", texture(200, 200))
        good = write_tiff(outer.folder / "good.tif", texture(200, 200))
        (outer.folder / "vrt.tif").write_text(
            '<VRTDataset rasterXSize="200" rasterYSize="200"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
            f"<SourceFilename>{secret}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
            "</VRTDataset>"
        )
        outer.redirects["/away.tif"] = f"{inner.url}/a.tif"
        hrefs = {
            "cached": f"/vsicached?file={secret}&x=://", "file": f"file://{secret}", "good": "./good.tif",
            "inner": f"{inner.url}/a.tif", "redirect": "./away.tif", "vrt": "./vrt.tif",
        }  # fmt: skip
        for name, href in hrefs.items():
            write_item(outer.folder / f"{name}.json", href, item_id=name, raster=good)
        links = [{"rel": "item", "href": f"./{name}.json"} for name in hrefs]
        root: dict[str, Any] = {"type": "Catalog", "id": "c", "stac_version": "1.0.0", "description": "c"}
        (outer.folder / "catalog.json").write_text(json.dumps(root | {"links": links}))
        capsys.readouterr()
        code = main(["ingest", f"{outer.named}/catalog.json", "--json"])
        out = capsys.readouterr().out
        scenes = {each["scene"]: each for each in json.loads(out)["scenes"]}
        assert inner.asked == []
    assert code == 3
    assert {name for name, each in scenes.items() if each["status"] == "ingested"} == {"good"}
    failed = {name: each["error"] for name, each in scenes.items() if each["status"] == "failed"}
    assert failed.keys() == hrefs.keys() - {"good"}
    for name in ("inner", "redirect"):
        assert "loopback" in failed[name]
        assert f"127.0.0.1:{inner.port}" in failed[name]
        assert "IMAGERAG_ALLOWED_HOSTS" in failed[name]
