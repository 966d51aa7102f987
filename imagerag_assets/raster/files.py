"""One raster file: describe it, read its pixels and their validity, and build overviews if it has none.

Everything about a single file and GDAL belongs here. `raster.reader` combines files into a scene.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from imagerag_assets.errors import RasterError, shown
from imagerag_assets.masking import masked
from imagerag_assets.objects.addresses import is_http
from imagerag_assets.objects.failures import is_transient
from imagerag_assets.objects.gdal import gdal_path
from imagerag_assets.objects.opening import open_raster, raster_errors
from imagerag_assets.objects.peek import check_way
from imagerag_assets.objects.signed import gdal_signed_path
from imagerag_assets.objects.signed_rasters import signed_path
from imagerag_assets.raster import bands as own
from imagerag_assets.raster.beside import (
    beside_is_unseen,
    check_mask_size,
    local_mask,
    mask_beside,
    nodata_beside,
)
from imagerag_assets.raster.declared import check_declared
from imagerag_assets.raster.place import place_of
from imagerag_assets.raster.place_beside import placed_by_neighbours
from imagerag_assets.raster.types import Grid
from imagerag_assets.raster.virtual import COMPLEX, GDAL_TYPES, Source, virtual_raster
from imagerag_assets.settings import Settings
from imagerag_assets.stac.types import ItemPlace

# Scenes without georeferencing are supported, and a note says so.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

_FORMATS = "Check that the file is complete, and is a GeoTIFF, JPEG 2000, PNG, JPEG, WebP or GIF"
_MANY, MANY_READ = 16, 12
"""Bands from which on a file is a spectrometer's; those of them that are read, since all would not fit the memory."""
_RAISED: tuple[type[BaseException], ...] = (*raster_errors(), OSError)


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
    """Whether `path` has a mask of its own (a mask band or .msk file)."""
    nodata: float | None
    """Value of missing pixels in `path`, beside its mask or instead of it."""
    alpha: int | None
    """Number of the alpha band in `path`."""
    palette: NDArray[np.uint8] | None = field(default=None, compare=False)
    """Red, green, blue, alpha of each value of a colour-mapped band."""
    colours: str | None = None
    """What the bands are together, where they are no colours of light: see :func:`bands.other_colours`."""
    bits: int | None = None
    """Bits of each value, where the file has fewer than its data type; bytes are then shown in full contrast."""
    turned: tuple[bool, ...] = ()
    """For each band whether larger values mean less; empty: for none."""
    many: bool = False
    """Whether the bands are some of the many of a spectrometer."""
    radar: bool = False
    """Whether the file says that the first band is radar."""
    lossy: bool = False
    """Whether the compression may have changed values."""
    placed_by_item: bool = False
    """Whether GDAL does not know the grid's place from the file."""
    notes: tuple[str, ...] = ()
    onto: Grid | None = None
    """The grid onto which the file is warped while it is read; None: it is on the right one."""

    @property
    def is_complex(self) -> bool:
        return self.dtype in COMPLEX

    @property
    def is_picture(self) -> bool:
        """Whether what is read is red, green and blue whatever the number of bands."""
        return self.palette is not None or self.colours is not None


@dataclass(frozen=True)
class Said:
    """What the item, or its collection, says of the values of a file."""

    nodata: Mapping[int, float] = field(default_factory=dict)
    """By band number."""
    scales: Mapping[int, float] = field(default_factory=dict)
    """By band number."""


