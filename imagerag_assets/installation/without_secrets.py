"""Stored texts and JSON without the secrets in them; only values are looked at.

What refers to something keeps doing so: an address loses its signature and login, as it does when it is stored now, and
a known secret is masked in a text without spaces only if it is long, since a short one may be the name of a bucket.
"""

from __future__ import annotations

import json
from typing import Any

from imagerag_assets.masking import known_secrets, masked
from imagerag_assets.online_layers.address import is_layer
from imagerag_assets.online_layers.secrets import hide_keys
from imagerag_assets.signatures import without_signatures

_LONG = 16


def json_in(text: str) -> Any:
    """Return the object or list that a text is as JSON; None: it is neither."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def clean_text(text: str) -> str:
    """Return a text without the secrets in it; JSON stays JSON."""
    if (value := json_in(text)) is not None:
        clean = clean_value(value)
        return text if clean == value else json.dumps(clean, ensure_ascii=False)
    if any(letter.isspace() for letter in text):
        return masked(text)
    if is_layer(text):
        address, mark, options = text.partition("#")
        return hide_keys(address) + mark + options
    plain = without_signatures(text)
    return masked(plain) if any(secret in plain for secret in known_secrets() if len(secret) >= _LONG) else plain


def clean_value(value: Any) -> Any:
    """Return a JSON value without the secrets in it, its names included.

    A band of a record is marked as signed when its address loses a signature, so that reading it has it signed anew.
    """
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [clean_value(each) for each in value]
    if not isinstance(value, dict):
        return value
    clean = {clean_text(name): clean_value(inner) for name, inner in value.items()}
    if {"href", "asset_key", "index"} <= value.keys() and clean["href"] != value["href"]:
        clean["signed"] = True
    return clean
