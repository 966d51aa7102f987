"""One raster file: describe it, read its pixels and their validity, and build overviews if it has none.

Everything about a single file and GDAL belongs here. `raster.reader` combines files into a scene.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from imagerag_assets.errors import RasterError
from imagerag_assets.objects.addresses import is_remote
from imagerag_assets.objects.aside import folder_aside
from imagerag_assets.objects.failures import is_transient
from imagerag_assets.objects.gdal import gdal_path, raster_errors
from imagerag_assets.raster.place import place_of
from imagerag_assets.raster.types import Grid
from imagerag_assets.stac.types import ItemPlace

# Scenes without georeferencing are supported, and a note says so.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

_OVERVIEW_OPTIONS = {
    "COMPRESS_OVERVIEW": "DEFLATE",
    "ZLEVEL_OVERVIEW": 1,
    "GDAL_TIFF_OVR_BLOCKSIZE": 512,
    "BIGTIFF_OVERVIEW": "IF_SAFER",
}

_RAISED: tuple[type[BaseException], ...] = (*raster_errors(), OSError)

# GDAL's names of the types that a virtual raster declares.
_GDAL_TYPES = {
    "uint8": "Byte", "int8": "Int8", "uint16": "UInt16", "int16": "Int16", "uint32": "UInt32", "int32": "Int32",
    "uint64": "UInt64", "int64": "Int64", "float32": "Float32", "float64": "Float64",
}  # fmt: skip
_COMPLEX = {"complex_int16": "CInt16", "complex64": "CFloat32", "complex128": "CFloat64"}


@dataclass(frozen=True)
class RasterFile:
    """What a file contains. Threads share it, and each opens a dataset of its own."""

    href: str
    path: str
    """What GDAL opens: the file itself, or a virtual raster of the bands needed."""
    indexes: tuple[int, ...]
    """Band numbers needed, in `path`, each once."""
    grid: Grid
    dtype: str
    """Of the file; complex files are read as float32 magnitudes."""
    masked: bool
    """Whether the file has its own mask (a mask band or .msk file)."""
    nodata: float | None
    alpha: int | None
    """Number of the alpha band in `path`."""
    palette: NDArray[np.uint8] | None = field(default=None, compare=False)
    """(256, 4) red, green, blue, alpha of a colour-mapped band."""
    bits: int | None = None
    """Bits of each value, where the file has fewer than its data type; bytes are then shown in full contrast."""
    white_is_zero: bool = False
    """Whether the file counts from white to black."""
    placed_by_item: bool = False
    """Whether GDAL does not know the grid's place from the file."""
    notes: tuple[str, ...] = ()
    onto: Grid | None = None
    """The grid onto which the file is warped while it is read; None: it is on the right one."""

    @property
    def is_complex(self) -> bool:
        return self.dtype in _COMPLEX


