"""Whether the requester pays for a file (storage extension, versions 1 and 2), and what to say if it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagerag_assets.errors import ItemError
from imagerag_assets.objects.addresses import is_s3
from imagerag_assets.objects.failures import is_denied
from imagerag_assets.objects.storage import access_to
from imagerag_assets.settings import Settings


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
    return ItemError(
        "The requester pays for reading this file, and that is not enabled",
        fix="If you accept the costs, set AWS_REQUEST_PAYER=requester, or requester_pays = true in a [storage.NAME] "
        f"table of {settings.storage_file}",
        **{name: str(value) for name, value in error.ids.items()},  # type: ignore[arg-type]
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
