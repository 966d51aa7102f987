"""Texts of other software without the secrets that this process knows: servers repeat what they are sent.

Known are the values that were noted, and those of the environment's variables that are called like a key.  Only text is
looked at, and records of the log as they are made.
"""

from __future__ import annotations

import json
import logging
import os
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from configparser import Error as ConfigError
from configparser import RawConfigParser
from functools import lru_cache
from threading import Lock
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from imagerag_assets.signatures import without_signatures

MASK = "***"
_LEAST = 8
"""Characters that a secret needs to be looked for in texts: shorter ones are parts of ordinary words."""
_LONG = 16
"""Characters from which on a secret is masked inside words, too."""
_MOST = 500
_CALLED_SECRET = re.compile(
    r"(?:^|_)(?:\w*KEY|KEY_ID|\w*TOKEN|SECRET|\w*PASSWORD|PASSWD|PASSPHRASE|PWD|CREDENTIALS?|SAS|CONNECTION_STRING"
    r"|COOKIE|USERPWD|WEBHOOK_URL|DSN)$|^TILES_\w+$",
    re.IGNORECASE,
)
_SHAPES = re.compile(
    r"(?P<before>\b(?:authorization|proxy-authorization|x-api-key|api-key|x-amz-security-token|x-auth-token|cookie"
    r"|set-cookie)[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token|digest|aws4-hmac-sha256)\s+)?)(?P<value>[^\s\"',}]+)"
    r"|(?P<scheme>\b(?:bearer|basic)\s+)(?=\S*\d)[A-Za-z0-9._~+/=-]{16,}"
    r"|(?P<sign>\b\w*signature(?:provided)?\W{1,3})(?=[^\s<&]*\d)[A-Za-z0-9+/%=_~-]{20,}"
    r"|(?-i:\b(?:sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|A[KS]IA[0-9A-Z]{16}"
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+)\b)",
    re.IGNORECASE,
)
"""Headers that hold a key, and keys that are told by their form."""

_noted: dict[str, None] = {}
_lock = Lock()
_compiled: tuple[tuple[str, ...], re.Pattern[str] | None] = ((), None)


def note_secrets(*values: str | None) -> None:
    """Note values that no text may show from now on; what is too short to be told from a word is passed over."""
    new = [value for value in values if value and len(value) >= _LEAST and value not in _noted]
    if not new:
        return
    with _lock:
        for value in new:
            _noted[value] = None
        while len(_noted) > _MOST:
            del _noted[next(iter(_noted))]
    mask_logs()


def note_login(login: str) -> None:
    """Note ``name:password`` as it is written in an address: the password, and both as a header sends them."""
    name, colon, password = login.partition(":")
    if colon:
        pair = f"{unquote(name)}:{unquote(password)}"
        note_secrets(password, unquote(password), pair, b64encode(pair.encode()).decode())
    else:
        note_secrets(name)  # some servers take a token as the name


def masked(text: str) -> str:
    """Return a text without signatures, logins and keys of addresses, and without secrets that are known."""
    text = without_signatures(text)
    text = _SHAPES.sub(lambda found: (found["before"] or found["scheme"] or found["sign"] or "") + MASK, text)
    pattern = _pattern()
    return pattern.sub(MASK, text) if pattern else text


def masked_values(value: Any) -> Any:
    """Return a JSON value with each text in it masked; names of fields stay."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {name: masked_values(inner) for name, inner in value.items()}
    return [masked_values(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def known_secrets() -> tuple[str, ...]:
    """Return every secret that is known now."""
    with _lock:
        noted = tuple(_noted)
    return tuple(dict.fromkeys((*noted, *_of_environment(tuple(os.environ.items())), *_of_aws())))


def _of_aws() -> tuple[str, ...]:
    path = os.path.expanduser(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")
    try:
        return _in_profiles(path, os.stat(path).st_mtime_ns)
    except OSError:
        return ()


@lru_cache(maxsize=4)
def _in_profiles(path: str, _modified: int) -> tuple[str, ...]:
    """Return the keys of all profiles in AWS's file of credentials."""
    profiles = RawConfigParser(strict=False)
    try:
        profiles.read(path, encoding="utf-8")
    except (ConfigError, UnicodeDecodeError):  # who reads it for its keys reports it
        return ()
    pairs = [pair for name in profiles.sections() for pair in profiles.items(name)]
    return tuple(value for name, value in pairs if name.startswith("aws_") and len(value) >= _LEAST)


@lru_cache(maxsize=4)
def _of_environment(variables: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(_of_variables(variables))


def _of_variables(variables: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, value in variables:
        if len(value) < _LEAST:
            continue
        if _CALLED_SECRET.search(name):
            if not (value.startswith(("/", "~")) and os.path.exists(os.path.expanduser(value))):  # a file of keys
                yield value
        elif name == "GDAL_HTTP_HEADERS":
            yield from (each for each in re.split(r"[\s,]+", value) if len(each) >= _LONG)
        elif "@" in value and "://" in value:  # such as a proxy's
            yield from (each for each in (_password(value),) if each and len(each) >= _LEAST)


def _password(address: str) -> str | None:
    try:
        return urlsplit(address).password
    except ValueError:
        return None


def _pattern() -> re.Pattern[str] | None:
    global _compiled
    known = known_secrets()
    before, pattern = _compiled
    if known != before:
        spellings = sorted({each for secret in known for each in _spellings(secret)}, key=len, reverse=True)
        pattern = re.compile("|".join(map(_found, spellings))) if spellings else None
        _compiled = known, pattern
    return pattern


def _found(spelling: str) -> str:
    written = re.escape(spelling)
    return written if len(spelling) >= _LONG else rf"(?<![A-Za-z0-9]){written}(?![A-Za-z0-9])"


def _spellings(secret: str) -> Iterable[str]:
    """Return how a secret may be written: as it is, percent-encoded once and twice, in JSON, and in base 64."""
    data = secret.encode(errors="surrogateescape")
    once = quote(secret, safe="", errors="surrogateescape")
    written = {secret, once, quote(once, safe=""), quote(secret, errors="surrogateescape")}
    written |= {quote_plus(secret, errors="surrogateescape"), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    written |= {b64encode(data).decode(), urlsafe_b64encode(data).decode().rstrip("=")}
    if ":" in secret:  # user:password
        password = secret.partition(":")[2]
        written |= {password} if len(password) >= _LEAST else set()
    return (each for each in written if len(each) >= _LEAST)


_made_before: Any = None


def mask_logs() -> None:
    """Mask the records of all loggers of this process as they are made, with the texts of their exceptions."""
    global _made_before
    with _lock:
        if _made_before is not None:
            return
        _made_before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(_record)


_formatter = logging.Formatter()


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    record: logging.LogRecord = _made_before(*args, **kwargs)
    try:
        text = record.getMessage()
    except Exception:  # its handler reports a wrong format
        return record
    if (clean := masked(text)) != text:
        record.msg, record.args = clean, ()
    if record.exc_info and record.exc_info[0] is not None:
        trace = _formatter.formatException(record.exc_info)
        if (clean := masked(trace)) != trace:
            record.exc_text, record.exc_info = clean, None
    return record
