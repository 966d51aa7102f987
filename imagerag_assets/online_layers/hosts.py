"""Which hosts a layer may be at: any but those that serve a machine's own metadata and credentials."""

from __future__ import annotations

from imagerag_assets.errors import SourceError
from imagerag_assets.objects.addresses import is_http
from imagerag_assets.objects.boundary import authority, is_metadata


def check_address(address: str, *, shown: str) -> None:
    """Refuse an address that is not http(s), names no host, or is that of a metadata service.

    No name is looked up: requests are held to `objects.boundary` when they connect.

    Args:
        address: What would be fetched.
        shown: What the error names instead of it.

    Raises:
        SourceError: it is refused.
    """
    where = authority(address) if is_http(address) else None
    if where is None:
        raise SourceError(
            "An online layer is read over http(s)", fix="Give an address like https://host/{z}/{x}/{y}.png", href=shown
        )
    if is_metadata(where[0]):
        raise SourceError(
            "This address is that of a machine's metadata, not of a layer", fix="Correct the address", href=shown
        )
