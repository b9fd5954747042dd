"""The downloader as operations: what each step takes and gives, and nothing about when or where it runs.

Rungs 8 to 10 run these: in one process, with workers over a store, on Kubernetes. `flow` makes the data flow of them.
The file needs nothing beside it but aiohttp, which workers have: so it goes into a cluster as it is.
"""

import asyncio
import contextlib
import hashlib
import html.parser
import urllib.parse

import aiohttp

from tidemill import DataFlow, Definition, GetMulti, Input, op
from tidemill.metrics import Estimate

__all__ = ["COOKIE", "FILES", "NUMBER", "SITE", "SIZE", "download", "flow", "list_files", "log_in", "pack"]

SITE = Definition("site", "string")
FILES = Definition("files", "int")
NUMBER = Definition("number", "int")
COOKIE = Definition("cookie", "string")
BODY = Definition("body", "bytes")
SIZE = Definition("size", "int")

USERNAME, PASSWORD = "learner", "open sesame"


class Form(html.parser.HTMLParser):
    """The login form of a page: ``values`` has what its fields begin with."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a field."""
        given = dict(attrs)
        if tag == "input":
            self.values[given.get("name") or ""] = given.get("value") or ""


@op(inputs={"site": SITE}, outputs={"cookie": COOKIE}, retry=6, backoff=0.25)
async def log_in(site: str) -> dict[str, str]:
    """Log in, and give the cookie of the session; a site that has just begun has eight seconds until it answers."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(site, raise_for_status=True) as answer:
            token = Form(await answer.text()).values["authenticity_token"]
        form = {"authenticity_token": token, "username": USERNAME, "password": PASSWORD, "remember": "on"}
        async with session.post(urllib.parse.urljoin(site, "/login"), data=form, raise_for_status=True) as answer:
            return {"cookie": answer.cookies["session"].value}


@op(inputs={"files": FILES}, outputs={"numbers": NUMBER}, expand=["numbers"])
def list_files(files: int) -> dict[str, list[int]]:
    """Give the number of each file; each becomes an input of its own."""
    return {"numbers": list(range(files))}


@list_files.estimate
def listing(files: int) -> Estimate:
    """Nobody has to list files to know how many there are."""
    return Estimate(seconds=0, outputs={"numbers": list(range(files))})


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
    url = urllib.parse.urljoin(site, f"/files/{number}")
    async with self.parent.connections.get(url, cookies={"session": cookie}, raise_for_status=True) as answer:
        body = await answer.read()
        if hashlib.sha256(body).hexdigest() != answer.headers.get("X-SHA256"):
            raise OSError(f"{len(body)} bytes came of file {number}, and they are not those that the site has")
        return {"body": body}


@download.estimate
def downloading(number: int) -> Estimate:
    """Take a tenth of a second for an answer, and as much memory as the largest file has."""
    return Estimate(seconds=0.1, memory=256 * 1024)


@op(inputs={"body": BODY}, outputs={"size": SIZE})
async def pack(body: bytes) -> dict[str, int]:
    """Give the size of a file as gzip packs it."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("gzip", "-1", "-c", stdin=pipe, stdout=pipe)
    out, _ = await process.communicate(body)
    if process.returncode:
        raise OSError(f"gzip ended with {process.returncode}")
    return {"size": len(out)}


def flow() -> DataFlow:
    """Return the data flow of the four; its result are the sizes."""
    wanted = Input(["size"], GetMulti.op.inputs["spec"])
    return DataFlow(log_in, list_files, download, pack, GetMulti, seed=[wanted])
