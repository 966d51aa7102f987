"""Items in the form that providers give them, with small files; their ids and pixels are made up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from tests.formats.picture import SIDE, write

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
Fields = Mapping[str, Any]


@dataclass(frozen=True)
class File:
    """An asset with a file of its own."""

    bands: Sequence[str]
    dtype: str = "uint16"
    fields: Fields = field(default_factory=dict)
    """Of the asset."""
    missing: int = 0
    """Columns in the west without pixels; they hold `fill`."""
    fill: float = 0
    options: Fields = field(default_factory=dict)
    suffix: str = ".tif"
    marked: Sequence[ColorInterp] = ()
    points: bool = False
    """Ground control points instead of a transform."""


@dataclass(frozen=True)
class Provided:
    """An item, and what is to be seen of it."""

    provider: str
    name: str
    assets: Mapping[str, File | Fields]
    shown: str
    """Assets and bands, e.g. ``visual 1 2 3``."""
    quarters: str = "RGB?"
    valid: float = 1.0
    properties: Fields = field(default_factory=dict)
    item_assets: Fields | None = None
    """Of the item's collection, which is written beside it."""
    version: str = "1.0.0"
    extensions: Sequence[str] = ()

    def write(self, folder: Path) -> Path:
        """Write the item and its files; return the item's path."""
        assets: dict[str, Any] = {}
        for key, asset in self.assets.items():
            if not isinstance(asset, File):
                assets[key] = dict(asset)
                continue
            name = f"{key}{asset.suffix}".replace("/", "_")
            _write(folder / name, asset)
            assets[key] = {"href": f"./{name}", "type": COG} | dict(asset.fields)
        links = []
        if self.item_assets is not None:
            collection = {"type": "Collection", "id": "c", "stac_version": "1.0.0", "description": "c", "license": "other",
                          "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
                          "links": [], "item_assets": self.item_assets}  # fmt: skip
            (folder / "collection.json").write_text(json.dumps(collection))
            links.append({"rel": "collection", "href": "./collection.json", "type": "application/json"})
        item = {
            "type": "Feature", "stac_version": self.version, "stac_extensions": list(self.extensions), "id": "item",
            "geometry": None, "bbox": [3.0, 45.1, 3.1, 45.2], "links": links, "assets": assets,
            "properties": {"datetime": "2024-06-01T10:00:00Z"} | dict(self.properties),
        }  # fmt: skip
        (folder / "item.json").write_text(json.dumps(item))
        return folder / "item.json"


def _write(path: Path, asset: File) -> None:
    options = dict(asset.options)
    if asset.points:
        options |= {"crs": None, "transform": None}
    write(path, asset.bands, asset.dtype, missing=asset.missing, fill=asset.fill, **options)
    if asset.marked or asset.points:
        with rasterio.open(path, "r+") as dataset:
            if asset.marked:
                dataset.colorinterp = list(asset.marked)
            if asset.points:
                corners = [(0, 0), (0, SIDE), (SIDE, 0), (SIDE, SIDE)]
                points = [GroundControlPoint(y, x, 3 + x / 1e3, 45.2 - y / 1e3) for y, x in corners]
                dataset.gcps = points, "EPSG:4326"


def eo(*names: str, **common: str) -> dict[str, Any]:
    """`eo:bands` with common names: those in `common`, by name, else the name itself."""
    return {"eo:bands": [{"name": name, "common_name": common.get(name, name)} for name in names]}


def raster(count: int = 1, **values: Any) -> dict[str, Any]:
    """`raster:bands`."""
    return {"raster:bands": [dict(values)] * count}


