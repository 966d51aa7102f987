"""The label of a feature, by its properties and the tables of its item.

A number is a code and never a name, nor a yes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagerag_assets.knowledge.classes import Classes, ClassTables, code_of, says_nothing

YES, NO = frozenset({"yes", "true"}), frozenset({"no", "false"})
_GENERIC = frozenset(
    f"{prefix}{word}{suffix}"
    for prefix in ("", "is", "has")
    for word in ("label", "labels", "class", "classes", "category", "type", "object", "target", "value", "annotation")
    for suffix in ("", "id", "name", "code", "value", "number", "index")
)
"""Names of properties that do not say what a feature is, without what is no letter."""


@dataclass(frozen=True)
class Unnamed:
    """Why a feature has no label."""

    reason: str


def label_of(feature: Mapping[str, Any], properties: Iterable[str], tables: ClassTables) -> str | Unnamed:
    """Return the label of a feature: the first of its properties that says something in words.

    A text is a name.  A number, also as text, is a code, whose name a table has to give.  Yes and true stand for the
    property's own name, no and false for nothing.

    Args:
        feature: The feature's own properties.
        properties: `label:properties`, in order.
        tables: What codes mean.
    """
    nameless: list[str] = []
    for name in properties:
        value = feature.get(name)
        if says_nothing(value):
            continue
        classes = tables.of(name)
        code = code_of(value)
        if code is not None:
            found = _named(name, code, classes, tables.declared(name))
            if isinstance(found, str):
                return found
            nameless += [found.reason] if found else []
            continue
        if isinstance(value, (list, dict)):
            nameless.append(f"its {name} is a list or an object, and no name")
            continue
        text = str(value).strip()
        if text.casefold() in NO:
            continue
        if tables.declared(name) and not _declared(value, classes):
            return Unnamed(f"its {name} {text[:50]!r} is not among label:classes")
        if text.casefold() not in YES:
            return text
        if re.sub(r"[\W_]+", "", name).casefold() not in _GENERIC:
            return name
        nameless.append(f"its {name} is {text[:50]!r}, which is no name")
    return Unnamed(nameless[0] if nameless else "none of label:properties says what it is")


def _named(name: str, code: float, classes: Classes, declared: bool) -> str | Unnamed | None:
    """Return the name of a code, the reason why it has none, or None where it stands for no data."""
    if code in classes.nodata:
        return None
    names = classes.names_of(code)
    if len(names) == 1:
        return next(iter(names))
    if names:
        listed = ", ".join(sorted(names)[:3])
        return Unnamed(f"its {name} {code:g} has several names ({listed})")
    if declared and not classes.has(code) and (classes.codes or classes.names):
        return Unnamed(f"its {name} {code:g} is not among label:classes, and codes have no names")
    return Unnamed(
        f"its {name} is a number, and codes have no names: give them in label:classes or classification:classes, or "
        "name a property of texts in label:properties"
    )


def _declared(value: object, classes: Classes) -> bool:
    """Return whether a text, yes or no is declared; True is also declared as "true" or "yes"."""
    if classes.has(value):
        return True
    folded = {each.casefold() for each in classes.names}
    return str(value).strip().casefold() in (YES | NO) and bool(folded & (YES | NO))
