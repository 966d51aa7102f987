"""The JSON of the API: results as `--json` prints them, errors as one sentence with a remedy, and bounded requests."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from imagerag_assets.errors import (
    BusyError,
    ImageRAGError,
    InputError,
    ModelError,
    StoreError,
    UnknownAnswerError,
    UnknownSceneError,
    UnknownWatchError,
)
from imagerag_assets.escaping import json_document
from imagerag_assets.json_text import read_strict_json

if TYPE_CHECKING:
    from starlette.requests import Request

_STATUS: tuple[tuple[type[ImageRAGError], int], ...] = (
    (UnknownAnswerError, 404),
    (UnknownSceneError, 404),
    (UnknownWatchError, 404),
    (InputError, 422),
    (BusyError, 503),
    (StoreError, 503),
    (ModelError, 502),
)
_RETRY_S = 5
UNEXPECTED, SEE_LOG = "The request failed unexpectedly", "See the log of the server"


class TooLargeError(InputError):
    """The body of a request is larger than allowed."""

    status = 413


class NotThereError(InputError):
    """What an address names is not there."""

    status = 404


def result(document: Any, status: int = 200) -> Response:
    """Return a result; its text is that which a command with `--json` prints."""
    return Response(json_document(document), status, media_type="application/json")


def error_response(status: int, *, kind: str, message: str, fix: str = "", **more: Any) -> Response:
    """Return an error: ``{"error": {"type", "message", "fix", ...}}``."""
    response = result({"error": {"type": kind, "message": message, "fix": fix, **more}}, status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(_RETRY_S)
    return response


def response_to(error: ImageRAGError) -> Response:
    """Return an error of ours with its status: 4xx where asking otherwise helps, 5xx where it does not."""
    usual = next((number for kind, number in _STATUS if isinstance(error, kind)), 500)
    status = getattr(error, "status", usual)
    document = error.to_document()
    kind = document.pop("type")
    return error_response(status, kind=kind, **document)


async def read_object(request: Request, most: int) -> dict[str, Any]:
    """Return the JSON object in a request's body.

    Args:
        request: The request.
        most: Largest body, in bytes.

    Raises:
        InputError: It is too large, or is no JSON object.
        ClientDisconnect: The client has gone.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise TooLargeError(
                f"The request is larger than {most} bytes", fix="Shorten it, or raise IMAGERAG_LIMIT_REQUEST_BYTES"
            )
    try:
        found = read_strict_json(bytes(body))
    except ValueError:
        raise InputError("The request is not JSON", fix='Send e.g. {"question": "Where is the pier?"}') from None
    if not isinstance(found, dict):
        raise InputError("The request is not a JSON object", fix='Send e.g. {"question": "Where is the pier?"}')
    return found