def describe(
    href: str,
    indexes: tuple[int, ...],
    settings: Settings,
    *,
    guessed: bool = False,
    said: Said | None = None,
    item_place: ItemPlace | None = None,
    footprint: dict[str, Any] | None = None,
) -> RasterFile:
    """Open a file and note what reading needs to know. Call inside the rasterio environment.

    Of nodata values and scales, the file's own come before what its item says. A pixel counts only if the mask, the
    nodata value and the alpha band all say so.

    Args:
        href: Path or address of the file.
        indexes: Band numbers needed, each once.
        settings: How to reach what lies beside a remote file.
        guessed: Nobody gave the band numbers: take those of red, green and blue if the file says which they are, and
            band 1 alone if it has not all of them.
        said: What the item says.
        item_place: Where the file lies, as the item says.
        footprint: The item's geometry, GeoJSON in lon/lat.

    Raises:
        RasterError: it cannot be opened, is too small, passes a limit, has a data type that is not imagery, or lacks
            a band; or the mask beside it is not usable.
    """
    path = gdal_path(href)
    check_way(href, settings)
    said = said or Said()
    with failures(href, "opened"), signed_path(path, href) as opened, open_raster(opened) as dataset:
        width, height = dataset.width, dataset.height
        check_declared(dataset, href, settings)
        if min(width, height) < 2:
            raise RasterError(f"image has {width}x{height} px", href=href, fix="Give an image of at least 2x2 px")
        notes: list[str] = []
        indexes, colours = _bands(dataset, indexes, href, notes, guessed=guessed)
        many = guessed and len(indexes) == MANY_READ < dataset.count
        dtype = str(dataset.dtypes[indexes[0] - 1])
        if dtype not in GDAL_TYPES and dtype not in COMPLEX:
            raise RasterError(f"data type {dtype} is not supported", href=href, fix="Convert it to a real number type")
        flags = dataset.mask_flag_enums[indexes[0] - 1]
        own_mask = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        has_overviews = bool(dataset.overviews(1))
        mask, mask_has_overviews = path if own_mask else None, True
        beside = local_mask(path)
        if beside is None and not own_mask and beside_is_unseen(href):
            beside = mask_beside(href, settings)
        if beside is not None:
            mask_has_overviews = check_mask_size(beside, (width, height), href)
            mask = mask or gdal_path(beside)
        fills = _missing_values(dataset, indexes, href, said, settings, notes)
        nodata = next((value for value in fills if value is not None), None)
        alpha, not_alpha = own.alpha_band(dataset, indexes, notes)
        palette = None if colours else own.palette_of(dataset, indexes, notes)
        bits = int(dataset.tags(indexes[0], ns="IMAGE_STRUCTURE").get("NBITS", 0)
                   or dataset.tags(ns="IMAGE_STRUCTURE").get("NBITS", 0)) or None  # fmt: skip
        turned = own.turned_bands(dataset, indexes, said.scales, notes)
        with placed_by_neighbours(dataset, href, settings) as placed:
            place = place_of(placed, item_place, footprint)
        notes.extend(place.notes)
        file = RasterFile(
            href=href,
            path=path,
            indexes=indexes,
            grid=Grid(
                width, height, place.crs_wkt, place.transform, bool(dataset.overviews(1)), gcps=place.approximate
            ),
            placed_by_item=not place.own or placed is not dataset,
            dtype=dtype,
            masked=mask is not None,
            nodata=nodata,
            alpha=alpha,
            palette=palette,
            colours=colours,
            bits=bits if palette is None and dtype == "uint8" and bits is not None and bits < 8 else None,
            turned=turned if palette is None and any(turned) else (),
            many=many,
            radar=own.is_backscatter(dataset.descriptions[indexes[0] - 1]),
            lossy=_is_lossy(dataset),
            notes=tuple(notes),
        )
        differ = any(value != nodata for value in fills)
        declared = all(dataset.nodatavals[index - 1] == nodata for index in indexes)
        gdal_knows = mask in (None, path) and (nodata is None or declared)
    both = nodata is not None and mask is not None
    if file.is_complex:
        vrt = vrt_of(file, mask=mask)
        return replace(file, path=vrt, indexes=tuple(range(1, len(indexes) + 1)), alpha=None)
    if both or not gdal_knows or not_alpha:
        # GDAL takes all of it from a virtual raster. Overviews that do not know of it mix it with real pixels.
        knowing = has_overviews and not both and (nodata is None or gdal_knows) and mask_has_overviews
        file = replace(file, masked=mask is not None and nodata is None, grid=replace(file.grid, has_overviews=knowing))
        vrt = vrt_of(file, mask=mask, fills=fills if differ else (), overviews=knowing)
        return in_order(file, vrt)
    return file


def _missing_values(
    dataset: Any, indexes: tuple[int, ...], href: str, said: Said, settings: Settings, notes: list[str]
) -> tuple[float | None, ...]:
    """Return the value of missing pixels of each band, from the file, what lies beside it, and the item."""
    dtypes = [str(dataset.dtypes[index - 1]) for index in indexes]
    if dtypes[0] in COMPLEX:  # zeros are no magnitude, and no other value is common
        return (None,) * len(indexes)
    of_file = [dataset.nodatavals[index - 1] for index in indexes]
    if of_file[0] is None and beside_is_unseen(href):
        of_file = [nodata_beside(href, index, settings) for index in indexes]
    lone = next(iter(said.nodata.values())) if len(set(said.nodata.values())) == 1 else None
    return own.missing_values(of_file, [said.nodata.get(index, lone) for index in indexes], dtypes, notes)


