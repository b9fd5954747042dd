"""A document from an ``http(s)`` URL, when the user allowed it: bounded in size and time, and led nowhere else.

A redirect may lead to another public host, but never from https to http, to another scheme, or from a public host to a
private one (loopback, link-local, a local network): a server must not be able to make this machine ask its
own neighbours. A host is resolved once, and the address that was judged is the one that is connected to. Proxies are
not used. Neighbour: `source`.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, urljoin, urlsplit

from tidemill.errors import InvalidDocument, shown
from tidemill.formats.bounds import DEFAULT_LIMITS

__all__ = ["download"]

# What reaches the outside, by names of this module.
_resolve_all, _open_socket, _secured, _clock = (
    socket.getaddrinfo, socket.create_connection, ssl.create_default_context, time.monotonic,
)  # fmt: skip

REDIRECTS = 5
SECONDS = 30.0
_CHUNK = 64 * 1024
_HEADERS = {"Accept": "application/json, application/yaml, text/yaml, */*", "User-Agent": "tidemill"}


def download(url: str, *, seconds: float = SECONDS, size: int = DEFAULT_LIMITS.size) -> tuple[bytes, str]:
    """Return the body at ``url``, and the URL that it came from in the end.

    Raises `InvalidDocument`: UrlNotAllowed, UrlUnreachable, TooLarge.
    """
    deadline = _clock() + seconds
    target = _checked(url, url)
    private = None  # whether the user's own URL is of a private host
    for _ in range(REDIRECTS + 1):
        address = _resolve(target, url)
        is_private = not ipaddress.ip_address(address).is_global
        private = is_private if private is None else private
        if is_private and not private:
            _refuse("UrlNotAllowed", url, f"it redirects to {target.geturl()}, which is a private address ({address})")
        status, location, body = _get(_Hop(target, address, url, deadline, size))
        if location is None:
            if status != http.client.OK:
                _refuse("UrlUnreachable", url, f"the server answered {status} {http.client.responses.get(status, '')}")
            return body, target.geturl()
        following = _checked(urljoin(target.geturl(), location), url)
        if target.scheme == "https" and following.scheme != "https":
            _refuse("UrlNotAllowed", url, f"it redirects from https to {following.geturl()}")
        target = following
    _refuse("UrlNotAllowed", url, f"it redirects more than {REDIRECTS} times")


@dataclass(frozen=True)
class _Hop:
    target: SplitResult
    address: str
    url: str
    deadline: float
    size: int

    def remaining(self) -> float:
        left = self.deadline - _clock()
        if left <= 0:
            _refuse("UrlUnreachable", self.url, "it took too long to answer")
        return left


def _refuse(reason: str, url: str, message: str) -> NoReturn:
    raise InvalidDocument(message, reason=reason, path=url)


def _checked(url: str, asked: str) -> SplitResult:
    try:
        target = urlsplit(url)
        _ = target.port
    except ValueError as error:
        _refuse("UrlNotAllowed", asked, f"{shown(url)} is no URL: {error}")
    if target.scheme not in ("http", "https"):
        _refuse("UrlNotAllowed", asked, f"{shown(url)} is of the scheme {shown(target.scheme)}; allowed: http, https")
    if not target.hostname or target.username is not None:
        _refuse("UrlNotAllowed", asked, "a URL has a host, and no user or password")
    return target


def _port(target: SplitResult) -> int:
    return target.port or (443 if target.scheme == "https" else 80)


def _resolve(target: SplitResult, url: str) -> str:
    try:
        found = _resolve_all(target.hostname, _port(target), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        _refuse("UrlUnreachable", url, f"the host {shown(target.hostname)} is not found: {error}")
    address = str(found[0][4][0])
    mapped = getattr(ipaddress.ip_address(address), "ipv4_mapped", None)
    return str(mapped or address)


def _get(hop: _Hop) -> tuple[int, str | None, bytes]:
    """Return (status, where it redirects to or None, body) of one request."""
    target = hop.target
    try:
        with _connected(hop) as connection:
            path = target.path or "/"
            connection.request("GET", f"{path}?{target.query}" if target.query else path, headers=_HEADERS)
            opened = connection.sock  # the connection forgets it where the answer is to end with it
            with connection.getresponse() as response:
                location = response.getheader("Location")
                if 300 <= response.status < 400 and location:
                    return response.status, location, b""
                return response.status, None, _body(response, opened, hop)
    except (OSError, http.client.HTTPException) as error:
        _refuse("UrlUnreachable", hop.url, f"{target.geturl()}: {type(error).__name__}: {error}")


class _Connection(http.client.HTTPConnection):
    """A connection over a socket that exists already."""

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _connected(hop: _Hop) -> _Connection:
    target = hop.target
    host = str(target.hostname)
    connection = _Connection(host, _port(target))
    raw = _open_socket((hop.address, _port(target)), timeout=hop.remaining())
    try:
        secure = _secured().wrap_socket(raw, server_hostname=host) if target.scheme == "https" else raw
    except BaseException:
        raw.close()
        raise
    connection.sock = secure
    return connection


def _body(response: http.client.HTTPResponse, opened: socket.socket, hop: _Hop) -> bytes:
    parts: list[bytes] = []
    length = 0
    while length <= hop.size:
        opened.settimeout(hop.remaining())
        part = response.read1(_CHUNK)
        if not part:
            return b"".join(parts)
        parts.append(part)
        length += len(part)
    _refuse("TooLarge", hop.url, f"it is larger than {hop.size} bytes")
