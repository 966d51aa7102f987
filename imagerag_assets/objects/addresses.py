"""Where bytes are: local paths, s3:// and http(s):// addresses, and the file systems that hold them.

Only addresses and connection options belong here.  What the bytes mean (STAC, rasters, shards) does not.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from functools import lru_cache
from urllib.parse import unquote, urljoin

import fsspec

from imagerag_assets.errors import SourceError
from imagerag_assets.escaping import one_line
from imagerag_assets.objects.bucket_addresses import web_address
from imagerag_assets.objects.name_lookup import resolver
from imagerag_assets.objects.signed import inherit_signature, keep_signature
from imagerag_assets.objects.storage import Access, access_to, plain
from imagerag_assets.settings import Settings

_FILE = re.compile(r"file:(?://(?P<host>[^/]*))?(?P<path>/.*)?", re.DOTALL)
_THIS_MACHINE = frozenset({"", "localhost"})
FILE_ELSEWHERE = "A file:// address names a file of another host"
FIX_ELSEWHERE = "Write file:///path for a file of this machine, or give an https:// or s3:// address"
_COLON_FIRST = re.compile(r"[^/?#]*:")
_NEVER_IN_AN_ADDRESS = re.compile(r"[\x00-\x20\x7f\"#<>\\^`{|}]|%(?![0-9A-Fa-f]{2})")


def is_s3(url: str) -> bool:
    """Return whether this is an ``s3://`` address."""
    return url.startswith(("s3://", "s3a://"))


def is_http(url: str) -> bool:
    """Return whether this is an ``http://`` or ``https://`` address."""
    return url.lower().startswith(("http://", "https://"))


def is_remote(url: str) -> bool:
    """Return whether this is anything but a path on this machine; a file of another host is one."""
    return "://" in url and (not url.startswith("file:") or is_file_elsewhere(url))


def is_file_elsewhere(url: str) -> bool:
    """Return whether this is a ``file://`` address that names another host than this one."""
    parts = _FILE.fullmatch(url)
    return parts is not None and (parts["host"] or "").lower() not in _THIS_MACHINE


def local_path(url: str) -> str:
    """Return the absolute path of a local path or ``file:`` address.

    A file has neither query nor fragment.  A name that looks percent-encoded is taken as it is if there is such a file.

    Raises:
        SourceError: it is a file of another host.
    """
    if is_file_elsewhere(url):
        raise SourceError(FILE_ELSEWHERE, fix=FIX_ELSEWHERE, href=url)
    if url.startswith("file:/"):
        parts = _FILE.fullmatch(url)
        path = (parts and parts["path"]) or "/"
        return os.path.abspath(path if os.path.exists(path) else unquote(path))
    return os.path.abspath(os.path.expanduser(url))


def absolute_href(href: str, base: str | None, *, page: bool = False) -> str:
    """Resolve `href` against the document at `base` (a path or an address); return an absolute one as it is.

    A signature is taken off and kept for requests (`objects.signed`); `page` is a link to the next page of a listing.
    Objects in Google's and Azure's storage get their https addresses.

    Local results are normalised absolute paths; an ``s3://`` result never climbs above its bucket.  In an ``http(s)://``
    result, characters that no address may hold are percent-encoded; a ``#`` too, since files have no fragments.
    """
    href = web_address(href)
    if is_http(href):
        return keep_signature(_encoded(href), page=page)
    if is_remote(href):
        return href.replace("s3a://", "s3://", 1)
    if href.startswith("file:/") or os.path.isabs(href) or base is None:
        return (
            local_path(href)
            if base is None or not is_remote(base) or href.startswith("file:/")
            else _on(base, href, page=page)
        )
    if is_remote(base):
        return _on(base, href, page=page)
    return os.path.normpath(os.path.join(os.path.dirname(local_path(base)), href))


