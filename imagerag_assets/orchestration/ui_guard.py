"""Who may use Dagster's UI, and what it is not to store: launches with a secret in an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from imagerag_assets.orchestration.stored_texts import refused_request
from imagerag_assets.web_guard import WebGuard

if TYPE_CHECKING:
    from starlette.types import Receive


class UiGuard(WebGuard):
    """The layer in front of Dagster's web application."""

    async def checked(self, receive: Receive) -> tuple[Response | None, Receive]:
        """Refuse what has a secret in it, as GraphQL says what is wrong, so that the launchpad shows it."""
        why, receive = await refused_request(receive)
        return (JSONResponse({"data": None, "errors": [{"message": why}]}) if why else None), receive
