"""Who may use the API: the guard of all our web applications, with refusals in the form of the API's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from imagerag_assets.errors import SettingsError
from imagerag_assets.serve.documents import error_response
from imagerag_assets.web_guard import Access, WebGuard, access_to, is_loopback

if TYPE_CHECKING:
    from starlette.types import Scope

    from imagerag_assets.settings import Settings

HOSTS = "IMAGERAG_SERVE_HOSTS"
_FIX = {
    400: "Send one Host header",
    401: "Send Authorization: Bearer with the token of IMAGERAG_SERVE_TOKEN",
    403: f"Ask from a program or a page of this server; further host names are those of {HOSTS}",
    405: "Send a POST",
    415: "Send the question as JSON, with Content-Type: application/json",
}


def refusal(status: int, why: str, fix: str) -> Response:
    """Return the answer to a request that the application does not see."""
    return error_response(status, kind="RefusedRequest", message=why, fix=fix)


class ApiGuard(WebGuard):
    """The guard of the API: programs send the token in a header, and nobody logs in."""

    no_token = "The server asks for its token"

    def refusal(self, status: int, why: str) -> Response:
        """Return an error as the API gives them."""
        return refusal(status, why, _FIX.get(status, ""))

    def login(self, scope: Scope) -> Response | None:
        """Take no token in an address, which logs and histories keep."""
        return None


def access_from(settings: Settings, host: str) -> Access:
    """Return what requests to an API that listens on `host` must have.

    Raises:
        SettingsError: other machines can connect, and there is no token.
    """
    token = settings.serve_token.get_secret_value() if settings.serve_token else None
    if token is None and not is_loopback(host):
        raise SettingsError(
            f"Other machines can reach {host}, and no token is set",
            fix="Set IMAGERAG_SERVE_TOKEN, or listen on 127.0.0.1",
        )
    return access_to(host, token=token, names=settings.serve_hosts, setting=HOSTS)
