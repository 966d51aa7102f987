"""How GDAL reaches objects: paths, options, S3 sessions, and a cache that follows the store."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any

import botocore.session
import rasterio
from rasterio.errors import RasterioError
from rasterio.session import Session as RasterioSession

from imagerag_assets.errors import RasterError
from imagerag_assets.masking import note_secrets
from imagerag_assets.objects.addresses import _aws_environment, is_http, is_remote, is_s3, local_path
from imagerag_assets.objects.opening import GET_ONLY, open_raster, raster_errors, refuses_head
from imagerag_assets.objects.relayed import relay_options
from imagerag_assets.objects.signed import requested
from imagerag_assets.objects.storage import Access, access_to, gdal_endpoint, payer_headers, plain
from imagerag_assets.settings import Settings

#: Bytes of GDAL's block cache. Absolute, since GDAL's 5 % of the memory is too much where runs share a machine.
BLOCK_CACHE_BYTES = 256 * 2**20
_LOCAL_OPTIONS: dict[str, Any] = {"GDAL_CACHEMAX": BLOCK_CACHE_BYTES, "GTIFF_IMPLICIT_JPEG_OVR": False}
_PICTURES = (".png", ".jpg", ".jpeg")
_REMOTE_OPTIONS: dict[str, Any] = {
    "GDAL_INGESTED_BYTES_AT_OPEN": 32768,
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_MAX_RETRY": 2,  # with a random part; `patience` goes on
    "GDAL_HTTP_RETRY_DELAY": 0.5,
    "GDAL_HTTP_CONNECTTIMEOUT": 10,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1000,
    "VSI_CACHE": True,
    "VSI_CACHE_SIZE": 16 * 2**20,
    "CPL_VSIL_CURL_CACHE_SIZE": 64 * 2**20,
}


def gdal_path(href: str) -> str:
    """Return the name under which GDAL opens `href` in place: ``/vsis3/``, ``/vsicurl/``, or the local path.

    Raises:
        RasterError: the path is one of GDAL's virtual file systems.
    """
    if is_s3(href):
        return "/vsis3/" + href.split("://", 1)[1]
    if is_http(href):
        return "/vsicurl/" + href
    path = local_path(href)
    if path.startswith("/vsi"):
        raise RasterError(
            "This is not the address of a file", href=href, fix="Give an http(s) or s3:// address, or a path"
        )
    return path


def gdal_environment(settings: Settings, hrefs: Iterable[str] | None = None) -> dict[str, Any]:
    """Return GDAL options (without credentials) for reading `hrefs`; None means that they are not known.

    Where possible, GDAL opens remote rasters without looking for files beside them.  Beside local ones it finds masks,
    overviews and georeferencing.
    """
    known = None if hrefs is None else list(hrefs)
    options = dict(_LOCAL_OPTIONS)
    if known is not None and not any(is_remote(href) for href in known):
        return options
    options |= _REMOTE_OPTIONS | {"GDAL_HTTP_LOW_SPEED_TIME": settings.limit_stall_s}
    if known and all(is_http(href) or _needs_no_listing(href, settings) for href in known):
        options["GDAL_DISABLE_READDIR_ON_OPEN"] = "EMPTY_DIR"
    else:
        # Some S3 servers answer a range request with status 200, not 206; GDAL then takes the piece for the whole
        # object, unless a listing of its folder has told it the size.
        options["GDAL_DISABLE_READDIR_ON_OPEN"] = "FALSE"
    if known and any(requested(href) != href for href in known):
        # A signature is of one file, and most are of GET only.
        options |= {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"} | GET_ONLY
    if known and any(refuses_head(href) for href in known if is_http(href)):
        options |= GET_ONLY
    if web := [requested(href) for href in known or () if is_http(href)]:
        options |= relay_options([*web, *_endpoints(known or (), settings)], settings)
    paying = [payer_headers(requested(href)) for href in known or () if is_http(href)]
    if paying and all(paying):
        # What the environment already sends stays.
        others = [os.environ["GDAL_HTTP_HEADERS"]] if os.environ.get("GDAL_HTTP_HEADERS") else []
        options["GDAL_HTTP_HEADERS"] = ",".join(others + [f"{name}: {value}" for name, value in paying[0].items()])
    return options


def _endpoints(hrefs: Iterable[str], settings: Settings) -> list[str]:
    """Return the servers of the S3 addresses among some: options hold for them, too."""
    found = [access_to(href, settings) for href in hrefs if is_s3(href)]
    return [access.endpoint for access in found if access.endpoint is not None]


def _needs_no_listing(href: str, settings: Settings) -> bool:
    """Return whether an S3 object is read without looking for others; the place of a picture is in a file beside it."""
    return is_s3(href) and not access_to(href, settings).endpoint and not href.lower().endswith(_PICTURES)


def rasterio_env(settings: Settings, hrefs: Iterable[str] | None = None) -> rasterio.Env:
    """Return the rasterio environment in which `hrefs` (see :func:`gdal_environment`) open by :func:`gdal_path`.

    Use it as a context manager, in each thread that opens or reads.  Give `hrefs` where you can: only then can several
    threads open one S3 object at the same time, and only then does GDAL read an object that was replaced (see
    :func:`note_version`) anew.  Credentials are looked up only if S3 may be needed.
    """
    known = None if hrefs is None else list(hrefs)
    in_s3 = [href for href in known or () if is_s3(href)]
    access = access_to(in_s3[0] if in_s3 else "s3://", settings)
    session = S3Session(access) if known is None or in_s3 else None
    return _PrimedEnv(in_s3, access.endpoint, session=session, **gdal_environment(settings, known))


_Object = tuple[str | None, str]
_priming = threading.Lock()
_latest_version: dict[_Object, str] = {}
_primed_version: dict[_Object, str] = {}


def note_version(href: str, settings: Settings, version: str) -> None:
    """Note which version of an S3 object is there now, so that GDAL's cache serves no older one."""
    _latest_version[access_to(href, settings).endpoint, href] = version


