"""A site to download from: it wants a login, and is as slow and unreliable as it is told to be.

The home page has a form with a token that has to come back with the password; whoever has logged in has a session
cookie and may ask for `/files` (an index) and `/files/<number>`. Latency, bandwidth, failures and a rate limit can be
set. It is a real server on loopback: what the rungs measure is what a client of a real site would see. Which file
fails does not depend on chance but on its number, so two runs can be compared.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import html
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

__all__ = ["PASSWORD", "SIZES", "USERNAME", "Site", "SiteSettings", "body_of", "main", "served"]

USERNAME, PASSWORD = "learner", "open sesame"
SIZES = (1024, 16 * 1024, 64 * 1024, 256 * 1024)
"""Bytes of a file, by its number modulo four."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CHUNK = 16 * 1024
_COOKIE = "session"


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """How the site behaves.

    ``latency`` is in seconds before each answer, ``bandwidth`` in bytes a second and answer (0: no limit), ``errors``
    the share of files whose first request is answered 503, ``broken`` the share that is never answered otherwise,
    ``rate`` how many requests a second one session may make (0: any number) before it is told 429.
    """

    files: int = 1000
    latency: float = 0.05
    bandwidth: int = 0
    errors: float = 0.0
    broken: float = 0.0
    rate: float = 0.0


@dataclass(slots=True)
class _Visitor:
    """One session: when it has asked lately, and which files have refused it once."""

    room: float
    seen: float
    refused: set[int] = field(default_factory=set)


def body_of(number: int) -> bytes:
    """Return what is in a file: its number and bytes that follow from it, of one of four sizes."""
    size = SIZES[number % len(SIZES)]
    block = hashlib.sha256(str(number).encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def _drawn(kind: str, number: int) -> float:
    """Return a number from 0 to 1 that is always the same for a file."""
    return int.from_bytes(hashlib.sha256(f"{kind} {number}".encode()).digest()[:4], "big") / 2**32


class Site:
    """The application, and what it knows of its visitors."""

    def __init__(self, settings: SiteSettings) -> None:
        self.settings = settings
        self.requests = 0
        self._tokens: set[str] = set()
        self._visitors: dict[str, _Visitor] = {}
        self.app = web.Application(middlewares=[self._slowly])
        self.app.router.add_get("/", self._home)
        self.app.router.add_post("/login", self._login)
        self.app.router.add_get("/files", self._index)
        self.app.router.add_get(r"/files/{number:\d{1,9}}", self._file)

    @web.middleware
    async def _slowly(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests += 1
        if self.settings.latency:
            await asyncio.sleep(self.settings.latency)
        try:
            return await handler(request)
        except ConnectionError:  # whoever asked has gone: a learner kills clients, too
            return web.Response(status=499)

    async def _home(self, request: web.Request) -> web.Response:
        token = secrets.token_urlsafe(16)
        self._tokens.add(token)
        text = f"""<!doctype html><title>Files</title><form method="post" action="/login">
        <input type="hidden" name="authenticity_token" value="{html.escape(token)}">
        <input name="username"><input name="password" type="password"><button>Log in</button></form>"""
        return web.Response(text=text, content_type="text/html")

    async def _login(self, request: web.Request) -> web.Response:
        form = await request.post()
        token = str(form.get("authenticity_token", ""))
        if token not in self._tokens:
            raise web.HTTPForbidden(text="the form has no authenticity_token of this site; ask for the home page first")
        self._tokens.discard(token)  # each is good for one login
        if (form.get("username"), form.get("password")) != (USERNAME, PASSWORD):
            raise web.HTTPUnauthorized(text="no such user, or another password")
        cookie, answer = secrets.token_urlsafe(16), web.Response(text="welcome")
        self._visitors[cookie] = _Visitor(self.settings.rate, time.monotonic())
        answer.set_cookie(_COOKIE, cookie, httponly=True, samesite="Strict")
        return answer

    def _visitor(self, request: web.Request) -> _Visitor:
        visitor = self._visitors.get(request.cookies.get(_COOKIE, ""))
        if visitor is None:
            raise web.HTTPUnauthorized(text="log in first")
        if self.settings.rate:
            now = time.monotonic()
            visitor.room = min(self.settings.rate, visitor.room + (now - visitor.seen) * self.settings.rate)
            visitor.seen = now
            if visitor.room < 1:
                raise web.HTTPTooManyRequests(headers={"Retry-After": "1"}, text="too many requests")
            visitor.room -= 1
        return visitor

    async def _index(self, request: web.Request) -> web.Response:
        self._visitor(request)
        links = "".join(f'<li><a href="/files/{number}">{number}</a>' for number in range(self.settings.files))
        return web.Response(text=f"<!doctype html><title>Files</title><ul>{links}</ul>", content_type="text/html")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        visitor, number = self._visitor(request), int(request.match_info["number"])
        if number >= self.settings.files:
            raise web.HTTPNotFound(text=f"there are files from 0 to {self.settings.files - 1}")
        if _drawn("broken", number) < self.settings.broken:
            raise web.HTTPInternalServerError(text=f"file {number} is broken")
        if number not in visitor.refused and _drawn("error", number) < self.settings.errors:
            visitor.refused.add(number)
            raise web.HTTPServiceUnavailable(text="try again", headers={"Retry-After": "0"})
        return await self._sent(request, body_of(number))

    async def _sent(self, request: web.Request, body: bytes) -> web.StreamResponse:
        headers = {"X-SHA256": hashlib.sha256(body).hexdigest(), "Content-Type": "application/octet-stream"}
        if not self.settings.bandwidth:
            return web.Response(body=body, headers=headers)
        answer = web.StreamResponse(headers={**headers, "Content-Length": str(len(body))})
        await answer.prepare(request)
        for at in range(0, len(body), _CHUNK):
            part = body[at : at + _CHUNK]
            await asyncio.sleep(len(part) / self.settings.bandwidth)
            await answer.write(part)
        await answer.write_eof()
        return answer


@contextlib.asynccontextmanager
async def served(settings: SiteSettings, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[tuple[str, Site]]:
    """Serve on an address of this machine and give the URL; ``port`` 0 takes any that is free."""
    site = Site(settings)
    runner = web.AppRunner(site.app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        yield f"http://{host}:{runner.addresses[0][1]}/", site
    finally:
        await runner.cleanup()


async def _forever(settings: SiteSettings, port: int, host: str) -> None:
    async with served(settings, port, host) as (url, _):
        print(url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Serve until Ctrl-C, and print the URL first."""
    parser = argparse.ArgumentParser(
        prog="python -m ladder.site", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    for name, meaning in (
        ("files", "how many there are"),
        ("latency", "seconds before each answer"),
        ("bandwidth", "bytes a second and answer; 0: no limit"),
        ("errors", "share of files that are refused once"),
        ("broken", "share of files that are always refused"),
        ("rate", "requests a second that a session may make; 0: any number"),
    ):
        default = SiteSettings.__dataclass_fields__[name].default
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"{meaning} (default: %(default)s)")
    given = vars(parser.parse_args())
    port, host = given.pop("port"), given.pop("host")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_forever(SiteSettings(**given), port, host))


if __name__ == "__main__":
    main()
