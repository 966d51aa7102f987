"""Several addresses of one file (the alternate assets extension): which is read first, and which if that fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagerag_assets.objects.addresses import absolute_href, is_http, is_remote, is_s3


def hrefs_of(asset: Any) -> list[str]:
    """Return all addresses that an asset's JSON gives, as they are written, its own first."""
    return [href for href, _ in _written(asset)]


def resolve(asset: dict[str, Any], base: str) -> None:
    """Make the addresses of an asset absolute; leave out alternates of other kinds, and files that a remote item names.

    Args:
        asset: JSON of an asset that has an address; changed.
        base: The document against which relative addresses are resolved.
    """
    asset["href"] = absolute_href(asset["href"], base)
    alternates = asset.get("alternate")
    kept: dict[str, Any] = {}
    for key, each in alternates.items() if isinstance(alternates, dict) else ():
        written = each.get("href") if isinstance(each, dict) else None
        if isinstance(written, str) and written and "\0" not in written:
            address = absolute_href(written, base)
            if is_http(address) or is_s3(address) or not (is_remote(address) or is_remote(base)):
                kept[str(key)] = each | {"href": address}
    if alternates is not None:
        asset["alternate"] = kept


def addresses(href: str, fields: Mapping[str, Any], preferred: Sequence[str]) -> tuple[str, ...]:
    """Return the addresses of an asset's file, each once: the preferred ones, its own, then the others.

    Args:
        href: Its own address.
        fields: The asset's other fields, resolved.
        preferred: Names of alternates, their `alternate:name`, or schemes (``s3``, ``https``), the first one first.
    """
    ranks = {name.lower(): rank for rank, name in reversed(list(enumerate(preferred)))}
    found: list[tuple[int, str]] = []
    for address, names in _written({**fields, "href": href}):
        scheme = address.partition("://")[0].lower() if is_remote(address) else "file"
        known = [ranks[name] for name in (*names, scheme) if name in ranks]
        found.append((min(known, default=len(ranks)), address))
    return tuple(dict.fromkeys(address for _, address in sorted(found, key=lambda each: each[0])))


def _written(asset: Any) -> list[tuple[str, tuple[str, ...]]]:
    """Return each address of an asset with the lower-case names that it goes by."""
    if not isinstance(asset, Mapping):
        return []
    alternates = asset.get("alternate")
    every = {"": asset, **(alternates if isinstance(alternates, Mapping) else {})}
    found = []
    for key, each in every.items():
        href = each.get("href") if isinstance(each, Mapping) else None
        if isinstance(href, str) and href and "\0" not in href:
            names = (str(key).lower(), str(each.get("alternate:name", "")).lower())
            found.append((href, tuple(name for name in names if name)))
    return found
