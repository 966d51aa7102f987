"""Whether the requester pays for a file (storage extension, versions 1 and 2), and what to say if it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from imagerag_assets.errors import ItemError
from imagerag_assets.objects.addresses import is_s3
from imagerag_assets.objects.bucket_addresses import s3_address
from imagerag_assets.objects.failures import is_denied
from imagerag_assets.objects.peek import first_bytes
from imagerag_assets.objects.signed import requested
from imagerag_assets.objects.storage import access_to, payer_headers
from imagerag_assets.settings import Settings
from imagerag_assets.stac.types import Band, Imagery


def requester_pays(content: Mapping[str, Any], asset_key: str) -> bool:
    """Return whether an item says that the requester pays for a file.

    Version 1 says so of the asset or of the item (``storage:requester_pays``); version 2 of the schemes that the item
    describes (``storage:schemes``) and the asset names (``storage:refs``), or of all where it names none.
    """
    properties, asset = _mapping(content.get("properties")), _mapping(_mapping(content.get("assets")).get(asset_key))
    said = asset.get("storage:requester_pays", properties.get("storage:requester_pays"))
    if isinstance(said, bool):
        return said
    schemes, refs = _mapping(properties.get("storage:schemes")), asset.get("storage:refs")
    alternates = [_mapping(each).get("storage:refs") for each in _mapping(asset.get("alternate")).values()]
    named = [name for some in (refs, *alternates) if isinstance(some, list) for name in some] or list(schemes)
    return any(_mapping(schemes.get(name)).get("requester_pays") is True for name in named if isinstance(name, str))


def not_paid(
    error: ItemError, href: str, content: Mapping[str, Any], asset_key: str, settings: Settings
) -> ItemError | None:
    """Return what to say instead of an error if a file is refused because nobody said that its requester pays."""
    if not is_s3(href) or access_to(href, settings).requester_pays or not requester_pays(content, asset_key):
        return None
    if error.__cause__ is None or not is_denied(error.__cause__):
        return None
    return _unpaid(error.ids, settings)


def check_paid(href: str, content: Mapping[str, Any], asset_key: str, settings: Settings, **ids: str) -> None:
    """Look whether a file of the web is there for us, if nobody said that its requester pays, and the item says so.

    Raises:
        ItemError: it is not.
    """
    if requested(href) != href or payer_headers(href) or not requester_pays(content, asset_key):
        return
    try:
        refused = first_bytes(href, 1, settings) is None
    except OSError:
        return  # reading it tells
    if refused:
        raise _unpaid({**ids, "asset": asset_key, "href": href}, settings)


def _unpaid(ids: Mapping[str, object], settings: Settings) -> ItemError:
    return ItemError(
        "The requester pays for reading this file, and that is not enabled",
        fix="If you accept the costs, set AWS_REQUEST_PAYER=requester, or requester_pays = true in a [storage.NAME] "
        f"table of {settings.storage_file}",
        **{name: str(value) for name, value in ids.items()},  # type: ignore[arg-type]
    )


def with_s3_addresses(imagery: Imagery, content: Mapping[str, Any], settings: Settings) -> Imagery:
    """Return the imagery with the ``s3://`` addresses of files that an item names by their http(s) ones.

    Only who is known can pay.  They come first where the item says that the requester pays, and are tried last where it
    does not but the payment is enabled.
    """
    return replace(imagery, bands=tuple(_in_s3(band, content, settings) for band in imagery.bands))


def _in_s3(band: Band, content: Mapping[str, Any], settings: Settings) -> Band:
    written = (band.href, *band.alternates)
    found = [
        address
        for href in written
        if requested(href) == href and (address := s3_address(href, settings.s3_endpoint_url)) is not None
    ]
    if not found:
        return band
    if requester_pays(content, band.asset_key):
        href, *others = dict.fromkeys((*found, *written))
    else:
        paid = [address for address in found if access_to(address, settings).requester_pays]
        href, *others = dict.fromkeys((*written, *paid))
    return replace(band, href=href, alternates=tuple(others))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
