"""Turn the JSON of one item into a validated :class:`Scene`.

Migration, the checks that an item is usable, its time and place, and its version belong here.  Finding items does not.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pystac

from imagerag_assets.errors import ImageRAGError, ItemError, error_of_item, shown
from imagerag_assets.objects.addresses import is_http, is_remote, is_s3, other_spellings
from imagerag_assets.objects.boundary import refusal
from imagerag_assets.objects.bucket_addresses import is_azure, s3_address
from imagerag_assets.objects.failures import explain_failure, is_transient
from imagerag_assets.objects.file_versions import local_version, object_version
from imagerag_assets.objects.peek import first_bytes
from imagerag_assets.objects.signed import requested
from imagerag_assets.plain_files.items import made_note
from imagerag_assets.settings import Settings
from imagerag_assets.signatures import unsigned_values
from imagerag_assets.stac.alternates import resolve
from imagerag_assets.stac.bbox import item_bbox, usable_geometry
from imagerag_assets.stac.collections import with_item_assets
from imagerag_assets.stac.imagery import select_imagery
from imagerag_assets.stac.item_model import checked, not_valid
from imagerag_assets.stac.item_refs import Made
from imagerag_assets.stac.keys import scene_key
from imagerag_assets.stac.pixel_values import unusable_values
from imagerag_assets.stac.requester_pays import check_paid, not_paid, with_s3_addresses
from imagerag_assets.stac.times import acquired, check_time, given
from imagerag_assets.stac.types import Imagery, Scene

_CURRENT_VERSIONS = re.compile(r"1\.[01]\.\d+")
_VERSION = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}(-[A-Za-z0-9.]{1,20})?")
_OF_A_SIGNATURE = frozenset({"msft:expiry"})
#: For pystac, which refuses an item without any time; never shown.
_PLACEHOLDER_TIME = "1970-01-01T00:00:00Z"


def scene_from_item(
    content: dict[str, Any], *, item_href: str | None, base: str, source: str, settings: Settings, made: Made = ""
) -> Scene:
    """Validate one item.

    Args:
        content: The item's JSON as it was read; not changed.
        item_href: Where the item itself is stored, if it has a document of its own.
        base: The document against which relative asset hrefs are resolved.
        source: What the person gave.
        settings: Which assets are imagery, and how to reach S3.
        made: What the item was made from here.  The file of an online layer need not be there yet, so its version does
            not count; the address of the layer is in the item.

    Raises:
        ItemError: the id cannot be used, the JSON is not a valid item, no asset is imagery, or a file of the imagery
            is missing, empty or unreadable.
    """
    try:
        return _scene(content, item_href, base, source, settings, made)
    except ImageRAGError:
        raise
    except Exception as error:  # JSON may hold anything anywhere, and one item must not stop the others
        raise error_of_item(error, href=item_href) from shown(error)


def _scene(
    read: dict[str, Any], item_href: str | None, base: str, source: str, settings: Settings, made: Made
) -> Scene:
    collection = read.get("collection") if isinstance(read.get("collection"), str) else None
    key = scene_key(collection or None, read.get("id"))  # type: ignore[arg-type]
    notes = [made_note(read)] if made else []
    content = checked(read, notes)
    item = _parse(content, key, base, notes)
    imagery = select_imagery(item, settings)
    described = any(band.name or band.common_name for band in imagery.bands)
    more = with_item_assets(content, base, settings, notes, needed=not described)
    if more is not content:
        item = _parse(more, key, base, [])
        imagery = select_imagery(item, settings)
    notes.extend(unusable_values(item, imagery))
    if imagery.modality == "other" and not made:  # of a plain file its reader tells which bands are shown
        notes.append(
            f"The item does not describe the bands of asset {imagery.bands[0].asset_key}; set IMAGERAG_ASSET_KEYS and "
            "IMAGERAG_BAND_NAMES to choose which to show"
        )
    written = {href for _, hrefs in _files(imagery) for href in hrefs}
    imagery = with_s3_addresses(imagery, more, settings)
    versions: dict[str, str] = {}
    for asset_key, hrefs in _files(imagery):
        if made == "layer":
            versions[hrefs[0]] = ""
            continue
        usable = hrefs if made else _within_boundary(asset_key, hrefs, written, key, base, settings)
        found, versions[found] = _first_located(asset_key, usable, key, more, settings)
        if (found, *usable) != (hrefs[0], *hrefs):
            others = tuple(href for href in usable if href != found)
            bands = tuple(
                replace(band, href=found, alternates=others) if band.href == hrefs[0] else band
                for band in imagery.bands
            )
            imagery = replace(imagery, bands=bands)
    bands = tuple(replace(band, signed=requested(band.href) != band.href) for band in imagery.bands)
    imagery = replace(imagery, bands=bands)
    acquired_at, acquired_until = acquired(_properties(content), item, notes)
    return Scene(
        scene_key=key,
        item_id=item.id,
        collection=collection or None,
        source=source,
        item_href=item_href,
        version=_item_version(read, imagery, versions),
        acquired_at=acquired_at,
        acquired_until=acquired_until,
        bbox=item_bbox(content, notes),
        geometry=usable_geometry(content, notes),
        imagery=imagery,
        cloud_cover=_percent(item.properties.get("eo:cloud_cover")),
        properties=_properties(content),
        notes=tuple(notes),
        file_versions={href: version for href, version in versions.items() if version},
    )


def _properties(content: dict[str, Any]) -> dict[str, Any]:
    properties = unsigned_values(content.get("properties"))
    return deepcopy(properties) if isinstance(properties, dict) else {}


def _parse(content: dict[str, Any], key: str, base: str, notes: list[str]) -> pystac.Item:
    """Return the item as pystac sees it: migrated, with absolute asset hrefs, and without its links."""
    for name, asset in content["assets"].items():
        if asset["href"].startswith("file:") and is_remote(base):
            raise not_valid(f"asset {name} of a remote item names a file on this machine")
    prepared = deepcopy(content) | {"links": [], "properties": _properties(content)}
    prepared.setdefault("geometry", None)
    prepared.setdefault("stac_extensions", [])
    for asset in prepared["assets"].values():
        resolve(asset, base)
    times = given(prepared["properties"])
    check_time(times["datetime"])
    if not times["datetime"]:
        one = times["start_datetime"] or times["end_datetime"]
        times |= {"start_datetime": one, "end_datetime": times["end_datetime"] or one} if one else {}
        times["datetime"] = None if one else _PLACEHOLDER_TIME
    prepared["properties"] = {name: value for name, value in prepared["properties"].items() if name not in times} | {
        name: value for name, value in times.items() if value is not None or name == "datetime"
    }
    version = content.get("stac_version") or "unknown"
    if not _CURRENT_VERSIONS.fullmatch(version):
        notes.append(f"Migrated from STAC {version[:20]}")
    if not _VERSION.fullmatch(version):
        prepared["stac_version"] = "1.0.0"
    try:
        return pystac.Item.from_dict(prepared, migrate=True, preserve_dict=False)
    except Exception as error:  # malformed JSON makes pystac raise almost anything
        detail = " ".join(str(error).split())[:150] or type(error).__name__
        raise ItemError(f"This is not a valid STAC item: {detail}", fix="Correct the item", scene=key) from error


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _percent(value: object) -> float | None:
    return float(value) if _is_finite(value) and 0 <= value <= 100 else None  # type: ignore[operator, arg-type]


def _files(imagery: Imagery) -> list[tuple[str, tuple[str, ...]]]:
    """Return each file's asset and its addresses, in the order in which they are tried."""
    return list({band.href: (band.asset_key, (band.href, *band.alternates)) for band in imagery.bands}.values())


