"""Say in words what went wrong when an address was read or written, and whether trying again may help.

This knows what fsspec, s3fs, botocore, aiohttp, requests, GDAL and the operating system raise, which share no base
class.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from imagerag_assets.errors import causes, disk_error
from imagerag_assets.masking import masked
from imagerag_assets.objects.addresses import is_remote, is_s3
from imagerag_assets.objects.deadlines import TooLargeError, TooManyError, TooSlowError
from imagerag_assets.objects.local_files import NotAFileError
from imagerag_assets.objects.storage import access_to
from imagerag_assets.settings import Settings


def explain_failure(error: BaseException, url: str, settings: Settings) -> tuple[str, str]:
    """Say what went wrong while reading or writing `url`, and what to do: two short texts without the address."""
    if limit := passed_limit(error):
        return limit
    access = access_to(url, settings) if is_s3(url) else None
    where = access.where if access else ""
    at = f"[storage.{access.table}] in {settings.storage_file}" if access and access.table else ""
    names = {type(each).__name__ for each in causes(error)}
    codes = _error_codes(error)
    if names & {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}:
        return "No S3 credentials", ("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or IMAGERAG_S3_ANONYMOUS=true")
    if "ProfileNotFound" in names:
        return "The AWS profile does not exist", f"Correct {at or 'AWS_PROFILE'} or ~/.aws/config"
    bucket_only = is_s3(url) and "/" not in url.split("://", 1)[1].rstrip("/")
    if "NoSuchBucket" in codes or (bucket_only and isinstance(error, FileNotFoundError)):
        return f"The bucket does not exist at {where}", f"Check the bucket name and {at or 'IMAGERAG_S3_ENDPOINT_URL'}"
    if names & _UNREACHABLE:
        return (
            f"Cannot connect to {where or urlsplit(url).netloc}",
            "Check the address, the network, and that the server runs",
        )
    if is_denied(error):
        if is_s3(url):
            return f"Access denied by {where}", f"Check {at or 'the AWS_* keys'} and what they may read"
        return "Permission denied", "Make it readable for this user"
    if (disk := disk_error(error)) is not None:
        return disk.message, disk.fix
    if isinstance(error, FileNotFoundError):
        return "Not found", "Check the path" if not is_remote(url) else "Check the address"
    detail = _QUERY.sub("?...", masked(str(error).strip().split("\n")[0])) or type(error).__name__
    return f"Cannot be read ({detail[:200]})", "Check that it can be opened from this machine"


def passed_limit(error: BaseException) -> tuple[str, str] | None:
    """Say which limit was passed and which setting raises it, in two short texts; None: it was none."""
    for each in causes(error):
        if isinstance(each, TooLargeError):
            return f"It has {each}", "Split it, or raise IMAGERAG_LIMIT_DOCUMENT_BYTES"
        if isinstance(each, TooManyError):
            return f"The listing has {each}", "Name a part of it, or raise IMAGERAG_LIMIT_ITEMS"
        if isinstance(each, TooSlowError):
            return str(each), f"Try again later, or raise IMAGERAG_LIMIT_{each.limit}_S"
        if isinstance(each, NotAFileError):
            return f"It is {each.kind}, not a file", "Give a file"
    return None


def is_denied(error: BaseException) -> bool:
    """Return whether a server or the operating system refuses access."""
    denied = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
    return "PermissionError" in {type(each).__name__ for each in causes(error)} or bool(_error_codes(error) & denied)


_UNREACHABLE = {
    "ClientConnectorError", "ConnectTimeoutError", "ConnectionRefusedError", "EndpointConnectionError",
    "NameResolutionError",
}  # fmt: skip
_QUERY = re.compile(r"\?[^\s'\")>]+")
"""The query of an address, which may hold a signature."""
_TRANSIENT_NAMES = {
    "BrokenPipeError",
    "ClientConnectorError",
    "ClientOSError",
    "ClientPayloadError",
    "ConnectTimeout",
    "ConnectTimeoutError",
    "ConnectionAbortedError",
    "ConnectionClosedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "ConnectionTimeoutError",
    "EndpointConnectionError",
    "FSTimeoutError",
    "HTTPClientError",
    "IncompleteRead",
    "ReadTimeout",
    "ReadTimeoutError",
    "ResponseStreamingError",
    "ServerDisconnectedError",
    "ServerTimeoutError",
    "SocketTimeoutError",
    "TimeoutError",
    "TooSlowError",
}
_TRANSIENT_CODES = {"429", "500", "502", "503", "504"} | {
    "InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException",
}  # fmt: skip
# GDAL has no classes for these: texts of libcurl and /vsicurl/ about a network or a server in trouble.
_TRANSIENT_TEXT = re.compile(
    r"HTTP (?:response|error) code ?: ?(?:429|5(?!01|05)\d\d)|SlowDown|could not (?:resolve|connect)|failed to connect"
    r"|connection (?:refused|reset|timed out)|timed? ?out|operation too slow",
    re.IGNORECASE,
)


def is_transient(error: BaseException, url: str) -> bool:
    """Return whether reading or writing `url` again may succeed: the network or the server failed, not the request.

    Of local files, only a disk that does not answer is.
    """
    if not is_remote(url):
        return any(isinstance(each, TooSlowError) for each in causes(error))
    if {type(each).__name__ for each in causes(error)} & _TRANSIENT_NAMES or _error_codes(error) & _TRANSIENT_CODES:
        return True
    return any(_TRANSIENT_TEXT.search(str(each)) for each in causes(error))


def _error_codes(error: BaseException) -> set[str]:
    codes: set[str] = set()
    for each in causes(error):
        response = getattr(each, "response", None)
        if isinstance(response, dict):
            codes.add(str(response.get("Error", {}).get("Code", "")))
            codes.add(str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")))
        status = getattr(each, "status", None) or getattr(response, "status_code", None)
        if isinstance(status, int):
            codes.add(str(status))
    return codes - {""}
