"""What a document may refer to: what it says is trusted as far as where it came from.

A document of the web names http(s) addresses only, one in a bucket that storage and http(s), and only a document of
this machine names files here.  Loopback and link-local addresses and private networks are refused unless the settings
list them, or the document came from the very same host and port.  Only addresses are looked at, and names of hosts
looked up; `objects.guarded` holds connections to the same rules.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from imagerag_assets.errors import SourceError
from imagerag_assets.objects.addresses import (
    FILE_ELSEWHERE,
    FIX_ELSEWHERE,
    is_file_elsewhere,
    is_http,
    is_remote,
    is_s3,
)
from imagerag_assets.objects.bucket_addresses import is_azure
from imagerag_assets.objects.name_lookup import as_number, look_up
from imagerag_assets.objects.storage import access_to, storages
from imagerag_assets.settings import Settings

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PORTS = {"http": 80, "https": 443}
_EVERY = "*"
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_METADATA_NUMBERS = ("169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "168.63.129.16")
_METADATA = frozenset(map(ipaddress.ip_address, _METADATA_NUMBERS))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LIST_HOST = 'add it to IMAGERAG_ALLOWED_HOSTS, e.g. \'["*", "{host}"]\''

Authority = tuple[str, int]
"""Host, in lower case, and port."""
_Number = ipaddress.IPv4Address | ipaddress.IPv6Address

_foreign: set[Authority] = set()
"""Hosts that this process knows from documents of others only: names among them must not lead to private networks."""
_lock = Lock()


@dataclass(frozen=True)
class Refusal:
    """Why an address is not followed."""

    why: str
    fix: str

    def error(self, address: str, origin: str | None) -> SourceError:
        """Return the error that names the address and the document."""
        ids: dict[str, Any] = {"href": address} | ({} if origin is None else {"document": origin})
        return SourceError(self.why, fix=self.fix, **ids)


def check(address: str, origin: str, settings: Settings) -> None:
    """Refuse an address that a document may not name.

    Args:
        address: An absolute address or path, as :func:`imagerag_assets.objects.addresses.absolute_href` returns it.
        origin: Absolute address or path of the document that names it.
        settings: The lists of what may be named.

    Raises:
        SourceError: it is refused; the error says which setting would allow it, if any does.
    """
    refused = refusal(address, origin, settings)
    if refused is not None:
        raise refused.error(address, origin)


def refusal(address: str, origin: str, settings: Settings) -> Refusal | None:
    """Return why a document may not name an address; None: it may.  See :func:`check`."""
    scheme = _SCHEME.match(address)
    if address.startswith(("<", "/vsi")) or (is_remote(address) and scheme is None) or not _can_be_asked_for(address):
        return Refusal("This is not the address of a file", "Give an http(s) or s3:// address, or a path")
    if not is_remote(address):
        return _of_path(address, origin, settings)
    assert scheme is not None
    name = scheme[1].lower()
    if is_file_elsewhere(address):
        return Refusal(FILE_ELSEWHERE, FIX_ELSEWHERE)
    if name not in ("http", "https", "s3"):
        if is_azure(address):
            return Refusal(f"{name}:// addresses are not read without the account", "Set AZURE_STORAGE_ACCOUNT")
        return Refusal(f"{name}:// addresses are not read", "Give an https:// or s3:// address as an alternate")
    if name not in settings.allowed_schemes:
        return Refusal(f"{name}:// addresses are not allowed", "To allow them, add it to IMAGERAG_ALLOWED_SCHEMES")
    return _of_bucket(address, origin, settings) if name == "s3" else _of_web(address, origin, settings)


def _can_be_asked_for(address: str) -> bool:
    """Return whether a name can be given to the operating system or to a server at all."""
    try:
        return b"\0" not in os.fsencode(address)
    except UnicodeEncodeError:  # half a character
        return False


def _of_path(path: str, origin: str, settings: Settings) -> Refusal | None:
    if is_remote(origin):
        what = "A document in a bucket" if is_s3(origin) else "A document of the web"
        return Refusal(f"{what} names a file of this machine", "Give an address beside the document")
    real = os.path.realpath(path)
    if any(_is_below(real, os.path.realpath(os.path.expanduser(root))) for root in settings.allowed_roots):
        return None
    return Refusal("The file is outside the folders that documents may name", "To allow it, add its folder to "
                   "IMAGERAG_ALLOWED_ROOTS")  # fmt: skip


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _of_bucket(address: str, origin: str, settings: Settings) -> Refusal | None:
    bucket = address.split("://", 1)[1].partition("/")[0]
    if any(fnmatchcase(bucket, each) for each in settings.allowed_buckets if each != _EVERY):
        return None
    access = access_to(address, settings)
    if any(each.name == access.table and each.matches(address) > len(_EVERY) for each in storages(settings)):
        return None  # a person described how it is reached
    fix = f"To allow it, add {bucket} to IMAGERAG_ALLOWED_BUCKETS"
    if is_http(origin):
        # Who reads any bucket at own expense has said so, and without an account an object of AWS is of the web.
        if access.requester_pays or (access.anonymous and access.endpoint is None):
            return None
        return Refusal("A document of the web names an object in a bucket, which would be read with our keys", fix)
    if is_s3(origin):
        own = access_to(origin, settings)
        if origin.split("://", 1)[1].partition("/")[0] == bucket:
            return None
        if (own.endpoint, own.table) != (access.endpoint, access.table):
            return Refusal("A document in a bucket names an object of another storage", fix)
    if _EVERY in settings.allowed_buckets:
        return None
    return Refusal(f"Bucket {bucket} is not one that documents may name", fix)


def _of_web(address: str, origin: str, settings: Settings) -> Refusal | None:
    where = authority(address)
    if where is None:
        return Refusal("The address names no host", "Correct the address")
    if is_http(origin) and is_same_host(authority(origin), where):
        return None
    if is_s3(origin) and where in _endpoints(origin, settings):
        return None
    host, port = where
    if settings.allowed_ports and port not in settings.allowed_ports and not is_listed(where, (), settings):
        return Refusal(f"Port {port} is not one that documents may name",
                       f"To allow it, add {port} to IMAGERAG_ALLOWED_PORTS")  # fmt: skip
    numbers = numbers_of(host, settings)
    if is_listed(where, numbers, settings):
        return None
    fix = f"To allow it, {_LIST_HOST.format(host=_written(where))}"
    if _EVERY not in settings.allowed_hosts:
        return Refusal(f"Host {host} is not one that documents may name", fix)
    kind = kind_of_host(host, numbers)
    here = not is_remote(origin)  # whoever writes documents here may ask this machine and its network, too
    if kind is not None and not (here and kind in _NEARBY):
        return Refusal(f"The address leads to {_KINDS[kind]}, and the document is not from there", fix)
    if not here:
        with _lock:
            _foreign.add(where)
    return None


def authority(address: str) -> Authority | None:
    """Return host and port of an http(s) address; None if it has none."""
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").rstrip(".").lower(), parts.port
    except ValueError:
        return None
    default = _PORTS.get(parts.scheme.lower())
    return None if not host or default is None or port == 0 else (host, port or default)


def is_same_host(one: Authority | None, other: Authority) -> bool:
    """Return whether two are one host and port; the ports of http and https count as one, as servers lead to https."""
    return one == other or (one is not None and one[0] == other[0] and {one[1], other[1]} == set(_PORTS.values()))


def is_foreign(where: Authority) -> bool:
    """Return whether only documents of others named a host so far: it was not typed, configured or listed."""
    with _lock:
        return where in _foreign


def note_foreign(hosts: Iterable[Authority]) -> None:
    """Count hosts as foreign, as another process does."""
    with _lock:
        _foreign.update(hosts)


def is_listed(where: Authority, numbers: Iterable[str], settings: Settings) -> bool:
    """Return whether the settings list a host by its name or number, alone or with its port, or by its network."""
    host, port = where
    known = [ipaddress.ip_address(each.partition("%")[0]) for each in numbers]
    for each in settings.allowed_hosts:
        pattern = each.strip().lower()
        if pattern == _EVERY:
            continue
        if any(fnmatchcase(name, pattern) for name in (host, f"{host}:{port}")) or pattern == _written(where):
            return True
        try:
            network = ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            continue
        if known and all(number.version == network.version and number in network for number in known):
            return True
    return False


def _written(where: Authority) -> str:
    host, port = where
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _endpoints(address: str, settings: Settings) -> set[Authority]:
    """Return host and port of the server of an S3 address, which a person configured."""
    endpoint = access_to(address, settings).endpoint
    found = authority(endpoint) if endpoint else None
    return set() if found is None else {found}


def is_metadata(host: str) -> bool:
    """Return whether a host, as it is written, serves a machine's own metadata, or no more than that machine."""
    number = as_number(host)
    return host in _METADATA_NAMES or (
        number is not None and kind_of_number(number) in ("metadata", "link-local", "reserved")
    )


