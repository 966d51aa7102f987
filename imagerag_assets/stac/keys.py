"""Scene keys: the one name of a scene in partitions, shards, collections and on the command line.

Only the naming rule belongs here.  The modules that list items check whether two share a key.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from imagerag_assets.errors import ItemError, SameKeyError

MAX_LENGTH = 200
_ALLOWED = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_DIGEST_LENGTH = 12


def is_scene_key(text: str) -> bool:
    """Return whether `text` has the form of a scene key; a name with a leading dot has not."""
    return bool(_ALLOWED.fullmatch(text)) and not text.startswith(".")


def scene_key(collection: str | None, item_id: str) -> str:
    """Return the scene key of an item: its id, or ``collection.id``.

    If that is longer than 200 characters, starts with a dot or has characters that are not allowed, e.g. slashes, these
    are replaced and twelve hex digits of a sha256 over the original are appended, so that different items keep
    different keys.

    Raises:
        ItemError: the id is empty or is not text.
    """
    problem = _problem(item_id)
    if problem:
        raise ItemError(f"The item id {problem}", fix="Give the item another id", id=repr(item_id)[:120])
    plain = f"{collection}.{item_id}" if collection else item_id
    return plain if is_scene_key(plain) else _safe(plain, json.dumps([collection or None, item_id]))


def other_key(collection: str | None, item_id: str) -> str:
    """Return the scene key of an item whose plain one is another's, or differs from another's only by case.

    It ends in a digest of both names, so it never changes.
    """
    plain = f"{collection}.{item_id}" if collection else item_id
    return _safe(plain, json.dumps([collection or None, item_id]))


def folded(key: str) -> str:
    """Return the key in lower case, since the file systems of many laptops ignore case."""
    return key.lower()


def clash(key: str, *, same_id: bool = True, **ids: Any) -> SameKeyError:
    """Return the error for an item whose key is another one's.

    Args:
        key: The key.
        same_id: They have the same collection and id, and not only the same key, as `b` of collection `a` and `a.b`.
        ids: What identifies both.
    """
    message = "Two items have the same collection and id" if same_id else "Two items would have the same scene key"
    return SameKeyError(message, fix="Give one of them another id", scene=key, **ids)


def safe_key(text: object) -> str:
    """Return a key-like name for reports about something without a valid scene key."""
    plain = str(text)
    return plain if is_scene_key(plain) else _safe(plain, json.dumps([None, plain]))


def _problem(item_id: object) -> str:
    if not isinstance(item_id, str):
        return "is not text"
    return "" if item_id else "is empty"


def _safe(plain: str, original: str) -> str:
    digest = hashlib.sha256(original.encode()).hexdigest()[:_DIGEST_LENGTH]
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", plain).lstrip(".")[: MAX_LENGTH - _DIGEST_LENGTH - 1]
    return f"{readable}-{digest}" if readable else f"item-{digest}"
