"""What the codes of labels mean: the names that a label item, its assets and its collection give to values.

Names come from ``label:classes``, ``classification:classes`` and ``file:values``; all forms that are in use are read,
and what has none of them is left out.  `feature_labels` looks features up in these tables.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_NAME_KEYS = ("name", "title", "label", "summary", "class", "class_name", "description")
_CODE_KEYS = ("value", "values", "code", "id", "class_id", "category_id", "pixel_value")
_LONGEST = 60  # characters of a description that is taken for a name
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_NOTHING = frozenset({"", "null", "none", "nan", "nil", "n/a", "na", "-"})


def code_of(value: object) -> float | None:
    """Return the number that a value is, also as text ("7", " 7.0 "); None for anything else, such as True or NaN."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, (int, float)):
        try:
            number = float(value)
        except OverflowError:
            return math.inf  # a number all the same
        return number if math.isfinite(number) else None
    return None


def says_nothing(value: object) -> bool:
    """Return whether a value stands for no value: None, NaN, a blank text, or a word for it."""
    if isinstance(value, str):
        return value.strip().casefold() in _NOTHING
    return value is None or (isinstance(value, float) and not math.isfinite(value))


@dataclass
class Classes:
    """The classes of one property: names, codes without a name, and names of codes."""

    names: set[str] = field(default_factory=set)
    """Texts that are classes themselves."""
    codes: dict[float, set[str]] = field(default_factory=dict)
    """Names by code; none: a code that is only listed, or one that stands for no data."""
    nodata: set[float] = field(default_factory=set)
    """Codes that stand for no data."""

    @property
    def any(self) -> bool:
        """Return whether anything is declared."""
        return bool(self.names or self.codes)

    def has(self, value: object) -> bool:
        """Return whether a value is declared, as a class, a code or the name of a code."""
        code = code_of(value)
        if code is not None:
            return code in self.codes
        text = str(value).strip()
        return text in self.names or any(text in names for names in self.codes.values())

    def names_of(self, code: float) -> set[str]:
        """Return the names of a code: one, none, or several that contradict each other."""
        return self.codes.get(code, set())

    def add(self, code: float | None, name: str | None, *, nodata: bool = False) -> None:
        """Add a class: a code with a name, a code alone, or a name alone."""
        if code is None:
            if name is not None:
                self.names.add(name)
            return
        self.codes.setdefault(code, set()).update(() if name is None else (name,))
        if nodata:
            self.nodata.add(code)

    def merge(self, other: Classes) -> None:
        """Add the classes of another table; what a code is called here already counts."""
        self.names |= other.names
        self.nodata |= other.nodata
        for code, names in other.codes.items():
            if not self.codes.get(code):
                self.codes[code] = set(names)


@dataclass
class ClassTables:
    """The classes of all properties of a label item."""

    by_property: dict[str, Classes] = field(default_factory=dict)
    common: Classes = field(default_factory=Classes)
    """Of any property: tables that name none."""

    def of(self, name: str) -> Classes:
        """Return the declared classes of a property, with the names that a table for any property gives to codes."""
        own = Classes()
        own.merge(self.by_property.get(name, Classes()))
        if own.any:  # a table for all properties names codes, and does not widen what is declared for one
            for code in own.codes:
                if not own.codes[code]:
                    own.codes[code] = set(self.common.names_of(code))
            own.nodata |= self.common.nodata & own.codes.keys()
            return own
        own.merge(self.common)
        return own

    @property
    def names_codes(self) -> bool:
        """Return whether any code has a name."""
        return any(names for table in (*self.by_property.values(), self.common) for names in table.codes.values())

    def declared(self, name: str) -> bool:
        """Return whether the item lists the classes of this property."""
        return self.by_property.get(name, Classes()).any

    def read(self, content: Mapping[str, Any]) -> None:
        """Add what the properties of an item, an asset, a band, or the summaries of a collection say of values."""
        for name, given in _per_property(content.get("label:classes")):
            table = self.common if name is None else self.by_property.setdefault(name, Classes())
            for code, called, nodata in _classes(given):
                table.add(code, called, nodata=nodata)
        for key in ("classification:classes", "file:values"):
            for code, called, nodata in _classes(content.get(key)):
                if code is not None:
                    self.common.add(code, called, nodata=nodata)


def _per_property(given: Any) -> Iterator[tuple[str | None, Any]]:
    """Yield the name of each property, None where none is named, with its classes."""
    if isinstance(given, dict):
        if _is_code_table(given):
            yield None, given
        elif "classes" in given:
            yield _text(given.get("name")), given["classes"]
        else:
            for name, classes in given.items():
                yield str(name), classes
        return
    loose: list[Any] = []
    for each in given if isinstance(given, list) else ():
        if isinstance(each, dict) and "classes" in each:
            yield _text(each.get("name")), each["classes"]
        else:
            loose.append(each)
    if loose:
        yield None, loose


def _classes(given: Any) -> Iterator[tuple[float | None, str | None, bool]]:
    """Yield code, name and whether it stands for no data, of each class in one of the forms in use."""
    if isinstance(given, dict):
        for key, value in given.items():
            yield from _pair(key, value)
        return
    for each in given if isinstance(given, list) else ():
        if isinstance(each, dict):
            yield from _described(each)
        elif not isinstance(each, (bool, list)) and not says_nothing(each):
            code = code_of(each)
            yield (None, str(each).strip(), False) if code is None else (code, None, False)
        elif isinstance(each, bool):
            yield None, str(each), False


def _described(each: Mapping[str, Any]) -> Iterator[tuple[float | None, str | None, bool]]:
    """Yield the class of an object such as ``{"value": 1, "name": "plane"}``, or those of ``{"1": "plane"}``."""
    values = [each[key] for key in _CODE_KEYS if key in each][:1]
    listed = values[0] if values and isinstance(values[0], list) else values
    codes = [code for code in map(code_of, listed) if code is not None]
    name = _name_of(each)
    nodata = each.get("nodata") is True
    if codes:
        for code in codes:
            yield code, name, nodata
    elif name is not None and any(key in each for key in _NAME_KEYS):
        yield None, name, nodata
    elif len(each) == 1:
        for key, value in each.items():
            yield from _pair(key, value)


def _pair(key: Any, value: Any) -> Iterator[tuple[float | None, str | None, bool]]:
    """Yield the class of ``"1": "plane"``, ``"plane": 1`` or ``"1": {"name": "plane"}``."""
    if isinstance(value, dict):
        code = code_of(key)
        yield code, _name_of(value) or (_name(key) if code is None else None), value.get("nodata") is True
        return
    code, other = code_of(key), code_of(value)
    if code is not None:
        yield code, _name(value), False
    elif other is not None:
        yield other, _name(key), False


def _name_of(described: Mapping[str, Any]) -> str | None:
    for key in _NAME_KEYS:
        name = _name(described.get(key))
        if name is not None and (key != "description" or len(name) <= _LONGEST):
            return name
    return None


def _name(value: Any) -> str | None:
    """Return a text that can be a name; a number is none."""
    return None if not isinstance(value, str) or says_nothing(value) or code_of(value) is not None else value.strip()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _is_code_table(given: Mapping[Any, Any]) -> bool:
    """Return whether an object maps codes to names, or names to codes, and not properties to classes."""

    def simple(value: Any) -> bool:
        return isinstance(value, (str, int, float)) and not isinstance(value, bool)

    pairs = [(key, value) for key, value in given.items() if key not in ("name", "classes")]
    return bool(pairs) and all(
        code_of(key) is not None or (simple(value) and code_of(value) is not None) for key, value in pairs
    )
