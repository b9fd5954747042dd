"""Workers as the store knows them: who is alive, and what becomes of what the dead held.

A worker is a supervisor process that beats; its runners (`runner_of`) are processes that hold leases, and alive for as
long as it is. Neighbours: `functions/workers.lua`, `functions/runners.lua`, and the worker, which calls this.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import msgpack

from tidemill.backends.redis.client import Client

__all__ = ["Beat", "RedisWorkers", "WorkerTaken", "runner_of"]


class WorkerTaken(Exception):
    """A worker of this id has been at work already: an id is used once."""


@dataclass(frozen=True, slots=True)
class Beat:
    """What the store answers to a beat: its ``epoch``, and the counts of ``others``, as they are spelt there. A count
    that is no number is that of a worker whose leases are being taken back: whoever sees it goes on with that."""

    epoch: int
    others: dict[str, str]


def runner_of(worker: str, number: int) -> str:
    """Return the id of a runner of a worker; numbers count up and are never used again."""
    return f"{worker}/{number}"


class RedisWorkers:
    """The verbs of workers. All of them may be repeated when a reply was lost."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._cursor = "0"

    async def hello(self, worker: str, said: dict[str, Any]) -> int:
        """Make a worker known, with what it says of itself, and return the epoch. Raises `WorkerTaken`."""
        answer = await self._client.call("hello", worker, msgpack.packb(said))
        if answer == b"TAKEN":
            raise WorkerTaken(f'a worker "{worker}" has been at work already; choose an id that was never used')
        return int(answer)

    async def beat(
        self, worker: str, count: int, now: float | None = None, *, said: dict[str, Any] | None = None
    ) -> Beat | None:
        """Say that a worker lives; ``count`` grows with every beat. None: it has been expired, and has to end its
        runners and begin again under a new id. ``said``: what it says of itself from now on, if that has changed.

        ``now`` (seconds since 1970; default: by the clock of this machine) says which endings nobody has asked for in
        time: some of them are forgotten in passing.
        """
        news = [] if said is None else [msgpack.packb(said)]
        at = time.time() if now is None else now
        answer = await self._client.call("beat", worker, count, self._cursor, at, *news)
        if answer == b"GONE":
            return None
        epoch, cursor, flat = answer
        self._cursor = cursor.decode()
        pairs = zip(flat[::2], flat[1::2], strict=True)
        others = {name.decode(): spelt.decode() for name, spelt in pairs}
        others.pop(worker, None)
        return Beat(int(epoch), others)

    async def expire(self, worker: str, count: str) -> int | None:
        """Take everything back that the runners of a worker held, if its count is still this one. Return how much it
        was, None if it has beaten since."""
        total = 0
        while True:
            answer = await self._client.call("expire", worker, count)
            if answer == b"ALIVE":  # in a later round: it has been spelt anew, and whoever sees that goes on
                return total or None
            total += int(answer[0])
            if not answer[1]:
                return total
            count = "lost" if count.isdecimal() else count

    async def bye(self, worker: str) -> int:
        """Hand back what the runners of a worker still hold, without cost, and forget it; return how much it was."""
        total, left = 0, 1
        while left:
            many, left = await self._client.call("bye", worker)
            total += many
        return total

    async def lose(self, runner: str, pool: str, message: str = "", *, released: bool = False) -> int:
        """Take everything back that a runner held, and refuse it from now on; return how much it was.

        ``message`` says what happened to it. ``released``: it was ended on purpose, so it costs nothing.
        """
        how = "released" if released else "lost"
        said = message or f"the worker {runner} vanished"
        total, left = 0, 1
        while left:
            many, left = await self._client.call("lose", runner, pool, how, said)
            total += many
        return total

    async def recover(self, epoch: int) -> bool:
        """Begin a new epoch, after a store has come back with less than it had: hand back everything that is leased
        and expire all workers. False for an epoch that is over."""
        while (left := await self._client.call("recover", epoch)) != 0:
            if left == b"STALE":
                return False
        return True
