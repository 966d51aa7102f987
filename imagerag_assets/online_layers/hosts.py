"""Which hosts tiles are fetched from: any but those that serve a machine's own metadata and credentials."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from imagerag_assets.errors import SourceError

_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_ADDRESSES = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254", "168.63.129.16")))


def check_address(address: str, *, shown: str, look_up: bool = False) -> None:
    """Refuse an address that is not http(s), names no host, or leads to a metadata service.

    Args:
        address: What would be fetched.
        shown: What the error names instead of it.
        look_up: Look up the name of the host, too.

    Raises:
        SourceError: it is refused.
    """
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").rstrip(".").lower()
        _ = parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise SourceError(
            "An online layer is read over http(s)", fix="Give an address like https://host/{z}/{x}/{y}.png", href=shown
        )
    if host in _NAMES or any(map(_is_refused, _numbers(host, look_up=look_up))):
        raise SourceError(
            "This address is that of a machine's metadata, not of a layer", fix="Correct the address", href=shown
        )


def _numbers(host: str, *, look_up: bool) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        return [socket.inet_ntoa(socket.inet_aton(host))]  # 2852039166, 0xa9fea9fe and the like
    except (OSError, UnicodeError):
        pass
    if not look_up:
        return []
    try:
        return [str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(host, None)]
    except (OSError, UnicodeError):  # the request reports it, or a proxy knows the name
        return []


def _is_refused(number: str) -> bool:
    address = ipaddress.ip_address(number)
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in _ADDRESSES
