"""What may stand in texts that Dagster stores as they are typed, configurations and tags of runs: no secret.

Nothing of Dagster is needed here.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from imagerag_assets.online_layers.address import is_layer
from imagerag_assets.online_layers.secrets import layer_without_keys
from imagerag_assets.signatures import without_signatures

if TYPE_CHECKING:
    from starlette.types import Message, Receive

WHY = (
    "The address has a password, a signature or a key in it, and Dagster would store it. Write {env: NAME} in its place"
    " and set that variable to the address where the run works, add it to sources.toml, or use: imagerag ingest"
)
TOO_LARGE = "The request has more bytes than a request of the UI needs"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>\\]+")
_LARGEST = 32 * 2**20


def storable(value: Any) -> Any:
    """Return a value of a configuration with each address in it without its secrets."""
    if isinstance(value, dict):
        return {name: storable(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(inner) for inner in value]
    if not isinstance(value, str) or "://" not in value:
        return value
    return layer_without_keys(value) if is_layer(value) else without_signatures(value)


async def refused_request(receive: Receive) -> tuple[str | None, Receive]:
    """Return why a request to Dagster's webserver must not be answered, and what gives it once more.

    Refused is what would have Dagster store a secret of an address, such as a launch with one in its configuration or
    tags.  What is only looked for is not stored.
    """
    messages: list[Message] = []
    data = bytearray()
    while True:
        message = await receive()
        messages.append(message)
        data += message.get("body", b"")
        if len(data) > _LARGEST:
            return TOO_LARGE, receive
        if message["type"] != "http.request" or not message.get("more_body", False):
            break

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return _why_not(bytes(data)), again


def _why_not(body: bytes) -> str | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):  # Dagster refuses it
        return None
    if isinstance(value, dict) and "mutation" not in str(value.get("query", "mutation")):
        return None
    return WHY if any(storable(found) != found for text in _texts(value) for found in _ADDRESS.findall(text)) else None


def _texts(value: Any) -> list[str]:
    """Return the texts in a value of JSON, those in a text of JSON among them: the names too."""
    found, waiting = [], [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str):
            found.append(each.replace("\\/", "/"))
    return found
