"""Choose the bands of an item that an encoder sees.

Only the item's JSON and the settings count; no file is opened.  The raster room reads and renders the bands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import pystac

from imagerag_assets.errors import ItemError, SettingsError
from imagerag_assets.settings import Settings
from imagerag_assets.stac.alternates import addresses
from imagerag_assets.stac.pixel_values import band_entries, is_number, nodata_of, number_of, scale_of
from imagerag_assets.stac.place import item_place
from imagerag_assets.stac.types import Band, Imagery, ItemPlace

_RGB = ("red", "green", "blue")
#: Wavelengths in micrometres by which red, green and blue are found among bands without common names.
_WAVELENGTHS = (0.665, 0.56, 0.48)
_WAVELENGTH_TOLERANCE = 0.05
#: Asset keys and band names that mean the same as a common name.
_COLOUR_WORDS = frozenset({*_RGB, "nir", "nir08", "pan", "coastal", "swir16", "swir22", "rededge"})

_NOT_IMAGERY_ROLES = frozenset(
    {"thumbnail", "overview", "metadata", "tiles", "graphic", "cloud", "cloud-shadow", "snow-ice", "snow", "saturation"}
    | {"temperature", "emissivity", "sun-azimuth", "sun-elevation", "sensor-azimuth", "incidence-angle"}
)
_NOT_IMAGERY_KEY = re.compile(
    r"(^|[-_.])(thumbnail|overview|preview|browse|metadata|mask|qa|scl|aot|wvp|cloud\w*|snow|udm2?|index|date)([-_.]|$)"
    r"|rendered_preview|reduced_resolution_browse",
    re.IGNORECASE,
)
_VISUAL_KEY = re.compile(r"^(visual|tci|rgb|true[-_ ]?colou?r)([-_.].*)?$", re.IGNORECASE)
_TELLING_KEY = re.compile(r"^(data|image|imagery|cog|analytic|raster|ortho\w*)([-_.].*)?$", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
#: Of Sentinel-2's bands; those of older sensors are not written with a zero.
_RGB_CODES = ("B04", "B03", "B02")
_CODE = re.compile(r"(B0\d)(?:[-_.].*)?$", re.IGNORECASE)
_PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif")
_PICTURE_ROLES = frozenset({"data", "visual"})
_POLARIZATIONS = ("VV", "HH", "VH", "HV")


@dataclass(frozen=True)
class _Candidate:
    """A raster asset of the item."""

    key: str
    href: str
    roles: frozenset[str]
    fields: dict[str, Any]
    bands: tuple[dict[str, Any], ...]
    """What the item says about each band of the file, in order; empty if it says nothing."""
    resolution: float
    """Ground resolution that the item gives, infinite if it gives none; compared within an item only."""
    place: ItemPlace | None = None
    alternates: tuple[str, ...] = ()
    """Further addresses of the file."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Of the item."""

    def band(self, index: int) -> Band:
        said = self.bands[index - 1] if index <= len(self.bands) else {}
        nodata, scale = nodata_of(said, self.fields, self.properties), scale_of(said, self.fields)
        # A positive scale changes no picture, so records do without.
        turned = scale if scale is not None and scale < 0 else None
        name, common_name = said.get("name"), said.get("common_name")
        return Band(
            self.key, self.href, index, name, common_name, nodata, turned, self.place, alternates=self.alternates
        )

    def index_of(self, matches: Callable[[dict[str, Any]], bool]) -> int | None:
        return next((index for index, said in enumerate(self.bands, 1) if matches(said)), None)


