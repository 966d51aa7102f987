"""Stored texts and JSON without the secrets in them; only values are looked at.

What refers to something keeps doing so: an address loses its signature and login, as it does when it is stored now, and
a known secret is masked in a text without spaces only if it is long, since a short one may be the name of a bucket.
"""

from __future__ import annotations

import json
import re
from typing import Any

from imagerag_assets.masking import known_secrets, masked
from imagerag_assets.online_layers.address import is_layer
from imagerag_assets.online_layers.secrets import layer_without_keys
from imagerag_assets.signatures import without_signatures

_LONG = 16
_SPACE = re.compile(r"\s")


def json_in(text: str) -> Any:
    """Return the object or list that a text is as JSON; None: it is neither."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def long_secrets() -> tuple[str, ...]:
    """Return the known secrets that are masked in texts without spaces, too."""
    return tuple(secret for secret in known_secrets() if len(secret) >= _LONG)


def clean_text(text: str, secrets: tuple[str, ...] | None = None) -> str:
    """Return a text without the secrets in it; JSON stays JSON.

    Args:
        text: What is stored.
        secrets: What :func:`long_secrets` returned, for many texts; default: it is asked.
    """
    secrets = long_secrets() if secrets is None else secrets
    if (value := json_in(text)) is not None:
        clean = clean_value(value, secrets)
        return text if clean == value else json.dumps(clean, ensure_ascii=False)
    if _SPACE.search(text):
        return masked(text)
    if is_layer(text):
        return layer_without_keys(text)
    plain = without_signatures(text)
    return masked(plain) if any(secret in plain for secret in secrets) else plain


def clean_value(value: Any, secrets: tuple[str, ...] | None = None) -> Any:
    """Return a JSON value without the secrets in it, its names included; `secrets` are as for :func:`clean_text`.

    A band of a record is marked as signed when its address loses a signature, so that reading it has it signed anew.
    """
    secrets = long_secrets() if secrets is None else secrets
    if isinstance(value, str):
        return clean_text(value, secrets)
    if isinstance(value, list):
        return [clean_value(each, secrets) for each in value]
    if not isinstance(value, dict):
        return value
    clean = {clean_text(name, secrets): clean_value(inner, secrets) for name, inner in value.items()}
    if {"href", "asset_key", "index"} <= value.keys() and clean["href"] != value["href"]:
        clean["signed"] = True
    return clean
