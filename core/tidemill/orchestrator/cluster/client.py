"""Requests to the HTTP API of a cluster, and what it refuses as errors of ours.

Neighbours: the verbs of the command line and `orchestrator.kubernetes`, which ask.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tidemill.errors import TidemillError

if TYPE_CHECKING:
    import aiohttp

    from tidemill.journal.event import Event

__all__ = ["ApiError", "Client", "Place", "connected", "extra"]


PAGE = 10_000
"""Events of a journal that are asked for at once."""
AGAIN = 60
"""Connections that are tried, a second apart, where one has been lost."""


class ApiError(TidemillError):
    """A request that the API has refused, with its reason; or ApiUnavailable, if it has not answered."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where contexts are: the API's URL, a token, and the object (``dataflows`` or ``dataflowruns``) in a namespace."""

    url: str
    token: str
    namespace: str
    plural: str
    name: str

    def path(self, *pieces: str) -> str:
        """Return the URL of something of the object."""
        base = ["v1", "namespaces", self.namespace, self.plural, self.name, *pieces]
        return self.url.rstrip("/") + "/" + "/".join(quote(piece, safe="") for piece in base)


_LATER = ("ApiUnavailable", "ShuttingDown", "StoreUnavailable", "TooManyStreams", "RateLimited")
"""Reasons for which something is asked again."""


class Client:
    """Asks about one object. Every method raises `ApiError`."""

    def __init__(self, place: Place, session: aiohttp.ClientSession) -> None:
        self._place = place
        self._session = session

    @contextlib.asynccontextmanager
    async def _asked(self, method: str, *pieces: str, **request: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        import aiohttp

        try:
            async with self._session.request(method, self._place.path(*pieces), **request) as answer:
                if answer.status >= 400:
                    raise await _refused(answer)
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = f"the API at {self._place.url} does not answer: {str(error) or type(error).__name__}"
            raise ApiError(said, reason="ApiUnavailable") from error

    async def get(self, *pieces: str, **query: str) -> Any:
        """Return what the API says of something."""
        async with self._asked("GET", *pieces, params=query) as answer:
            return await answer.json()

    async def post(self, *pieces: str) -> Any:
        """Have something done, and return what the API says of it."""
        async with self._asked("POST", *pieces) as answer:
            return await answer.json()

    async def lines(self, *pieces: str, **query: str) -> AsyncIterator[Any]:
        """Yield the lines of an answer as they come. One that says what was refused meanwhile raises `ApiError`."""
        async with self._asked("GET", *pieces, params=query) as answer:
            async for said in _lines(answer):
                yield said

    async def open(self, lines: AsyncIterator[bytes], key: str | None = None, **query: str) -> AsyncIterator[Any]:
        """Open a context for each line, and yield what the API says of each as it is open. With a ``key`` the same
        may be sent again.
        """
        headers = {"Content-Type": "application/x-ndjson", **({"Idempotency-Key": key} if key else {})}
        async with self._asked("POST", "contexts", params=query, data=lines, headers=headers) as answer:
            async for said in _lines(answer):
                if "opened" not in said:
                    yield said

    async def progress(self) -> AsyncIterator[Any]:
        """Yield how far the object is, whenever that has changed, for ever; a connection that is lost is made anew."""
        last = ""
        while True:
            headers = {"Last-Event-ID": last} if last else {}
            async with self._asked("GET", "events", headers=headers) as answer:
                async for _, id, value in _told(answer):
                    last = id
                    yield json.loads(value)
            await asyncio.sleep(1)

    async def journal(self, context: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """Yield the events of a context after one of them, up to now."""
        from tidemill.journal.event import Event

        more = True
        while more:
            page = await self.get("contexts", context, "events", after=str(after), limit=str(PAGE))
            after, more = page["after"], page["more"]
            for said in page["events"]:
                yield Event.of(said)

    async def _all_told(self, context: str, after: int) -> bool:
        try:
            if (await self.get("contexts", context))["status"] == "open":
                return False
        except ApiError as error:
            if error.reason != "RunGone":
                raise
            # Of a child context its journal alone says whether it has ended.
            page = await self.get("contexts", context, "events", after=str(max(after - 1, 0)), limit="1")
            return all(said["kind"] == "ended" for said in page["events"])
        return not (await self.get("contexts", context, "events", after=str(after), limit="1"))["events"]

    async def followed(self, context: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """Yield the events of a context after one of them as they happen, until it has ended; where a connection is
        lost, another one goes on behind the last event."""
        from tidemill.journal.event import Event

        left = 0
        while True:
            headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
            try:
                async with self._asked("GET", "contexts", context, "events", headers=headers) as answer:
                    left = AGAIN
                    async for kind, _, value in _told(answer):
                        if kind == "refused":
                            raise _of(json.loads(value))
                        event = Event.of(json.loads(value))
                        after = event.id
                        yield event
                        if event.kind == "ended":
                            return
                if await self._all_told(context, after):
                    return
            except ApiError as error:
                if error.reason not in _LATER or not left:
                    raise
            left -= 1
            await asyncio.sleep(1)


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[Any]:
    async for raw in answer.content:
        said = json.loads(raw)
        if "refused" in said:
            raise _of(said["refused"])
        yield said


async def _told(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str, str]]:
    """Yield the kind, the id and the data of each event that a server sends."""
    kind = id = ""
    async for raw in answer.content:
        field, _, value = raw.decode().rstrip("\n").partition(": ")
        if field == "event":
            kind = value
        elif field == "id":
            id = value
        elif field == "data":
            yield kind, id, value
            kind = ""


async def _refused(answer: aiohttp.ClientResponse) -> ApiError:
    try:
        return _of(await answer.json())
    except (ValueError, KeyError, TypeError):
        text = (await answer.text())[:500]
        return ApiError(f"the API has answered with {answer.status}: {text}", reason=f"Status{answer.status}")


def _of(said: Any) -> ApiError:
    return ApiError(said["message"], reason=said["reason"], path=said.get("path", ""))


def extra() -> Any:
    """Return aiohttp. Raises `ApiError` (ExtraMissing) where it is not installed."""
    try:
        import aiohttp
    except ImportError:
        said = "this needs the package aiohttp, which is not installed: pip install 'tidemill[worker]'"
        raise ApiError(said, reason="ExtraMissing") from None
    return aiohttp


@contextlib.asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Client]:
    """Give a client while it is needed. Raises `ApiError` (ExtraMissing) where what it needs is not installed."""
    aiohttp = extra()
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120)
    headers = {"Authorization": f"Bearer {place.token}"}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers, read_bufsize=1 << 24) as session:
        yield Client(place, session)
