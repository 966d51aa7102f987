"""GDAL virtual rasters (VRT): the bands that are needed, with what is known of their missing pixels.

Only the XML belongs here.  `raster.files` decides when a file is read through one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

from imagerag_assets.raster.types import Grid

# GDAL's names of the types that a virtual raster declares.
GDAL_TYPES = {
    "uint8": "Byte", "int8": "Int8", "uint16": "UInt16", "int16": "Int16", "uint32": "UInt32", "int32": "Int32",
    "uint64": "UInt64", "int64": "Int64", "float32": "Float32", "float64": "Float64",
}  # fmt: skip
COMPLEX = {"complex_int16": "CInt16", "complex64": "CFloat32", "complex128": "CFloat64"}

_WITHOUT_OVERVIEWS = '<OpenOptions><OOI key="OVERVIEW_LEVEL">NONE</OOI></OpenOptions>'


@dataclass(frozen=True)
class Source:
    """What a virtual raster shows."""

    path: str
    """What GDAL opens: a file, or the text of another virtual raster."""
    dtype: str
    indexes: Sequence[int]
    """Band numbers in `path`; those of the virtual raster are 1, 2, ... in this order."""
    alpha: int | None = None
    """Number of the alpha band in `path`; it becomes the last one."""
    nodata: float | None = None
    mask: str | None = None
    """Where the mask is: `path` itself, or a file beside it, whose band 1 it is."""
    fills: Sequence[float | None] = ()
    """The value of missing pixels of each band, where they differ; what has it becomes `nodata`."""
    mask_band: int | None = None
    """The band of `path` whose mask is taken, where `mask` is a virtual raster's file; None: as `mask` says."""
    overviews: bool = True
    """Whether overviews of `path` may be read: they mix missing pixels with others where their maker did not know."""


def virtual_raster(source: Source, grid: Grid) -> str:
    """Return a VRT of some bands, complex ones as magnitudes, in which a pixel counts only if all that is said allows.

    GDAL takes either a mask or a nodata value.  Where a file has both, what is masked becomes nodata.
    """
    if source.fills and source.nodata is not None:
        # GDAL's warper and masks know one value for all bands.
        count = len(source.indexes)
        alpha, of = source.alpha and count + 1, source.indexes[0] if source.mask == source.path else None
        plain = _raster(replace(source, mask=None), grid, nodata=source.nodata)
        above = Source(plain, source.dtype, range(1, count + 1), alpha, source.nodata, source.mask, mask_band=of)
        return virtual_raster(above, grid)
    if source.nodata is not None and source.mask is not None and source.dtype not in COMPLEX:
        # The bands below must not declare the value: GDAL would average them by their mask alone.
        below = _raster(source, grid, nodata=None)
        bands = len(source.indexes)
        above = Source(below, source.dtype, range(1, bands + 1), source.alpha and bands + 1, source.nodata)
        return _raster(above, grid, nodata=source.nodata, masked_to_nodata=True)
    return _raster(source, grid, nodata=source.nodata)


def _raster(source: Source, grid: Grid, *, nodata: float | None, masked_to_nodata: bool = False) -> str:
    file = f'<SourceFilename relativeToVRT="0">{escape(source.path)}</SourceFilename>'
    options = "" if source.overviews else _WITHOUT_OVERVIEWS
    parts = [f'<VRTDataset rasterXSize="{grid.width}" rasterYSize="{grid.height}">']
    if grid.crs_wkt is not None and not grid.gcps:
        # A GDAL geotransform is the offset, then the terms of column and row.
        a, b, c, d, e, f = grid.transform
        parts.append(
            f"<SRS>{escape(grid.crs_wkt)}</SRS><GeoTransform>{c!r},{a!r},{b!r},{f!r},{d!r},{e!r}</GeoTransform>"
        )
    wanted = [*source.indexes] if source.alpha is None else [*source.indexes, source.alpha]
    for number, index in enumerate(wanted, start=1):
        alpha = index == source.alpha
        if source.dtype in COMPLEX:
            kind = f'dataType="Float32" band="{number}" subClass="VRTDerivedRasterBand"'
            inside = "<PixelFunctionType>mod</PixelFunctionType><SourceTransferType>CFloat32</SourceTransferType>"
        else:
            kind = f'dataType="{GDAL_TYPES[source.dtype]}" band="{number}"'
            inside = "" if nodata is None or alpha else f"<NoDataValue>{nodata!r}</NoDataValue>"
            inside += "<HideNoDataValue>1</HideNoDataValue>" if source.fills and not alpha else ""
            inside += "<ColorInterp>Alpha</ColorInterp>" if alpha else ""
        picked = f"{file}{options}<SourceBand>{index}</SourceBand>"
        fill = source.fills[number - 1] if source.fills and not alpha else None
        if fill is not None:
            inside += f"<ComplexSource>{picked}<NODATA>{fill!r}</NODATA></ComplexSource>"
        elif masked_to_nodata and not alpha:
            inside += f"<ComplexSource>{picked}<UseMaskBand>true</UseMaskBand></ComplexSource>"
        else:
            inside += f"<SimpleSource>{picked}</SimpleSource>"
        parts.append(f"<VRTRasterBand {kind}>{inside}</VRTRasterBand>")
    if source.mask is not None:
        mask = f'<SourceFilename relativeToVRT="0">{escape(source.mask)}</SourceFilename>'
        of = source.indexes[0] if source.mask == source.path else source.mask_band
        band = "1" if of is None else f"mask,{of}"
        picked = f"<SimpleSource>{mask}{options}<SourceBand>{band}</SourceBand></SimpleSource>"
        parts.append(f'<MaskBand><VRTRasterBand dataType="Byte">{picked}</VRTRasterBand></MaskBand>')
    return "".join([*parts, "</VRTDataset>"])
