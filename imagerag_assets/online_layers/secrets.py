"""Keys in the addresses of layers: hidden wherever an address is shown or stored, and put back when tiles are fetched.

An address may name a variable of the environment, ``${TILES_KEY}``, in place of a key.  A key in clear text is known to
the process that was given it, and to no other.
"""

from __future__ import annotations

import hashlib
import os
import re
from urllib.parse import quote, unquote, urlsplit

from imagerag_assets.errors import SourceError
from imagerag_assets.masking import note_login, note_secrets
from imagerag_assets.signatures import is_secret_name

HIDDEN = "***"
_VARIABLE = re.compile(r"\$\{(\w*)\}")
_OURS = re.compile(r"TILES_\w+")
_PARAMETER = re.compile(r"(?P<before>[?&](?P<name>[^=&]+)=)(?P<value>[^&]*)")
_SECRET_NAME = re.compile(
    r"key|token|sig|secret|pass|pwd|auth|cred|connect_?id|app_?id|session|licen[cs]e|ticket|user|login|^(tk|ak|sk|sas)$",
    re.IGNORECASE,
)
"""More than `signatures.is_secret_name` knows: what is hidden here keeps its place, and so means no other layer."""
_LOOKS_RANDOM = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[A-Za-z0-9]{32,}")

_known: dict[str, str] = {}


def hide_keys(address: str) -> str:
    """Return an address that may be shown and stored, and remember what was hidden in it for :func:`reveal_keys`.

    Names and passwords before the host, parameters that are called like a key or a signature, and long random parts of
    the path are hidden.  A part of the path leaves eight digits of its digest, as two of them may be two layers.
    """
    base, mark, query = address.partition("?")
    try:
        parts = urlsplit(base)
    except ValueError:  # no address at all
        return base
    if "@" in parts.netloc:
        given, _, host = parts.netloc.rpartition("@")
        if not _VARIABLE.fullmatch(given):
            note_login(given)
            base = base.replace(parts.netloc, f"{HIDDEN}@{host}", 1)
    start, host, path = base.partition(urlsplit(base).netloc or "\0")
    note_secrets(*_LOOKS_RANDOM.findall(path))
    path = _LOOKS_RANDOM.sub(lambda found: HIDDEN + hashlib.sha256(found[0].encode()).hexdigest()[:8], path)
    shown = start + host + path + _PARAMETER.sub(_hidden, mark + query)
    if shown != address:
        _known[shown] = address
    return shown


def layer_without_keys(source: str) -> str:
    """Return the text that names a layer without the keys in its address; its options stay."""
    address, mark, options = source.partition("#")
    return hide_keys(address) + mark + options


def _hidden(found: re.Match[str]) -> str:
    value = found["value"]
    public = not value or value == HIDDEN or _VARIABLE.fullmatch(value)
    if public or not (_SECRET_NAME.search(found["name"]) or is_secret_name(found["name"])):
        return found[0]
    if is_secret_name(found["name"]) or _LOOKS_RANDOM.fullmatch(value):
        note_secrets(value, unquote(value))
    return found["before"] + HIDDEN


def reveal_keys(shown: str) -> str:
    """Return the address with its keys, to fetch from it.

    Raises:
        SourceError: a variable is not set, or a key that was given in clear text is not known to this process.
    """
    address = _known.get(shown, shown)
    if HIDDEN in address:
        raise SourceError(
            "The key of this layer is not stored, and not known here",
            fix="Write ${TILES_KEY} in the address in place of the key, and set that variable; or ingest the layer with"
            " its key again",
            href=shown,
        )

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if not _OURS.fullmatch(name):
            raise SourceError(
                f"The variable {name or '(none)'} cannot be used in an address",
                fix="Use one whose name begins with TILES_",
                href=shown,
            )
        if not os.environ.get(name):
            raise SourceError(f"The variable {name} is not set", fix=f"Set {name} to the key of the layer", href=shown)
        return quote(os.environ[name], safe="")

    return _VARIABLE.sub(value, address)


def without_variables(address: str) -> str:
    """Return an address without the names of variables, whose braces are no placeholders."""
    return _VARIABLE.sub("", address)
