"""Who may use a web application of ours: a layer in front of all of it, Dagster's UI and our own API alike.

Whoever can send a request can start runs or ask questions, and a web page that is open in a browser of this machine can
send some: under the name of another site (DNS rebinding), from another site (forged requests, WebSockets, frames), or
by the simple requests that browsers send without asking.  Nothing of Dagster is needed, and no request is changed.
See https://www.starlette.io/middleware/#pure-asgi-middleware
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "imagerag_ui"
_READING = ("GET", "HEAD")
_EVERYWHERE = frozenset({"", str(ipaddress.IPv4Address(0)), "::"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_FRAMES = {"X-Frame-Options": "SAMEORIGIN", "Cross-Origin-Resource-Policy": "same-origin"}


@dataclass(frozen=True)
class Access:
    """What a request must have to reach the application."""

    token: str | None = field(default=None, repr=False)
    """What it must know; None: nothing, as only this machine can connect."""
    names: frozenset[str] = _LOCAL_NAMES
    """The host names, in lower case and without port, that it may be addressed to."""
    numbers: bool = False
    """Whether it may be addressed to any IP address: no site can make one its own name."""
    setting: str = "IMAGERAG_UI_HOSTS"
    """Where further names are listed."""


@dataclass(frozen=True)
class _Refusal:
    status: int
    why: str


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to what listens on a host."""
    try:
        found = {str(each[4][0]).partition("%")[0] for each in socket.getaddrinfo(host, None)} if host else set()
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(each).is_loopback for each in found)


def access_to(
    host: str, *, token: str | None = None, names: tuple[str, ...] = (), setting: str = Access.setting
) -> Access:
    """Return what requests to an application that listens on a host must have.

    Args:
        host: The address that it listens on.
        token: What they must know.
        names: Further host names under which it is reached, e.g. that of a proxy.
        setting: Where those are listed.
    """
    own = {name.strip().lower().strip("[]") for name in (host, *names)} - _EVERYWHERE
    if is_loopback(host):
        return Access(token, _LOCAL_NAMES | own, setting=setting)
    return Access(token, _LOCAL_NAMES | own | {socket.gethostname().lower()}, numbers=True, setting=setting)


class WebGuard:
    """ASGI middleware that lets through what its :class:`Access` allows, and answers the rest with a line."""

    no_token = "The UI asks for its token: open the address, with ?token=..., that imagerag dev printed"

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = _wrong_host(headers, self.access) or _foreign(headers, scope) or _no_plain_request(headers, scope)
        response: Response | None = None
        if refused is None and not self.known(headers, scope):
            response = self.login(scope)
            refused = None if response else _Refusal(401, self.no_token)
        if refused is None and response is None and scope["type"] == "http" and scope["method"] not in _READING:
            response, receive = await self.checked(receive)
        if refused is not None:
            response = self.refusal(refused.status, refused.why)
        if response is None:
            with suppress(ClientDisconnect):  # its client has gone in the middle of a request
                await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})  # before it is accepted: 403
        else:
            await response(scope, receive, _with_headers(send))

    def known(self, headers: Headers, scope: Scope) -> bool:
        """Return whether a request may reach the application at all, as far as tokens say."""
        token = self.access.token
        if token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and same_text(given.strip(), token):
            return True
        cookie = self.cookie(headers, COOKIE)
        return cookie is not None and same_text(cookie, session_of(token))

    def cookie(self, headers: Headers, name: str) -> str | None:
        """Return the value of a cookie; None: there is none, or the cookies cannot be read."""
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(name)
        except CookieError:
            return None
        return None if found is None else found.value

    async def checked(self, receive: Receive) -> tuple[Response | None, Receive]:
        """Look at what a request brings that may change something.

        Returns:
            The answer if it is refused, and what the application receives otherwise.
        """
        return None, receive

    def refusal(self, status: int, why: str) -> Response:
        """Return the answer to a request that is refused."""
        return PlainTextResponse(f"{why}\n", status)

    def login(self, scope: Scope) -> Response | None:
        """Return the answer to an address with the right token: a cookie, and the address without the token."""
        token = self.access.token
        given = QueryParams(scope.get("query_string", b"")).get("token", "")
        if token is None or scope["type"] != "http" or scope["method"] not in _READING or not same_text(given, token):
            return None
        response = RedirectResponse("/", 303, {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"})
        secure = scope.get("scheme") == "https"
        # Cookies are sent to every port of a host: what is sent is made from the token, and is not the token.
        response.set_cookie(COOKIE, session_of(token), httponly=True, samesite="strict", secure=secure)
        return response


def same_text(given: str, known: str) -> bool:
    """Return whether two secrets are equal, in a time that does not tell how far they are."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), known.encode())


def session_of(token: str) -> str:
    """Return what a cookie holds for a token: made from it, and not the token."""
    return hmac.new(token.encode(), b"imagerag ui session", sha256).hexdigest()


def _wrong_host(headers: Headers, access: Access) -> _Refusal | None:
    """Refuse what is addressed to another name: a site can let its own name stand for this machine."""
    hosts = headers.getlist("host")
    name = _host_name(hosts[0]) if len(hosts) == 1 else None
    if name is None:
        return _Refusal(400, "The request does not say which host it is for")
    if name in access.names or (access.numbers and _is_number(name)):
        return None
    return _Refusal(403, f"The server is not reached under this host name; to allow it, add it to {access.setting}")


def _host_name(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises if it is none
    except ValueError:
        return None
    whole = parts.netloc == host and not (parts.path or parts.query or parts.fragment or "@" in host)
    return parts.hostname.lower().rstrip(".") if whole and parts.hostname else None


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _foreign(headers: Headers, scope: Scope) -> _Refusal | None:
    """Refuse what a page of another site sent; following a link to the UI is allowed.

    Browsers say where a page is from in `Origin`, which they send with each WebSocket and each request that is not a
    plain GET, and newer ones in `Sec-Fetch-Site`, too.  Programs send neither.
    """
    host = headers["host"].lower()
    for origin in headers.getlist("origin"):
        if origin.lower() not in (f"http://{host}", f"https://{host}"):
            return _Refusal(403, "The request comes from a page of another site")
    link = (
        scope["type"] == "http"
        and scope["method"] in _READING
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not link:
        return _Refusal(403, "The request comes from a page of another site")
    return None


def _no_plain_request(headers: Headers, scope: Scope) -> _Refusal | None:
    """Refuse changes by GET, and by the kinds of content that browsers send to other sites without asking them."""
    if scope["type"] != "http":
        return None
    if scope["method"] not in _READING:
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return _Refusal(415, "Send application/json")
    elif scope["path"].rstrip("/").endswith("/graphql") and (
        "query" in QueryParams(scope.get("query_string", b"")) or "text/html" not in headers.get("accept", "")
    ):  # without a query, a browser gets the page on which one can be written
        return _Refusal(405, "Send GraphQL by POST, as application/json")
    return None


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _NO_FRAMES.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