def numbers_of(host: str, settings: Settings) -> tuple[str, ...]:
    """Return the numbers of a host: itself, or what its name stands for now; none if that is not to be learnt."""
    try:
        return look_up(host, settings.limit_lookup_s)
    except OSError:  # the request reports it, or a proxy knows the name
        return ()


def kind_of_host(host: str, numbers: Iterable[str]) -> str | None:
    """Return what kind of host is no public one: metadata, link-local, loopback, private; None: it is public."""
    if host in _METADATA_NAMES:
        return "metadata"
    kinds = [kind for each in numbers if (kind := kind_of_number(each)) is not None]
    return min(kinds, key=list(_KINDS).index, default=None)


_NEARBY = ("loopback", "private")
_KINDS = {
    "metadata": "a machine's metadata",
    "link-local": "a link-local address",
    "reserved": "a reserved address",
    "loopback": "a loopback address",
    "private": "a private network",
}
"""In words, the worst one first."""


def kind_of_number(number: str) -> str | None:
    """Return the same of one number."""
    address = _inner(ipaddress.ip_address(number.partition("%")[0]))
    if address in _METADATA:
        return "metadata"
    if address.is_link_local:
        return "link-local"
    if address.is_loopback:
        return "loopback"
    if address.is_unspecified or address.is_multicast or (address.is_reserved and not address.is_private):
        return "reserved"
    return None if address.is_global else "private"


def _inner(address: _Number) -> _Number:
    """Return the IPv4 address that an IPv6 one carries."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour
        if carried is None and address in _NAT64:
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return carried or address
    return address


def peer_refusal(where: Authority, number: str, settings: Settings, *, named_here: bool) -> Refusal | None:
    """Return why a connection to a host must not be made, now that its number is known; None: it may.

    Args:
        where: Host and port.
        number: What is connected to.
        settings: The hosts that are listed.
        named_here: A person or a document of this machine named the host, which may then be here or nearby.
    """
    kind = kind_of_number(number)
    if kind is None or (named_here and kind in _NEARBY) or is_listed(where, (number,), settings):
        return None
    return Refusal(f"{where[0]} leads to {_KINDS[kind]} ({number})",
                   f"To allow it, {_LIST_HOST.format(host=_written(where))}")  # fmt: skip
