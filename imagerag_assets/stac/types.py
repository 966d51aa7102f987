"""The results of validating a STAC item: frozen records that can be stored as JSON.

Only data and its JSON form belong here.  The other modules of this room find, choose and check.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from imagerag_assets.errors import ImageRAGError
from imagerag_assets.objects.signed import keep_signature


@dataclass(frozen=True)
class ItemPlace:
    """Where a file lies, as its item says (`proj:*`)."""

    crs: str | None = None
    """A code such as ``EPSG:32631``, WKT or PROJJSON."""
    transform: tuple[float, float, float, float, float, float] | None = None
    """(a, b, c, d, e, f): column and row give ``x = a * col + b * row + c`` and ``y = d * col + e * row + f``."""
    bbox: tuple[float, float, float, float] | None = None
    """Least x and y, greatest x and y, in the CRS."""
    shape: tuple[int, int] | None = None
    """Height and width in pixels."""

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> ItemPlace:
        """Read what :func:`dataclasses.asdict` wrote, also after JSON made lists of its tuples."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
        }
        return cls(**values)


@dataclass(frozen=True)
class Band:
    """One band of one raster file."""

    asset_key: str
    """Key of the asset in the item."""
    href: str
    """Absolute path or address of the file."""
    index: int
    """Band number in the file, from 1."""
    name: str | None = None
    """The band's name in the item, e.g. ``B04``."""
    common_name: str | None = None
    """Common name by the STAC eo extension, e.g. ``red``."""
    nodata: float | None = None
    """Value of missing pixels, as the item or its collection says."""
    scale: float | None = None
    """Negative factor from the file's values to physical ones, as the item or its collection says."""
    place: ItemPlace | None = field(default=None, compare=False)
    """Where the file lies, as the item says; used if the file does not say it."""
    signed: bool = False
    """The address needs a signature, which only the item's source gives."""
    alternates: tuple[str, ...] = ()
    """Further addresses of the file, in the order in which they are tried if this one cannot be read."""


@dataclass(frozen=True)
class Imagery:
    """The bands that an encoder sees."""

    bands: tuple[Band, ...]
    """Exactly three, in the order red, green, blue; the same one three times for what is grey, and of two
    polarisations of SAR the brighter one, the other one, and the brighter one again."""
    modality: str
    """``optical``, ``panchromatic``, ``thermal``, ``sar``; ``other`` if the item does not describe its bands: they are
    then 1, 2, 3 of one file, and a file with fewer than three is read as band 1 three times."""
    asset_keys: tuple[str, ...]
    """Keys of the assets used, each once, in the order of `bands`."""

    @property
    def hrefs(self) -> tuple[str, ...]:
        """The files used, each once, in the order of `bands`."""
        return tuple(dict.fromkeys(band.href for band in self.bands))


@dataclass(frozen=True)
class Scene:
    """An item that passed validation."""

    scene_key: str
    item_id: str
    collection: str | None
    source: str
    """What the person gave: a path, an s3:// address, the URL of an API."""
    item_href: str | None
    """Absolute path or address of the item's JSON, if it has one."""
    version: str
    """Lower-case hex; changes when the item or one of its imagery files changes."""
    acquired_at: datetime | None
    """Aware, UTC; the start of an interval."""
    bbox: tuple[float, float, float, float] | None
    """West, south, east, north in degrees; west > east where the scene crosses the antimeridian."""
    geometry: dict[str, Any] | None
    """GeoJSON geometry in lon/lat."""
    imagery: Imagery
    cloud_cover: float | None
    """Percent, 0-100."""
    properties: dict[str, Any] = field(default_factory=dict)
    """The item's properties, JSON values only."""
    notes: tuple[str, ...] = ()
    """What a person should know, e.g. that the time is missing."""
    acquired_until: datetime | None = None
    """The end of the interval in which it was acquired; None: at one moment, or the time is missing."""
    imported_from: str | None = None
    """Where the record was imported from: all that it says is of whoever wrote it there; None: it was made here."""
    file_versions: dict[str, str] = field(default_factory=dict, compare=False)
    """Version of each imagery file when it was looked at, by address; those that cannot be told are left out."""

    @property
    def last_acquired(self) -> datetime | None:
        """Return the latest moment that the imagery may show."""
        return self.acquired_until or self.acquired_at

    @property
    def identity(self) -> tuple[str | None, str]:
        """Collection and id, by which a catalog tells its items apart."""
        return self.collection, self.item_id

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON; :meth:`from_dict` reads it back to an equal scene."""
        # The JSON keeps the version's first name, `etag`.
        record = {"etag" if name == "version" else name: value for name, value in asdict(self).items()}
        record["acquired_at"] = None if self.acquired_at is None else self.acquired_at.isoformat()
        if self.acquired_until is None:
            del record["acquired_until"]
        else:
            record["acquired_until"] = self.acquired_until.isoformat()
        if self.imported_from is None:
            del record["imported_from"]
        if not self.file_versions:
            del record["file_versions"]
        record["bbox"] = None if self.bbox is None else list(self.bbox)
        record["notes"] = list(self.notes)
        record["imagery"] = {
            "bands": [_sparse(asdict(band)) for band in self.imagery.bands],
            "modality": self.imagery.modality,
            "asset_keys": list(self.imagery.asset_keys),
        }
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Scene:
        """Read what :meth:`to_dict` wrote, from Python or parsed from JSON.

        Raises:
            KeyError, TypeError, ValueError: it is not such a record.
        """
        values = dict(record)
        values["version"] = values.pop("etag")
        imagery = values["imagery"]
        values["imagery"] = Imagery(
            bands=tuple(_band(band) for band in imagery["bands"]),
            modality=imagery["modality"],
            asset_keys=tuple(imagery["asset_keys"]),
        )
        for name in ("acquired_at", "acquired_until"):
            if values.get(name) is not None:
                values[name] = datetime.fromisoformat(values[name]).astimezone(UTC)
        if values["bbox"] is not None:
            west, south, east, north = (float(value) for value in values["bbox"])
            values["bbox"] = (west, south, east, north)
        values["notes"] = tuple(values.get("notes", ()))
        return cls(**values)


def _sparse(band: dict[str, Any]) -> dict[str, Any]:
    """Leave out what records did not have at first, where it says nothing."""
    unsaid = {"nodata": None, "scale": None, "place": None, "signed": False, "alternates": ()}
    return {name: value for name, value in band.items() if name not in unsaid or value is not unsaid[name]}


def _band(record: dict[str, Any]) -> Band:
    place = record.get("place")
    # Records that were made before signatures were left out have them.
    values = {
        "href": keep_signature(record["href"]),
        "alternates": tuple(map(keep_signature, record.get("alternates", ()))),
    }
    return Band(**record | values | ({} if place is None else {"place": ItemPlace.from_dict(place)}))


@dataclass(frozen=True)
class FailedItem:
    """An item, or a branch of a catalog, that cannot be used."""

    scene_key: str
    """The scene key if the id gives one, else the id made safe."""
    item_href: str | None
    error: ImageRAGError
    other_key: str = ""
    """The scene key that it has where that one is another item's."""
