"""The model of an item: the types, lengths and depth of what is read of it, checked once, where the item comes in.

What an item needs must be right: its type, id, times, and the addresses of its assets.  Anything else that is not of
its type is left out, and a note says so, since real items hold such things.  Fields that are not named here are not
looked at.  Whether the values make sense together is checked where they are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from imagerag_assets.errors import ItemError

DEEPEST = 64
"""Levels of lists and objects within each other; real items have about ten."""
_MOST_ASSETS = 10_000
_MOST_NOTES = 5
_SHOWN = 60  # characters of a value

_LONGEST = 10_000
_Fields = dict[str, Any]


def _of_usual_length(text: str) -> str:
    """Names of files need not be Unicode, so pydantic's own limits, which want that, are not for them."""
    if len(text) > _LONGEST:
        raise ValueError(f"longer than {_LONGEST:,} characters")
    return text


def _name(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("empty, or with a null character")
    return _of_usual_length(text)


def _listed(value: object) -> object:
    """Some write one role without a list."""
    return [value] if isinstance(value, str) else value


_Text = Annotated[str, AfterValidator(_of_usual_length)]
_Name = Annotated[str, AfterValidator(_name)]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Asset(_Model):
    href: _Name
    type: _Text | None = None
    title: _Text | None = None
    roles: Annotated[list[_Text] | None, BeforeValidator(_listed)] = None
    alternate: _Fields | None = None
    bands: list[Any] | None = None
    eo_bands: list[Any] | None = Field(None, alias="eo:bands")
    raster_bands: list[Any] | None = Field(None, alias="raster:bands")
    polarizations: list[Any] | None = Field(None, alias="sar:polarizations")


class _Properties(_Model):
    datetime: _Text | None = None
    start_datetime: _Text | None = None
    end_datetime: _Text | None = None
    bands: list[Any] | None = None
    eo_bands: list[Any] | None = Field(None, alias="eo:bands")
    instruments: list[Any] | None = None
    schemes: _Fields | None = Field(None, alias="storage:schemes")


class _Item(_Model):
    type: Literal["Feature"]
    id: _Text
    stac_version: _Text | None = None
    stac_extensions: list[_Text] | None = None
    collection: _Text | None = None
    geometry: _Fields | None = None
    bbox: list[Any] | None = None
    properties: _Properties | None = None
    assets: Annotated[dict[str, _Asset], Field(max_length=_MOST_ASSETS)]


_TIMES = frozenset({"datetime", "start_datetime", "end_datetime"})
_NEEDED = frozenset({"type", "id", "properties", "assets"})


def checked(content: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return an item's JSON, of which everything that the model names is of its type.

    Numbers that JSON does not have (NaN, infinities) become null.

    Args:
        content: The item's JSON; not changed.
        notes: Takes a line for what was left out because it is not of its type.

    Raises:
        ItemError: what every item needs is missing or of another type, or the item is nested too deeply.
    """
    item = dict(_finite(content))
    try:
        _Item.model_validate(item)
    except ValidationError as error:
        wrong = [(each["loc"], each["msg"]) for each in error.errors(include_url=False, include_context=False)]
        for where, why in wrong:
            if _is_needed(where):
                raise not_valid(_said(where, why, item)) from None
        _leave_out(item, dict.fromkeys(_field(where) for where, _ in wrong), notes)
    return item


def not_valid(what: str) -> ItemError:
    """Return the error of an item that is wrong."""
    return ItemError(f"This is not a valid STAC item: {what}", fix="Correct the item")


def _finite(value: Any, level: int = 0) -> Any:
    if level > DEEPEST:
        raise not_valid(f"it is nested more than {DEEPEST} levels deep")
    if isinstance(value, Mapping):
        return {name: _finite(each, level + 1) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each, level + 1) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _is_needed(where: Sequence[int | str]) -> bool:
    if len(where) == 1:
        return where[0] in _NEEDED
    if where[0] == "assets":
        return len(where) == 2 or where[2] in ("href", "[key]")
    return where[0] == "properties" and where[1] in _TIMES


def _field(where: Sequence[int | str]) -> tuple[int | str, ...]:
    """Return the place of the field that holds what is wrong."""
    return tuple(where[: {"assets": 3, "properties": 2}.get(str(where[0]), 1)])


def _said(where: Sequence[int | str], why: str, item: Mapping[str, Any]) -> str:
    if where[0] == "assets":
        if len(where) == 1:
            return "it has no assets object" if not isinstance(item.get("assets"), dict) else f"assets: {why}"
        asset = item["assets"][where[1]]
        if not isinstance(asset, dict) or not isinstance(asset.get("href"), str) or not asset["href"]:
            return f"asset {_short(where[1])} has no href"
        if "\0" in asset["href"]:
            return f"the href of asset {_short(where[1])} has control characters"
        return f"the href of asset {_short(where[1])}: {why}"
    if where == ("properties",):
        return "its properties are not an object"
    value: Any = item
    for name in _field(where):
        value = value.get(name) if isinstance(value, dict) else None
    name = where[-1] if where[0] == "properties" else where[0]
    return f"its {name} is {_short(repr(value))} ({why[:1].lower()}{why[1:]})"


def _leave_out(item: dict[str, Any], fields: Iterable[tuple[int | str, ...]], notes: list[str]) -> None:
    """Take fields out of an item, whose objects belong to nobody else."""
    said: list[str] = []
    for *path, name in fields:
        holder: Any = item
        for each in path:
            holder = holder[each]
        of = f" of asset {_short(path[1])}" if len(path) == 2 else ""
        said.append(f"{name}{of} {_short(repr(holder.pop(name)))} cannot be used: passed over")
    notes += said[:_MOST_NOTES]
    if len(said) > _MOST_NOTES:
        notes.append(f"{len(said) - _MOST_NOTES} more fields of the item cannot be used: passed over")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
