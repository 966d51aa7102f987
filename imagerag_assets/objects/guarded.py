"""Requests within the boundary: where servers redirect to is checked, and so is each number that is connected to.

`objects.boundary` says what is allowed.  A proxy would look names up by itself; it is asked for the number that was
checked, unless the settings trust it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection
from urllib3.util.retry import Retry

from imagerag_assets.errors import SourceError
from imagerag_assets.objects.boundary import (
    Authority,
    authority,
    is_foreign,
    is_same_host,
    peer_refusal,
    refusal,
)
from imagerag_assets.objects.deadlines import Deadline, TooLargeError, TooSlowError, current
from imagerag_assets.objects.name_lookup import look_up
from imagerag_assets.settings import Settings

_OF_THE_WEB = "https://"
"""What a server that redirects counts as, whoever named it."""
_ANYWHERE = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "content-length",
        "content-type",
        "range",
        "user-agent",
    }
)
"""Headers that a redirect may take to another host."""
LOOKUP_S: float = Settings.model_fields["limit_lookup_s"].default


class Reach:
    """What requests for some addresses may reach: these, and where their servers redirect to.

    Args:
        urls: The addresses, which a person gave or `boundary.check` let through.
        settings: The lists of what may be named.
        shown: What errors name instead of the address, which may hold a key.
    """

    def __init__(self, urls: Iterable[str], settings: Settings, shown: str | None = None) -> None:
        self._known = frozenset(where for url in urls if (where := authority(url)) is not None)
        self._settings = settings
        self._shown = shown

    @property
    def settings(self) -> Settings:
        """Return the settings, whose limits hold for what is asked for."""
        return self._settings

    @property
    def key(self) -> tuple[object, ...]:
        """Return what is the same where the same is allowed."""
        said = self._settings
        return (self._known, said.allowed_schemes, said.allowed_hosts, said.allowed_ports)

    def check_address(self, url: str) -> None:
        """Refuse an address that is neither one of those asked for nor one that their servers may name.

        Raises:
            SourceError: it is refused.
        """
        where = authority(url)
        if where is None or not self.is_known(where):
            self._check(url)

    def check_host(self, where: Authority) -> None:
        """Do the same for a host and port, of which the rest of the address is not known."""
        if not self.is_known(where):
            host, port = where
            self._check(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    def _check(self, url: str) -> None:
        refused = refusal(url, _OF_THE_WEB, self._settings)
        if refused is not None:
            raise refused.error(self._shown or url, None)

    def check_number(self, where: Authority, number: str) -> None:
        """Refuse a number that a host must not lead to.

        Raises:
            SourceError: it is refused.
        """
        refused = peer_refusal(where, number, self._settings, named_here=self.is_known(where) and not is_foreign(where))
        if refused is not None:
            raise refused.error(self._shown or f"{where[0]}:{where[1]}", None)

    def number_for(self, where: Authority, proxy: str) -> str | None:
        """Return the number by which a proxy, which would look up the name, is asked for a host; None: by its name.

        A proxy that is trusted is asked by name, and so is any for a host that a person named.

        Raises:
            SourceError: the host must not be reached, or where it leads cannot be told here.
        """
        parts = urlsplit(proxy)
        host, port = (parts.hostname or "").lower(), parts.port or 80
        if {host, f"{host}:{port}"} & {each.strip().lower() for each in self._settings.trusted_proxies}:
            return None
        named_here = self.is_known(where) and not is_foreign(where)
        try:
            numbers = look_up(where[0], self._settings.limit_lookup_s)
        except OSError:
            numbers = ()
        for number in numbers:
            self.check_number(where, number)
        if named_here:
            return None
        if not numbers or not proxy.lower().startswith(("http://", "https://")):
            raise SourceError(
                f"A proxy looks up {where[0]}, and where it leads cannot be checked here",
                fix=f"If the proxy refuses inner addresses, add {host}:{port} to IMAGERAG_TRUSTED_PROXIES",
                href=self._shown or f"{where[0]}:{where[1]}",
            )
        return numbers[0]

    def is_known(self, where: Authority) -> bool:
        """Return whether a host and port are those of one of the addresses."""
        return any(is_same_host(known, where) for known in self._known)


class GuardedAdapter(HTTPAdapter):
    """An adapter of `requests` that reaches what it may, and nothing else."""

    def __init__(self, reach: Reach | None, retries: Retry, pool_maxsize: int = 10) -> None:
        self._reach = reach
        super().__init__(pool_maxsize=pool_maxsize, max_retries=retries)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools(self._reach)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Return what reaches a proxy, with connections of ours."""
        manager = super().proxy_manager_for(*args, **kwargs)
        if getattr(manager, "proxy", None) is not None:  # none of SOCKS
            manager.pool_classes_by_scheme = _pools(self._reach)
        return manager

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """Return what is asked for: of a proxy, the number that a name was checked by."""
        url = super().request_url(request, proxies)
        proxy, where = select_proxy(str(request.url), proxies), authority(url)
        if self._reach is None or proxy is None or where is None:
            return url
        number = self._reach.number_for(where, proxy)
        if number is None:
            return url
        parts = urlsplit(url)
        request.headers["Host"] = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=_at(number, parts.port)).geturl()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if self._reach is not None:
            self._reach.check_address(request.url or "")
        answer = super().send(request, *args, **kwargs)
        if answer.is_redirect:  # whose body `requests` would read, however long it is
            _leave_unread(answer)
        return answer


