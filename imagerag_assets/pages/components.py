"""The parts that pages are made of: templates that escape, one stylesheet and one script.

A page loads nothing from anywhere.  Its content security policy allows the one script and the one stylesheet by their
digests, so text of a record that got past the escaping would still not run.
"""

from __future__ import annotations

import base64
import hashlib
import math
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from imagerag_assets.escaping import visible

MACROS = "components.html"
"""Template with the macros; a page of another package imports it by this name."""


@cache
def stylesheet() -> str:
    """Return the stylesheet of all pages."""
    return _text("page.css")


@cache
def script() -> str:
    """Return the script of all pages: imagery to move and zoom, and filters.  Without it a page still says all."""
    return _text("page.js")


def content_security_policy() -> str:
    """Return the policy of a page that holds its stylesheet and its script: they alone count, and pictures inside."""
    style, code = _digest(stylesheet()), _digest(script())
    return (
        f"default-src 'none'; img-src data:; style-src '{style}'; script-src '{code}'; base-uri 'none'; "
        "form-action 'none'"
    )


@cache
def environment(package: str | None = None) -> Environment:
    """Return a jinja2 environment that escapes, with the macros; kept, as templates take long to compile.

    Args:
        package: A package whose own `templates` are looked at first.
    """
    loaders = [PackageLoader(name) for name in (package, __package__) if name]
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters |= {"percent": percent, "day": day}
    return made


def render_page(template: str, *, package: str | None = None, **context: Any) -> str:
    """Return a whole page, self-contained; its template extends `page.html`."""
    held = {"stylesheet": stylesheet(), "script": script(), "policy": content_security_policy()}
    return environment(package).get_template(template).render(**held, **context)


def percent(value: float | None) -> str:
    """Return a confidence of 0 to 1 in words for people; it is never said to be certain, or impossible."""
    if value is None or not math.isfinite(value):
        return ""
    shown = round(100 * value)
    return "over 99 %" if value > 0.99 else "under 1 %" if value < 0.01 else f"{shown} %"


def day(moment: str | None) -> str:
    """Return the day of a time as a record has it (ISO 8601); of an interval both days."""
    parts = [part[:10] for part in (moment or "").split("/")]
    return parts[0] if len(set(parts)) == 1 else " to ".join(parts)


def _shown(value: object) -> object:
    """Return text without signs that would turn or hide the text around it; other values as they are."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "\n".join(visible(line.replace("\t", " ")) for line in value.splitlines())


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _text(name: str) -> str:
    return (resources.files(__package__) / "static" / name).read_text(encoding="utf-8")
