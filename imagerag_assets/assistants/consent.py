"""Consent to long work: an estimate first, then a yes, of a person where the client can ask one.

An estimate is kept for a while by what was asked for.  A yes counts for exactly that work, and once.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.server.mcpserver import Context
from pydantic import BaseModel, Field

from imagerag_assets.assistants.texts import MOST_SENTENCE, short

_KEPT_SECONDS, _MOST_KEPT = 900.0, 100


class Consent(BaseModel):
    """What a person is asked."""

    proceed: bool = Field(description="Start this work")


@dataclass(frozen=True)
class Estimate:
    """What some work would take."""

    key: str
    document: Mapping[str, Any]
    sentence: str
    """For a person who is asked for consent."""
    to_do: tuple[str, ...]
    """Scenes that there is work for."""
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    made: float = field(default_factory=time.monotonic)


class Estimates:
    """Estimates that a yes may come for.  For one event loop."""

    def __init__(self) -> None:
        self._kept: dict[str, Estimate] = {}

    @staticmethod
    def key_of(tool: str, **arguments: Any) -> str:
        """Return by what an estimate is kept: the tool and its arguments."""
        return json.dumps([tool, arguments], sort_keys=True)

    def find(self, key: str) -> Estimate | None:
        """Return the estimate of some work, unless it is too old."""
        found = self._kept.get(key)
        return found if found is not None and time.monotonic() - found.made < _KEPT_SECONDS else None

    def keep(self, key: str, document: Mapping[str, Any], sentence: str, to_do: tuple[str, ...]) -> Estimate:
        """Keep an estimate, in place of an earlier one of the same work."""
        made = Estimate(key, document, short(sentence, MOST_SENTENCE), to_do)
        self._kept.pop(key, None)
        self._kept[key] = made
        while len(self._kept) > _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return made

    def drop(self, estimate: Estimate) -> None:
        """Forget an estimate, whose yes was used."""
        self._kept.pop(estimate.key, None)


def can_ask(context: Context) -> bool:
    """Return whether the client can ask its person for consent while a tool waits."""
    capabilities = context.client_capabilities
    asking = capabilities.elicitation if capabilities is not None else None
    if asking is None or (asking.form is None and asking.url is not None):
        return False
    # From this version on, a question is part of a result; before it, the server sends it as a request of its own.
    return (context.protocol_version or "") >= "2026-07-28" or context.session.can_send_request
