"""Look for planted secrets in everything that an installation wrote."""

from __future__ import annotations

import re
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

_PACKED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")


def spellings(secret: str, user: str = "me") -> set[bytes]:
    """Return how a secret may be written."""
    texts = {secret, quote(secret, safe=""), quote(quote(secret, safe=""), safe="")}
    for plain in (secret, f"{user}:{secret}"):
        texts.add(b64encode(plain.encode()).decode().rstrip("="))
    return {text.encode() for text in texts}


def leaks_in(data: bytes, secrets: Iterable[str]) -> list[str]:
    """Return the secrets that are in these bytes, in their compressed parts, too."""
    found = [secret for secret in secrets if any(each in data for each in spellings(secret))]
    for part in _unpacked(data):
        found += [secret for secret in secrets if any(each in part for each in spellings(secret))]
    return sorted(set(found))


def _unpacked(data: bytes) -> Iterator[bytes]:
    """Yield what is compressed within bytes: Dagster keeps snapshots of runs so, and ledgers are gzipped."""
    for found in _PACKED.finditer(data):
        with suppress(zlib.error):
            yield zlib.decompressobj(wbits=47).decompress(data[found.start() : found.start() + 2**22], 2**24)


def leaks_below(folder: Path, secrets: Iterable[str], but: Iterable[Path] = ()) -> dict[str, list[str]]:
    """Return the secrets in each file below a folder, by its path, those in its name included."""
    wanted, passed = list(secrets), set(but)
    found: dict[str, list[str]] = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file not in passed:
            here = leaks_in(str(file.relative_to(folder)).encode() + b"\n" + file.read_bytes(), wanted)
            if here:
                found[str(file.relative_to(folder))] = here
    return found
