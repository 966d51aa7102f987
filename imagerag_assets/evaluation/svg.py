"""Draw the few shapes that our plots need, as SVG text.  Callers decide what to plot."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from imagerag_assets.escaping import one_line


def drawing(width: float, height: float, parts: Iterable[str]) -> str:
    """Return a whole picture of `width` x `height` px, with a white background behind its parts."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>'
    )


def line(x0: float, y0: float, x1: float, y1: float, colour: str) -> str:
    """Return a straight line from (x0, y0) to (x1, y1), in px, y down."""
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}"/>'


def polyline(points: Sequence[tuple[float, float]], colour: str) -> str:
    """Return a line through points (x, y), in px, with a mark at each."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    marks = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}"/>' for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>{marks}'


def text(x: float, y: float, words: str, *, anchor: str = "start", colour: str = "black") -> str:
    """Return words at (x, y), in px; `anchor` is SVG's ``text-anchor``."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{html.escape(one_line(words))}</text>'
