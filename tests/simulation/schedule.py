"""Who moves next: processes whose coroutines go on one step at a time, in an order that one number decides.

There is no event loop. A coroutine stops where it waits for a reply, for a bell or for a time, and goes on when it is
its turn; or never, when its process has died meanwhile. Time is virtual, and the same for everybody.
"""

from __future__ import annotations

import asyncio
import types
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from redis.exceptions import ConnectionError

__all__ = ["Actor", "Process", "Schedule", "Waits", "again", "step", "wait"]

Thing = TypeVar("Thing")

NEVER = float("inf")


@dataclass(frozen=True)
class Waits:
    """A coroutine waits for a list of the store to have something, or for a time."""

    key: str = ""
    until: float = NEVER


@types.coroutine
def step() -> Generator[Any, Any, None]:
    """Let others move."""
    yield None


@types.coroutine
def wait(key: str = "", until: float = NEVER) -> Generator[Any, Any, None]:
    """Wait for a key, or for a time."""
    yield Waits(key, until)


async def again(call: Callable[[], Awaitable[Thing]]) -> Thing:
    """Make a call that may be repeated until its reply has come."""
    while True:
        try:
            return await call()
        except ConnectionError:
            await step()


@dataclass(eq=False)
class Process:
    """What dies as one. ``paused`` is the time at which it goes on."""

    name: str
    actors: list[Actor] = field(default_factory=list)
    paused: float = 0.0
    dead: bool = False


class Actor:
    """One coroutine of a process."""

    def __init__(self, name: str, process: Process, run: Coroutine[Any, Any, None]) -> None:
        self.name = name
        self.process = process
        self.waits: Waits | None = None
        self.future: Any = None
        self.sleeps = False
        self.run = run
        self.within: Coroutine[Any, Any, Any] | None = None
        self.over = False

    def is_ready(self, now: float) -> bool:
        """Say whether it can move without looking at the store."""
        goes_on = self.future is None or self.sleeps or self.future.done()
        return goes_on and self.process.paused <= now and (self.waits is None or self.waits.until <= now)


class Loop:
    """As much of an event loop as `asyncio.sleep`, futures and tasks need. Whoever sleeps goes on when it is its turn,
    and a task is one more coroutine of the process that has made it."""

    def __init__(self, start: Callable[[Coroutine[Any, Any, None]], Actor]) -> None:
        self.timers: dict[Any, Callable[[], None]] = {}
        self._start = start

    def create_task(self, run: Coroutine[Any, Any, Any], **_: Any) -> asyncio.Future[Any]:
        """Let a coroutine move beside the one that calls this."""
        task = self.create_future()

        async def to_its_end() -> None:
            try:
                result = await run
            except Exception as error:
                task.set_exception(error)
            else:
                task.set_result(result)

        self._start(to_its_end()).within = run
        return task

    def call_soon(self, call: Callable[..., None], *arguments: Any, context: Any = None) -> None:
        """Call what has been waiting for a future."""
        call(*arguments)

    def call_exception_handler(self, about: dict[str, Any]) -> None:
        """Hear of an error that nobody has asked for; whoever is killed leaves some."""

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)  # type: ignore[arg-type]

    def get_debug(self) -> bool:
        """Say that nothing is to be looked at more closely."""
        return False

    def call_later(self, _: float, call: Callable[..., None], future: Any, result: Any) -> Any:
        """Keep what ends a sleep."""
        self.timers[future] = lambda: call(future, result)
        return types.SimpleNamespace(cancel=lambda: self.timers.pop(future, None))


class Schedule:
    """All coroutines there are. ``exists`` says which of some keys the store has; ``owed`` counts what has to
    be done before the world ends."""

    def __init__(self, rng: Random, exists: Callable[[list[str]], list[bool]]) -> None:
        self.rng = rng
        self.now = 0.0
        self.steps = 0
        self.owed = 0
        self.actors: list[Actor] = []
        self.events: deque[tuple[Any, ...]] = deque(maxlen=20)
        self.faults: Counter[str] = Counter()
        self.loop = Loop(self._beside)
        self._moving: Actor | None = None
        self._exists = exists

    def said(self, *event: Any) -> None:
        """Remember an event."""
        self.events.append((self.steps, round(self.now, 2), *event))

    def fault(self, kind: str, *event: Any) -> None:
        """Count a fault, and remember it."""
        self.faults[kind] += 1
        self.said(kind, *event)

    def start(self, process: Process, name: str, run: Coroutine[Any, Any, None]) -> Actor:
        """Let a coroutine of a process move from now on."""
        actor = Actor(name, process, run)
        process.actors.append(actor)
        self.actors.append(actor)
        return actor

    def kill(self, process: Process) -> None:
        """End a process where it stands."""
        process.dead = True
        for actor in list(process.actors):
            self.end(actor)

    def end(self, actor: Actor) -> None:
        """End one coroutine where it stands."""
        if not actor.over:
            actor.over = True
            self.actors.remove(actor)
            actor.process.actors.remove(actor)
            actor.run.close()
            if actor.within is not None:  # it has not begun yet
                actor.within.close()

    # -- moves ------------------------------------------------------------------------------------------------------

    def move(self) -> None:
        """Let somebody move, or let time pass if nobody can. Raises what goes wrong in them."""
        self.steps += 1
        rng = self.rng
        ready = [actor for actor in self.actors if actor.is_ready(self.now)]
        if not ready or rng.random() < 0.1:
            ready = self._rung() or ready
        if ready:
            self.now += rng.random() * 0.02
            self._move(ready[rng.randrange(len(ready))])
        else:
            self.pass_time()

    def _rung(self) -> list[Actor]:
        """Return those that wait for something which has come."""
        waiting = [a for a in self.actors if a.waits is not None and a.waits.key and a.process.paused <= self.now]
        if not waiting:
            return []
        found = self._exists([actor.waits.key for actor in waiting if actor.waits is not None])
        return [actor for actor, there in zip(waiting, found, strict=True) if there]

    def pass_time(self) -> None:
        """Wind the clock on to when something can happen next."""
        times = [
            max(a.process.paused, a.waits.until if a.waits is not None else 0.0)
            for a in self.actors
            if a.future is None or a.sleeps or a.future.done()
        ]
        soonest = min(times, default=NEVER)
        assert soonest < NEVER, "everybody waits for something that nobody will do"
        self.now = max(self.now, soonest)

    def _move(self, actor: Actor) -> None:
        actor.waits = None
        if actor.sleeps:
            self.loop.timers[actor.future]()
        actor.future, actor.sleeps = None, False
        self._moving = actor
        try:
            said = actor.run.send(None)
        except StopIteration:
            self.end(actor)
            return
        if isinstance(said, Waits):
            actor.waits = said
        elif said is not None:
            actor.future, actor.sleeps = said, said in self.loop.timers

    def _beside(self, run: Coroutine[Any, Any, None]) -> Actor:
        """Start a task of the process that moves now."""
        assert self._moving is not None
        return self.start(self._moving.process, f"{self._moving.name}'s", run)