def _bands(
    dataset: Any, indexes: tuple[int, ...], href: str, notes: list[str], *, guessed: bool
) -> tuple[tuple[int, ...], str | None]:
    """Return the band numbers to read, and what they are together if not colours of light."""
    other = own.other_colours(dataset)
    if other is not None and indexes == (1, 2, 3):
        return other[1], other[0]
    if guessed and indexes in ((1, 2, 3), (1,)):
        found = own.colour_bands(dataset)
        if found is not None:
            if found[0] != indexes:
                numbers = ", ".join(str(number) for number in found[0])
                notes.append(f"red, green and blue are bands {numbers} by the file's {found[1]}")
            return found[0], None
    if guessed and indexes in ((1, 2, 3), (1,)) and dataset.count >= _MANY and len(set(dataset.dtypes)) == 1:
        spread = np.linspace(1, dataset.count, MANY_READ).round().astype(int)
        notes.append(
            f"the file does not say which of its {dataset.count} bands are red, green and blue: shown are the main "
            f"components of {MANY_READ} of them"
        )
        return tuple(spread.tolist()), None
    if max(indexes) > dataset.count and guessed:
        return (1,), None
    if max(indexes) > dataset.count:
        raise RasterError(f"file has no band {max(indexes)}, only {dataset.count}", href=href,
                          fix="Correct the item's bands, or set IMAGERAG_BAND_NAMES")  # fmt: skip
    if guessed and indexes == (1, 2, 3) and dataset.count > 3:
        notes.append(
            f"nothing says which of {dataset.count} bands are red, green and blue: bands 1, 2 and 3 are shown; "
            """IMAGERAG_BAND_NAMES='["3", "2", "1"]' shows others"""
        )
    return indexes, None


def _is_lossy(dataset: Any) -> bool:
    how = dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION", "").upper()
    return dataset.driver.startswith(("JPEG", "JP2", "WEBP")) or any(name in how for name in ("JPEG", "WEBP", "LERC"))


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
            valid &= dataset.read_masks(file.indexes[0], window=where, out_shape=shape) > 0
        elif file.nodata is not None:
            # A pixel is missing only if all bands have the nodata value; one band may just be dark or bright.
            masks = dataset.read_masks(indexes, window=where, out_shape=(len(indexes), *shape))
            valid &= masks.any(axis=0)
        if file.alpha is not None:
            valid &= dataset.read(file.alpha, window=where, out_shape=shape) > 0
        elif file.onto is not None and file.nodata is None:  # what :func:`open_file` added
            valid &= dataset.read(dataset.count, window=where, out_shape=shape) > 0
    if file.palette is not None:
        colours = file.palette[values[0]]
        return np.moveaxis(colours[..., :3], -1, 0), valid & (colours[..., 3] > 0)
    if file.colours is not None:
        return own.to_rgb(values, file.colours), valid
    if file.bits is not None:
        most = 2**file.bits - 1
        values = (np.minimum(values, most).astype(np.uint16) * 255 // most).astype(np.uint8)
    if file.is_complex:
        with np.errstate(divide="ignore"):
            values = 20 * np.log10(values)
    if np.issubdtype(values.dtype, np.floating):
        valid &= np.isfinite(values).all(axis=0)
    for band in np.flatnonzero(file.turned):
        values[band] = -values[band] if np.issubdtype(values.dtype, np.floating) else ~values[band]
    return values, valid


def open_file(file: RasterFile) -> Any:
    """Open a rasterio dataset for the calling thread, warped if needed. Call inside the rasterio environment.

    Raises:
        RasterError: it cannot be opened.
    """
    with failures(file.href, "opened"), signed_path(file.path, file.href) as path:
        if path == file.path or path.startswith(("<", "/vsi")):
            dataset = open_raster(path)
        else:  # a copy, which is gone in a moment: what is beside it is found now
            with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="FALSE"):
                dataset = open_raster(path)
                dataset.overviews(1)
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


def in_order(file: RasterFile, path: str) -> RasterFile:
    """Return the file as a virtual raster at `path`, which has the bands needed in their order, then alpha."""
    bands = len(file.indexes)
    alpha = None if file.alpha is None else bands + 1
    return replace(file, path=path, indexes=tuple(range(1, bands + 1)), alpha=alpha)


def vrt_of(
    file: RasterFile, *, mask: str | None = None, fills: tuple[float | None, ...] = (), overviews: bool = True
) -> str:
    """Return the virtual raster of a file's bands; its mask is its own where `mask` names no other."""
    if mask is None and file.masked:
        mask = file.path
    source = Source(
        file.path, file.dtype, file.indexes, file.alpha, file.nodata, mask, fills=fills, overviews=overviews
    )
    return virtual_raster(source, file.grid)


@contextmanager
def failures(href: str, verb: str) -> Iterator[None]:
    """Turn rasterio's and GDAL's errors into one line that names the file."""
    try:
        yield
    except _RAISED as error:
        cause = error.__cause__ or error
        detail = str(cause).split("\n", 1)[0].replace(gdal_signed_path(href) or gdal_path(href), "the file")
        detail = detail.replace(gdal_path(href), "the file")
        fix = _FORMATS if "not recognized" in detail else "Check that the file exists, is readable and complete"
        if fix == _FORMATS and is_http(href):
            fix += ", and that its server sends parts of files (range requests)"
        raise RasterError(f"image cannot be {verb} ({masked(detail)[:200]})", href=href,
                          transient=is_transient(error, href), fix=fix) from shown(error)  # fmt: skip