def _within_boundary(
    asset_key: str, hrefs: Sequence[str], written: set[str], scene: str, base: str, settings: Settings
) -> tuple[str, ...]:
    """Return the addresses of a file that its item may name.

    Raises:
        ItemError: there is none; the error is that of the first one that is written in the item.
    """
    refused = {href: refusal(href, base, settings) for href in hrefs}
    kept = tuple(href for href, why in refused.items() if why is None)
    if kept:
        return kept
    href = next((each for each in hrefs if each in written), hrefs[0])
    why = refused[href]
    assert why is not None
    raise ItemError(why.why, fix=why.fix, scene=scene, asset=asset_key, href=href, document=base)


def _first_located(
    asset_key: str, hrefs: Sequence[str], scene: str, content: dict[str, Any], settings: Settings
) -> tuple[str, str]:
    """Return the first address of a file that leads to it, and its version.

    Raises:
        ItemError: none does; the error is that of the first.
    """
    first: ItemError | None = None
    unpaid: set[str] = set()
    for href in hrefs:
        if s3_address(href, settings.s3_endpoint_url) in unpaid:
            continue  # the same object
        try:
            found = _located(asset_key, href, scene, settings)
            if is_http(href):
                check_paid(href, content, asset_key, settings, scene=scene)
            if first is None or _is_there(href, settings):
                return found
        except ItemError as error:
            not_allowed = not_paid(error, href, content, asset_key, settings)
            unpaid |= {href} if not_allowed else set()
            first = first or not_allowed or error
    assert first is not None
    raise first


