"""World files, .aux.xml and RPC files beside remote rasters put these where they put local ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import rasterio
from PIL import Image

from imagerag_assets.objects.gdal import rasterio_env
from imagerag_assets.raster import beside
from imagerag_assets.raster.files import RasterFile, describe
from imagerag_assets.settings import Settings
from imagerag_assets.stac.types import ItemPlace
from tests.s3 import S3Endpoint
from tests.unit.raster.scenes import UTM
from tests.unit.raster.test_beside import Server, server  # noqa: F401
from tests.unit.raster.test_place import HEIGHT, UTM33, WIDTH, polynomials, write

WORLD = "10.0\n0.0\n0.0\n-10.0\n500005.0\n5299995.0\n"
SRS = f"<PAMDataset><SRS>{UTM33.replace('<', '')}</SRS></PAMDataset>"
GRID = "<GeoTransform>500000, 10, 0, 5300000, 0, -10</GeoTransform>"
ITEM = ItemPlace(crs="EPSG:32633")


def picture(path: Path) -> None:
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(path)


def without_transform(path: Path) -> None:
    """Write a raster with a CRS alone; an identity that is written down would count before a world file."""
    profile = {"driver": "GTiff", "width": WIDTH, "height": HEIGHT, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(np.full((1, HEIGHT, WIDTH), 7, np.uint8))


def with_rpcs(path: Path, ending: str) -> None:
    """Write a raster, and its polynomials beside it, as GDAL itself does."""
    profile = {"driver": "GTiff", "width": WIDTH, "height": HEIGHT, "count": 1, "dtype": "uint8"}
    option = {"RPB": "YES", "PROFILE": "BASELINE"} if ending == ".RPB" else {"RPCTXT": "YES", "PROFILE": "BASELINE"}
    with rasterio.open(path, "w", **profile, **option, rpcs=polynomials(15.0, 48.0)) as dataset:
        dataset.write(np.full((1, HEIGHT, WIDTH), 7, np.uint8))
    Path(f"{path}.aux.xml").unlink(missing_ok=True)
    assert path.with_name(f"{path.stem}{ending}").is_file()


def tif_with_crs_and_world(folder: Path) -> str:
    without_transform(folder / "a.tif")
    (folder / "a.tfw").write_text(WORLD)
    return "a.tif"


def upper_case_names(folder: Path) -> str:
    without_transform(folder / "A.TIF")
    (folder / "A.TFW").write_text(WORLD)
    return "A.TIF"


def jpeg_with_world_and_auxiliary(folder: Path) -> str:
    picture(folder / "a b.jpg")
    (folder / "a b.jgw").write_text(WORLD)
    (folder / "a b.jpg.aux.xml").write_text(SRS)
    return "a b.jpg"


def png_with_wld(folder: Path) -> str:
    picture(folder / "a.png")
    (folder / "a.wld").write_text(WORLD)
    return "a.png"


def tif_with_auxiliary(folder: Path) -> str:
    write(folder / "a.tif")
    (folder / "a.tif.aux.xml").write_text(SRS.replace("</PAM", f"{GRID}</PAM"))
    return "a.tif"


def tif_with_rpc_txt(folder: Path) -> str:
    with_rpcs(folder / "a.tif", "_RPC.TXT")
    return "a.tif"


def tif_with_rpb(folder: Path) -> str:
    with_rpcs(folder / "a.tif", ".RPB")
    return "a.tif"


def described(href: str, settings: Settings) -> RasterFile:
    with rasterio_env(settings, [href]):
        return describe(href, (1,), settings, item_place=ITEM)


@pytest.mark.parametrize(
    "made",
    [tif_with_crs_and_world, upper_case_names, jpeg_with_world_and_auxiliary, png_with_wld, tif_with_auxiliary,
     tif_with_rpc_txt, tif_with_rpb],
)  # fmt: skip
@pytest.mark.parametrize("query", ["", "?token=secret"])
def test_a_file_over_http_lies_where_the_same_local_one_lies(
    server: Server, settings: Settings, made: Callable[[Path], str], query: str  # noqa: F811
) -> None:  # fmt: skip
    name = made(server.folder)
    local = described(str(server.folder / name), settings)
    remote = described(f"{server.address}/{name.replace(' ', '%20')}{query}", settings)
    assert local.grid.crs_wkt is not None
    assert remote.grid.crs_wkt == local.grid.crs_wkt
    assert remote.grid.transform == pytest.approx(local.grid.transform)
    assert remote.grid.gcps == local.grid.gcps
    assert remote.notes == local.notes
    assert remote.placed_by_item


def test_an_object_of_s3_lies_where_its_world_file_says(
    s3_endpoint: S3Endpoint, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside._known.clear()
    bucket = s3_endpoint.root / "worlds"
    bucket.mkdir()
    tif_with_crs_and_world(bucket)
    # As with AWS itself, whose folders GDAL is not asked to list.
    host = {"S3_ENDPOINT": urlsplit(s3_endpoint.url).netloc, "HTTPS": "NO", "VIRTUAL_HOSTING": "FALSE"}
    for name, value in {**{f"AWS_{key}": text for key, text in host.items()}, **s3_endpoint.environment(),
                        "AWS_ENDPOINT_URL_S3": s3_endpoint.url}.items():  # fmt: skip
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    assert described("s3://worlds/a.tif", settings).grid.transform == (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_300_000.0)


@pytest.mark.parametrize(
    "text", ["<html>\n1\n0\n0\n-1\n5\n5\n</html>", "10\n0\n0\n-10\n500005", "a\nb\nc\nd\ne\nf", "\xff", ""]
)
def test_what_is_no_world_file_is_passed_over(server: Server, settings: Settings, text: str) -> None:  # noqa: F811
    without_transform(server.folder / "a.tif")
    for name in ("a.tfw", "a.wld", "a_RPC.TXT", "a.RPB", "a.tif.aux.xml"):
        (server.folder / name).write_bytes(text.encode("latin-1"))
    found = described(f"{server.address}/a.tif", settings)
    assert found.grid.crs_wkt is None
    assert found.notes[-1] == "no transform: windows are in pixels only"


def test_damaged_polynomials_are_noted(server: Server, settings: Settings) -> None:  # noqa: F811
    write(server.folder / "a.tif")
    (server.folder / "a_RPC.TXT").write_text("LINE_OFF: +1 pixels\n")
    assert described(f"{server.address}/a.tif", settings).grid.crs_wkt is None


def test_a_file_that_knows_its_place_is_not_searched_for_more(server: Server, settings: Settings) -> None:  # noqa: F811
    write(server.folder / "a.tif", **UTM, nodata=0)
    described(f"{server.address}/a.tif", settings)
    assert set(server.asked) == {"/a.tif", "/a.tif.msk"}
