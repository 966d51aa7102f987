from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pystac
import pytest

from imagerag_assets.errors import ItemError, SettingsError
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.imagery import select_imagery
from imagerag_assets.stac.types import Imagery

Build = Callable[..., dict[str, Any]]
TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def choose(content: dict[str, Any], **settings: Any) -> Imagery:
    item = pystac.Item.from_dict(content | {"links": []}, migrate=True)
    return select_imagery(item, load_settings(_env_file=None, **settings))


def chosen(imagery: Imagery) -> list[tuple[str, int]]:
    return [(band.asset_key, band.index) for band in imagery.bands]


@pytest.mark.parametrize(
    ("path", "modality", "bands"),
    [
        ("stactools_sentinel2/items_expected/*T07HFE*.json", "optical", [("visual", 1), ("visual", 2), ("visual", 3)]),
        ("stactools_sentinel2/items_expected/*T60CWS*.json", "optical", [("visual", 1), ("visual", 2), ("visual", 3)]),
        ("stactools_sentinel2/examples/*l2a*/*/*.json", "optical", [("visual", 1), ("visual", 2), ("visual", 3)]),
        ("stactools_landsat/examples/*/LC09*/*.json", "optical", [("red", 1), ("green", 1), ("blue", 1)]),
        ("stactools_landsat/examples/*/LE07*/*.json", "optical", [("red", 1), ("green", 1), ("blue", 1)]),
        ("stactools_landsat/tests/data-files/*/*SR_stac.json", "optical",
         [("SR_B4.TIF", 1), ("SR_B3.TIF", 1), ("SR_B2.TIF", 1)]),
        ("odc_stac/tests/data/S2A_28QCH*.json", "optical", [("visual", 1), ("visual", 2), ("visual", 3)]),
        ("odc_stac/tests/data/S2B*31.json", "optical", [("visual", 1), ("visual", 2), ("visual", 3)]),
        ("odc_stac/tests/data/LC08*.json", "optical", [("red", 1), ("green", 1), ("blue", 1)]),
        ("rio_tiler/tests/fixtures/stac.json", "optical", [("rgb", 1), ("rgb", 2), ("rgb", 3)]),
        ("rio_tiler/tests/fixtures/stac_bands.json", "optical", [("rgb", 1), ("rgb", 2), ("rgb", 3)]),
        ("rio_tiler/tests/fixtures/stac_raster.json", "optical", [("red", 1), ("green", 1), ("blue", 1)]),
        ("rio_tiler/tests/fixtures/stac_alternate.json", "optical", [("red", 1), ("green", 1), ("blue", 1)]),
        ("rio_tiler/tests/fixtures/stac_relative.json", "optical", [("MS3", 1), ("MS2", 1), ("MS1", 1)]),
        ("rio_tiler/tests/fixtures/stac-proj*.json", "other", [("data", 1)] * 3),
    ],
)  # fmt: skip
def test_items_of_many_providers(samples: Path, path: str, modality: str, bands: list[tuple[str, int]]) -> None:
    (file,) = samples.glob(path)
    imagery = choose(json.loads(file.read_text()))
    assert chosen(imagery) == bands
    assert imagery.modality == modality
    assert imagery.asset_keys == tuple(dict.fromkeys(key for key, _ in bands))


def test_the_finest_true_colour_asset_is_taken(samples: Path) -> None:
    (file,) = samples.glob("stactools_sentinel2/items_expected/*T07HFE*.json")
    content = json.loads(file.read_text())
    content["assets"] = dict(reversed(content["assets"].items()))
    assert choose(content).bands[0].href.endswith("TCI_10m.tif")
    del content["assets"]["visual"]
    assert choose(content).asset_keys == ("visual_20m",)
    for key in [key for key in content["assets"] if key.startswith("visual")]:
        del content["assets"][key]
    assert choose(content).asset_keys == ("red", "green", "blue")
    del content["assets"]["green"]
    assert choose(content).asset_keys == ("red_20m", "green_20m", "blue_20m")


@pytest.mark.parametrize("style", ["eo:bands", "bands"])
def test_rgbn_of_one_asset_by_common_names_in_any_order(item: Build, style: str) -> None:
    prefix = "eo:" if style == "bands" else ""
    names = ["nir", "blue", "red", "green"]
    bands = [{"name": name.upper(), f"{prefix}common_name": name} for name in names]
    content = item()
    content["assets"]["image"][style] = bands
    imagery = choose(content)
    assert chosen(imagery) == [("image", 3), ("image", 4), ("image", 2)]
    assert [(band.name, band.common_name) for band in imagery.bands] == [
        ("RED", "red"), ("GREEN", "green"), ("BLUE", "blue")]  # fmt: skip
    assert imagery.modality == "optical"


def test_hyperspectral_bands_by_wavelength(item: Build) -> None:
    content = item()
    waves = [0.40 + 0.02 * number for number in range(40)]
    content["assets"]["image"]["bands"] = [
        {"name": f"b{n}", "eo:center_wavelength": wave} for n, wave in enumerate(waves)
    ]
    imagery = choose(content)
    assert [round(waves[band.index - 1], 2) for band in imagery.bands] == [0.66, 0.56, 0.48]
    assert imagery.modality == "optical"


