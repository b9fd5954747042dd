"""The downloader as operations: what each step takes and gives, and nothing about when or where it runs.

Rungs 8 to 10 run these: in one process, with workers over a store, on Kubernetes. `flow` makes the data flow of them.
"""

import contextlib
import http

import aiohttp
from ladder.client import SiteContext, checked, token_in
from r05_event_loop import packed

from tidemill import DataFlow, Definition, GetMulti, Input, op

__all__ = ["COOKIE", "FILES", "NUMBER", "SITE", "SIZE", "download", "flow", "list_files", "log_in", "pack"]

SITE = Definition("site", "string")
FILES = Definition("files", "int")
NUMBER = Definition("number", "int")
COOKIE = Definition("cookie", "string")
BODY = Definition("body", "bytes")
SIZE = Definition("size", "int")

_LATER = (http.HTTPStatus.SERVICE_UNAVAILABLE, http.HTTPStatus.TOO_MANY_REQUESTS)


@op(inputs={"site": SITE}, outputs={"cookie": COOKIE}, retry=3)
async def log_in(site: str) -> dict[str, str]:
    """Log in, and give the cookie of the session."""
    ctx = SiteContext(site)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(ctx.endpoint, raise_for_status=True) as answer:
            token = token_in(await answer.read())
        async with session.post(ctx.url("/login"), data=ctx.form(token), raise_for_status=True) as answer:
            return {"cookie": answer.cookies["session"].value}


@op(inputs={"files": FILES}, outputs={"numbers": NUMBER}, expand=["numbers"])
def list_files(files: int) -> dict[str, list[int]]:
    """Give the number of each file; each becomes an input of its own."""
    return {"numbers": list(range(files))}


class Connections:
    """The connections of a process, which all its downloads share."""

    async def __aenter__(self) -> aiohttp.ClientSession:
        self._stack = contextlib.AsyncExitStack()
        connector = aiohttp.TCPConnector(limit=0)
        return await self._stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        )

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()


@op(
    inputs={"site": SITE, "cookie": COOKIE, "number": NUMBER},
    outputs={"body": BODY},
    retry=3,
    concurrency=8,
    imp_enter={"connections": lambda self: Connections()},
)
async def download(self, site: str, cookie: str, number: int) -> dict[str, bytes]:  # type: ignore[no-untyped-def]
    """Get a file."""
    url = SiteContext(site).url(f"/files/{number}")
    async with self.parent.connections.get(url, cookies={"session": cookie}, raise_for_status=True) as answer:
        return {"body": checked(await answer.read(), answer.headers.get("X-SHA256"))}


@op(inputs={"body": BODY}, outputs={"size": SIZE})
async def pack(body: bytes) -> dict[str, int]:
    """Give the size of a file as gzip packs it."""
    return {"size": len(await packed(body))}


def flow() -> DataFlow:
    """Return the data flow of the four; its result are the sizes."""
    wanted = Input(["size"], GetMulti.op.inputs["spec"])
    return DataFlow(log_in, list_files, download, pack, GetMulti, seed=[wanted])
