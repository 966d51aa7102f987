"""Draw what an encoder sees of each kind of imagery: ``python docs/images/draw_renders.py DATA``.

DATA is a folder of sample files by many hands; which ones are drawn, and their licences, are in ``PICTURES``.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image

from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import load_settings
from imagerag_assets.stac.types import Band, Imagery, Scene

SIDE = 240
_LANDSAT = "stactools_landsat/tests/data-files/assets3/LC08_L2SP_008059_20191201_20200825_02_T1_"
PICTURES: dict[str, tuple[str, tuple[str, ...], tuple[int, int, int]]] = {
    "sar-detected": ("sar", ("geotiff_test_data/files/umbra_mount_yasur.tiff",), (1, 1, 1)),  # Umbra, CC BY 4.0
    "sar-amplitude": ("sar", ("rio_tiler/tests/fixtures/cog_nodata_nan.tif",), (1, 1, 1)),  # Copernicus data
    "sar-complex": ("sar", ("drawn/co.tif",), (1, 1, 1)),
    "sar-two": ("sar", ("drawn/co.tif", "drawn/cross.tif", "drawn/co.tif"), (1, 1, 1)),
    "thermal": ("thermal", (f"{_LANDSAT}ST_B10.TIF",), (1, 1, 1)),  # USGS, public domain
    "one-band": ("panchromatic", (f"{_LANDSAT}SR_B4.TIF",), (1, 1, 1)),  # USGS, public domain
    "palette": ("other", ("drawn/palette.tif",), (1, 2, 3)),  # of NAIP imagery, public domain
    "spectrum": (
        "other",
        ("deeptreeattention_neon/tests/data/hsi/2018_HARV_6_726000_4699000_image_crop_hyperspectral_2018.tif",),  # MIT
        (1, 2, 3),
    ),
    "float": ("other", ("opengeos_data/raster/cog.tif",), (1, 2, 3)),  # Copernicus data
}


def draw_missing(data: Path, out: Path) -> None:
    """Draw what no sample with a free licence shows: single-look radar of two polarisations, and a palette."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    random = np.random.default_rng(16)
    # Mean powers of a field, then of a forest, a lake and a town.
    co, cross = np.full((SIDE, SIDE), 0.1), np.full((SIDE, SIDE), 0.008)
    for where, powers in (
        (columns + 20 * np.sin(rows / 25) > 150, (0.2, 0.07)),
        ((rows - 70) ** 2 + (columns - 70) ** 2 < 45**2, (0.006, 0.0008)),
        ((rows > 140) & (columns < 120) & (rows % 14 < 8) & (columns % 20 < 13), (1.5, 0.05)),
    ):
        co[where], cross[where] = powers
    for name, power in (("co", co), ("cross", cross)):
        speckle = random.standard_normal((2, SIDE, SIDE)) * np.sqrt(power / 2)
        _write(out / f"{name}.tif", (speckle[0] + 1j * speckle[1]).astype(np.complex64))
    naip = data / "stactools_naip/tests/data-files/m_3008501_ne_16_1_20110815.tif"
    with rasterio.open(naip) as dataset:
        colours = np.moveaxis(dataset.read((1, 2, 3)), 0, -1)
    few = Image.fromarray(colours).quantize(16)
    table = np.asarray(few.getpalette(), np.uint8).reshape(-1, 3)
    palette = {value: (*colour.tolist(), 255) for value, colour in enumerate(table)}
    _write(out / "palette.tif", np.asarray(few), palette)


def _write(path: Path, pixels: NDArray[Any], palette: dict[int, tuple[int, ...]] | None = None) -> None:
    height, width = pixels.shape
    with rasterio.open(path, "w", "GTiff", width, height, 1, dtype=pixels.dtype) as dataset:
        dataset.write(pixels, 1)
        if palette is not None:
            dataset.write_colormap(1, palette)


def scene_of(modality: str, paths: tuple[Path, ...], indexes: tuple[int, int, int]) -> Scene:
    """Return a scene of one file, or of three with a band each."""
    each = paths * 3 if len(paths) == 1 else paths
    bands = tuple(Band(path.name, str(path), index) for path, index in zip(each, indexes, strict=True))
    imagery = Imagery(bands, modality, tuple(dict.fromkeys(path.name for path in paths)))
    empty = Scene("scene", "scene", None, "file", None, "0", None, None, None, imagery, None)
    return replace(empty, imagery=imagery)


def _path(data: Path, drawn: Path, file: str) -> Path:
    return drawn / Path(file).name if file.startswith("drawn/") else data / file


def draw(data: Path, out: Path) -> None:
    """Write one JPEG for each kind, at most 240 px a side."""
    with TemporaryDirectory() as home:
        draw_missing(data, Path(home))
        settings = load_settings(home=Path(home), read_apart=False, _env_file=None)
        for name, (modality, files, indexes) in PICTURES.items():
            scene = scene_of(modality, tuple(_path(data, Path(home), file) for file in files), indexes)
            with SceneReader(scene, settings, scratch=Path(home)) as reader:
                picture, _ = reader.overview(SIDE)
                note = reader.render.note
            drawn = Image.fromarray(picture)
            if max(drawn.size) < SIDE:  # a few pixels are shown as squares
                times = SIDE // max(drawn.size)
                drawn = drawn.resize((drawn.width * times, drawn.height * times), Image.Resampling.NEAREST)
            drawn.save(out / f"render-{name}.jpg", quality=82, optimize=True)
            print(f"{name}: {note}")


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(__file__).parent)