class _Session(requests.Session):
    """A session whose logins stay with the scheme, host and port that they are for.

    `requests` itself takes them along from http to https, and what a header holds but Authorization to any host.
    """

    def should_strip_auth(self, old_url: str, new_url: str) -> bool:
        """Return whether a redirect leads elsewhere."""
        return _place(old_url) != _place(new_url)

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Take what is for one place out of a request that is redirected to another one."""
        super().rebuild_auth(prepared_request, response)
        if self.should_strip_auth(response.request.url or "", prepared_request.url or ""):
            for name in [each for each in prepared_request.headers if each.lower() not in _ANYWHERE]:
                del prepared_request.headers[name]


class _LimitedSession(_Session):
    """Reads no more than a document may have, in no more time, where the caller does not read by itself."""

    def __init__(self, settings: Settings | None) -> None:
        super().__init__()
        self._settings = settings

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if self._settings is None or kwargs.get("stream"):
            return super().send(request, **kwargs)
        with Deadline(self._settings.limit_document_s):
            answer = super().send(request, **kwargs | {"stream": True})
            _keep(answer, content_of(answer, self._settings.limit_document_bytes))
        return answer


def content_of(answer: requests.Response, at_most: int) -> bytes:
    """Return the body of a response that is streamed.

    Raises:
        TooLargeError: it has more bytes; no more are read.
    """
    data = bytearray()
    for piece in answer.iter_content(2**16):
        data += piece
        if len(data) > at_most:
            answer.raw.close()
            raise TooLargeError(at_most)
    return bytes(data)


def _leave_unread(answer: requests.Response) -> None:
    answer.raw.close()
    _keep(answer, b"")


def _keep(answer: requests.Response, content: bytes) -> None:
    untyped: Any = answer
    untyped._content, untyped._content_consumed = content, True


def _at(number: str, port: int | None) -> str:
    return (f"[{number}]" if ":" in number else number) + ("" if port is None else f":{port}")


def _place(url: str) -> tuple[str, Authority | None]:
    return url.partition(":")[0].lower(), authority(url)


def guarded_session(reach: Reach | None, retries: Retry, pool_maxsize: int = 10) -> requests.Session:
    """Return a session that reaches what it may, and nothing else, within the limits of documents; None: anything."""
    session = _LimitedSession(None if reach is None else reach.settings)
    for scheme in ("http://", "https://"):
        session.mount(scheme, GuardedAdapter(reach, retries, pool_maxsize))
    return session


def _pools(reach: Reach | None) -> dict[str, type[HTTPConnectionPool]]:
    """Return urllib3's pools of connections, whose numbers are checked before they are connected to."""
    seconds = LOOKUP_S if reach is None else reach.settings.limit_lookup_s

    def connected(connection: HTTPConnection) -> socket.socket:
        where = (connection.host.strip("[]").rstrip(".").lower(), connection.port or 0)
        try:
            numbers = look_up(where[0], seconds)
        except TooSlowError as error:
            raise ConnectTimeoutError(connection, str(error)) from error
        except OSError as error:
            found = error if isinstance(error, socket.gaierror) else socket.gaierror(*error.args)
            raise NameResolutionError(connection.host, connection, found) from error
        if reach is not None and connection.proxy is None:  # a proxy is as the environment says
            for number in numbers:
                reach.check_number(where, number)
        made = _connected(connection, numbers)
        try:
            if deadline := current():
                deadline.watch(made)
        except BaseException:
            made.close()
            raise
        return made

    def watched(connection: HTTPConnection) -> None:
        """Let the deadline of this request hold for a connection that an earlier one made."""
        deadline = current()
        if deadline is not None and connection.sock is not None:
            deadline.watch(connection.sock)

    def undrained(answer: HTTPResponse) -> HTTPResponse:
        """Let urllib3 close what it would read to its end before it asks again, for that may have none."""
        untyped: Any = answer
        untyped.drain_conn = answer.close
        return answer

    class _Http(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connected(self)

        def request(self, *args: Any, **kwargs: Any) -> None:
            watched(self)
            super().request(*args, **kwargs)

        def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's
            return undrained(super().getresponse())

    class _Https(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connected(self)

        def set_tunnel(self, host: str, port: int | None = None, *args: Any, **kwargs: Any) -> None:
            name = host.strip("[]").rstrip(".").lower()
            number = reach.number_for((name, port or 443), str(self.proxy)) if reach is not None else None
            if number is not None:
                self.server_hostname = self.server_hostname or name
            super().set_tunnel(number or host, port, *args, **kwargs)

        def request(self, *args: Any, **kwargs: Any) -> None:
            watched(self)
            super().request(*args, **kwargs)

        def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's
            return undrained(super().getresponse())

    class _HttpPool(HTTPConnectionPool):
        ConnectionCls = _Http

    class _HttpsPool(HTTPSConnectionPool):
        ConnectionCls = _Https

    return {"http": _HttpPool, "https": _HttpsPool}


def _connected(connection: HTTPConnection, numbers: Sequence[str]) -> socket.socket:
    """Connect to the first number that answers, as urllib3 does, which would look the name up by itself."""
    failed: OSError = OSError("it has no number")
    for number in numbers:
        try:
            return create_connection(
                (number, connection.port),
                connection.timeout,
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except OSError as error:
            failed = error
    if isinstance(failed, TimeoutError):
        said = f"Connection to {connection.host} timed out. (connect timeout={connection.timeout})"
        raise ConnectTimeoutError(connection, said) from failed
    raise NewConnectionError(connection, f"Failed to establish a new connection: {failed}") from failed
