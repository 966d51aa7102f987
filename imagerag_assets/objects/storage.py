"""How S3 buckets are reached: endpoint, credentials and who pays, by the `[storage.NAME]` tables of the settings file.

A table says what differs for some buckets or prefixes; what it leaves out, and all other buckets, follow the settings
and the AWS_* variables.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from imagerag_assets.errors import SettingsError
from imagerag_assets.masking import note_secrets
from imagerag_assets.objects.local_files import read_text
from imagerag_assets.settings import Settings
from imagerag_assets.signatures import unsigned

AWS = "aws"
"""The endpoint of a table whose buckets are at AWS although IMAGERAG_S3_ENDPOINT_URL is set."""


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


_Patterns = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed)]


class Storage(BaseModel):
    """One table."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str
    buckets: _Patterns = ()
    """Names of buckets; ``*`` and ``?`` stand for any characters."""
    prefixes: _Patterns = ()
    """Addresses below which objects belong to it, such as ``s3://bucket/private``; patterns, too."""
    endpoint: str | None = None
    """Address of the server, or ``aws``."""
    region: str | None = None
    key: SecretStr | None = None
    secret: SecretStr | None = None
    token: SecretStr | None = None
    """Of temporary credentials."""
    profile: str | None = None
    """Of ~/.aws."""
    anonymous: bool = False
    requester_pays: bool | None = None
    path_style: bool | None = None
    """Whether the bucket is in the path, and not in the server's name; default: at every endpoint but AWS."""

    @field_validator("endpoint")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is not None and value != AWS and not value.startswith(("http://", "https://")):
            raise ValueError(f"must begin with http:// or https://, or be {AWS}")
        if value is not None and "@" in urlsplit(value).netloc:
            raise ValueError("has a name or password in it; give key and secret")
        return value

    @field_validator("prefixes")
    @classmethod
    def _in_s3(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(each.startswith("s3://") and each.removeprefix("s3://").strip("/") for each in value):
            raise ValueError("must begin with s3://bucket")
        return value

    @model_validator(mode="after")
    def _together(self) -> Storage:
        if not self.buckets and not self.prefixes:
            raise ValueError("needs buckets or prefixes")
        if (self.key is None) != (self.secret is None):
            raise ValueError("needs both key and secret, or neither")
        if sum((self.key is not None, self.profile is not None, self.anonymous)) > 1:
            raise ValueError("has more than one of key, profile and anonymous")
        note_secrets(*(plain(each) for each in (self.key, self.secret, self.token)))
        return self

    def matches(self, address: str) -> int:
        """Return how closely this table is meant for an S3 address: the length of the pattern; 0: it is not."""
        rest = address.split("://", 1)[1]
        bucket = rest.partition("/")[0]
        lengths = [len(each) for each in self.buckets if fnmatchcase(bucket, each)]
        for each in self.prefixes:
            pattern = each.removeprefix("s3://").rstrip("/")
            if fnmatchcase(rest.rstrip("/"), pattern) or fnmatchcase(rest, f"{pattern}/*"):
                lengths.append(len(pattern) + 1)
        return max(lengths, default=0)


def plain(secret: SecretStr | None) -> str | None:
    """Return a secret as it is sent; None if there is none."""
    return None if secret is None else secret.get_secret_value()


@dataclass(frozen=True)
class Access:
    """How an S3 address is reached."""

    endpoint: str | None
    """None: AWS."""
    anonymous: bool
    requester_pays: bool
    path_style: bool
    region: str | None = None
    key: SecretStr | None = None
    secret: SecretStr | None = None
    token: SecretStr | None = None
    profile: str | None = None
    table: str | None = None
    """Name of the table that says so."""

    @property
    def where(self) -> str:
        """Name the server."""
        return self.endpoint or "AWS"


def access_to(address: str, settings: Settings) -> Access:
    """Return how an S3 address is reached: by the table with the longest pattern that it matches, else the settings.

    Raises:
        SettingsError: the settings file is not valid.
    """
    pays = _pays()
    endpoint, anonymous = settings.s3_endpoint_url, settings.s3_anonymous
    tables = storages(settings)
    best = max(tables, key=lambda each: each.matches(address), default=None)
    if best is None or not best.matches(address):
        return Access(endpoint, anonymous, pays, path_style=endpoint is not None)
    if best.endpoint is not None:
        endpoint = None if best.endpoint == AWS else best.endpoint.rstrip("/")
    own = best.key is not None or best.profile is not None
    return Access(
        endpoint=endpoint,
        anonymous=best.anonymous or (anonymous and not own),
        requester_pays=pays if best.requester_pays is None else best.requester_pays,
        path_style=(endpoint is not None) if best.path_style is None else best.path_style,
        region=best.region,
        key=best.key,
        secret=best.secret,
        token=best.token,
        profile=best.profile,
        table=best.name,
    )


def _pays() -> bool:
    """Return whether the costs of every bucket are accepted."""
    return os.environ.get("AWS_REQUEST_PAYER", "").lower() == "requester"


def payer_headers(url: str) -> dict[str, str]:
    """Return the header by which the requester of an http(s) address pays, if that is enabled everywhere.

    A signed address goes without: its signature holds for the headers, too.
    """
    return {"x-amz-request-payer": "requester"} if _pays() and unsigned(url) == url else {}


def storages(settings: Settings) -> tuple[Storage, ...]:
    """Return the storage tables in the order of the file; none if there is no file.

    Raises:
        SettingsError: the file cannot be read, or a table is not valid; the message names it.
    """
    path = settings.storage_file
    try:
        about = path.stat()
    except FileNotFoundError:
        if settings.settings_file is not None:
            raise SettingsError(f"IMAGERAG_SETTINGS_FILE={path} is not a file", fix="Correct or unset it") from None
        return ()
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}", fix="Correct it") from None
    return _read(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, _modified: int, _size: int) -> tuple[Storage, ...]:
    try:
        content = tomllib.loads(read_text(path))
    except (OSError, ValueError) as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error}", fix="Correct the file") from None
    tables = content.get("storage", {})
    if not isinstance(tables, dict) or content.keys() - {"storage"}:
        raise SettingsError(
            f"The settings file {path} must hold [storage.NAME] tables only",
            fix="Set other settings as IMAGERAG_* variables, or in .env",
        )
    return tuple(_table(name, table, path) for name, table in tables.items())


def _table(name: str, table: Any, path: Path) -> Storage:
    if not isinstance(table, dict):
        raise SettingsError(f"storage.{name} in {path} is not a table", fix=f"Write [storage.{name}]")
    try:
        return Storage.model_validate({**table, "name": name})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "".join(f".{part}" for part in first["loc"][:1])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            known = ", ".join(each for each in Storage.model_fields if each != "name")
            message = f"is not known; use {known}"
        raise SettingsError(f"storage.{name}{where} in {path}: {message}", fix="Correct the table") from None


def gdal_endpoint(access: Access) -> dict[str, str]:
    """Return GDAL's options for the server of an address."""
    options = {"AWS_VIRTUAL_HOSTING": "FALSE" if access.path_style else "TRUE"}
    if access.endpoint is None:
        return options | {"AWS_S3_ENDPOINT": "s3.amazonaws.com", "AWS_HTTPS": "YES"}
    endpoint = urlsplit(access.endpoint)
    return options | {
        "AWS_S3_ENDPOINT": endpoint.netloc + endpoint.path.rstrip("/"),
        "AWS_HTTPS": "NO" if endpoint.scheme == "http" else "YES",
    }
