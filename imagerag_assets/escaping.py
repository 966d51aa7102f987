"""Text of items, questions and models as data: one function for each place where some of its characters would do more.

In pages of HTML, jinja2 escapes (`autoescape`), in drawings `html.escape`; nothing is put into either without.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

#: What steers a terminal, turns or hides text, or is half a character.  Joiners stay: scripts and emoji need them.
_STEERS = (
    "\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
)
_CONTROLS = re.compile(f"[\x00-\x1f{_STEERS}]")
_UNWRITABLE = re.compile(f"[{_STEERS}]")
_MARKS = "\\`*_[]()|!#~"
_BEGINS_LIST = re.compile(r"(?:[-+]|\d{1,9}\.)(?=\s|$)")  # a bracket is a mark


def one_line(text: str) -> str:
    """Return text in one line; what would steer a terminal, or cannot be written, is shown as its code."""
    return visible(" ".join(text.split()))


def visible(text: str) -> str:
    """Return text with the same spaces, in which what would steer a terminal is shown as its code."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def stripped(text: str) -> str:
    """Return text in one line without what would steer a terminal, turn or hide text."""
    return _CONTROLS.sub("", " ".join(text.split()))


def json_text(document: Any) -> str:
    """Return a document as JSON that reads back the same and does nothing to the terminal that it is printed on."""
    text = json.dumps(document, ensure_ascii=False, indent=2, default=str)
    return _UNWRITABLE.sub(_code, text)


def json_document(document: Any) -> str:
    """Return a result as `json_text`.  Values that JSON cannot hold become text; NaN and infinity become null."""
    return json_text(_finite(document))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and value - value != 0 else value


def _code(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x10000:
        return f"\\u{number:04x}"
    return f"\\u{0xD7C0 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"


def markdown(text: object) -> str:
    """Return text in one line that means nothing to Markdown or HTML; an address may still be shown as a link to it."""
    plain = html.escape(one_line(str(text)), quote=False)
    plain = "".join(f"\\{sign}" if sign in _MARKS else sign for sign in plain)
    begin = _BEGINS_LIST.match(plain)
    return plain if begin is None else f"{plain[: begin.end() - 1]}\\{plain[begin.end() - 1 :]}"
