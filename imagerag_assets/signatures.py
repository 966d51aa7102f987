"""Signatures and keys in the query of an address: which parameters they are, and addresses and texts without them.

Only text is looked at.  `objects.signed` keeps the signatures that this process knows.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

_SECRET = (
    r"x-(?:amz|goog|oss|obs|cos|tos|bce)-[\w-]+"
    r"|(?:[\w.-]*[-_.])?(?:sig|signature|token|secret|password|passwd|pwd|passphrase|auth|authorization|jwt|hmac"
    r"|credentials?|bearer|sas|session-?_?id|(?:api|access|auth|secret|private|shared|account|subscription)-?_?key"
    r"|access-?_?key-?_?id)"
    r"|(?:aws|oss)accesskeyid|googleaccessid|(?:access|api|auth|id|refresh|sas|security|session|user)token"
    r"|key-pair-id|hdn(?:ts|ea|tl)|__token__|jsessionid|phpsessid|q-(?:ak|sign-time|key-time)"
)
"""Names of parameters that are signatures, keys, or parts of them."""
_IS_SECRET = re.compile(_SECRET, re.IGNORECASE)
_SIGNS_ONE_FILE = re.compile(r"x-(?:amz|goog|oss|obs|cos|tos|bce)-signature|signature", re.IGNORECASE)
_SAYS_HOW = re.compile(r"x-\w+-(?:algorithm|date|expires|signedheaders|request-payer|version)", re.IGNORECASE)
"""Parts of a signature that are the same in many."""
_PAGE = re.compile(r"(?:(?:next|page|continuation|start)[\w.-]*[-_.]?)?token", re.IGNORECASE)
"""What APIs call the place where the next page begins."""
_BESIDE = frozenset({"expires", "expiry", "exp", "policy", "hash-algorithm", "hashalgorithm"})
"""Parameters that belong to a signature if there is one."""
_AZURE = frozenset(
    {"sv", "se", "st", "sr", "sp", "spr", "sip", "si", "ss", "srt", "skoid", "sktid", "skt", "ske", "sks", "skv"}
    | {"saoid", "suoid", "scid", "sdd", "ses", "sduoid", "rscc", "rscd", "rsce", "rscl", "rsct"}
)
_KEY = re.compile(r"[A-Za-z0-9_-]{16,}")
"""What `key=` holds if it is an API key, and not the name of an object."""
_PERHAPS = frozenset({"key", "appid", "app_id", "ak", "sk", "tk"})
"""Names of parameters that are a key if they look like one."""
_PLACEHOLDER = re.compile(r"\*{3}|\$\{\w+\}")
_ADDRESS = re.compile(r"https?://[^\s'\"<>\])]+", re.IGNORECASE)
_PAIR = re.compile(
    rf"(?P<name>(?:[?&;]|%3F|%26)(?:{_SECRET}|key)(?:=|%3D))(?P<value>(?:(?!%26)[^\s&'\"<>\])])+)", re.IGNORECASE
)
_LOGIN = re.compile(r"(?<=://)[^/?#\s@'\"]+@")


def unsigned(address: str, *, page: bool = False) -> str:
    """Return an ``http(s)://`` address without its signature, keys and password; anything else as it is.

    What is left is the same for each signature of a file, and leads to nothing by itself.

    Args:
        address: The address.
        page: It is a link to the next page of a listing, in which a `token` says where that begins.
    """
    if not address[:8].lower().startswith(("http://", "https://")):
        return address
    address = _LOGIN.sub("", address, count=1)
    base, mark, query = address.partition("?")
    if not mark:
        return address
    query, fragment_mark, fragment = query.partition("#")
    pairs = query.split("&")
    # What stands for a key (`***`, `${TILES_KEY}`) is none.
    names = [
        "" if _PLACEHOLDER.fullmatch(pair.partition("=")[2]) else unquote_plus(pair.partition("=")[0]).lower()
        for pair in pairs
    ]
    secret = {name for name in names if _IS_SECRET.fullmatch(name) and not (page and _PAGE.fullmatch(name))}
    dropped = secret | (_BESIDE if secret else frozenset()) | (_AZURE if "sig" in secret else frozenset())
    kept = [
        pair
        for pair, name in zip(pairs, names, strict=True)
        if name not in dropped
        and not (secret and name.startswith("response-content-"))
        and not (name in _PERHAPS and _KEY.fullmatch(pair.partition("=")[2]))
    ]
    if len(kept) == len(pairs):
        return address
    return base + ("?" + "&".join(kept) if kept else "") + fragment_mark + fragment


def is_secret_name(name: str) -> bool:
    """Return whether a parameter is called like a signature, a key, or a part of them."""
    return _IS_SECRET.fullmatch(name) is not None


def secrets_of(address: str) -> tuple[str, ...]:
    """Return the secrets in an address that hold for other addresses, too, decoded: keys, tokens and the like."""
    pairs = [pair.partition("=")[::2] for pair in shared_query(address).split("&")]
    return tuple(
        unquote_plus(value)
        for name, value in pairs
        if value and unquote_plus(name).lower() not in _BESIDE | _AZURE and not _SAYS_HOW.fullmatch(name)
    )


def login_of(address: str) -> str:
    """Return the name and password before the host of an address, as they are written; empty if there are none."""
    found = _LOGIN.search(address)
    return found[0][:-1] if found else ""


def shared_query(address: str) -> str:
    """Return the part of a signed address's query that holds for the files beside it, too; empty if there is none.

    So do keys and tokens, Azure's signatures of a container or an account, and policies; a signature of one file does
    not.
    """
    plain, (_, _, query) = unsigned(address), address.partition("?")
    if plain == address:
        return ""
    pairs = query.split("#")[0].split("&")
    values = {pair.partition("=")[0].lower(): pair.partition("=")[2] for pair in pairs}
    if "sig" in values and values.get("sr") not in ("c", "d") and "ss" not in values:
        return ""
    if any(_SIGNS_ONE_FILE.fullmatch(name) for name in values) and "policy" not in values:
        return ""
    kept = plain.partition("?")[2].split("#")[0].split("&")
    return "&".join(pair for pair in pairs if pair not in kept)


def without_signatures(text: str) -> str:
    """Return a text, such as an error's message, without the signatures, keys and passwords of addresses in it."""
    if "://" in text:
        text = _ADDRESS.sub(lambda found: unsigned(found[0]), text)
        text = _LOGIN.sub("", text)
    return _PAIR.sub(lambda found: found["name"] + "...", text) if "=" in text or "%3" in text else text


def unsigned_values(value: object) -> object:
    """Return a JSON value with each address in it unsigned; the same one where there is none."""
    if isinstance(value, str):
        return unsigned(value)
    if isinstance(value, dict):
        return {name: unsigned_values(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [unsigned_values(inner) for inner in value]
    return value
