"""Formats and situations, each with a small file that has it and with what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp

from imagerag_assets.stac.types import Scene
from tests.formats.picture import SIDE, planes, write
from tests.unit.raster.scenes import UTM, scene_of, write_tiff

RGB = ("red", "green", "blue")
_R, _G, _B, _A = ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha


@dataclass(frozen=True)
class Situation:
    """A kind of file."""

    name: str
    make: Callable[[Path], Scene]
    happens: str
    quarters: str = "RGBg"
    valid: float = 1.0
    note: str = ""
    """Part of a note."""
    error: str = ""
    """Part of the one line with which the scene fails."""
    settings: dict[str, Any] = field(default_factory=dict)


def _guess(scene: Scene) -> Scene:
    return replace(scene, imagery=replace(scene.imagery, modality="other"))


def _item_says(scene: Scene, **values: float) -> Scene:
    bands = tuple(replace(band, **values) for band in scene.imagery.bands)
    return replace(scene, imagery=replace(scene.imagery, bands=bands))


def _each_says(scene: Scene, *nodata: float) -> Scene:
    bands = tuple(replace(band, nodata=value) for band, value in zip(scene.imagery.bands, nodata, strict=True))
    return replace(scene, imagery=replace(scene.imagery, bands=bands))


def _filled(path: Path, *fills: int) -> Path:
    """Fill the western half of each band with a value of its own."""
    pixels = planes(RGB)
    for band, fill in zip(pixels, fills, strict=True):
        band[:, : SIDE // 2] = fill
    return write_tiff(path, pixels, block=SIDE)


def _plain_mask(path: Path) -> Path:
    """Mask the northern half by a file beside it that is a picture and no more."""
    mask = np.full((1, SIDE, SIDE), 255, np.uint8)
    mask[:, : SIDE // 2] = 0
    write_tiff(Path(f"{path}.msk"), mask, **UTM)
    return path


def _one(path: Path) -> Scene:
    return scene_of(path, (1, 1, 1))


def _changed(path: Path, **values: Any) -> Path:
    with rasterio.open(path, "r+") as dataset:
        for name, value in values.items():
            setattr(dataset, name, value)
    return path


def _masked(path: Path, *, inside: bool) -> Path:
    """Mask the northern half."""
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[: SIDE // 2] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=inside), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(mask)
    return path


def _wrong_mask(path: Path) -> Path:
    beside = write_tiff(Path(f"{path}.msk"), np.full((1, 40, 40), 255, np.uint8), **UTM)
    with rasterio.open(beside, "r+") as dataset:
        dataset.update_tags(INTERNAL_MASK_FLAGS_1=2)
    return path


def _saved(path: Path, mode: str, **options: Any) -> Path:
    Image.fromarray(np.moveaxis(planes(RGB), 0, -1)).convert(mode).save(path, **options)
    return path


def _palette(path: Path, colours: int = 4) -> Path:
    index = np.kron(np.array([[0, 1], [2, 3]], np.uint8), np.ones((SIDE // 2, SIDE // 2), np.uint8))
    table = [200, 20, 30, 20, 180, 30, 20, 30, 220, 120, 120, 120][: 3 * colours]
    picture = Image.fromarray(index, "P")
    picture.putpalette(table)
    picture.save(path, bits=8)
    return path


def _wide_palette(path: Path) -> Path:
    index = np.kron(np.array([[0, 1000], [2000, 3000]], np.uint16), np.ones((SIDE // 2, SIDE // 2), np.uint16))
    write_tiff(path, index[None], photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        colours = [(200, 20, 30, 255), (20, 180, 30, 255), (20, 30, 220, 255), (120, 120, 120, 255)]
        dataset.write_colormap(1, dict(zip((0, 1000, 2000, 3000), colours, strict=True)))
    return path


def _inks(path: Path) -> Path:
    light = planes(RGB)
    return _changed(
        write_tiff(path, np.concatenate([255 - light, np.zeros_like(light[:1])]), photometric="MINISBLACK"),
        colorinterp=[ColorInterp.cyan, ColorInterp.magenta, ColorInterp.yellow, ColorInterp.black],
    )


def _framed(path: Path, value: int, dtype: str = "uint8", **options: Any) -> Path:
    pixels = planes(RGB, dtype)
    frame = np.ones((SIDE, SIDE), bool)
    frame[8:-8, 8:-8] = False
    pixels[:, frame] = value
    return write_tiff(path, pixels, block=SIDE, **options)


def _three(folder: Path, **options: Any) -> Scene:
    """Red and green, and blue on a grid shifted by half a pixel, with its northern half masked."""
    shifted = rasterio.Affine(10, 0, 500_005, 0, -10, 4_999_995)
    files = [write(folder / f"{colour}.tif", [colour], "uint16") for colour in RGB[:2]]
    blue = write(folder / "blue.tif", ["blue"], "uint16", transform=shifted, **options)
    return scene_of([*files, _masked(blue, inside=True)], (1, 1, 1))


def _alpha(path: Path, dtype: str = "uint8") -> Path:
    pixels = planes((*RGB, "alpha"), dtype)
    pixels[3, : SIDE // 2] = 0
    return _changed(write_tiff(path, pixels, photometric="RGB", alpha="YES"), colorinterp=[_R, _G, _B, _A])


def _infrared_as_alpha(path: Path) -> Path:
    pixels = planes((*RGB, "near infrared"))
    pixels[3] = np.random.default_rng(0).integers(1, 255, (SIDE, SIDE))
    return _changed(write_tiff(path, pixels, photometric="RGB", alpha="YES"), colorinterp=[_R, _G, _B, _A])


def _described(path: Path, names: tuple[str, ...], bands: tuple[str, ...], dtype: str = "uint16") -> Path:
    return _changed(write(path, bands, dtype), descriptions=names)


def _wavelengths(path: Path) -> Path:
    write(path, ("nir", "blue", "green", "red"), "uint16")
    with rasterio.open(path, "r+") as dataset:
        for number, wave in enumerate((842.0, 490.0, 560.0, 665.0), 1):
            dataset.update_tags(number, wavelength=str(wave), wavelength_units="Nanometers")
    return path


def _radar(path: Path) -> Path:
    values = (planes(["grey"], "float32") * np.exp(1j)).astype(np.complex64)
    return write_tiff(path, values)


def _nan(path: Path) -> Path:
    return write(path, ["grey"], "float32", missing=32, fill=np.nan)


def _from_white(path: Path, dtype: str = "uint8") -> Path:
    pixels = planes(["grey"], dtype)
    return write_tiff(path, (255 if dtype == "uint8" else 65535) - pixels, photometric="MINISWHITE")


SITUATIONS = (
    Situation("three bands of 8 bits", lambda d: scene_of(write(d / "a.tif", RGB)), "bytes as they are"),
    Situation("three bands of 16 bits", lambda d: scene_of(write(d / "a.tif", RGB, "uint16")), "stretched between percentiles"),
    Situation("real numbers, NaN where nothing is", lambda d: _one(_nan(d / "a.tif")), "NaN is no pixel", "-?-w", 0.5),
    Situation("complex radar", lambda d: _one(_radar(d / "a.tif")), "decibels of the magnitude", "kgww"),
    Situation("grey, no band described", lambda d: _guess(scene_of(write(d / "a.tif", ["grey"]))), "shown grey", "kggw"),
    Situation("grey with alpha", lambda d: _guess(scene_of(_changed(write(d / "a.tif", ["grey", "alpha"]), colorinterp=[ColorInterp.gray, _A]))), "shown grey", "kggw"),
    Situation("palette (PNG, GIF, TIFF)", lambda d: _guess(scene_of(_palette(d / "a.png"))), "in the palette's colours"),
    Situation("palette of 16 bits", lambda d: _guess(scene_of(_wide_palette(d / "a.tif"))), "in the palette's colours"),
    Situation("palette index beyond the table", lambda d: _guess(scene_of(_palette(d / "a.png", 3))), "those pixels are missing, a note says so", "RGB-", 0.75, note="the palette has"),
    Situation("CMYK JPEG", lambda d: scene_of(_saved(d / "a.jpg", "CMYK", quality=95)), "true colours"),
    Situation("CMYK TIFF", lambda d: scene_of(_saved(d / "a.tif", "CMYK")), "true colours"),
    Situation("bands marked cyan, magenta, yellow, black", lambda d: scene_of(_inks(d / "a.tif")), "true colours"),
    Situation("YCbCr JPEG", lambda d: scene_of(_saved(d / "a.jpg", "RGB", quality=95)), "true colours"),
    Situation("YCbCr TIFF", lambda d: scene_of(_saved(d / "a.tif", "YCbCr")), "true colours"),
    Situation("YCbCr JPEG in TIFF", lambda d: scene_of(write(d / "a.tif", RGB, compress="JPEG", photometric="YCBCR")), "true colours"),
    Situation("bands marked blue, green, red", lambda d: _guess(scene_of(_changed(write(d / "a.tif", RGB[::-1]), colorinterp=[_B, _G, _R]))), "true colours, a note says which bands", note="by the file's colour interpretation"),
    Situation("three bands of 8 bits, the item describes one without a name", lambda d: _guess(scene_of(write(d / "a.tif", RGB, photometric="RGB"), (1, 1, 1))), "true colours, a note says so", note="by the file's colour interpretation"),
    Situation("bands described as B02, B03, B04, B08", lambda d: _guess(scene_of(_described(d / "a.tif", ("B02", "B03", "B04", "B08"), ("blue", "green", "red", "nir")))), "true colours, a note says which bands", note="by the file's descriptions"),
    Situation("bands described as Blue, Green, Red, NIR", lambda d: _guess(scene_of(_described(d / "a.tif", ("Blue", "Green", "Red", "NIR"), ("blue", "green", "red", "nir"), "uint8"))), "true colours, a note says which bands", note="by the file's descriptions"),
    Situation("bands with wavelengths", lambda d: _guess(scene_of(_wavelengths(d / "a.tif"))), "true colours, a note says which bands", "RGB?", note="by the file's wavelengths"),
    Situation("white is zero, 8 bits", lambda d: _one(_from_white(d / "a.tif")), "turned round", "kggw"),
    Situation("white is zero, 16 bits", lambda d: _one(_from_white(d / "a.tif", "uint16")), "turned round", "kggw"),
    Situation("4 bits (NBITS)", lambda d: _one(write_tiff(d / "a.tif", planes(["grey"]) // 16, nbits=4)), "full contrast", "kggw"),
    Situation("negative scale in the file", lambda d: _one(_changed(write(d / "a.tif", ["grey"], "uint16"), scales=[-1.0])), "turned round", "wggk"),
    Situation("negative scale in the item", lambda d: _item_says(_one(write(d / "a.tif", ["grey"], "uint16")), scale=-0.1), "turned round", "wggk"),
    Situation("scale of 0 in the file", lambda d: _one(_changed(write(d / "a.tif", ["grey"], "uint16"), scales=[0.0])), "not used, a note says so", "kggw", note="the scale 0 of band 1 is not usable"),
    Situation("scale of NaN in the file", lambda d: _one(_changed(write(d / "a.tif", ["grey"], "uint16"), scales=[float("nan")])), "not used, a note says so", "kggw", note="the scale nan of band 1 is not usable"),
    Situation("nodata in the file", lambda d: scene_of(write(d / "a.tif", RGB, missing=32, nodata=0)), "missing", "-G-g", 0.5),
    Situation("nodata in the item", lambda d: _item_says(scene_of(write(d / "a.tif", RGB, missing=32)), nodata=0), "missing", "-G-g", 0.5),
    Situation("nodata 0, 7 and 255 of three bands, in the item", lambda d: _each_says(scene_of(_filled(d / "a.tif", 0, 7, 255)), 0, 7, 255), "missing where each band has its own", "-G-g", 0.5),
    Situation("nodata 0 in the file, 255 in the item", lambda d: _item_says(scene_of(write(d / "a.tif", RGB, missing=32, nodata=0)), nodata=255), "the file's counts, a note says so", "-G-g", 0.5, note="nodata is 0 in the file and 255 in the item"),
    Situation("nodata that the type cannot hold", lambda d: _item_says(scene_of(write(d / "a.tif", RGB)), nodata=-9999), "not used, a note says so", note="does not fit uint8"),
    Situation("all pixels are nodata", lambda d: _item_says(scene_of(write(d / "a.tif", RGB, missing=SIDE)), nodata=0), "the scene is kept as empty, and says so", error="no valid pixels"),
    Situation("mask in the file", lambda d: scene_of(_masked(write(d / "a.tif", RGB), inside=True)), "missing where it says so", "--Bg", 0.5),
    Situation("mask beside the file (.msk)", lambda d: scene_of(_masked(write(d / "a.tif", RGB), inside=False)), "missing where it says so", "--Bg", 0.5),
    Situation("mask beside the file that does not say that it is one", lambda d: scene_of(_plain_mask(write(d / "a.tif", RGB))), "missing where it says so", "--Bg", 0.5),
    Situation("mask in the file, and nodata", lambda d: scene_of(_masked(write(d / "a.tif", RGB, missing=32, nodata=0), inside=True)), "a pixel counts if both say so", "---g", 0.25),
    Situation("mask beside the file, and nodata", lambda d: scene_of(_masked(write(d / "a.tif", RGB, missing=32, nodata=0), inside=False)), "a pixel counts if both say so", "---g", 0.25),
    Situation("mask in the file, nodata in the item", lambda d: _item_says(scene_of(_masked(write(d / "a.tif", RGB, missing=32), inside=True)), nodata=0), "a pixel counts if both say so", "---g", 0.25),
    Situation("mask of another size", lambda d: scene_of(_wrong_mask(write(d / "a.tif", RGB))), "the scene fails, the others are done", error="the mask beside the image has 40x40 px, the image 64x64"),
    Situation("alpha", lambda d: scene_of(_alpha(d / "a.tif")), "missing where it is 0", "--Bg", 0.5),
    Situation("near infrared marked as alpha", lambda d: scene_of(_infrared_as_alpha(d / "a.tif")), "no mask, a note says so", note="is marked as alpha but holds data"),
    Situation("one band of three is masked, on a shifted grid", _three, "missing where one band is", "--B?", 0.49),
    Situation("one band of three has mask and nodata, on a shifted grid", lambda d: _three(d, missing=32, nodata=0), "missing where one band is", "---?", 0.24),
    Situation("black frame that nothing declares", lambda d: scene_of(_framed(d / "a.tif", 0)), "counts, a note says so", note="is the constant value 0, which nothing declares as missing"),
    Situation("black frame, IMAGERAG_COLLARS=exclude", lambda d: scene_of(_framed(d / "a.tif", 0, "uint16")), "missing, a note says so", "RGBg", 0.56, note="left out", settings={"collars": "exclude"}),
    Situation("white frame, IMAGERAG_COLLARS=exclude", lambda d: scene_of(_framed(d / "a.tif", 255)), "missing, a note says so", "RGBg", 0.56, note="left out", settings={"collars": "exclude"}),
    Situation("black frame in a JPEG, IMAGERAG_COLLARS=exclude", lambda d: scene_of(_framed(d / "a.tif", 0, compress="JPEG", photometric="YCBCR")), "missing, with its blurred edge", "RGBg", 0.56, note="left out", settings={"collars": "exclude"}),
)  # fmt: skip
"""All of them; the table of docs/formats.md has a row for each."""
