"""Read JSON that others wrote.  Python's reader takes more than JSON has, and raises other errors than it says."""

from __future__ import annotations

import json
import math
from typing import Any

_MOST_DIGITS = 4000  # Python refuses to read longer integers, and the whole document with them


def read_json(text: str | bytes) -> Any:
    """Return a value; NaN, infinities and integers of thousands of digits, which nothing here can use, are None.

    Raises:
        ValueError: it is not JSON, or is nested too deeply to be read.
    """
    try:
        return json.loads(text, parse_constant=lambda _: None, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_strict_json(text: str | bytes) -> Any:
    """Return a value as :func:`read_json` does, and refuse the numbers that it takes for None.

    Raises:
        ValueError: it is not JSON, has a number beyond all use, or is nested too deeply to be read.
    """
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MOST_DIGITS else None


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is not a number that can be used")
    return value