def test_undescribed_bands_are_left_to_who_opens_the_file(item: Build) -> None:
    imagery = choose(item())
    assert chosen(imagery) == [("image", 1), ("image", 2), ("image", 3)]
    assert imagery.modality == "other"


def test_polarisations_of_a_sar_item(item: Build) -> None:
    assets = {key: {"href": f"./{key}.tiff", "type": TIFF, "roles": ["data"]} for key in ("vh", "vv")}
    assets["thumbnail"] = {"href": "./t.png", "type": "image/png", "roles": ["thumbnail"]}
    properties = {"datetime": "2024-05-01T10:00:00Z", "sar:polarizations": ["VV", "VH"], "sar:instrument_mode": "IW"}
    imagery = choose(item(assets=assets, properties=properties))
    assert chosen(imagery) == [("vv", 1)] * 3
    assert imagery.modality == "sar"
    imagery = choose(item(assets=assets, properties=properties), polarisations="two")
    assert chosen(imagery) == [("vv", 1), ("vh", 1), ("vv", 1)]
    del assets["vh"]
    assert chosen(choose(item(assets=assets, properties=properties), polarisations="two")) == [("vv", 1)] * 3


def test_a_thermal_band_where_there_is_nothing_else(item: Build) -> None:
    warm = {"href": "./st.tif", "type": TIFF, "roles": ["data", "temperature"]}
    warm["eo:bands"] = [{"name": "B10", "common_name": "lwir11"}]
    imagery = choose(item(assets={"st": warm}))
    assert (chosen(imagery), imagery.modality) == ([("st", 1)] * 3, "thermal")
    shown = {"href": "./i.tif", "type": TIFF, "roles": ["data"]}
    assert chosen(choose(item(assets={"st": warm, "image": shown})))[0] == ("image", 1)


def test_the_settings_say_what_nobody_else_does(item: Build) -> None:
    assert choose(item(), modality="sar").modality == "sar"


def test_a_panchromatic_band_is_shown_grey(item: Build) -> None:
    asset = {"href": "./p.tif", "type": TIFF, "roles": ["data"], "eo:bands": [{"name": "P", "common_name": "pan"}]}
    imagery = choose(item(assets={"pan": asset}))
    assert (chosen(imagery), imagery.modality) == ([("pan", 1)] * 3, "panchromatic")


def test_settings_choose_assets_and_bands(item: Build) -> None:
    content = item()
    content["assets"] = {
        key: {
            "href": f"./{key}.tif",
            "type": TIFF,
            "roles": ["data"],
            "eo:bands": [{"name": key, "common_name": common}],
        }
        for key, common in [("B02", "blue"), ("B03", "green"), ("B04", "red"), ("B08", "nir")]
    }
    assert choose(content, asset_keys=("B08", "B04", "B03")).asset_keys == ("B08", "B04", "B03")
    assert choose(content, band_names=("nir", "B04", "green")).asset_keys == ("B08", "B04", "B03")
    assert chosen(choose(content, band_names=("B08",))) == [("B08", 1)] * 3
    plain = {**content, "assets": {"image": {"href": "a.tif", "type": TIFF, "bands": [{"data_type": "uint16"}] * 4}}}
    assert chosen(choose(plain, band_names=("3", "2", "1"))) == [("image", 3), ("image", 2), ("image", 1)]
    with pytest.raises(ItemError, match=r"no asset X; its assets: B02, B03, B04, B08.*IMAGERAG_ASSET_KEYS"):
        choose(content, asset_keys=("X",))
    with pytest.raises(ItemError, match=r"no band swir16; its bands: B02, B03.*IMAGERAG_BAND_NAMES"):
        choose(content, band_names=("swir16", "nir", "red"))
    with pytest.raises(SettingsError, match="2 names"):
        choose(content, band_names=("red", "nir"))


@pytest.mark.parametrize(
    "asset",
    [
        {"href": "./meta.xml", "type": "application/xml", "roles": ["metadata"]},
        {"href": "./thumb.tif", "type": TIFF, "roles": ["thumbnail"]},
        {"href": "./small.tif", "type": TIFF, "roles": ["overview"]},
        {"href": "./m.tif", "type": TIFF, "roles": ["data", "data-mask"]},
        {"href": "./x.nc", "type": "application/x-netcdf", "roles": ["data"]},
        {"href": "./x.laz", "roles": ["data"]},
    ],
)
def test_what_is_not_imagery_is_said_so(item: Build, asset: dict[str, Any]) -> None:
    with pytest.raises(ItemError, match=r"no imagery; its assets: only.*IMAGERAG_ASSET_KEYS"):
        choose(item(assets={"only": asset}))


def test_an_asset_without_type_counts_by_its_extension(item: Build, settings: Settings) -> None:
    imagery = choose(item(assets={"a": {"href": "https://host/x/A.TIF?token=1"}, "b": {"href": "./b.txt"}}))
    assert imagery.asset_keys == ("a",)
    assert imagery.bands[0].href == "https://host/x/A.TIF?token=1"