def describe(
    href: str,
    indexes: tuple[int, ...],
    *,
    or_first: bool = False,
    nodata: float | None = None,
    item_place: ItemPlace | None = None,
    footprint: dict[str, Any] | None = None,
) -> RasterFile:
    """Open a file and note what reading needs to know. Call inside the rasterio environment.

    What the file itself says of missing pixels (a mask, a nodata value) comes before what its item says.

    Args:
        href: Path or address of the file.
        indexes: Band numbers needed, each once.
        or_first: Take band 1 alone if the file has not all of them.
        nodata: The value of missing pixels, as the item or its collection says.
        item_place: Where the file lies, as the item says.
        footprint: The item's geometry, GeoJSON in lon/lat.

    Raises:
        RasterError: it cannot be opened, is too small, has a data type that is not imagery, or lacks a band.
    """
    path = gdal_path(href)
    with failures(href, "opened"), rasterio.open(path) as dataset:
        width, height = dataset.width, dataset.height
        if min(width, height) < 2:
            raise RasterError(f"image has {width}x{height} px", href=href, fix="Give an image of at least 2x2 px")
        if max(indexes) > dataset.count and or_first:
            indexes = (1,)
        if max(indexes) > dataset.count:
            raise RasterError(f"file has no band {max(indexes)}, only {dataset.count}", href=href,
                              fix="Correct the item's bands, or set IMAGERAG_BAND_NAMES")  # fmt: skip
        dtype = str(dataset.dtypes[indexes[0] - 1])
        if dtype not in _GDAL_TYPES and dtype not in _COMPLEX:
            raise RasterError(f"data type {dtype} is not supported", href=href, fix="Convert it to a real number type")
        notes: list[str] = []
        flags = dataset.mask_flag_enums[indexes[0] - 1]
        masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        own = dataset.nodatavals[indexes[0] - 1]
        said = _usable_nodata(nodata, dtype, own, masked, notes)
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        bits = int(dataset.tags(indexes[0], ns="IMAGE_STRUCTURE").get("NBITS", 0) or structure.get("NBITS", 0)) or None
        palette = _palette(dataset, indexes)
        place = place_of(dataset, item_place, footprint)
        notes.extend(place.notes)
        file = RasterFile(
            href=href,
            path=path,
            indexes=indexes,
            grid=Grid(
                width, height, place.crs_wkt, place.transform, bool(dataset.overviews(1)), gcps=place.approximate
            ),
            placed_by_item=not place.own,
            dtype=dtype,
            masked=masked,
            nodata=None if masked else own if own is not None else said,
            alpha=_alpha(dataset, indexes, notes),
            palette=palette,
            bits=bits if palette is None and dtype == "uint8" and bits is not None and bits < 8 else None,
            white_is_zero=palette is None and dtype == "uint8" and structure.get("MINISWHITE") == "YES",
            notes=tuple(notes),
        )
    if said is not None and not file.is_complex:
        # GDAL takes the value from a virtual raster.  Overviews that do not know of it mix it with real pixels.
        return replace(_in_order(file, virtual_raster(file)), grid=replace(file.grid, has_overviews=False))
    if not file.is_complex:
        return file
    return replace(file, path=virtual_raster(file), indexes=tuple(range(1, len(indexes) + 1)), nodata=None, alpha=None)


