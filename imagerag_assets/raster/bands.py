"""What a raster file itself says of its bands: colours, descriptions, palette, alpha, scale and nodata.

Each function takes an open rasterio dataset; what is not usable becomes one line of notes.  `raster.files` puts it
together with what the item says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.windows import Window as RasterioWindow

_RGB = ("red", "green", "blue")
_RGB_KINDS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
#: Micrometres; a band is a colour if its wavelength is this near.
_WAVELENGTHS, _TOLERANCE = (0.665, 0.56, 0.48), 0.05
_SENSOR_BAND = re.compile(r"(?:SR_|TOA_)?B(0?)(\d{1,2}A?)$", re.IGNORECASE)
_BACKSCATTER = re.compile(
    r"(?:gamma|sigma|beta)_?(?:0(?![0-9a-z])|0_|nought)|amplitude_(?:vv|vh|hh|hv)$", re.IGNORECASE
)
_POLARISATION = re.compile(r"(?:vv|vh|hh|hv)$", re.IGNORECASE)
#: Bands that only Sentinel-2 and Landsat 8 and 9 have, whose red, green and blue are 4, 3 and 2.
_OF_NEWER_SENSORS = frozenset({"8A", "9", "10", "11", "12"})

_FEWER_DIGITS = 1e-5

INKS = "inks"
LUMA = "luma"


def colour_bands(dataset: Any) -> tuple[tuple[int, int, int], str] | None:
    """Return the band numbers of red, green and blue, and by what they were found; None if the file does not say.

    Descriptions come first, then wavelengths; the colour interpretation comes last, since writers call the first three
    bands of bytes red, green and blue unasked.
    """
    described = _by_description(dataset.descriptions)
    if described is not None:
        return described, "descriptions"
    waves = [_wavelength(dataset.tags(number), dataset.tags(number, ns="IMAGERY")) for number in dataset.indexes]
    found = [_nearest(waves, wanted) for wanted in _WAVELENGTHS]
    if None not in found and len(set(found)) == 3:
        return (found[0], found[1], found[2]), "wavelengths"  # type: ignore[return-value]
    kinds = list(dataset.colorinterp)
    if all(kinds.count(kind) == 1 for kind in _RGB_KINDS):
        red, green, blue = (kinds.index(kind) + 1 for kind in _RGB_KINDS)
        return (red, green, blue), "colour interpretation"
    return None


def is_backscatter(description: str | None) -> bool:
    """Return whether a band's description says that it is radar: a kind of backscatter, or just a polarisation."""
    said = (description or "").strip()
    return bool(_BACKSCATTER.match(said) or _POLARISATION.match(said))


def _by_description(descriptions: Sequence[str | None]) -> tuple[int, int, int] | None:
    names = [(text or "").strip() for text in descriptions]
    words = [re.split(r"[^a-z]+", name.lower()) for name in names]
    named = [[number for number, said in enumerate(words, 1) if colour in said] for colour in _RGB]
    plain = [[number for number, name in enumerate(names, 1) if name.lower() == colour] for colour in _RGB]
    for option in (plain, named):
        if all(len(numbers) == 1 for numbers in option):
            return option[0][0], option[1][0], option[2][0]
    codes = {found[2].upper(): (number, found[1]) for number, name in enumerate(names, 1)
             if (found := _SENSOR_BAND.match(name))}  # fmt: skip
    if {"2", "3", "4"} <= codes.keys() and (codes["4"][1] or codes.keys() & _OF_NEWER_SENSORS):
        return codes["4"][0], codes["3"][0], codes["2"][0]
    return None


def _wavelength(tags: Mapping[str, str], imagery: Mapping[str, str]) -> float | None:
    """Return a band's wavelength in micrometres, from GDAL's IMAGERY tags or those of ENVI."""
    said = imagery.get("CENTRAL_WAVELENGTH_UM")
    unit = "um"
    if said is None:
        lower = {name.lower(): value for name, value in tags.items()}
        said, unit = lower.get("wavelength"), lower.get("wavelength_units", "").lower()
    try:
        value = float(said or "nan")
    except ValueError:
        return None
    if not isfinite(value) or value <= 0:
        return None
    return value / 1000 if unit.startswith("nano") or unit == "nm" or value > 100 else value


def _nearest(waves: Sequence[float | None], wanted: float) -> int | None:
    near = [(abs(wave - wanted), number) for number, wave in enumerate(waves, 1) if wave is not None]
    return min(near)[1] if near and min(near)[0] <= _TOLERANCE else None


def other_colours(dataset: Any) -> tuple[str, tuple[int, ...]] | None:
    """Return :data:`INKS` or :data:`LUMA` and the bands, where colours are printing inks or luma and chroma."""
    kinds = list(dataset.colorinterp)
    for name, needed, more in (
        (INKS, (ColorInterp.cyan, ColorInterp.magenta, ColorInterp.yellow), ColorInterp.black),
        (LUMA, (ColorInterp.Y, ColorInterp.Cb, ColorInterp.Cr), None),
    ):
        if all(kind in kinds for kind in needed):
            wanted = [*needed, *([more] if more in kinds else [])]
            return name, tuple(kinds.index(kind) + 1 for kind in wanted)
    return None


def to_rgb(values: NDArray[Any], colours: str) -> NDArray[Any]:
    """Return (3, h, w) of red, green and blue, of the same type, from the bands of :func:`other_colours`."""
    most = np.iinfo(values.dtype).max if np.issubdtype(values.dtype, np.integer) else 1
    plain = values.astype(np.float64)
    if colours == INKS:
        light = (most - plain[:3]) / most
        rgb = light * (most - plain[3]) if len(plain) > 3 else light * most
    else:
        luma, blue, red = plain[0], plain[1] - (most + 1) / 2, plain[2] - (most + 1) / 2
        rgb = np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue])
    rgb = np.clip(rgb, 0, most)
    return (np.rint(rgb) if np.issubdtype(values.dtype, np.integer) else rgb).astype(values.dtype)


