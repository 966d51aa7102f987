"""The findings as an Atom feed, a file that is replaced as a whole: readers never see a part of it.

See https://www.rfc-editor.org/rfc/rfc4287
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from imagerag_assets.delivery.finding import Finding
from imagerag_assets.delivery.texts import html_of
from imagerag_assets.objects.aside import replace_text

_ATOM = "http://www.w3.org/2005/Atom"
_EMPTY = "1970-01-01T00:00:00+00:00"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAMES = uuid.UUID("6f8b2c52-6a0e-4b5e-9d53-0d6e2f5d8a11")  # of this program's feeds and entries


def write_feed(path: Path, findings: Sequence[Finding], *, installation: str) -> None:
    """Write the feed.

    Args:
        path: The file.
        findings: The newest first.
        installation: What tells this installation from others, e.g. the address of its store; it is not shown.

    Raises:
        StoreError: The file cannot be written.
    """
    ElementTree.register_namespace("", _ATOM)
    feed = ElementTree.Element(f"{{{_ATOM}}}feed")
    _add(feed, "title", "imagerag: standing questions")
    _add(feed, "id", uuid.uuid5(_NAMES, installation).urn)
    _add(feed, "updated", findings[0].asked_at if findings else _EMPTY)
    _add(_add(feed, "author"), "name", "imagerag")
    for finding in findings:
        entry = _add(feed, "entry")
        _add(entry, "title", finding.title())
        _add(entry, "id", uuid.uuid5(_NAMES, f"{installation} {finding.answer_id}").urn)
        _add(entry, "updated", finding.asked_at)
        _add(entry, "summary", "; ".join(f"{name}: {text}" for name, text in finding.reasons().items()))
        _add(entry, "content", html_of(finding)).set("type", "html")
    ElementTree.indent(feed)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, ElementTree.tostring(feed, encoding="unicode", xml_declaration=False) + "\n")


def _add(parent: ElementTree.Element, name: str, text: str | None = None) -> ElementTree.Element:
    made = ElementTree.SubElement(parent, f"{{{_ATOM}}}{name}")
    made.text = None if text is None else _NOT_IN_XML.sub("\ufffd", text)
    return made
