"""Which encoders there are, by name, and the loaded ones of this process.

Entries are data (`registry.toml` and the user's file of the same form).  `open_clip_encoder`,
`transformers_encoder` and `served_encoder` run the models.
"""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from imagerag_assets.encoders.base import BaseEncoder
from imagerag_assets.encoders.one_at_a_time import LOADING
from imagerag_assets.encoders.templates import valid_template
from imagerag_assets.encoders.types import Encoder, EncoderSpec
from imagerag_assets.errors import SettingsError, StoreError, UnknownEncoderError
from imagerag_assets.masking import note_secrets
from imagerag_assets.objects.aside import replace_text
from imagerag_assets.objects.local_files import read_text
from imagerag_assets.settings import Settings
from imagerag_assets.signatures import unsigned

BUILT_IN = Path(__file__).with_name("registry.toml")

_LEAST_GSD, _MOST_GSD, _MOST_DIM = 0.01, 1000.0, 32_768

_loaded: dict[tuple[object, ...], BaseEncoder] = {}


def list_encoders(settings: Settings) -> tuple[EncoderSpec, ...]:
    """Return all entries, built-in ones first; an entry of the user's file replaces a built-in one of the same name.

    Raises:
        SettingsError: the user's file cannot be read or an entry is not valid; the message names it.
    """
    entries = _read(BUILT_IN)
    if settings.registry_file.is_file():
        entries |= _read(settings.registry_file)
    elif settings.encoders_file is not None:
        raise SettingsError(f"IMAGERAG_ENCODERS_FILE={settings.encoders_file} is not a file", fix="Correct or unset it")
    return tuple(entries.values())


def encoder_spec(name: str, settings: Settings) -> EncoderSpec:
    """Return the entry called `name`.

    Raises:
        UnknownEncoderError: it does not exist; the message lists the names.
        SettingsError: the user's registry file is not valid.
    """
    entries = {spec.name: spec for spec in list_encoders(settings)}
    if name in entries:
        return entries[name]
    close = difflib.get_close_matches(name, entries, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    raise UnknownEncoderError(
        f"There is no encoder {name!r}",
        fix=f"{hint}Known: {', '.join(entries)}; add others to {settings.registry_file}",
    )


def taught_m(name: str, settings: Settings) -> float | None:
    """Return the metres of a side of the pictures that an encoder was taught, as its entry says; None: it does not.

    None also where the settings say otherwise, be it by a number of pixels alone.  An entry that is missing or not
    valid is the concern of whoever loads the encoder.
    """
    in_pixels = "patch_px" in settings.model_fields_set and "patch_m" not in settings.model_fields_set
    if settings.patch_m != "encoder" or in_pixels:
        return None
    try:
        return encoder_spec(name, settings).patch_m
    except (UnknownEncoderError, SettingsError):
        return None


def load_encoder(name: str, settings: Settings) -> Encoder:
    """Load the encoder called `name`, once in this process for equal entry, weights and settings.

    Raises:
        UnknownEncoderError: the name does not exist.
        EncoderError: its weights are neither here nor downloadable, or do not fit the architecture.
        SettingsError: the registry file or the device is not valid.
    """
    spec = encoder_spec(name, settings)
    with LOADING:
        key = (_identity(spec, settings), settings.device, settings.precision, settings.batch_size)
        encoder = _loaded.get(key)
        if encoder is None or encoder.closed:
            encoder = _loaded[key] = _load(spec, settings)
    if spec.kind != "served":
        _remember_fingerprint(key[0], encoder.fingerprint, settings)
    return encoder


def _load(spec: EncoderSpec, settings: Settings) -> BaseEncoder:
    """Load a model; torch, which takes seconds, only where it runs here."""
    if spec.kind == "served":
        from imagerag_assets.encoders.served_encoder import ServedEncoder

        return ServedEncoder(spec, settings)
    if spec.kind == "transformers":
        from imagerag_assets.encoders.transformers_encoder import load_transformers

        return load_transformers(spec, settings)
    from imagerag_assets.encoders.open_clip_encoder import OpenClipEncoder

    return OpenClipEncoder(spec, settings)


def encoder_fingerprint(name: str, settings: Settings) -> str:
    """Return the fingerprint of an encoder; load the encoder only if it was not computed here before.

    What a server serves may have changed, so it is asked once in each process.

    Raises:
        As :func:`load_encoder`.
    """
    spec = encoder_spec(name, settings)
    if spec.kind == "served":
        return load_encoder(name, settings).fingerprint
    identity = _identity(spec, settings)
    try:
        known = _fingerprint_file(identity, settings).read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        known = ""
    return known if len(known) == 64 else load_encoder(name, settings).fingerprint


def choose_encoder(name: str, settings: Settings) -> None:
    """Make `name` the chosen encoder of this installation, unless IMAGERAG_ENCODER names another.

    Raises:
        UnknownEncoderError: the encoder does not exist.
        StoreError: the choice cannot be written.
    """
    encoder_spec(name, settings)
    path = settings.active_encoder_file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, name + "\n", sync=True)
    except OSError as error:
        raise StoreError(f"The choice cannot be written to {path}: {error}", fix="Correct IMAGERAG_HOME") from None