def read(
    dataset: Any, file: RasterFile, window: tuple[float, float, float, float], shape: tuple[int, int]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the values (bands, h, w) and validity (h, w) of a window inside the file.

    Reduced reads average, through overviews if there are any; enlarged ones are bilinear.

    Args:
        dataset: What :func:`open_file` returned in this thread.
        file: Its description.
        window: x0, y0, x1, y1 in pixels of `dataset`, possibly fractional.
        shape: (h, w) of the result.

    Raises:
        RasterError: the pixels cannot be read.
    """
    x0, y0, x1, y1 = window
    where = RasterioWindow(x0, y0, x1 - x0, y1 - y0)
    indexes = list(file.indexes)
    if file.palette is not None or shape == (y1 - y0, x1 - x0):
        resampling = Resampling.nearest
    else:
        resampling = Resampling.average if shape[0] < y1 - y0 or shape[1] < x1 - x0 else Resampling.bilinear
    with failures(file.href, "read"):
        values = dataset.read(indexes, window=where, out_shape=(len(indexes), *shape), resampling=resampling)
        valid = np.ones(shape, bool)
        if file.masked and file.onto is None:
            valid &= dataset.read_masks(1, window=where, out_shape=shape) > 0
        elif file.nodata is not None:
            # A pixel is missing only if all bands have the nodata value; one band may just be dark or bright.
            masks = dataset.read_masks(indexes, window=where, out_shape=(len(indexes), *shape))
            valid &= masks.any(axis=0)
        if file.alpha is not None:
            valid &= dataset.read(file.alpha, window=where, out_shape=shape) > 0
        elif file.onto is not None and file.nodata is None:  # what :func:`open_file` added
            valid &= dataset.read(dataset.count, window=where, out_shape=shape) > 0
    if file.palette is not None:
        colours = file.palette[np.clip(values[0], 0, 255)]
        return np.moveaxis(colours[..., :3], -1, 0), valid & (colours[..., 3] > 0)
    if file.bits is not None or file.white_is_zero:
        most = 2 ** (file.bits or 8) - 1
        values = np.minimum(values, most)
        values = ((most - values if file.white_is_zero else values).astype(np.uint16) * 255 // most).astype(np.uint8)
    if file.is_complex:
        with np.errstate(divide="ignore"):
            values = 20 * np.log10(values)
    if np.issubdtype(values.dtype, np.floating):
        valid &= np.isfinite(values).all(axis=0)
    return values, valid


def open_file(file: RasterFile) -> Any:
    """Open a rasterio dataset for the calling thread, warped if needed. Call inside the rasterio environment.

    Raises:
        RasterError: it cannot be opened.
    """
    with failures(file.href, "opened"):
        dataset = rasterio.open(file.path)
        if file.onto is None:
            return dataset
        grid, own = file.onto, file.grid
        # A fitted place is that of the windows; GDAL would fit another one.
        by_us = {"src_crs": own.crs_wkt, "src_transform": rasterio.Affine(*own.transform)}
        return WarpedVRT(
            dataset,
            **by_us if file.placed_by_item or own.gcps else {},
            crs=grid.crs_wkt,
            transform=rasterio.Affine(*grid.transform),
            width=grid.width,
            height=grid.height,
            resampling=Resampling.bilinear,
            add_alpha=file.nodata is None and file.alpha is None,  # else what lies outside would be zeros that count
        )


def warped(file: RasterFile, onto: Grid) -> RasterFile:
    """Return the file as one that is read on another grid."""
    return replace(file, onto=onto)


def with_overviews(file: RasterFile, folder: Path, version: str) -> RasterFile:
    """Return the file with overviews beside a virtual raster of it, built on the first call and found on later ones.

    They are averages, made in one pass over the file; GDAL's block cache bounds the memory.

    Args:
        file: A file without overviews.
        folder: Where to keep them. They take a third of the file's size.
        version: Changes when the file does.

    Raises:
        RasterError: the file cannot be read to its end.
    """
    name = hashlib.sha256(f"{file.href}\n{version}\n{file.indexes}".encode()).hexdigest()[:24]
    final = folder / name
    if not final.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with folder_aside(final) as aside:  # another process may be first; its overviews are the same
            _build(file, aside / "image.vrt")
    return _in_order(file, str(final / "image.vrt"))


def _in_order(file: RasterFile, path: str) -> RasterFile:
    """Return the file as a virtual raster at `path`, which has the bands needed in their order, then alpha."""
    bands = len(file.indexes)
    alpha = None if file.alpha is None else bands + 1
    return replace(file, path=path, indexes=tuple(range(1, bands + 1)), alpha=alpha)


def _build(file: RasterFile, vrt: Path) -> None:
    vrt.write_text(file.path if file.is_complex else virtual_raster(file), encoding="utf-8")
    longest = max(file.grid.width, file.grid.height)
    factors = [2**power for power in range(1, 24) if longest > 128 * 2**power] or [2]
    method = Resampling.nearest if file.palette is not None else Resampling.average
    # With threads, GDAL fetches many ranges at once, and then rejects servers that answer ranges with status 200.
    threads = 1 if is_remote(file.href) else min(4, os.cpu_count() or 1)
    with (
        failures(file.href, "read"),
        rasterio.Env(GDAL_NUM_THREADS=threads, **_OVERVIEW_OPTIONS),
        rasterio.open(vrt, "r+") as dataset,
    ):
        dataset.build_overviews(factors, method)


def virtual_raster(file: RasterFile) -> str:
    """Return a GDAL VRT of the bands that are needed, complex ones as magnitudes."""
    size = f'rasterXSize="{file.grid.width}" rasterYSize="{file.grid.height}"'
    source = f'<SourceFilename relativeToVRT="0">{escape(file.path)}</SourceFilename>'
    parts = [f"<VRTDataset {size}>"]
    if file.grid.crs_wkt is not None and not file.grid.gcps:
        # A GDAL geotransform is the offset, then the terms of column and row.
        a, b, c, d, e, f = file.grid.transform
        parts.append(
            f"<SRS>{escape(file.grid.crs_wkt)}</SRS><GeoTransform>{c!r},{a!r},{b!r},{f!r},{d!r},{e!r}</GeoTransform>"
        )
    wanted = [*file.indexes] if file.alpha is None else [*file.indexes, file.alpha]
    for number, index in enumerate(wanted, start=1):
        if file.is_complex:
            kind = f'dataType="Float32" band="{number}" subClass="VRTDerivedRasterBand"'
            inside = "<PixelFunctionType>mod</PixelFunctionType><SourceTransferType>CFloat32</SourceTransferType>"
        else:
            kind = f'dataType="{_GDAL_TYPES[file.dtype]}" band="{number}"'
            inside = "" if file.nodata is None else f"<NoDataValue>{file.nodata!r}</NoDataValue>"
            inside += "<ColorInterp>Alpha</ColorInterp>" if index == file.alpha else ""
        picked = f"<SimpleSource>{source}<SourceBand>{index}</SourceBand></SimpleSource>"
        parts.append(f"<VRTRasterBand {kind}>{inside}{picked}</VRTRasterBand>")
    if file.masked:
        picked = f"<SimpleSource>{source}<SourceBand>mask,{file.indexes[0]}</SourceBand></SimpleSource>"
        parts.append(f'<MaskBand><VRTRasterBand dataType="Byte">{picked}</VRTRasterBand></MaskBand>')
    return "".join([*parts, "</VRTDataset>"])


@contextmanager
def failures(href: str, verb: str) -> Iterator[None]:
    """Turn rasterio's and GDAL's errors into one line that names the file."""
    try:
        yield
    except _RAISED as error:
        cause = error.__cause__ or error
        detail = str(cause).split("\n", 1)[0].replace(gdal_path(href), "the file")
        raise RasterError(f"image cannot be {verb} ({detail[:200]})", href=href,
                          transient=is_transient(error, href),
                          fix="Check that the file exists, is readable and complete") from error  # fmt: skip


def _alpha(dataset: Any, indexes: tuple[int, ...], notes: list[str]) -> int | None:
    """Return the alpha band, unless it is shown or holds data: some producers mark near infrared as alpha."""
    marked = [number for number, kind in enumerate(dataset.colorinterp, start=1) if kind is ColorInterp.alpha]
    if not marked or marked[0] in indexes:
        return None
    side = 256
    x0, y0 = max(0, dataset.width - side) // 2, max(0, dataset.height - side) // 2
    window = RasterioWindow(x0, y0, min(side, dataset.width - x0), min(side, dataset.height - y0))
    values = dataset.read(marked[0], window=window)
    between = (values > 0) & (values < values.max())
    if between.mean() > 0.25:
        notes.append(f"band {marked[0]} is marked as alpha but holds data: not used as a mask")
        return None
    return marked[0]


def _usable_nodata(said: float | None, dtype: str, own: float | None, masked: bool, notes: list[str]) -> float | None:
    """Return the item's nodata value where the file has nothing of its own and its type can hold the value."""
    if said is None or masked or (own is None and not np.isfinite(said)):  # what is not finite never counts
        return None
    if own is not None:
        if own != said and not (np.isnan(own) and np.isnan(said)):
            notes.append(f"nodata is {own:g} in the file and {said:g} in the item: the file's is used")
        return None
    if np.issubdtype(np.dtype(dtype), np.integer):
        limits = np.iinfo(dtype)
        if said != round(said) or not limits.min <= said <= limits.max:
            notes.append(f"the item's nodata value {said:g} does not fit {dtype}: not used")
            return None
    return said


def _palette(dataset: Any, indexes: tuple[int, ...]) -> NDArray[np.uint8] | None:
    if dataset.colorinterp[indexes[0] - 1] is not ColorInterp.palette:
        return None
    table = np.zeros((256, 4), np.uint8)
    for value, colour in dataset.colormap(indexes[0]).items():
        if 0 <= value < 256:
            table[value] = colour
    return table
