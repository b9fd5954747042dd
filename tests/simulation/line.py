"""What the clients of the library have in the place of a connection: requests and replies that take their time, and
get lost.

Between a request and what the store does, and between that and the reply, anything may happen: others move, or the
process dies. A reply that is lost is a `ConnectionError`, as from a real connection; what was asked for has been done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import ConnectionError

from tests.simulation.schedule import Schedule, step, wait
from tests.simulation.wire import Wire

__all__ = ["Line"]

Saw = Callable[[Sequence[Any], Any], None]


class Line:
    """The line of one process. ``saw`` is told of everything that the store has done, ``lossy`` says how often replies
    are lost; requests are lost a quarter as often."""

    def __init__(self, name: str, wire: Wire, schedule: Schedule, saw: Saw, lossy: Callable[[], float]) -> None:
        self._name = name
        self._wire = wire
        self._schedule = schedule
        self._saw = saw
        self._lossy = lossy

    def _lose(self, what: str, share: float, about: str) -> None:
        if self._schedule.rng.random() < self._lossy() * share:
            self._schedule.fault(f"lost {what}", self._name, about)
            raise ConnectionError(f"the {what} was lost")

    async def _ask(self, *command: Any) -> Any:
        about = str(command[1] if command[0] == "FCALL" else command[0])
        if about == "tidemill_1_expire":
            await self._dawdle()
        await step()
        self._lose("request", 0.25, about)
        answer = self._wire.ask(*command)
        self._saw(command, answer)
        await step()
        self._lose("reply", 1.0, about)
        return answer

    async def _dawdle(self) -> None:
        """Take time between a look and what follows from it: what was seen may be long ago by then."""
        schedule = self._schedule
        schedule.owed += 1
        try:
            if schedule.rng.random() < 0.5:
                await wait(until=schedule.now + schedule.rng.random() * 60)
        finally:
            schedule.owed -= 1

    async def fcall(self, name: str, keys: int, *arguments: Any) -> Any:
        """Call a function."""
        return await self._ask("FCALL", name, keys, *arguments)

    async def set(self, key: str, value: bytes) -> Any:
        """Set a key."""
        return await self._ask("SET", key, value)

    async def get(self, key: str) -> Any:
        """Read a key."""
        return await self._ask("GET", key)

    async def mget(self, keys: Sequence[str]) -> Any:
        """Read keys."""
        return await self._ask("MGET", *keys)

    def pipeline(self, transaction: bool) -> Pipe:
        """Return what collects commands; there are no transactions here."""
        assert not transaction
        return Pipe(self._ask)

    async def blpop(self, keys: Sequence[str], timeout: float) -> Any:  # noqa: ASYNC109
        """Wait for an element of a list and take it. That may have been done when the reply is lost."""
        over = self._schedule.now + timeout
        while True:
            await wait(keys[0], over)
            taken = self._wire.ask("LPOP", keys[0])
            if taken is not None:
                await step()
                self._lose("reply", 1.0, "BLPOP")
                return [keys[0], taken]
            if self._schedule.now >= over:
                return None

    async def blmove(self, key: str, other: str, timeout: float, *sides: str) -> Any:  # noqa: ASYNC109
        """Wait until a list has an element, which stays where it is."""
        assert key == other and sides == ("LEFT", "LEFT")
        over = self._schedule.now + timeout
        while True:
            await wait(key, over)
            there = self._wire.ask("LMOVE", key, key, *sides)
            if there is not None or self._schedule.now >= over:
                return there


class Pipe:
    """Commands that go one after the other."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask
        self._commands: list[tuple[Any, ...]] = []

    async def __aenter__(self) -> Pipe:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def execute_command(self, *command: Any) -> None:
        """Take a command along."""
        self._commands.append(command)

    async def execute(self) -> list[Any]:
        """Return what each answers."""
        return [await self._ask(*command) for command in self._commands]
