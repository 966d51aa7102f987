"""The signatures of addresses that this process knows.

Addresses are unsigned wherever they are named, compared or stored: a signature is a secret, lasts an hour, and differs
at each listing.  It is kept here, in memory only, and put back when a request is made.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from urllib.parse import parse_qs, urlsplit, urlunsplit

from imagerag_assets.masking import note_login, note_secrets
from imagerag_assets.signatures import login_of, secrets_of, shared_query, unsigned

_MOST = 200_000
_known: OrderedDict[str, str] = OrderedDict()
_logins: dict[str, str] = {}
"""Name and password by scheme, host and port, for all of which they hold."""
_lock = Lock()
_SOON = timedelta(seconds=30)


def keep_signature(address: str, *, page: bool = False) -> str:
    """Return an address without its signature, which later requests of this process get.

    Args:
        address: Any address or path.
        page: See :func:`imagerag_assets.signatures.unsigned`.
    """
    plain = unsigned(address, page=page)
    if plain != address:
        note_secrets(*secrets_of(address))
        with _lock:
            _known[plain] = address
            _known.move_to_end(plain)
            if len(_known) > _MOST:
                _known.popitem(last=False)
            if login := login_of(address):
                note_login(login)
                _logins[origin(plain)] = login
    return plain


def origin(address: str) -> str:
    """Return scheme, host and port of an address."""
    return "/".join(address.lower().split("/", 3)[:3])


def requested(address: str) -> str:
    """Return an address as it is requested: with the newest signature or the login that is known, if any is."""
    signed = _known.get(address, address)
    if signed == address and _logins and "://" in address and (login := _logins.get(origin(address))):
        scheme, _, rest = address.partition("://")
        return f"{scheme}://{login}@{rest}"
    return signed


def logins() -> dict[str, str]:
    """Return name and password by scheme, host and port."""
    return dict(_logins)


def learn(addresses: Mapping[str, str], logins: Mapping[str, str]) -> None:
    """Know the signed addresses, by the unsigned ones, and the logins that another process knows."""
    for plain, address in addresses.items():
        keep_signature(address)
        with _lock:
            _known[plain] = address
    with _lock:
        _logins.update(logins)


def beside(address: str, suffix: str, instead_of: str = "") -> str:
    """Return the address of a file's neighbour, whose name has a suffix more, or `instead_of` one; the query stays."""
    if not address[:8].lower().startswith(("http://", "https://")):
        return address.removesuffix(instead_of) + suffix
    parts = urlsplit(address)
    return urlunsplit(parts._replace(path=parts.path.removesuffix(instead_of) + suffix))


def keep_beside(address: str, suffix: str, instead_of: str = "") -> str:
    """Return the address of a file's neighbour, for which requests get the signature of the file."""
    signed = requested(address)
    if signed == address:
        return beside(address, suffix, instead_of)
    return keep_signature(beside(signed, suffix, instead_of))


def inherit_signature(address: str, base: str) -> str:
    """Return `address`; if it has no signature, one of the document at `base` that holds for both counts for it."""
    signed = requested(base)
    if signed != base and "?" not in address and (shared := shared_query(signed)):
        return keep_signature(f"{address}?{shared}")
    return address


def has_expired(address: str) -> bool:
    """Return whether the signature that is known of an address says that it has ended, or will in a moment."""
    query = {name.lower(): values[0] for name, values in parse_qs(urlsplit(requested(address)).query).items()}
    try:
        end = _end(query)
    except (ValueError, OverflowError, OSError):
        return False
    return end is not None and end < datetime.now(UTC) + _SOON


def _end(query: dict[str, str]) -> datetime | None:
    for vendor in ("amz", "goog", "oss"):
        begin, lasts = query.get(f"x-{vendor}-date"), query.get(f"x-{vendor}-expires")
        if begin and lasts:
            return datetime.strptime(begin, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) + timedelta(seconds=int(lasts))
    if "sig" in query and "se" in query:
        moment = datetime.fromisoformat(query["se"])
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    expires = query.get("expires")
    return datetime.fromtimestamp(int(expires), UTC) if expires and re.fullmatch(r"\d{9,11}", expires) else None


def gdal_signed_path(address: str) -> str | None:
    """Return the name under which GDAL opens a signed address; None: there is no signature."""
    signed = requested(address)
    return None if signed == address else f"/vsicurl/{signed}"