def select_imagery(item: pystac.Item, settings: Settings) -> Imagery:
    """Choose the three bands shown as red, green and blue.

    `asset_keys` and `band_names` of the settings win.  Otherwise, in this order: a true-colour asset; red, green and
    blue by their common names or wavelengths, from one asset or three, at the finest resolution; the same by codes of
    Sentinel-2; two polarisations of a SAR item, or one; a panchromatic band; a thermal band; any other raster asset.
    If nobody describes the bands of that asset, they are 1, 2, 3 with the modality of the settings, else ``other``:
    the file may say which ones are red, green and blue, and one with fewer bands is read as band 1 three times.

    Raises:
        ItemError: no asset is imagery, or a named asset or band is not in the item.
        SettingsError: `band_names` has neither one nor three names.
    """
    if len(settings.band_names) not in (0, 1, 3):
        raise SettingsError(
            f"IMAGERAG_BAND_NAMES has {len(settings.band_names)} names", fix="Give three (red, green, blue) or one"
        )
    keys, preferred = settings.asset_keys, settings.alternates
    candidates = _named_assets(item, keys, preferred) if keys else _raster_assets(item, preferred)
    if not candidates:
        seen = ", ".join(item.assets) or "none"
        raise ItemError(
            f"The item has no imagery; its assets: {seen[:300]}",
            fix="Name the asset in IMAGERAG_ASSET_KEYS",
            item=item.id,
        )
    if settings.band_names:
        return _by_band_names(item, candidates, settings.band_names)
    if settings.asset_keys:
        return _by_asset_keys(item, candidates, settings)
    found = _true_colour(candidates) or _by_colour(candidates) or _by_codes(candidates)
    if found is None and _is_sar(item):
        return _radar(candidates, settings)
    return found or _panchromatic(candidates) or _thermal(candidates) or _undescribed(candidates, settings)


def _raster_assets(item: pystac.Item, preferred: Sequence[str]) -> list[_Candidate]:
    """Return the assets that may be imagery; those whose key suggests otherwise count only if there are no others."""
    kept: list[_Candidate] = []
    doubtful: list[_Candidate] = []
    warmth: list[_Candidate] = []
    for key, asset in item.assets.items():
        roles = _roles(asset)
        if _is_raster(asset, roles) and {"data", "temperature"} <= roles:
            warmth.append(_candidate(item, key, asset, preferred))
        if not _is_raster(asset, roles) or roles & _NOT_IMAGERY_ROLES or any("mask" in role for role in roles):
            continue
        candidate = _candidate(item, key, asset, preferred)
        says_it_is = bool(roles & {"visual", "reflectance"}) or any(band["common_name"] for band in candidate.bands)
        (kept if says_it_is or not _NOT_IMAGERY_KEY.search(key) else doubtful).append(candidate)
    if len(kept) == 1 and not kept[0].bands:
        kept = [_with_item_bands(item, kept[0])]
    return kept or [candidate for candidate in doubtful if "data" in candidate.roles] or warmth


def _roles(asset: pystac.Asset) -> frozenset[str]:
    """Return the roles of an asset, of which some write a single one without a list."""
    return frozenset([asset.roles] if isinstance(asset.roles, str) else asset.roles or ())


def _is_raster(asset: pystac.Asset, roles: frozenset[str]) -> bool:
    media_type = (asset.media_type or "").lower()
    path = asset.href.lower().split("?")[0]
    if "tiff" in media_type or media_type.startswith(("image/jp2", "image/jpx", "image/jpeg2000")):
        return True
    is_picture = bool(roles & _PICTURE_ROLES)
    if not media_type or media_type.startswith("application/octet-stream"):
        return path.endswith((".tif", ".tiff", ".jp2")) or (is_picture and path.endswith(_PICTURE_ENDINGS))
    return media_type.startswith(("image/png", "image/jpeg", "image/webp", "image/gif")) and is_picture


def _named_assets(item: pystac.Item, keys: Sequence[str], preferred: Sequence[str]) -> list[_Candidate]:
    missing = [key for key in keys if key not in item.assets]
    if missing:
        raise ItemError(
            f"The item has no asset {', '.join(missing)}; its assets: {', '.join(item.assets)[:300]}",
            fix="Correct IMAGERAG_ASSET_KEYS",
            item=item.id,
        )
    return [_candidate(item, key, item.assets[key], preferred) for key in keys]


