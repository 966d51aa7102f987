"""How the API describes its answers and errors in its OpenAPI document."""

from __future__ import annotations

from typing import Any

ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message", "fix"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string", "description": "What is wrong, in one sentence"},
                "fix": {"type": "string", "description": "What to do about it"},
                "about": {"type": "object", "description": "What it is about, e.g. a scene"},
                "transient": {"type": "boolean", "description": "Whether the same request may succeed later"},
            },
        }
    },
}
_EVERYWHERE = (401, 403, 429, 503)
_OBJECT: dict[str, Any] = {"type": "object"}
_FILE: dict[str, Any] = {"type": "string", "format": "binary"}

Responses = dict[int | str, dict[str, Any]]


def gives(what: str, *errors: int, schema: dict[str, Any] | None = None) -> Responses:
    """Return the descriptions of an answer in JSON and of its errors.

    Args:
        what: What the answer is.
        errors: Their statuses, besides those of every path.
        schema: Of the answer; default: an object.
    """
    return {200: _described(what, "application/json", schema or _OBJECT), **_errors(errors)}


def gives_file(what: str, kind: str, *errors: int) -> Responses:
    """Return the descriptions of a file of a media type and of its errors."""
    return {200: _described(what, kind, _FILE), **_errors(errors)}


def takes(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the description of a request with a JSON object."""
    return {"requestBody": {"content": {"application/json": {"schema": schema}}, "required": True}}


def _described(text: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {kind: {"schema": schema}}}


def _errors(statuses: tuple[int, ...]) -> Responses:
    every = sorted({*statuses, *_EVERYWHERE})
    return {status: _described("An error", "application/json", ERROR) for status in every}
