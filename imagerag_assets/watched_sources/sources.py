"""The file of watched sources: reading and editing its `[sources.NAME]` tables.

Looking for new scenes belongs to `tick`.  A source that is ingested once, by hand, needs no entry (`imagerag ingest`).
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import tomlkit
from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config

from imagerag_assets.errors import SettingsError, SourceError, StoreError
from imagerag_assets.objects.addresses import is_remote, join_href, local_path
from imagerag_assets.objects.aside import written_aside
from imagerag_assets.objects.bucket_addresses import web_address
from imagerag_assets.objects.local_files import read_text
from imagerag_assets.objects.signed import keep_signature
from imagerag_assets.online_layers.address import is_layer, layer_source, parse_layer
from imagerag_assets.settings import Settings
from imagerag_assets.signatures import without_signatures
from imagerag_assets.watched_sources.toml_tables import without_table

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(rf"(\d{{1,6}})\s*([{''.join(_UNITS)}])")


def parse_duration(text: object) -> timedelta:
    """Return the duration of ``90s``, ``15m``, ``6h``, ``3d`` or ``2w``.

    Raises:
        ValueError: The text is none of these.
    """
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 90s, 15m, 6h, 3d or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True)
class WatchedSource:
    """One entry of the file."""

    name: str
    """Lower case letters, digits and underscores; part of the names of its sensor, schedule and asset."""
    source: str
    """Catalog, folder, bucket prefix or API, of items or of plain rasters, or the address of a layer; absolute.
    Its signature stays in the file."""
    collections: tuple[str, ...] = ()
    """Only items of these collections; empty: all."""
    max_new: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Most new and changed scenes that one tick requests."""
    look_back: Duration = timedelta(days=3)
    """How late an item may arrive.  An API is asked again for updates this long before the newest one seen, and an item
    that could not be used is tried again for this long."""
    every: Annotated[int, Field(ge=5, le=86_400)] = 60
    """Least number of seconds between ticks."""
    fresh_within: Duration | None = None
    """A scene is expected at least this often; None: no expectation."""
    enabled: bool = True
    """Whether its sensor and schedule start turned on; the UI can turn either on or off."""
    bbox: tuple[float, float, float, float] | None = None
    """Of an online layer: west, south, east, north in degrees."""
    zoom: int | None = None
    """Of an online layer."""
    date: str | None = None
    """Of an online layer: when its imagery was taken."""

    @property
    def address(self) -> str:
        """Return the source and the options of a layer as one text, as `stac` takes it."""
        return layer_source(self.source, bbox=self.bbox, zoom=self.zoom, date=self.date)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON; durations are in seconds."""
        fresh = self.fresh_within
        return {
            "name": self.name,
            "source": self.source,
            "collections": list(self.collections),
            "max_new": self.max_new,
            "look_back_s": self.look_back.total_seconds(),
            "every_s": self.every,
            "fresh_within_s": None if fresh is None else fresh.total_seconds(),
            "enabled": self.enabled,
            "bbox": None if self.bbox is None else list(self.bbox),
            "zoom": self.zoom,
            "date": self.date,
        }


_ENTRY: TypeAdapter[WatchedSource] = TypeAdapter(WatchedSource)


def list_sources(settings: Settings) -> tuple[WatchedSource, ...]:
    """Return all watched sources in the order of the file; none if there is no file.

    Raises:
        SettingsError: The file cannot be read, or an entry is not valid; the message names it.
    """
    path = settings.watched_sources_file
    if not path.is_file():
        if settings.sources_file is not None:
            raise SettingsError(
                f"IMAGERAG_SOURCES_FILE={path} is not a file", fix="Correct or unset it, or: imagerag sources add"
            )
        return ()
    return _parse(_read(path), path)


def find_source(name: str, settings: Settings) -> WatchedSource:
    """Return the source called `name`.

    Raises:
        SettingsError: There is none, or the file is not valid.
    """
    entries = {entry.name: entry for entry in list_sources(settings)}
    if name not in entries:
        close = get_close_matches(name, entries, n=1, cutoff=0.5)
        hint = f"Did you mean {close[0]}? " if close else ""
        raise SettingsError(
            f"There is no watched source {name!r}",
            fix=f"{hint}Known: {', '.join(entries) or 'none'}; add one with: imagerag sources add NAME SOURCE",
        )
    return entries[name]


def add_source(settings: Settings, name: str, source: str, **options: Any) -> WatchedSource:
    """Append an entry to the file, or make the file; everything else in it stays the same.

    Args:
        settings: The installation.
        name: Name of the entry.
        source: Its address; a relative path starts at the current folder.
        options: Further fields, as in the file; None leaves one out.

    Raises:
        SettingsError: The name is taken, or a value is not valid; the file is unchanged.
        StoreError: The file cannot be written.
    """
    path = settings.watched_sources_file
    before = _read(path) if path.is_file() else ""
    if name in {entry.name for entry in _parse(before, path)}:
        raise SettingsError(f"A source named {name!r} already exists", fix="Remove it first, or choose another name")
    values = {"source": source if is_remote(source) else local_path(source)}
    values |= {field: value for field, value in options.items() if value is not None}
    entry = _entry(name, values, path)
    text = before.rstrip("\n") + "\n\n" if before.strip() else ""
    text += tomlkit.dumps({"sources": {name: values}})
    _parse(text, path)
    _write(path, text)
    return entry


def remove_source(settings: Settings, name: str) -> WatchedSource:
    """Remove an entry and the comment above it from the file; the rest of the file and the source's scenes stay.

    Raises:
        SettingsError: There is none, or the file is not valid.
        StoreError: The file cannot be written.
    """
    entry, path = find_source(name, settings), settings.watched_sources_file
    before = _read(path)
    others = tuple(other for other in _parse(before, path) if other.name != name)
    text = without_table(before, "sources", name)
    if text is None or _parse(text, path) != others:
        raise SettingsError(f"Source {name!r} is not a table of its own in {path}", fix="Remove it by hand")
    _write(path, text)
    return entry


def _parse(text: str, path: Path) -> tuple[WatchedSource, ...]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The sources file {path} cannot be read: {error}", fix="Correct the file") from None
    tables = content.get("sources", {})
    if not isinstance(tables, dict) or content.keys() - {"sources"}:
        raise SettingsError(f"The sources file {path} must hold [sources.NAME] tables only", fix="Correct the file")
    return tuple(_entry(name, table, path) for name, table in tables.items())


def _entry(name: str, table: Any, path: Path) -> WatchedSource:
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} in {path} cannot name a source", fix="Use lower case letters, digits and _, at most 50"
        )
    if not isinstance(table, dict):
        raise SettingsError(f"Source {name!r} in {path} is not a table", fix=f"Write [sources.{name}]")
    try:
        entry = _ENTRY.validate_python({**table, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"Source {name!r} in {path}: {field}: {message}", fix="Correct the entry") from None
    if not entry.source.strip():
        raise SettingsError(f"Source {name!r} in {path}: source is empty", fix="Correct the entry")
    _check_layer(entry, path)
    if not is_layer(entry.source):
        entry = replace(entry, source=keep_signature(web_address(entry.source)))
    if is_remote(entry.source) or os.path.isabs(os.path.expanduser(entry.source)):
        return entry
    return _ENTRY.validate_python({**table, "name": name, "source": join_href(str(path.parent), entry.source)})


def _check_layer(entry: WatchedSource, path: Path) -> None:
    """Refuse a layer that cannot be one, and one with a key in clear text: every run and page would show it."""
    has_options = any(value is not None for value in (entry.bbox, entry.zoom, entry.date))
    if not (is_layer(entry.address) or has_options):
        return
    try:
        layer = parse_layer(entry.address)
    except SourceError as error:
        raise SettingsError(f"Source {entry.name!r} in {path}: {error.message}", fix=error.fix) from None
    if layer.has_hidden_keys:
        raise SettingsError(
            f"Source {entry.name!r} in {path}: the address has a key in clear text",
            fix="Write ${TILES_KEY} in its place, and set that variable where the daemon runs",
        )


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The sources file {path} cannot be read: {error}", fix="Correct the file") from None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The only place where a signature or a password is stored, since a person put it there.
        with written_aside(path, sync=True, private=without_signatures(text) != text) as aside:
            aside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"The sources file {path} cannot be written: {error}", fix="Correct IMAGERAG_HOME") from None
