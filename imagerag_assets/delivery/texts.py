"""Findings as text and HTML of a mail.  Everything in them is data: escaped in HTML, and in one line in a header."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from imagerag_assets.delivery.finding import Finding

_STYLE = "font-family:system-ui,sans-serif;font-size:15px;line-height:1.5;color:#1b1f24;max-width:40em"
_WHY = "You get this because this installation watches the questions below, and their answers changed."


def subject(findings: Sequence[Finding], period: str = "") -> str:
    """Return the subject: what happened, or, of a digest, how much."""
    if not period:
        return f"imagerag: {findings[0].title()}"
    watches = len({finding.watch for finding in findings})
    changes = f"{len(findings)} change{'' if len(findings) == 1 else 's'}"
    return f"imagerag: {changes} of {watches} standing question{'' if watches == 1 else 's'}, {period} digest"


def plain_text(findings: Sequence[Finding]) -> str:
    """Return the body as text."""
    parts = [_WHY]
    for finding in findings:
        lines = [f"{name}: {text}" for name, text in finding.reasons().items()]
        parts.append("\n".join([finding.title(), *(f"  {line}" for line in lines)]))
    return "\n\n".join(parts) + "\n"


def html_text(findings: Sequence[Finding]) -> str:
    """Return the body as HTML."""
    return f'<div style="{_STYLE}"><p>{escape(_WHY)}</p>{"".join(map(html_of, findings))}</div>'


def html_of(finding: Finding) -> str:
    """Return one finding as HTML, which the feed shows, too."""
    rows = "".join(f"<dt><b>{escape(name)}</b></dt><dd>{escape(text)}</dd>" for name, text in finding.reasons().items())
    return f"<h3>{escape(finding.title())}</h3><dl>{rows}</dl>"