def _identity(spec: EncoderSpec, settings: Settings) -> str:
    """Return what a fingerprint is remembered under: entry, configuration, weight files and library versions of now."""
    if spec.kind == "served":
        return hashlib.sha256(repr(spec).encode()).hexdigest()
    from imagerag_assets.encoders.weights import find_checkpoint, model_folder, read_architecture

    if spec.kind == "transformers":
        folder = model_folder(spec, settings)
        return _stamped(spec, None, sorted(each for each in folder.iterdir() if each.is_file()))
    architecture = read_architecture(spec)
    files = [find_checkpoint(spec, settings)]
    if architecture.packaged_text:
        from imagerag_assets.encoders.text_tower import packaged_text_tower

        files.append(packaged_text_tower() / "model.safetensors")
    return _stamped(spec, architecture, files)


def _stamped(spec: EncoderSpec, architecture: object, files: Sequence[Path]) -> str:
    stamps = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr((spec, architecture, stamps, _libraries())).encode()).hexdigest()


@cache
def _libraries() -> list[str]:
    """Return the versions of the libraries that decide vectors; they are asked for often, and are read from files."""
    return [version("open_clip_torch"), version("transformers"), version("timm")]


def _fingerprint_file(identity: str, settings: Settings) -> Path:
    return settings.cache_folder / "fingerprints" / identity


def _remember_fingerprint(identity: object, fingerprint: str, settings: Settings) -> None:
    path = _fingerprint_file(str(identity), settings)
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, fingerprint)


_Strict = with_config(ConfigDict(extra="forbid"))
_ENTRY: TypeAdapter[EncoderSpec] = TypeAdapter(_Strict(EncoderSpec))


def _read(path: Path) -> dict[str, EncoderSpec]:
    try:
        return dict(_entries(path, read_text(path)))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"The encoder registry {path} cannot be read: {error}", fix="Correct the file") from None


@lru_cache(maxsize=8)
def _entries(path: Path, text: str) -> dict[str, EncoderSpec]:
    """Return the entries of a registry; a scene asks for them some thirty times, and parsing takes milliseconds."""
    content = tomllib.loads(text)
    tables = content.get("encoders", {})
    if not isinstance(tables, dict) or content.keys() - {"encoders"}:
        raise SettingsError(
            f"The encoder registry {path} must hold [encoders.NAME] tables only", fix="Correct the file"
        )
    return {name: _entry(name, table, path) for name, table in tables.items()}


def _entry(name: str, table: Any, path: Path) -> EncoderSpec:
    if not isinstance(table, dict):
        raise SettingsError(f"Encoder {name!r} in {path} is not a table", fix=f"Write [encoders.{name}]")
    try:
        spec = _ENTRY.validate_python({**table, "name": name, "base": str(path.parent.absolute())})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"Encoder {name!r} in {path}: {field}: {first['msg']}", fix="Correct the entry") from None
    if (problem := _problem(spec)) is not None:
        raise SettingsError(f"Encoder {name!r} in {path}: {problem}", fix="Correct the entry")
    if spec.server is not None and spec.server.key is not None:
        note_secrets(spec.server.key.get_secret_value())
    wrong = [template for template in spec.templates if not valid_template(template)]
    if wrong or not spec.templates:
        raise SettingsError(
            f"Encoder {name!r} in {path}: each template needs exactly one {{}}: {wrong}", fix="Correct the entry"
        )
    return spec


def _problem(spec: EncoderSpec) -> str | None:
    """Return what is wrong with an entry whose fields have the right types; None: nothing."""
    server = spec.server
    if (spec.kind == "served") != (server is not None):
        return "kind served needs a table server with a url, and no other kind has one"
    if server is not None:
        if not server.url.startswith(("http://", "https://")):
            return f"server.url: {unsigned(server.url)!r} is not an http(s) address"
        if "@" in urlsplit(server.url).netloc or unsigned(server.url) != server.url:
            return "server.url: the address has a password or key in it; put the key into server.key"
        bounds = {
            "batch": (server.batch, 1, 256),
            "timeout_s": (server.timeout_s, 0.1, 3600),
            "retries": (server.retries, 0, 10),
        }
        for field, (value, least, most) in bounds.items():
            if not least <= value <= most:
                return f"server.{field}: {value:g} is not from {least:g} to {most:g}"
    if spec.kind == "transformers" and not spec.architecture.startswith(("local-dir:", "hf-hub:")):
        return "architecture: kind transformers needs local-dir:FOLDER or hf-hub:ORG/NAME"
    if spec.gsd_m is not None and not _LEAST_GSD <= spec.gsd_m[0] <= spec.gsd_m[1] <= _MOST_GSD:
        return f"gsd_m: {list(spec.gsd_m)} is not a range of metres a pixel from {_LEAST_GSD:g} to {_MOST_GSD:g}"
    if spec.dim is not None and not 1 <= spec.dim <= _MOST_DIM:
        return f"dim: {spec.dim} is not from 1 to {_MOST_DIM}"
    return None


def describe_encoders(settings: Settings) -> dict[str, Any]:
    """Describe the registry and the chosen encoder; load and download nothing.

    Raises:
        SettingsError: the user's registry file is not valid.
    """
    active = settings.active_encoder
    return {
        "active": active,
        "encoders": [
            {
                "name": spec.name,
                "active": spec.name == active,
                "architecture": spec.architecture,
                "checkpoint": spec.checkpoint,
                "parameters": spec.parameters,
                "licence": spec.licence,
                "training_licence": spec.training_licence or "unknown",
                "kind": spec.kind,
                "dimensions": spec.dim,
                "gsd_m": None if spec.gsd_m is None else list(spec.gsd_m),
                "description": spec.description,
            }
            for spec in list_encoders(settings)
        ],
    }
