"""Who may use the API, and for what: the guard of all our web applications, with refusals in the form of the API's.

A program sends a token in a header.  A page sends what it was given for a token, in a cookie that no script can read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from starlette.responses import Response

from imagerag_assets.errors import InputError, SettingsError
from imagerag_assets.serve.documents import error_response
from imagerag_assets.web_guard import Access, WebGuard, access_to, is_loopback, same_text, session_of

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import Scope

    from imagerag_assets.settings import Settings

Right = Literal["read", "ask", "write"]
RIGHTS: tuple[Right, ...] = ("read", "ask", "write")
"""Each includes those before it."""
HOSTS = "IMAGERAG_SERVE_HOSTS"
COOKIE = "imagerag_serve"
GRANTED, CLIENT = "imagerag.granted", "imagerag.client"
"""Keys of a request's scope: its right, or None, and a name of its client."""
SESSION = "/api/session"
_PUBLIC_FILES = "/files/"
_FIX = {
    400: "Send one Host header",
    401: "Send Authorization: Bearer with the token of IMAGERAG_SERVE_TOKEN",
    403: f"Ask from a program or a page of this server; further host names are those of {HOSTS}",
    405: "Send a POST",
    415: "Send the question as JSON, with Content-Type: application/json",
}


class RightError(InputError):
    """A token does not allow what is asked for."""

    status = 403


@dataclass(frozen=True)
class ApiAccess(Access):
    """What a request to the API must have, with a token for each right."""

    tokens: tuple[tuple[Right, str], ...] = field(default=(), repr=False)
    """None: every request has every right, as only this machine can connect."""

    def right_of(self, token: str) -> Right | None:
        """Return what a token allows; None: it is none."""
        return next((right for right, known in self.tokens if same_text(token, known)), None)


def refusal(status: int, why: str, fix: str) -> Response:
    """Return the answer to a request that the application does not see."""
    return error_response(status, kind="RefusedRequest", message=why, fix=fix)


class ApiGuard(WebGuard):
    """The guard of an application: a request has one of the tokens that its access lists, or there are none."""

    no_token = "The server asks for its token"

    def refusal(self, status: int, why: str) -> Response:
        """Return an error as the API gives them."""
        return refusal(status, why, _FIX.get(status, ""))

    def login(self, scope: Scope) -> Response | None:
        """Take no token in an address, which logs and histories keep."""
        return None

    def known(self, headers: Headers, scope: Scope) -> bool:
        """Note what the request may do, and who sends it; return whether it may do anything."""
        access = self.access
        if not isinstance(access, ApiAccess) or not access.tokens:
            scope[GRANTED], scope[CLIENT] = RIGHTS[-1], _address(scope)
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        right = access.right_of(given.strip()) if kind.lower() == "bearer" else None
        cookie = self.cookie(headers, COOKIE)
        if right is None and cookie is not None:
            right = next((each for each, token in access.tokens if same_text(cookie, session_of(token))), None)
            given = cookie
        scope[GRANTED] = right
        scope[CLIENT] = hashlib.sha256(given.encode()).hexdigest()[:16] if right else _address(scope)
        return right is not None


class PageGuard(ApiGuard):
    """The guard of the API with its page.

    Without a token only the page's own files are given, which say nothing of the installation, and a token is taken.
    """

    def known(self, headers: Headers, scope: Scope) -> bool:
        """As of every API, but for the page's own files and session."""
        return super().known(headers, scope) or is_public(scope)


def is_public(scope: Scope) -> bool:
    """Return whether a request needs no token: for the page and its files, or to log in or out with one."""
    path, method = scope.get("path", ""), scope.get("method", "")
    if method in ("GET", "HEAD"):
        return path in ("/", SESSION) or path.startswith(_PUBLIC_FILES)
    return method in ("POST", "DELETE") and path == SESSION


def require(scope: Scope, right: Right) -> None:
    """Refuse a request whose token does not allow something.

    Raises:
        RightError: it is refused.
    """
    granted: Any = scope.get(GRANTED, RIGHTS[-1])  # the socket of commands has no guard of this kind
    if granted is None or RIGHTS.index(granted) < RIGHTS.index(right):
        raise RightError(
            f"The token does not allow this: it may {granted or 'do nothing'}, and this is to {right}",
            fix=f"Use the token of IMAGERAG_SERVE{'' if right == 'write' else '_ASK'}_TOKEN",
        )


def access_from(settings: Settings, host: str, *, least: Right = "write") -> ApiAccess:
    """Return what requests to an API that listens on `host` must have.

    Args:
        settings: The tokens, and further host names.
        host: The address that it listens on.
        least: The tokens that allow less are none of its.

    Raises:
        SettingsError: other machines can connect and there is no token, or only tokens that allow less.
    """
    kept = {"write": settings.serve_token, "ask": settings.serve_ask_token, "read": settings.serve_read_token}
    enough = RIGHTS[RIGHTS.index(least) :]
    tokens = tuple((right, kept[right].get_secret_value()) for right in enough if kept[right])  # type: ignore[union-attr]
    if not tokens and any(kept.values()):
        raise SettingsError(
            "Only tokens for asking or reading are set, and this needs one for all", fix="Set IMAGERAG_SERVE_TOKEN"
        )
    if not tokens and not is_loopback(host):
        raise SettingsError(
            f"Other machines can reach {host}, and no token is set",
            fix="Set IMAGERAG_SERVE_TOKEN, or listen on 127.0.0.1",
        )
    found = access_to(host, token=tokens[0][1] if tokens else None, names=settings.serve_hosts, setting=HOSTS)
    return ApiAccess(found.token, found.names, found.numbers, found.setting, tokens)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "this machine"