def _is_there(href: str, settings: Settings) -> bool:
    """Return whether a file is there for us; the versions of the web's files do not tell."""
    try:
        return not is_http(href) or first_bytes(href, 1, settings) is not None
    except OSError:
        return False


def _located(asset_key: str, href: str, scene: str, settings: Settings) -> tuple[str, str]:
    """Return the address of a file and its version; in another spelling where only that leads to a file.

    Raises:
        ItemError: as for :func:`_file_version`.
    """
    try:
        return href, _file_version(asset_key, href, scene, settings)
    except ItemError as error:
        for other in other_spellings(href) if isinstance(error.__cause__, FileNotFoundError) else ():
            try:
                return other, _file_version(asset_key, other, scene, settings)
            except ItemError:
                continue
        raise


def _file_version(asset_key: str, href: str, scene: str, settings: Settings) -> str:
    """Return a value that changes when the file does, without reading it; empty for http(s), which has none.

    Raises:
        ItemError: the file is missing, empty or unreachable.
    """
    if is_http(href):
        return ""
    ids: dict[str, Any] = {"scene": scene, "asset": asset_key, "href": href}
    if is_remote(href) and not is_s3(href):
        scheme = href.partition("://")[0]
        raise ItemError(
            f"{scheme}:// addresses are not read" + (" without the account" if is_azure(href) else ""),
            fix="Set AZURE_STORAGE_ACCOUNT" if is_azure(href) else "Give an https:// or s3:// address as an alternate",
            **ids,
        )
    try:
        version, size, is_file = object_version(href, settings) if is_remote(href) else local_version(href, settings)
    except FileNotFoundError as error:
        message, fix = explain_failure(error, href, settings)
        message = "The file of an asset does not exist" if message == "Not found" else message
        raise ItemError(message, fix="Upload the file or correct its href", **ids) from error
    except Exception as error:  # fsspec, s3fs and botocore share no base class
        message, fix = explain_failure(error, href, settings)
        raise ItemError(
            f"The file of an asset cannot be read: {message}", fix=fix, transient=is_transient(error, href), **ids
        ) from shown(error)
    if not is_file:
        raise ItemError("The href of an asset is a folder", fix="Name the file", **ids)
    if size == 0:
        raise ItemError("The file of an asset is empty", fix="Upload the file again", **ids)
    return version


def _item_version(content: dict[str, Any], imagery: Imagery, versions: dict[str, str]) -> str:
    """Return the sha256 over the item without its links, the bands chosen, and the versions of their files.

    The place of a file does not count.  Neither does the signature of a signed address, which every search renews.
    """
    stable = stable_content(content)
    bands = [(band.asset_key, band.index, versions[band.href]) for band in imagery.bands]
    text = json.dumps([stable, bands], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def stable_content(content: dict[str, Any]) -> dict[str, Any]:
    """Return an item's JSON without what each listing says anew: links, signatures, and when these end."""
    stable: dict[str, Any] = {name: unsigned_values(value) for name, value in content.items() if name != "links"}
    stable = _without_expiry(stable)
    if isinstance(features := stable.get("features"), list):
        stable["features"] = [_without_expiry(each) for each in features]
    return stable


def _without_expiry(feature: Any) -> Any:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict) or not properties.keys() & _OF_A_SIGNATURE:
        return feature
    kept = {name: value for name, value in properties.items() if name not in _OF_A_SIGNATURE}
    return feature | {"properties": kept}