def _candidate(item: pystac.Item, key: str, asset: pystac.Asset, preferred: Sequence[str]) -> _Candidate:
    fields = asset.extra_fields
    bands = _described_bands(fields)
    colour = _colour_of(key)
    if len(bands) < 2 and colour and not any(band["common_name"] for band in bands):
        bands = ((bands[0] if bands else {}) | {"name": key, "common_name": colour},)
    href, *others = addresses(asset.href, fields, preferred)
    place, roles = item_place(fields, item.properties), _roles(asset)
    finest = _resolution(key, href, fields)
    return _Candidate(key, href, roles, fields, bands, finest, place, tuple(others), item.properties)


def _described_bands(fields: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return what `bands` (STAC 1.1) and `eo:bands` (before) say, with the field names of the latter."""
    described: list[dict[str, Any]] = []
    for entries in band_entries(fields):
        for index, entry in enumerate(entries):
            if index == len(described):
                described.append({})
            plain = {name.removeprefix("eo:"): value for name, value in entry.items()}
            described[index] = plain | described[index]
    for band in described:
        for name in ("name", "common_name"):
            band[name] = str(band[name]) if band.get(name) is not None else None
        if band["common_name"] is None and band["name"]:
            band["common_name"] = _colour_of(band["name"])
    return tuple(described)


def _colour_of(name: str) -> str | None:
    """Return the common name that an asset's key or a band's name is, alone or after a product (``nbart_red``)."""
    words = _WORD.findall(name.lower())
    return words[-1] if len(words) in (1, 2) and words[-1] in _COLOUR_WORDS else None


def _with_item_bands(item: pystac.Item, only: _Candidate) -> _Candidate:
    bands = _described_bands(item.properties)
    return replace(only, bands=bands) if len(bands) > 1 else only


def _resolution(key: str, href: str, fields: dict[str, Any]) -> float:
    bands = [
        band
        for name in ("raster:bands", "bands", "eo:bands")
        for band in fields.get(name) or []
        if isinstance(band, dict)
    ]
    said = [fields.get("gsd"), fields.get("raster:spatial_resolution")]
    said += [band.get(name) for band in bands for name in ("gsd", "spatial_resolution", "raster:spatial_resolution")]
    transform = fields.get("proj:transform")
    said += [abs(transform[0])] if isinstance(transform, list) and transform and is_number(transform[0]) else []
    for value in said:
        number = number_of(value) if is_number(value) else None
        if number is not None and number > 0:
            return number
    in_name = re.search(r"[_-](\d{1,4})m\b", key) or re.search(r"[_-](\d{1,4})m\.\w+$", href)
    return float(in_name[1]) if in_name else inf


def _imagery(bands: Iterable[Band], modality: str) -> Imagery:
    chosen = tuple(bands)
    return Imagery(chosen, modality, tuple(dict.fromkeys(band.asset_key for band in chosen)))


def _one_band(band: Band, modality: str) -> Imagery:
    return _imagery([band] * 3, modality)


def _finest(candidates: Iterable[_Candidate]) -> _Candidate | None:
    return min(candidates, key=lambda candidate: candidate.resolution, default=None)


def _rgb_indices(candidate: _Candidate) -> tuple[int, int, int] | None:
    """Return the band numbers of red, green and blue in one asset, by common names, else by wavelengths."""
    by_name = [candidate.index_of(lambda said, c=colour: said.get("common_name") == c) for colour in _RGB]  # type: ignore[misc]
    red, green, blue = by_name
    if red and green and blue:
        return red, green, blue
    waves = [(said.get("center_wavelength"), index) for index, said in enumerate(candidate.bands, 1)]
    measured = [(float(wave), index) for wave, index in waves if is_number(wave)]  # type: ignore[arg-type]
    nearest = [min(measured, key=lambda each, t=target: abs(each[0] - t), default=None) for target in _WAVELENGTHS]  # type: ignore[misc]
    indices = [
        each[1]
        for each, target in zip(nearest, _WAVELENGTHS, strict=True)
        if each is not None and abs(each[0] - target) <= _WAVELENGTH_TOLERANCE
    ]
    return (indices[0], indices[1], indices[2]) if len(set(indices)) == 3 else None


def _true_colour(candidates: list[_Candidate]) -> Imagery | None:
    visual = [c for c in candidates if ("visual" in c.roles or _VISUAL_KEY.match(c.key)) and len(c.bands) not in (1, 2)]
    best = _finest(visual)
    if best is None:
        return None
    return _imagery((best.band(index) for index in _rgb_indices(best) or (1, 2, 3)), "optical")


def _by_colour(candidates: list[_Candidate]) -> Imagery | None:
    """Return red, green and blue at the finest resolution that all three have, from one asset if possible."""
    whole = [(c.resolution, 0, [c.band(i) for i in indices]) for c in candidates if (indices := _rgb_indices(c))]
    of_colour = [
        [c for c in candidates if any(said.get("common_name") == colour for said in c.bands)] for colour in _RGB
    ]
    apart = []
    if all(of_colour):
        for resolution in sorted({c.resolution for c in of_colour[0]}):
            chosen = [next((c for c in some if c.resolution == resolution), None) for some in of_colour]
            if all(chosen):
                apart.append((resolution, 1, _colour_bands(chosen)))
        finest = [_finest(some) for some in of_colour]
        apart.append((max(c.resolution for c in finest if c), 2, _colour_bands(finest)))
    best = min(whole + apart, key=lambda option: option[:2], default=None)
    return _imagery(best[2], "optical") if best else None


def _by_codes(candidates: list[_Candidate]) -> Imagery | None:
    """Return red, green and blue by Sentinel-2's codes for bands, which HLS has, too, where nobody says more."""
    bands = []
    for code in _RGB_CODES:
        offers = [
            (c.resolution, c.band(index))
            for c in candidates
            for index, said in enumerate(c.bands or ({"name": c.key},), 1)
            if (found := _CODE.match(said.get("name") or "")) and found[1].upper() == code
        ]
        if not offers:
            return None
        bands.append(min(offers, key=lambda offer: offer[0])[1])
    return _imagery(bands, "optical")


def _colour_bands(assets: Sequence[_Candidate | None]) -> list[Band]:
    return [
        asset.band(asset.index_of(lambda said, c=colour: said.get("common_name") == c) or 1)  # type: ignore[misc]
        for asset, colour in zip(assets, _RGB, strict=True)
        if asset
    ]


def _panchromatic(candidates: list[_Candidate]) -> Imagery | None:
    pan = [c for c in candidates if c.index_of(_is_pan)]
    best = _finest(pan)
    return _one_band(best.band(best.index_of(_is_pan) or 1), "panchromatic") if best else None


def _is_pan(said: dict[str, Any]) -> bool:
    return said.get("common_name") == "pan" or (said.get("name") or "").lower() in ("pan", "panchromatic")


def _is_sar(item: pystac.Item) -> bool:
    instruments = item.properties.get("instruments")
    named = [str(name).lower() for name in instruments] if isinstance(instruments, list) else []
    return (
        any(name.startswith("sar:") for name in item.properties)
        or any("/sar/" in extension for extension in item.stac_extensions)
        or any(name == "sar" or name.endswith("-sar") for name in named)
    )


def _radar(candidates: list[_Candidate], settings: Settings) -> Imagery:
    """Return two polarisations that were sent alike, the brighter one first, twice; or the brightest kind of one."""
    offers = _polarisations(candidates)
    names = {name for name, _, _ in offers}
    if settings.polarisations == "two":
        for co, cross in (("VV", "VH"), ("HH", "HV")):
            if {co, cross} <= names:
                best = {name: min((each for each in offers if each[0] == name), key=_finer)[2] for name in (co, cross)}
                return _imagery((best[co], best[cross], best[co]), "sar")
    return _one_band(min(offers, key=lambda offer: (_brightness(offer[0]), offer[1]))[2], "sar")


def _finer(offer: tuple[str, float, Band]) -> float:
    return offer[1]


def _brightness(polarisation: str) -> int:
    return _POLARIZATIONS.index(polarisation) if polarisation in _POLARIZATIONS else len(_POLARIZATIONS)


def _polarisations(candidates: list[_Candidate]) -> list[tuple[str, float, Band]]:
    """Return each polarisation with its resolution and band; the bands of an asset follow the order of its list."""
    offers: list[tuple[str, float, Band]] = []
    for candidate in candidates:
        said = candidate.fields.get("sar:polarizations")
        names = [str(name).upper() for name in said] if isinstance(said, list) else []
        names = names or [name.upper() for name in re.findall(r"(?i)(?<![a-z])(?:vv|hh|vh|hv)(?![a-z])", candidate.key)]
        names = names or [(band.get("name") or "").upper() for band in candidate.bands] or [""]
        offers += [(name, candidate.resolution, candidate.band(index)) for index, name in enumerate(names, 1)]
    return offers


def _thermal(candidates: list[_Candidate]) -> Imagery | None:
    best = _finest([c for c in candidates if c.index_of(_is_thermal) or "temperature" in c.roles])
    return _one_band(best.band(best.index_of(_is_thermal) or 1), "thermal") if best else None


def _is_thermal(said: dict[str, Any]) -> bool:
    return (said.get("common_name") or "").startswith(("lwir", "thermal")) or (said.get("name") or "").lower() in (
        *("thermal", "temperature", "lwir", "lst"),
    )


def _undescribed(candidates: list[_Candidate], settings: Settings) -> Imagery:
    best = min(candidates, key=lambda c: ("data" not in c.roles, not _TELLING_KEY.match(c.key), c.resolution))
    fewer_than_three = 0 < len(best.bands) < 3
    return _imagery(
        (best.band(index) for index in ((1, 1, 1) if fewer_than_three else (1, 2, 3))), settings.modality or "other"
    )


def _by_band_names(item: pystac.Item, candidates: list[_Candidate], names: Sequence[str]) -> Imagery:
    bands = []
    for name in names:
        matching = [
            (c.resolution, c.band(index))
            for c in candidates
            for index, said in enumerate(c.bands, 1)
            if name.lower() in {(said.get("name") or "").lower(), (said.get("common_name") or "").lower()}
        ] or [(c.resolution, c.band(1)) for c in candidates if c.key.lower() == name.lower()]
        if (
            not matching
            and name.isdigit()
            and int(name) > 0
            and not any(said.get("name") for c in candidates for said in c.bands)
        ):
            matching = [(c.resolution, c.band(int(name))) for c in candidates[:1]]  # by number, where none has a name
        if not matching:
            known = dict.fromkeys(
                said.get("name") or said.get("common_name") or c.key for c in candidates for said in c.bands
            )
            raise ItemError(
                f"The item has no band {name}; its bands: {', '.join(known)[:300] or 'not described'}",
                fix="Correct IMAGERAG_BAND_NAMES",
                item=item.id,
            )
        bands.append(min(matching, key=lambda match: match[0])[1])
    if len(bands) == 1:
        return _one_band(bands[0], "sar" if _is_sar(item) else "panchromatic")
    return _imagery(bands, "sar" if _is_sar(item) else "optical")


def _by_asset_keys(item: pystac.Item, candidates: list[_Candidate], settings: Settings) -> Imagery:
    """Return the imagery of named assets: colours within one asset, or one band from each of three."""
    if len(candidates) == 3:
        return _imagery((candidate.band(1) for candidate in candidates), "sar" if _is_sar(item) else "optical")
    colours = _by_colour(candidates)
    if colours is not None:
        return colours
    if _is_sar(item):
        return _radar(candidates, settings)
    return _panchromatic(candidates[:1]) or _thermal(candidates[:1]) or _undescribed(candidates[:1], settings)
