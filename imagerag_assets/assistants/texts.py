"""Texts as an assistant reads them: names, notes and replies come from scenes, catalogs and models, and are data.

They lose what steers or hides text and whatever is beyond a length, so that none can fill a conversation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagerag_assets.escaping import stripped
from imagerag_assets.masking import masked

MOST_NAME, MOST_SENTENCE, MOST_ENTRIES = 300, 4_000, 100
_SENTENCES = frozenset({"answer", "question", "reasoning", "text"})
_DEPTH = 12
_DIGITS = 7  # a centimetre, in degrees


def short(text: str, most: int = MOST_NAME) -> str:
    """Return text in one line, without control characters and secrets, cut to a length."""
    plain = stripped(masked(text))
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def plain(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return a JSON value whose texts are :func:`short`, and whose lists and nesting are cut.

    Args:
        value: Any value of JSON.
        name: Its key; answers and questions may be longer than names.
        depth: How deeply it is nested.
    """
    if isinstance(value, str):
        return short(value, MOST_SENTENCE if name in _SENTENCES else MOST_NAME)
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, float):
        return None if value - value != 0 else round(value, _DIGITS)  # NaN and infinity are not JSON
    if depth >= _DEPTH:
        return None
    if isinstance(value, Mapping):
        return {short(str(key)): plain(each, str(key), depth + 1) for key, each in list(value.items())[:MOST_ENTRIES]}
    if isinstance(value, list | tuple):
        return [plain(each, name, depth + 1) for each in value[:MOST_ENTRIES]]
    return short(str(value))