def alpha_band(dataset: Any, indexes: tuple[int, ...], notes: list[str]) -> tuple[int | None, bool]:
    """Return the alpha band, if it is one, and whether a band is marked as alpha that is none.

    Some producers mark near infrared as alpha; and what is shown is no mask.
    """
    marked = [number for number, kind in enumerate(dataset.colorinterp, start=1) if kind is ColorInterp.alpha]
    if not marked:
        return None, False
    if marked[0] in indexes:
        return None, True
    side = 256
    x0, y0 = max(0, dataset.width - side) // 2, max(0, dataset.height - side) // 2
    window = RasterioWindow(x0, y0, min(side, dataset.width - x0), min(side, dataset.height - y0))
    values = dataset.read(marked[0], window=window)
    between = (values > 0) & (values < values.max())
    if between.mean() > 0.25:
        notes.append(f"band {marked[0]} is marked as alpha but holds data: not used as a mask")
        return None, True
    return marked[0], False


def palette_of(dataset: Any, indexes: tuple[int, ...], notes: list[str]) -> NDArray[np.uint8] | None:
    """Return red, green, blue, alpha of each value of a colour-mapped band; beyond its table alpha is 0.

    A table that is shorter than it could be is compared with the pixels, once.
    """
    number = indexes[0]
    dtype = dataset.dtypes[number - 1]
    if dataset.colorinterp[number - 1] is not ColorInterp.palette or dtype not in ("uint8", "uint16"):
        return None
    colours = dataset.colormap(number)
    table = np.zeros((np.iinfo(dtype).max + 1, 4), np.uint8)
    for value, colour in colours.items():
        if 0 <= value < len(table):
            table[value] = colour
    if len(colours) < len(table):
        beyond = _largest(dataset, number)
        if beyond >= len(colours):
            notes.append(
                f"the palette has {len(colours)} colours, the pixels values up to {beyond}: those beyond are missing"
            )
    return table


def _largest(dataset: Any, number: int) -> int:
    """Return the largest value of a band, block by block: of few files is the table shorter than their type allows."""
    return max(int(dataset.read(number, window=window).max()) for _, window in dataset.block_windows(number))


def turned_bands(dataset: Any, indexes: Iterable[int], said: Mapping[int, float], notes: list[str]) -> tuple[bool, ...]:
    """Return for each band whether larger values mean less: a file that counts from white, or a negative scale.

    Otherwise scale and offset change no picture, since each band is stretched on its own.

    Args:
        dataset: The file.
        indexes: Band numbers.
        said: Scales that the item gives, by band number; the file's own come first.
        notes: Gets a line where a scale is not usable.
    """
    from_white = dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
    turned = []
    for index in indexes:
        own = dataset.scales[index - 1]
        scale = own if own != 1 else said.get(index, 1.0)
        if not isfinite(scale) or scale == 0:
            notes.append(f"the scale {scale:g} of band {index} is not usable: not used")
            scale = 1.0
        turned.append(from_white != (scale < 0))
    return tuple(turned)


def missing_values(
    own: Sequence[float | None], said: Sequence[float | None], dtypes: Sequence[str], notes: list[str]
) -> tuple[float | None, ...]:
    """Return the value of missing pixels of each band: the file's, else the item's, if the type can hold it.

    A band for which neither gives one has that of the others, if these agree.

    Args:
        own: What the file says of each band.
        said: What the item says of each.
        dtypes: Data type of each.
        notes: Gets the lines of :func:`usable_nodata`.
    """
    own, said = _shared(own), _shared(said)
    found = [usable_nodata(theirs, ours, dtype, notes) for theirs, ours, dtype in zip(said, own, dtypes, strict=True)]
    return tuple(_shared(found))


def _shared(values: Sequence[float | None]) -> list[float | None]:
    known = {value for value in values if value is not None}
    return [next(iter(known)) if value is None and len(known) == 1 else value for value in values]


def usable_nodata(said: float | None, own: float | None, dtype: str, notes: list[str]) -> float | None:
    """Return the value of missing pixels: the file's, else the item's, if the type can hold it.

    A value that the type cannot hold, and one of the item that contradicts the file, give a line of notes.
    """
    whose = {"file": own, "item": said}
    for who, value in whose.items():
        if value is not None and not _fits(value, dtype):
            whose[who] = None
            if who == "file" or isfinite(value):
                notes.append(f"the {who}'s nodata value {value:g} does not fit {dtype}: not used")
    own, said = (None if value is None else _held(value, dtype) for value in whose.values())
    if own is not None and said is not None and own != said and not (isnan(own) and isnan(said)):
        notes.append(f"nodata is {own:g} in the file and {said:g} in the item: the file's is used")
    return own if own is not None else said


def _fits(value: float, dtype: str) -> bool:
    if not np.issubdtype(np.dtype(dtype), np.integer):
        return not isfinite(value) or isfinite(_held(value, dtype))
    limits = np.iinfo(dtype)
    return isfinite(value) and value == round(value) and limits.min <= value <= limits.max


def _held(value: float, dtype: str) -> float:
    """Return a value as its type holds it; the least and greatest one may be written with fewer digits."""
    if not np.issubdtype(np.dtype(dtype), np.floating):
        return value
    most = float(np.finfo(dtype).max)
    if most < abs(value) <= most * (1 + _FEWER_DIGITS) and isfinite(value):
        return float(np.copysign(most, value))
    with np.errstate(over="ignore"):
        return float(np.dtype(dtype).type(value))