def _on(base: str, href: str, *, page: bool) -> str:
    if is_http(base):
        # A colon in the first name would make a scheme of what is before it.
        try:
            joined = urljoin(_encoded(base), ("./" if _COLON_FIRST.match(href) else "") + _encoded(href))
        except ValueError:  # `//[`: an address without a host, which is refused as such
            return f"{base.partition(':')[0]}:{_encoded(href)}"
        plain = keep_signature(joined, page=page)
        return inherit_signature(plain, base) if plain == joined else plain
    scheme, rest = base.split("://", 1)
    bucket, _, key = rest.partition("/")
    folder = "" if href.startswith("/") else posixpath.dirname(key)
    joined = posixpath.normpath(posixpath.join("/", folder, href.lstrip("/")))
    return f"{scheme}://{bucket}{joined}"


def _encoded(address: str) -> str:
    return _NEVER_IN_AN_ADDRESS.sub(lambda found: f"%{ord(found[0]):02X}", address)


def other_spellings(href: str) -> list[str]:
    """Return what else a path or S3 key may stand for where nothing has its name: decoded, and in other Unicode forms.

    Names may be encoded twice.  Systems differ in whether an accent is a character of its own.  Of http(s) addresses,
    there are none: their servers know what they stand for.
    """
    if is_http(href):
        return []
    once = unquote(href)
    names = (href, once, unquote(once))
    found = [unicodedata.normalize(form, name) for form in ("NFC", "NFD") for name in names]
    # Another spelling is of a name, and leads nowhere else.
    return [
        name
        for name in dict.fromkeys([*names, *found])
        if name != href and "\0" not in name and not (_climbs(name) and not _climbs(href)) and name[:4] != "/vsi"
    ]


def _climbs(name: str) -> bool:
    return ".." in name.split("/")


def join_href(folder: str, *names: str) -> str:
    """Return the address of something inside a folder or prefix."""
    if is_remote(folder):
        return "/".join([folder.rstrip("/"), *names])
    return os.path.join(local_path(folder), *names)


def filesystem(url: str, settings: Settings) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system that holds `url`, and the path of `url` in it.

    Nothing is contacted.  Listings are not cached, so a new object is seen at once.  How S3 is reached follows from the
    bucket (:func:`imagerag_assets.objects.storage.access_to`) and the AWS_* variables or ~/.aws; file systems are
    shared by threads but not by forked processes.

    Raises:
        SettingsError: the file of storage tables is not valid.
        SourceError: the address is of another kind, http(s) among them; fsspec would open whatever one of its many
            protocols stands for, follow any redirect, and take the links of a page for files.
    """
    if is_s3(url):
        fs = _s3_filesystem(os.getpid(), access_to(url, settings), settings.limit_lookup_s, _aws_environment())
        return fs, url.split("://", 1)[1].rstrip("/")
    if is_http(url):  # read by `objects.http`, which holds connections and redirects to the boundary
        raise SourceError("A web server has no folders", fix="Give a document, a path, or an s3:// address", href=url)
    if is_remote(url) and not is_file_elsewhere(url):  # which has its own words
        scheme = one_line(url.partition("://")[0])[:40]
        raise SourceError(
            f"{scheme}:// addresses are not read", fix="Give a path, or an http(s) or s3:// address", href=url
        )
    return fsspec.filesystem("file"), local_path(url)


def _aws_environment() -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))


@lru_cache(maxsize=32)
def _s3_filesystem(
    pid: int, access: Access, lookup_s: float, environment: tuple[tuple[str, str], ...]
) -> fsspec.AbstractFileSystem:
    # fsspec's own cache does not see AWS_* variables change, hence this one, whose arguments do.
    return fsspec.filesystem(
        "s3",
        anon=access.anonymous,
        key=plain(access.key),
        secret=plain(access.secret),
        token=plain(access.token),
        profile=access.profile,
        endpoint_url=access.endpoint,
        requester_pays=access.requester_pays,
        client_kwargs={"region_name": access.region} if access.region else {},
        use_listings_cache=False,
        skip_instance_cache=True,
        config_kwargs={
            "connector_args": {"resolver": resolver(lookup_s)},
            "connect_timeout": 10,
            "read_timeout": 60,
            "retries": {"max_attempts": 3, "mode": "standard"},
            "s3": {"addressing_style": "path" if access.path_style else "auto"},
            # Some S3-compatible stores answer a range request with the whole object's checksum.
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        },
    )
