"""What a model server or other software said of a failure, in a form that can stand in one line of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagerag_assets.masking import masked

if TYPE_CHECKING:
    import openai

_SHOWN = 160  # characters


def detail_of(error: openai.APIStatusError, *, whole: bool = False) -> str:
    """Return what a server says about an error, wherever in its reply; `whole`: not shortened."""
    body = error.body
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail") or body
    text = str(body or "it does not say why")
    return text if whole else shortened(text)


def shortened(text: str) -> str:
    """Return the beginning of what other software said, on one line, without control characters or our keys."""
    text = masked(text)
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
