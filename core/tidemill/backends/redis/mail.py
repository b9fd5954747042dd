"""Submits contexts and hears of their ends, many in one call.

What is submitted while a call is under way goes out with the next one, so batches come by themselves. Whoever opened a
context is told of its end through a list of its own, its *inbox*; an ending stays in the store until it has been read.
Neighbours: `functions/submitting.lua`, `backends.redis.backend`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgpack

from tidemill.backends.redis.bells import put_down
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.implementations import encode_failure
from tidemill.backends.redis.patience import patiently
from tidemill.backends.redis.staging import BYTES, OFFERS, Staging, size_of
from tidemill.errors import ContextClosed, DuplicateContext, OperationFailure

__all__ = ["RETENTION", "Mailbox", "duplicate"]

RETENTION = 7 * 24 * 3600.0
"""Seconds that an ending is kept which nobody asks for, unless told otherwise."""
AT_ONCE = 32
"""Contexts that one call opens."""
READ = 200
"""Endings that one call reads."""
LATER = (b"PLAN", b"STAGE", b"LATER")
"""What is answered of a context that is to be sent once more: the store does not know its plan (it has fallen back to
before it did) or what was staged of it, or has opened enough in this call."""

Waiting = tuple[list[Any], asyncio.Future[None]]
"""A request, and what is done when the store has it."""

logger = logging.getLogger("tidemill.store")


class Mailbox:
    """Opens contexts for one owner, whose name nobody else has, and calls back with their endings.

    ``retention``: seconds that an ending is kept which nobody asks for. ``silent``: no ending is to be told here; who
    wants one asks for it (`endings`). ``now`` is where the time comes from at which retentions are over. ``publish``
    makes the plan of a digest known to the store once more.
    """

    def __init__(
        self,
        client: Client,
        owner: str,
        *,
        publish: Callable[[str], Awaitable[object]],
        retention: float = RETENTION,
        silent: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.owner = owner
        self.retention = retention
        self.silent = silent
        self._publish = publish
        self._now = now
        self._client = client
        self._staging = Staging(client)
        self._waiting: deque[Waiting] = deque()
        self._expected: dict[str, Callable[[bytes], None]] = {}
        self._sending: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._idle = False
        self._asked: set[bytes] = set()
        self._news = asyncio.Event()
        self._calls = 0
        self.crashed: Callable[[BaseException], None] = lambda error: logger.error("reading endings failed: %s", error)

    # -- out --------------------------------------------------------------------------------------------------------

    def submit(self, request: list[Any], ended: Callable[[bytes], None]) -> asyncio.Future[None]:
        """Open a context: ``request`` is {name, plan digest, offers, strict, hold, lineage, group}. Return what is done
        when the store has it, or raises `DuplicateContext` or `ContextClosed` (RunCancelled: its group is cancelled);
        ``ended`` is called with its ending, not before."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if request[0] in self._expected:
            self._refuse("", done, duplicate(request[0]))
            return done
        self._waiting.append((request, done))
        self._expected[request[0]] = ended
        self._asked.add(request[0].encode())
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        return done

    async def _send(self) -> None:
        await asyncio.sleep(0)  # whoever submits is about to submit more
        while self._waiting:
            batch = self._batch()
            try:
                answers = await self._sent([request for request, _ in batch])
                await self._again([one for one, answer in zip(batch, answers, strict=True) if answer in LATER], answers)
            except BaseException as error:
                for request, done in batch:
                    self._refuse(request[0], done, error)
                if not isinstance(error, Exception):
                    raise
                continue
            for (request, done), answer in zip(batch, answers, strict=True):
                if answer == b"OK":
                    self._answered(request[0])
                    if self.silent:
                        del self._expected[request[0]]
                    if not done.done():
                        done.set_result(None)
                elif answer not in LATER:
                    refused = cancelled if answer == b"CANCELLED" else duplicate
                    self._refuse(request[0], done, refused(request[0]))
            self.listen()

    async def _sent(self, batch: Sequence[list[Any]]) -> list[bytes]:
        """Send requests and return the answers. A context whose inputs are staged has all of them then."""
        requests = [await self._staging.brought(request) for request in batch]
        said = (self._called(), requests, self.retention, self.silent, self._now())
        answers = await patiently(partial(self._client.call, "submit", *said), "new contexts")
        for request, sent, answer in zip(batch, requests, answers, strict=True):
            if sent is not request and answer == b"OK":
                await self._staging.fed(request[0])
        return list(answers)

    async def _again(self, batch: Sequence[Waiting], answers: Sequence[bytes]) -> None:
        """Have those sent once more that the store did not take yet; publish their plans where it has lost those."""
        if b"PLAN" in answers:
            for digest in {request[1] for request, _ in batch}:
                await patiently(partial(self._publish, digest), "a plan")
        self._waiting.extendleft(reversed(batch))

    def _called(self) -> str:
        """Return the owner of the next call. One who hears nothing of ends has another name in each, so that a name
        which comes again is known from a call that is repeated."""
        self._calls += 1
        return f"{self.owner}.{self._calls}" if self.silent else self.owner

    def _batch(self) -> Sequence[Waiting]:
        found: list[Waiting] = []
        offers = size = 0
        while self._waiting and len(found) < AT_ONCE:
            given = self._waiting[0][0][2]
            offers += len(given)
            size += size_of(given)
            if found and (offers > OFFERS or size > BYTES):
                break
            found.append(self._waiting.popleft())
        return found

    def _refuse(self, name: str, done: asyncio.Future[None], error: BaseException) -> None:
        self._expected.pop(name, None)
        self._answered(name)
        if not done.done():
            done.set_exception(error)

    # -- in ---------------------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Read endings for as long as some are expected."""
        if self._expected and not self.silent and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._stopped)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.crashed(error)

    async def _read(self) -> None:
        read: list[bytes] = []
        while self._expected or read:
            if not read:  # what has just been opened has not ended yet
                self._idle = True
                mail = await patiently(partial(self._client.filled, "inbox", self.owner), "whoever waits for results")
                self._idle = False
                if not mail:
                    read = await self._unheard()
            look = partial(self._client.call, "endings", self.owner, READ, read, False)
            found = await patiently(look, "questions for results")
            read = [name for name, _ in found]
            await self._opened(read)
            for name, raw in found:
                ended = self._expected.pop(name.decode(), None)
                if ended is not None and raw:
                    ended(await self._client.blobs.whole_ending(raw))
                elif ended is not None:
                    said = f'what became of the context "{name.decode()}" has been forgotten: somebody asked for that'
                    self.crashed(ContextClosed(said, reason="RunGone"))

    def _answered(self, name: str) -> None:
        self._asked.discard(name.encode())
        self._news.set()

    async def _opened(self, names: Sequence[bytes]) -> None:
        """Wait for the answers to the requests that open these contexts, where they have not come. What is read is
        forgotten; were it so before, such a request would open its context anew when it is repeated."""
        while not self._asked.isdisjoint(names):
            self._news.clear()
            await self._news.wait()

    async def _unheard(self) -> list[bytes]:
        """After a silence, ask for some of the endings that are expected: of a context whose record was destroyed the
        store does not know whom to tell, and one that it has lost ends here. Return the names of those that have ended.
        """
        names = [name for name in self._expected if name.encode() not in self._asked][:AT_ONCE]
        ask = partial(self._client.call, "await", "", names)
        ended = []
        for name, raw in zip(names, await patiently(ask, "questions for results"), strict=True):
            told = self._expected.pop(name, None)
            if told is None:
                continue  # refused meanwhile
            if raw == b"OPEN":
                self._expected[name] = told  # behind the others, which are asked for the next time
            elif raw == b"GONE":
                told(lost(name))
            else:
                told(await self._client.blobs.whole_ending(raw))
                ended.append(name.encode())
        return ended

    async def close(self) -> None:
        """Stop sending and reading. What has been read is said to have been."""
        for task in (self._sending, self._reading):
            if task is not None and not task.done():
                if self._expected or self._idle:  # nothing that was read is still to be said
                    await put_down(task)
                await asyncio.gather(task, return_exceptions=True)


def lost(name: str) -> bytes:
    """Return the ending of a context that the store had and has no more: it was emptied, or has fallen back."""
    said = f'the store has lost the context "{name}": it was emptied, or has fallen back to before; submit it again'
    failure = encode_failure(OperationFailure("StateLost", said, context=name))
    return bytes(msgpack.packb([name, "", failure, [], [], 0, 0, [], []], use_bin_type=False))


def cancelled(name: str) -> ContextClosed:
    """Return the error of a context whose group has been cancelled, or is being dropped."""
    said = f'the context "{name}" is of a group that has been cancelled, and takes no more contexts'
    return ContextClosed(said, reason="RunCancelled")


def duplicate(name: str) -> DuplicateContext:
    """Return the error of a name that is taken."""
    said = f'there is a context "{name}" already; a context is known by its name, so give this one another'
    return DuplicateContext(said)
