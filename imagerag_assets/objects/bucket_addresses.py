"""Objects in buckets, written for the web and for other stores: which addresses are of one object.

Only text is looked at; nothing is contacted.
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote, urlsplit

_GOOGLE = ("gs://", "gcs://")
_AZURE = re.compile(r"(?:az|adl|abfss?|wasbs?)://", re.IGNORECASE)
_AZURE_HOST = re.compile(r"([a-z0-9]{3,24})\.(?:blob|dfs)\.(core\.[\w.]+)", re.IGNORECASE)
_S3_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:-accelerate)?(?:[.-]dualstack)?(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?\.amazonaws\.com(?:\.cn)?",
    re.IGNORECASE,
)
_IN_PATHS = "/~!$&'()*+,;=:@"


def web_address(address: str) -> str:
    """Return the https address of an object in Google's or Azure's storage; anything else as it is.

    ``az://container/key`` needs the account, which is that of AZURE_STORAGE_ACCOUNT (or AZURE_STORAGE_ACCOUNT_NAME);
    without it, it stays as it is.  STORAGE_EMULATOR_HOST replaces Google's server.
    """
    if address.lower().startswith(_GOOGLE):
        host = os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/") or "https://storage.googleapis.com"
        return f"{host if '://' in host else f'http://{host}'}/{_quoted(address.split('://', 1)[1])}"
    if not _AZURE.match(address):
        return address
    where, _, key = address.split("://", 1)[1].partition("/")
    container, _, host = where.rpartition("@")
    if found := _AZURE_HOST.fullmatch(host):
        path = "/".join(filter(None, (container, key)))
        return f"https://{found[1]}.blob.{found[2]}/{_quoted(path)}"
    account = os.environ.get("AZURE_STORAGE_ACCOUNT") or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
    return f"https://{account}.blob.core.windows.net/{_quoted(f'{where}/{key}')}" if account else address


def is_azure(address: str) -> bool:
    """Return whether an address is of Azure's storage, and not written for the web."""
    return _AZURE.match(address) is not None


def _quoted(path: str) -> str:
    path, mark, query = path.partition("?") if "sig=" in path else (path, "", "")
    return quote(path, safe=_IN_PATHS) + mark + query


def s3_address(address: str, endpoint: str | None = None) -> str | None:
    """Return the ``s3://`` address of an http(s) one of AWS, or of the server at `endpoint`; None: it is of neither.

    The bucket is in the name of the server or in the path.  An address with a query stands for more than an object.
    """
    try:
        parts = urlsplit(address)
    except ValueError:  # brackets around what is no number of a host
        return None
    if parts.scheme.lower() not in ("http", "https") or parts.query or parts.username is not None:
        return None
    path = unquote(parts.path).lstrip("/")
    found = _S3_HOST.fullmatch(parts.hostname or "")
    if found and found["bucket"]:
        return f"s3://{found['bucket']}/{path}" if path else None
    if not found:
        if endpoint is None or not address.lower().startswith(f"{endpoint.rstrip('/').lower()}/"):
            return None
        path = unquote(address[len(endpoint.rstrip("/")) :]).lstrip("/")
    bucket, _, key = path.partition("/")
    return f"s3://{bucket}/{key}" if bucket and key else None
