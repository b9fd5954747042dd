"""How to log in: for rungs that wait for each answer, and for those on an event loop.

Both ask for the home page, find the token in its form, and send it back with the password; the session cookie stays
with the client.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass

import aiohttp
import bs4

from ladder.site import PASSWORD, USERNAME

__all__ = ["Corrupt", "Session", "SiteContext", "checked", "logged_in", "token_in"]

_SECONDS = 60.0


class Corrupt(Exception):
    """A file whose content is not what the site says it is."""


@dataclass(frozen=True, slots=True)
class SiteContext:
    """Where the site is, and who we are there."""

    endpoint: str
    username: str = USERNAME
    password: str = PASSWORD

    def url(self, path: str) -> str:
        """Return the URL of a path at the site."""
        return urllib.parse.urljoin(self.endpoint, path)

    def form(self, token: str) -> dict[str, str]:
        """Return what the login form sends."""
        return {
            "authenticity_token": token,
            "username": self.username,
            "password": self.password,
            "remember": "on",
        }


def token_in(page: bytes) -> str:
    """Return the token of the form in a page. Raises `ValueError` where there is none."""
    found = bs4.BeautifulSoup(page, "html.parser").find("input", {"name": "authenticity_token"})
    if not isinstance(found, bs4.Tag):
        raise ValueError("the page has no form with an authenticity_token")
    return str(found["value"])


def checked(body: bytes, digest: str | None) -> bytes:
    """Return the content of a file. Raises `Corrupt` if it is not what the site has hashed."""
    if hashlib.sha256(body).hexdigest() != digest:
        raise Corrupt(f"{len(body)} bytes came that do not have the digest {digest}")
    return body


class Session:
    """One login, for whoever waits for each answer. Raises `urllib.error.HTTPError` for what the site refuses."""

    def __init__(self, ctx: SiteContext) -> None:
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._ctx = ctx
        self._opener = urllib.request.build_opener(cookies, urllib.request.ProxyHandler({}))
        with self._opener.open(ctx.endpoint, timeout=_SECONDS) as answer:
            token = token_in(answer.read())
        with self._opener.open(ctx.url("/login"), urllib.parse.urlencode(ctx.form(token)).encode(), timeout=_SECONDS):
            pass

    def download(self, number: int) -> bytes:
        """Return what is in a file."""
        try:
            with self._opener.open(self._ctx.url(f"/files/{number}"), timeout=_SECONDS) as answer:
                return checked(answer.read(), answer.headers.get("X-SHA256"))
        except urllib.error.HTTPError as error:
            error.close()  # it holds the connection for whoever wants to read what came with it
            raise


@contextlib.asynccontextmanager
async def logged_in(ctx: SiteContext, pool: Executor | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a session of an event loop that has logged in; pages are parsed in ``pool``, beside the loop."""
    import asyncio

    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    connector = aiohttp.TCPConnector(limit=0)
    # the site has an address and no name, whose cookies aiohttp keeps only if it is told to
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector, cookie_jar=jar) as session:
        async with session.get(ctx.endpoint, raise_for_status=True) as answer:
            page = await answer.read()
        token = await asyncio.get_running_loop().run_in_executor(pool, token_in, page)
        async with session.post(ctx.url("/login"), data=ctx.form(token), raise_for_status=True):
            pass
        yield session