DATA: Fields = {"roles": ["data"]}
_TCI = File(("red", "green", "blue"), "uint8", {"roles": ["visual"]} | eo("red", "green", "blue"))
_S2 = {"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}
_LANDSAT = {"nodata": 0, "data_type": "uint16", "scale": 2.75e-05, "offset": -0.2}
_THUMBNAIL: Fields = {"href": "./thumbnail.jpg", "type": "image/jpeg", "roles": ["thumbnail"]}


def _colours(fields: Fields, said: Fields | None, **options: Any) -> dict[str, File]:
    """Assets named after their colours, as Earth Search and USGS have them."""
    more = raster(**said) if said else {}
    return {name: File([name], fields={**DATA, **eo(name), **more, **fields}, **options)
            for name in ("coastal", "blue", "green", "red", "nir08")}  # fmt: skip


def _coded(
    codes: Mapping[str, str], said: Fields | None = None, *, describe: bool = True, **options: Any
) -> dict[str, File]:
    """Assets with a sensor's codes for bands."""
    more = raster(**said) if said else {}
    return {code: File([colour], fields={**DATA, **(eo(code, **{code: colour}) if describe else {}), **more}, **options)
            for code, colour in codes.items()}  # fmt: skip


_CODES = {"B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B08": "nir"}
_SAR = {
    "sar:instrument_mode": "IW",
    "sar:frequency_band": "C",
    "sar:polarizations": ["VV", "VH"],
    "instruments": ["c-sar"],
}
_RGBN = ("red", "green", "blue", "nir")
_GREY = "kggw"
_SCL = File(["class"], "uint8", DATA)
_MASKS: Fields = {"roles": ["data", "cloud", "water-mask"]}

OPTICAL = (
    Provided("Element84 Earth Search", "sentinel-2-l2a", {**_colours({}, _S2), "visual": _TCI, "scl": _SCL, "thumbnail": _THUMBNAIL}, "visual 1 2 3"),
    Provided("Element84 Earth Search", "sentinel-2-l2a, edge of a swath", {**_colours({}, _S2, missing=32), "scl": _SCL}, "red 1, green 1, blue 1", "-?-?", 0.5),
    Provided("Element84 Earth Search", "sentinel-2-c1-l2a", {**_colours({"gsd": 10}, _S2), "visual": _TCI, "cloud": _SCL, "snow": _SCL}, "visual 1 2 3"),
    Provided("Element84 Earth Search", "sentinel-s2-l2a-cogs (v0)", {**_coded(_CODES), "visual": _TCI, "overview": File(("red", "green", "blue"), "uint8", {"roles": ["overview"]})}, "visual 1 2 3", version="1.0.0-beta.2"),
    Provided("Element84 Earth Search", "landsat-c2-l2", {**_colours({}, _LANDSAT, missing=32), "qa_pixel": _SCL}, "red 1, green 1, blue 1", "-?-?", 0.5),
    Provided("Planetary Computer", "sentinel-2-l2a", {**_coded(_CODES), "visual": _TCI, "SCL": _SCL, "AOT": File(["aot"], fields=DATA)}, "visual 1 2 3"),
    Provided("Planetary Computer", "landsat-c2-l2", {**_colours({}, _LANDSAT, missing=32), "qa_pixel": File(["qa"], fields={"roles": ["cloud", "cloud-shadow"]}), "rendered_preview": {"href": "https://example.com/p.png", "type": "image/png", "roles": ["overview"]}}, "red 1, green 1, blue 1", "-?-?", 0.5),
    Provided("Planetary Computer", "naip", {"image": File(_RGBN, "uint8", {**DATA, "eo:bands": [{"name": n.title(), "common_name": n} for n in _RGBN]}, marked=(ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined))}, "image 1 2 3"),
    Provided("Planetary Computer", "modis-09A1-061", {f"sur_refl_b0{i}": File([c], "int16", {**DATA, **eo(f"sur_refl_b0{i}", **{f"sur_refl_b0{i}": c}), **raster(nodata=-28672, scale=0.0001)}, missing=32, fill=-28672) for i, c in ((1, "red"), (3, "blue"), (4, "green"))}, "sur_refl_b01 1, sur_refl_b04 1, sur_refl_b03 1", "-?-?", 0.5),
    Provided("Planetary Computer", "goes-cmi", {f"C0{i}_2km": File([c], "int16", {**DATA, **eo(f"C0{i}", **{f"C0{i}": c})}) for i, c in ((1, "blue"), (2, "red"), (3, "nir09"))}, "C01_2km 1", "????"),
    Provided("Planetary Computer", "aster-l1t", {"VNIR": File(("nir", "red", "green"), "uint8", {**DATA, "eo:bands": [{"name": "VNIR_Band3N", "common_name": "nir", "center_wavelength": 0.82}, {"name": "VNIR_Band2", "common_name": "red", "center_wavelength": 0.66}, {"name": "VNIR_Band1", "common_name": "yellow/green", "center_wavelength": 0.56}]})}, "VNIR 1 2 3", "????"),
    Provided("Planetary Computer", "hls2-s30", _coded(_CODES, {"nodata": -9999}, dtype="int16", missing=32, fill=-9999), "B04 1, B03 1, B02 1", "-?-?", 0.5),
    Provided("Planetary Computer", "io-lulc-annual-v02", {"data": File(["class"], "uint8", {**DATA, **raster(nodata=0), "file:values": [{"values": [1], "summary": "Water"}]})}, "data 1", "????"),
    Provided("Copernicus Data Space", "sentinel-2-l2a (STAC 1.1)", {**{f"{code}_10m": File([colour], fields={"roles": ["data", "reflectance"], "bands": [{"name": code, "eo:common_name": colour}], "nodata": 0, "raster:scale": 0.0001, "raster:offset": -0.1, "gsd": 10}, missing=32) for code, colour in (("B02", "blue"), ("B03", "green"), ("B04", "red"))}, "SCL_20m": _SCL}, "B04_10m 1, B03_10m 1, B02_10m 1", "-?-?", 0.5, version="1.1.0"),
    Provided("Copernicus Data Space", "TCI (STAC 1.1)", {"TCI_10m": File(("red", "green", "blue"), "uint8", {"roles": ["visual"], "bands": [{"name": c, "eo:common_name": k} for c, k in (("B04", "red"), ("B03", "green"), ("B02", "blue"))], "nodata": 0, "gsd": 10}, missing=32)}, "TCI_10m 1 2 3", "-G-?", 0.5, version="1.1.0"),
    Provided("USGS landsatlook", "landsat-c2l2-sr", {**_colours({}, None, missing=32, options={"nodata": 0}), "qa_pixel": File(["qa"], fields={"roles": ["cloud"]}), "index": {"href": "https://example.com/index", "type": "text/html", "roles": ["metadata"]}}, "red 1, green 1, blue 1", "-?-?", 0.5),
    Provided("USGS landsatlook", "landsat-c2l1, panchromatic", {"pan": File(["grey"], fields={**DATA, **eo("pan")}, options={"nodata": 0})}, "pan 1", _GREY),
    Provided("USGS landsatlook", "landsat-c2l1, MSS", {c: File([c], "uint8", {**DATA, **eo(c)}) for c in ("green", "red", "nir08")}, "green 1", "????"),
    Provided("USGS", "NAIP, infrared marked as alpha", {"image": File((*_RGBN[:3], "alpha"), "uint8", {**DATA, **eo(*_RGBN)}, marked=(ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha))}, "image 1 2 3"),
    Provided("NASA LP DAAC", "HLSS30 (bare assets)", _coded(_CODES, describe=False, dtype="int16", missing=32, fill=-9999, options={"nodata": -9999}), "B04 1, B03 1, B02 1", "-?-?", 0.5),
    Provided("Digital Earth Africa", "s2_l2a (collection describes)", _coded(_CODES, describe=False), "B04 1, B03 1, B02 1", item_assets={code: {**eo(code, **{code: colour}), **raster(nodata=0)} for code, colour in _CODES.items()}),
    Provided("Digital Earth Africa", "ls8_sr", {f"SR_B{i}": File([c], fields={**DATA, **eo(f"SR_B{i}", **{f"SR_B{i}": c}), **raster(nodata=0)}) for i, c in ((2, "blue"), (3, "green"), (4, "red"))}, "SR_B4 1, SR_B3 1, SR_B2 1"),
    Provided("Geoscience Australia", "ga_ls8c_ard_3", {f"nbart_{c}": File([c], "int16", {**DATA, "eo:bands": [{"name": f"nbart_{c}"}]}, missing=32, fill=-999, options={"nodata": -999}) for c in ("blue", "green", "red", "nir")}, "nbart_red 1, nbart_green 1, nbart_blue 1", "-?-?", 0.5),
    Provided("Brazil Data Cube", "CBERS4-MUX", {f"BAND{i}": File([c], "uint8", {**DATA, **eo(f"BAND{i}", **{f"BAND{i}": c})}) for i, c in ((5, "blue"), (6, "green"), (7, "red"), (8, "nir"))}, "BAND7 1, BAND6 1, BAND5 1"),
    Provided("Maxar Open Data", "visual", {"visual": File(("red", "green", "blue"), "uint8", {"roles": ["visual"], "eo:bands": [{"name": "BAND_R", "common_name": "red"}, {"name": "BAND_G", "common_name": "green"}, {"name": "BAND_B", "common_name": "blue"}]}, missing=32, options={"compress": "JPEG", "photometric": "YCBCR", "nodata": 0}), "ms_analytic": File(("coastal", "blue", "green", "yellow", "red"), fields={"roles": ["data"]}), "data-mask": {"href": "./m.gpkg", "type": "application/geopackage+sqlite3", "roles": ["data-mask"]}}, "visual 1 2 3", "-G-?", 0.5),
    Provided("Maxar Open Data", "pan_analytic", {"pan_analytic": File(["grey"], fields={**DATA, "eo:bands": [{"name": "BAND_P", "common_name": "pan"}]}, options={"nodata": 0})}, "pan_analytic 1", _GREY),
    Provided("Maxar Open Data", "ms_analytic", {"ms_analytic": File(("coastal", "blue", "green", "yellow", "red", "rededge", "nir", "nir2"), fields={**DATA, "eo:bands": [{"name": f"BAND_{n}", "common_name": c} for n, c in (("C", "coastal"), ("B", "blue"), ("G", "green"), ("Y", "yellow"), ("R", "red"), ("RE", "rededge"), ("N", "nir08"), ("N2", "nir09"))]}, options={"nodata": 0})}, "ms_analytic 5 3 2"),
    Provided("Planet", "PSScene ortho_analytic_4b", {"ortho_analytic_4b": File(("blue", "green", "red", "nir"), fields={**DATA, "eo:bands": [{"name": n.title(), "common_name": n} for n in ("blue", "green", "red", "nir")]}, options={"nodata": 0}), "ortho_udm2": File(["class"], "uint8", DATA), "ortho_analytic_4b_xml": {"href": "./m.xml", "type": "text/xml", "roles": ["metadata"]}}, "ortho_analytic_4b 3 2 1"),
    Provided("Planet", "PSScene ortho_visual", {"ortho_visual": File((*_RGBN[:3], "alpha"), "uint8", {"roles": ["visual"]}, marked=(ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha))}, "ortho_visual 1 2 3"),
    Provided("Planet", "SkySat ortho_panchromatic", {"ortho_panchromatic": File(["grey"], fields={**DATA, "eo:bands": [{"name": "PAN", "common_name": "pan"}]})}, "ortho_panchromatic 1", _GREY),
    Provided("Airbus", "Pléiades DIMAP", {"image": File(_RGBN, fields={**DATA, **eo("B0", "B1", "B2", "B3", B0="red", B1="green", B2="blue", B3="nir"), **raster(4, nodata=0)}, missing=32), "DIM": {"href": "./DIM.XML", "type": "text/xml", "roles": ["metadata"]}}, "image 1 2 3", "-?-?", 0.5),
    Provided("Airbus", "SPOT 7 pan-sharpened DIMAP", {"ortho": File(_RGBN, fields=DATA, options={"nodata": 0})}, "ortho 1 2 3"),
    Provided("Airbus", "Pléiades Neo, six bands", {"image": File(("red", "green", "blue", "nir", "rededge", "coastal"), fields={**DATA, **eo("red", "green", "blue", "nir", "rededge", "coastal")})}, "image 1 2 3"),
    Provided("DLR", "EnMAP L2A", {"image": File(("coastal", "blue", "green", "red", "nir"), "int16", {**DATA, "eo:bands": [{"name": f"b{i}", "center_wavelength": w} for i, w in enumerate((0.42, 0.48, 0.56, 0.665, 0.86))]}, missing=32, fill=-32768, options={"nodata": -32768})}, "image 4 3 2", "-?-?", 0.5),
    Provided("Wyvern", "Dragonette", {"Cloud optimized GeoTiff": File(("green", "red", "blue", "nir"), "float32", {**DATA, "bands": [{"name": f"Band_{w}", "eo:center_wavelength": w / 1000} for w in (560, 665, 480, 800)]}, missing=32, fill=-9999, options={"nodata": -9999})}, "Cloud optimized GeoTiff 2 1 3", "-?-?", 0.5, version="1.1.0"),
    Provided("OpenAerialMap", "an uploaded tile", {"image": File((*_RGBN[:3], "alpha"), "uint8", {"roles": ["data"]}, marked=(ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha))}, "image 1 2 3"),
    Provided("LINZ", "aerial imagery", {"visual": File(("red", "green", "blue", "alpha"), "uint8", {}, marked=(ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha))}, "visual 1 2 3"),
    Provided("swisstopo", "swissimage-dop10", {"swissimage-dop10_2021_2600-1200_0.1_2056.tif": File(("red", "green", "blue"), "uint8", {"eo:gsd": 0.1, "proj:epsg": 2056}, suffix="")}, "swissimage-dop10_2021_2600-1200_0.1_2056.tif 1 2 3"),
    Provided("OpenDroneMap", "odm_orthophoto", {"orthophoto": File((*_RGBN[:3], "alpha"), "uint8", DATA, marked=(ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha))}, "orthophoto 1 2 3"),
    Provided("MicaSense", "a drone's five bands", {"ortho": File(("blue", "green", "red", "rededge", "nir"), fields={**DATA, **eo("blue", "green", "red", "rededge", "nir")}, missing=32, fill=65535, options={"nodata": 65535})}, "ortho 3 2 1", "-?-?", 0.5),
    Provided("Element84 Earth Search", "sentinel-2-l1c", {**_colours({}, {"nodata": 0, "scale": 0.0001, "offset": -0.1}, missing=32), "granule_metadata": {"href": "./m.xml", "type": "application/xml", "roles": ["metadata"]}}, "red 1, green 1, blue 1", "-?-?", 0.5),
    Provided("AWS Landsat (sat-api)", "landsat-8-l1-c1 (v0.9)", {f"B{i}": File([c], fields={"title": f"Band {i} ({c})", **eo(f"B{i}", **{f"B{i}": c})}) for i, c in ((1, "coastal"), (2, "blue"), (3, "green"), (4, "red"), (5, "nir"))}, "B4 1, B3 1, B2 1", properties={"eo:gsd": 30, "eo:instrument": "OLI_TIRS"}, version="0.9.0"),
    Provided("NASA LP DAAC", "HLSL30 (collection describes)", _coded({"B02": "blue", "B03": "green", "B04": "red", "B05": "nir"}, describe=False, dtype="int16", missing=32, fill=-9999, options={"nodata": -9999}), "B04 1, B03 1, B02 1", "-?-?", 0.5, item_assets={code: eo(code, **{code: c}) for code, c in (("B02", "blue"), ("B03", "green"), ("B04", "red"), ("B05", "nir08"))}),
    Provided("Geoscience Australia", "ga_s2bm_ard_3 (collection describes)", {f"nbart_{c}": File([c], "int16", {**DATA, "proj:shape": [SIDE, SIDE]}, missing=32, fill=-999, options={"nodata": -999}) for c in ("blue", "green", "red", "nir_1")}, "nbart_red 1, nbart_green 1, nbart_blue 1", "-?-?", 0.5, item_assets={f"nbart_{c}": eo(f"nbart_{c}", **{f"nbart_{c}": c}) for c in ("blue", "green", "red")}),
    Provided("AMS Kepler", "CBERS4-PAN5M", {"pan": File(["grey"], "uint8", {**DATA, **eo("pan")}, options={"nodata": 0}), "thumbnail": _THUMBNAIL}, "pan 1", _GREY),
    Provided("INPE", "AMAZONIA-1 WFI", {f"BAND{i}": File([c], fields={**DATA, "eo:bands": [{"name": f"BAND{i}", "common_name": c}], **raster(nodata=0)}, missing=32) for i, c in ((1, "blue"), (2, "green"), (3, "red"), (4, "nir"))}, "BAND3 1, BAND2 1, BAND1 1", "-?-?", 0.5),
    Provided("Planet", "NICFI basemap quad", {"data": File((*_RGBN[2::-1], "nir", "alpha"), fields={**DATA, **eo("blue", "green", "red", "nir")}, marked=(ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined, ColorInterp.alpha))}, "data 3 2 1"),
    Provided("Planet", "PSScene, eight bands (STAC 1.1)", {"ortho_analytic_8b_sr": File(("coastal", "blue", "green", "green", "yellow", "red", "rededge", "nir"), fields={**DATA, "nodata": 0, "bands": [{"name": n, "eo:common_name": c} for n, c in (("coastal_blue", "coastal"), ("blue", "blue"), ("green_i", "green05"), ("green", "green"), ("yellow", "yellow"), ("red", "red"), ("rededge", "rededge071"), ("nir", "nir"))]}, missing=32), "ortho_udm2": File(("class",) * 8, "uint8", {"roles": ["snow-ice", "cloud"]})}, "ortho_analytic_8b_sr 6 4 2", "-?-?", 0.5, version="1.1.0"),
    Provided("Satellogic", "EarthView", {"analytic": File(_RGBN, fields={**DATA, **eo("Red", "Green", "Blue", "NIR", Red="red", Green="green", Blue="blue", NIR="nir"), **raster(4, nodata=0)}, missing=32), "preview": File(("red", "green", "blue"), "uint8", {"roles": ["overview"]}), "thumbnail": _THUMBNAIL}, "analytic 1 2 3", "-?-?", 0.5),
    Provided("NOAA", "emergency response imagery", {"image": File(("red", "green", "blue"), "uint8", {"roles": ["data"]}, options={"compress": "JPEG", "photometric": "YCBCR"})}, "image 1 2 3"),
    Provided("Vexcel", "Graystone ortho (mask inside)", {"rgb": File(("red", "green", "blue"), "uint8", {"roles": ["data", "visual"], "bands": [{"eo:common_name": c} for c in ("red", "green", "blue")]}, missing=32, options={"nodata": 0})}, "rgb 1 2 3", "-G-?", 0.5, version="1.1.0"),
)  # fmt: skip

RADAR = (
    Provided("Planetary Computer", "sentinel-1-grd", {"vv": File(["grey"], fields=DATA, points=True), "vh": File(["grey"], fields=DATA, points=True), "schema-calibration-vv": {"href": "./c.xml", "type": "application/xml", "roles": ["metadata"]}}, "vv 1", _GREY, properties=_SAR),
    Provided("Planetary Computer", "sentinel-1-rtc", {p: File(["grey"], "float32", {**DATA, **raster(nodata=-32768)}, missing=32, fill=-32768) for p in ("vh", "vv")}, "vv 1", "-?-w", 0.5, properties=_SAR),
    Provided("Element84 Earth Search", "sentinel-1-grd", {p: File(["grey"], fields={**DATA, **raster(nodata=0)}, missing=32) for p in ("vh", "vv")}, "vv 1", "-?-w", 0.5, properties=_SAR),
    Provided("Planetary Computer", "alos-palsar-mosaic", {**{p: File(["grey"], fields={**DATA, **raster(nodata=0)}, missing=32) for p in ("HV", "HH")}, "mask": File(["class"], "uint8", DATA), "date": File(["class"], fields=DATA)}, "HH 1", "-?-w", 0.5, properties={"sar:frequency_band": "L", "instruments": ["PALSAR"]}),
    Provided("Umbra", "GEC", {"2024-01-01_UMBRA-05_GEC.tif": File(["grey"], "uint8", {"title": "GEC", **DATA}, suffix="")}, "2024-01-01_UMBRA-05_GEC.tif 1", "????", properties={"sar:polarizations": ["VV"], "sar:product_type": "GEC"}),
    Provided("Capella", "GEO", {"HH": File(["grey"], fields={**DATA, "sar:polarizations": ["HH"]}, options={"nodata": 0}), "preview": File(["grey"], "uint8", {"roles": ["overview"]})}, "HH 1", _GREY, properties={"sar:polarizations": ["HH"], "sar:product_type": "GEO"}),
    Provided("ICEYE", "GRD", {"image": File(["grey"], fields={**DATA, "sar:polarizations": ["VV"]}, points=True)}, "image 1", _GREY, properties={"sar:polarizations": ["VV"], "sar:frequency_band": "X"}),
    Provided("NASA ASF", "OPERA L2 RTC-S1", {**{p: File(["grey"], "float32", {**DATA, "title": p}, missing=32, fill=np.nan, options={"nodata": np.nan}) for p in ("VH", "VV")}, "mask": File(["class"], "uint8", {"roles": ["metadata"]}), "h5": {"href": "./m.h5", "type": "application/x-hdf5", "roles": ["metadata"]}}, "VV 1", "-?-w", 0.5, properties=_SAR),
    Provided("Synspective", "StriX GRD", {"grd": File(["grey"], fields={**DATA, "sar:polarizations": ["VV"]}, options={"nodata": 0})}, "grd 1", _GREY, properties={"sar:polarizations": ["VV"], "sar:frequency_band": "X", "sar:product_type": "GRD"}),
)  # fmt: skip

OTHERS = (
    Provided("Planetary Computer", "cop-dem-glo-30", {"data": File(["grey"], "float32", DATA)}, "data 1 2 3", _GREY),
    Provided("Element84 Earth Search", "cop-dem-glo-90", {"data": File(["grey"], "float32", {**DATA, **raster(spatial_resolution=90, unit="meter")})}, "data 1", _GREY),
    Provided("Planetary Computer", "alos-dem", {"data": File(["grey"], "int16", {**DATA, **raster(nodata=-9999)}, missing=32, fill=-9999)}, "data 1", "-?-w", 0.5),
    Provided("Planetary Computer", "nasadem", {"elevation": File(["grey"], "int16", {**DATA, **raster(nodata=-32768)}, missing=32, fill=-32768)}, "elevation 1", "-?-w", 0.5),
    Provided("Planetary Computer", "3dep-seamless", {"data": File(["grey"], "float32", {**DATA, **raster(nodata="nan")}, missing=32, fill=np.nan)}, "data 1", "-?-w", 0.5),
    Provided("ESA", "WorldCover", {"map": File(["class"], "uint8", {**DATA, **raster(nodata=0), "classification:classes": [{"value": 10, "description": "Tree cover"}]}, missing=32, options={"nodata": 0}), "input_quality": {"href": "./q.tif", "type": COG, "roles": ["metadata"]}}, "map 1", "-?-?", 0.5),
    Provided("JRC", "Global Surface Water", {"occurrence": File(["class"], "uint8", DATA, missing=32, fill=255, options={"nodata": 255})}, "occurrence 1 2 3", "-?-?", 0.5),
)  # fmt: skip

PROVIDED = (*OPTICAL, *RADAR, *OTHERS)
