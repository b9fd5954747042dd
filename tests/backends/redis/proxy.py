"""What can happen between a client and a server: replies and requests that get lost, delays, and lines that go dead.

A proxy listens on a port of its own and passes everything on, until it is told otherwise. Clients send one request at
a time on a connection, so whatever comes back next is its reply. Neighbour: `servers`.
"""

import asyncio
import contextlib
from collections import Counter
from typing import Self
from urllib.parse import urlsplit

__all__ = ["Proxy"]

CHUNK = 1 << 16


class Proxy:
    """Stands before the server at ``url``, and is an asynchronous context manager.

    ``delay``: seconds that each reply is held back. ``every``: each so-manieth reply is lost; 0: none. ``lost`` counts
    the replies and requests that were, by what they matched.
    """

    def __init__(self, url: str, *, delay: float = 0.0, every: int = 0) -> None:
        self.delay = delay
        self.every = every
        self.lost: Counter[bytes] = Counter()
        self._store = urlsplit(url)
        self._replies = 0
        self._replies_of: Counter[bytes] = Counter()
        self._requests_of: Counter[bytes] = Counter()
        self._open = asyncio.Event()
        self._open.set()
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"redis://{host}:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def lose_reply(self, word: str, times: int = 1) -> None:
        """Lose the replies to the next requests that have a word in them: what they ask for is done."""
        self._replies_of[word.encode()] += times

    def lose_request(self, word: str, times: int = 1) -> None:
        """Lose the next requests that have a word in them: what they ask for is not done."""
        self._requests_of[word.encode()] += times

    def hang(self) -> None:
        """Pass nothing on any more, and close nothing: the line is dead."""
        self._open.clear()

    def go_on(self) -> None:
        """Pass on what has gathered, and whatever comes."""
        self._open.set()

    def point(self, url: str) -> None:
        """Stand before another server from now on, as a name does that was given to it."""
        self._store = urlsplit(url)
        self.cut()

    def cut(self) -> None:
        """Close all connections."""
        for task in self._serving:
            task.cancel()

    # -- one connection ---------------------------------------------------------------------------------------------

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._serving.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._store.scheme == "unix":
            answers, asks = await asyncio.open_unix_connection(self._store.path)
        else:
            answers, asks = await asyncio.open_connection(self._store.hostname, self._store.port)
        line = _Line()
        ways = [
            asyncio.create_task(self._ask(reader, asks, line)),
            asyncio.create_task(self._answer(answers, writer, line)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            asks.close()

    async def _ask(self, reader: asyncio.StreamReader, asks: asyncio.StreamWriter, line: "_Line") -> None:
        while data := await reader.read(CHUNK):
            await self._open.wait()
            if _taken(self._requests_of, data, self.lost):
                return
            line.doomed = line.doomed or _taken(self._replies_of, data, self.lost)
            asks.write(data)
            await asks.drain()

    async def _answer(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter, line: "_Line") -> None:
        while data := await answers.read(CHUNK):
            await self._open.wait()
            self._replies += 1
            if self.every and self._replies % self.every == 0:
                self.lost[b""] += 1
                return
            if line.doomed:
                return
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()


class _Line:
    """One connection; ``doomed``: what is answered next on it is lost."""

    doomed = False


def _taken(words: "Counter[bytes]", data: bytes, lost: "Counter[bytes]") -> bool:
    """Say whether some data has one of the words that are looked for, which is found then."""
    for word, times in words.items():
        if times and word in data:
            words[word] -= 1
            lost[word] += 1
            return True
    return False