def noted_version(href: str, settings: Settings) -> str | None:
    """Return the version of an S3 object that was noted last, if one was."""
    return _latest_version.get((access_to(href, settings).endpoint, href)) if is_s3(href) else None


def forget(href: str, settings: Settings) -> None:
    """Have a remote object read anew when it is opened next, not from what GDAL keeps of it."""
    if is_s3(href):
        _primed_version.pop((access_to(href, settings).endpoint, href), None)
    elif is_http(href):
        path = gdal_path(requested(href))
        # Closing what was opened outside GDAL's cache empties that.
        with suppress(*raster_errors(), OSError), rasterio.Env(CPL_VSIL_CURL_NON_CACHED=path), open_raster(path):
            pass


class _PrimedEnv(rasterio.Env):
    """Opens each S3 object once, alone, before it is opened for use.

    GDAL keeps sizes and bytes of remote files for the life of the process, closed or not.  Opening a file outside that
    cache empties it, and the open after that fills in the size.  Several threads that do that at once could see the
    size of a piece instead (see :func:`gdal_environment`).
    """

    def __init__(self, hrefs: list[str], endpoint: str | None, **options: Any) -> None:
        super().__init__(**options)
        self._objects: list[_Object] = [(endpoint, href) for href in hrefs]

    def __enter__(self) -> _PrimedEnv:
        super().__enter__()
        for each in self._objects:
            if not _is_primed(each):
                with _priming:
                    if not _is_primed(each):
                        _prime(each)
        return self


def _is_primed(each: _Object) -> bool:
    return each in _primed_version and _primed_version[each] == _latest_version.get(each, _primed_version[each])


def _prime(each: _Object) -> None:
    version, path = _latest_version.get(each, ""), gdal_path(each[1])
    try:
        with rasterio.Env(CPL_VSIL_CURL_NON_CACHED=path), open_raster(path):
            pass
        with open_raster(path):
            pass
    except (RasterioError, OSError):
        return  # opening it for use reports the error, and the next open may find it repaired
    _primed_version[each] = version


class S3Session(RasterioSession):
    """GDAL's S3 options from the settings and botocore's credential chain.

    `rasterio.session.AWSSession` does the same with boto3, which nothing else here needs, but does not pass on the
    scheme and the addressing style of an endpoint.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    @classmethod
    def hascreds(cls, config: dict[str, Any]) -> bool:
        """Return whether GDAL options can already read S3."""
        return "AWS_ACCESS_KEY_ID" in config or "AWS_NO_SIGN_REQUEST" in config

    def get_credential_options(self) -> dict[str, str]:
        """Return credentials, region and endpoint as GDAL options, looked up at every call."""
        access = self._access
        # Each option is set, if only to nothing: GDAL would look for it in the environment, which is another bucket's.
        options = {
            "AWS_NO_SIGN_REQUEST": "YES" if access.anonymous else "NO",
            "AWS_REQUEST_PAYER": "requester" if access.requester_pays else "",
            "AWS_SESSION_TOKEN": plain(access.token) or "",
            **(gdal_endpoint(access) if access.endpoint or access.table else {}),
        }
        region = access.region
        if access.key is not None:
            options |= {
                "AWS_ACCESS_KEY_ID": access.key.get_secret_value(),
                "AWS_SECRET_ACCESS_KEY": plain(access.secret) or "",
            }
        elif not access.anonymous:
            credentials, known_region = _aws_credentials(access.profile, _aws_environment())
            region = region or known_region
            if credentials is not None:
                frozen = credentials.get_frozen_credentials()
                note_secrets(frozen.access_key, frozen.secret_key, frozen.token)
                options |= {"AWS_ACCESS_KEY_ID": frozen.access_key, "AWS_SECRET_ACCESS_KEY": frozen.secret_key}
                options["AWS_SESSION_TOKEN"] = frozen.token or ""
        if region:
            options["AWS_REGION"] = region
        return options


@lru_cache(maxsize=8)
def _aws_credentials(profile: str | None, environment: tuple[tuple[str, str], ...]) -> tuple[Any, str | None]:
    # Cached because on a machine without credentials botocore looks for them over the network, which takes a second.
    session = botocore.session.Session(profile=profile)
    return session.get_credentials(), session.get_config_variable("region")
