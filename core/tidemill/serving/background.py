"""Contexts that are answered with an id: in memory they are kept here, over a store they are in the store.

Over a store a context outlives this process, and any process that serves over the same store can be asked for it.
Neighbours: `flows` (which runs), `orchestrator.submitting`, `backends.redis.endings`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tidemill.errors import ContextClosed, DuplicateContext, StoreUnavailable
from tidemill.formats.inputs import InputSet
from tidemill.model.context import StringInputSetContext
from tidemill.orchestrator.input_sets import closing
from tidemill.orchestrator.outcome import Outcome
from tidemill.orchestrator.running import outcome_of
from tidemill.serving.flows import ServedFlow, named_sets
from tidemill.serving.limits import ServingLimits

if TYPE_CHECKING:
    from tidemill.backends.redis.backend import RedisBackend

__all__ = ["Background", "MemoryBackground", "StoreBackground", "store_background"]

KEPT = 10_000
"""Results that are kept in memory; of more, those that ended first are forgotten."""

PATIENCE = 10.0
"""Seconds that the store has to say what it knows."""

_ID = re.compile(r"http-[0-9a-f]{32}\.\d{1,9}")


class Background(Protocol):
    """Where contexts are that nobody waits for."""

    async def begin(self, flow: ServedFlow, sets: Sequence[InputSet], key: str = "") -> dict[str, str]:
        """Open contexts, and return their ids by their names; raises what `ServedFlow.run` does.

        The same sets with the same ``key`` are opened once, as long as what became of them is known.
        """
        ...

    async def look(self, ident: str, seconds: float) -> Outcome | None:
        """Return what became of a context, or None if it has not ended in that time.

        Raises `ContextClosed` (RunGone) for an id that is none, or whose result has been forgotten.
        """
        ...


def _gone(ident: str) -> ContextClosed:
    said = "there is no such context: it was never opened here, or its result has been forgotten"
    return ContextClosed(said, reason="RunGone", path=f"/contexts/{ident[:80]}")


class MemoryBackground:
    """Contexts of this process; their results are kept for a while."""

    def __init__(self, limits: ServingLimits) -> None:
        self._limits = limits
        self._ends: dict[str, asyncio.Future[Outcome]] = {}
        self._ended: dict[str, None] = {}  # in the order in which they ended

    async def begin(self, flow: ServedFlow, sets: Sequence[InputSet], key: str = "") -> dict[str, str]:
        """Open contexts, and return their ids by their names."""
        named = named_sets(sets, key)
        new = {name: each for name, each in named.items() if name not in self._ends}
        if new:
            flow.begun(lambda: self._collect(flow, new), len(new))
        for name in new:
            self._ends[name] = asyncio.get_running_loop().create_future()
        return {each.name: name for name, each in named.items()}

    async def _collect(self, flow: ServedFlow, named: dict[str, InputSet]) -> None:
        left = set(named)
        try:
            async with closing(flow.outcomes(named)) as outcomes:
                async for name, outcome in outcomes:
                    left.discard(name)
                    self._keep(name, outcome)
        finally:
            for name in left:  # the process ends, or the store is away: nobody will know any more
                self._forget(name)

    def _keep(self, name: str, outcome: Outcome) -> None:
        self._ends[name].set_result(outcome)
        self._ended[name] = None
        while len(self._ended) > KEPT:
            self._forget(next(iter(self._ended)))
        asyncio.get_running_loop().call_later(self._limits.retention, self._forget, name)

    def _forget(self, name: str) -> None:
        self._ended.pop(name, None)
        if (future := self._ends.pop(name, None)) is not None:
            future.cancel()

    async def look(self, ident: str, seconds: float) -> Outcome | None:
        """Return what became of a context, or None if it has not ended in that time."""
        future = self._ends.get(ident)
        if future is None:
            raise _gone(ident)
        await asyncio.wait({future}, timeout=seconds)
        if future.cancelled():
            raise _gone(ident)
        return future.result() if future.done() else None


@contextlib.contextmanager
def _patient() -> Iterator[None]:
    """Have a store that does not answer in time be said as that."""
    try:
        yield
    except TimeoutError:
        said = f"the store has not answered within {PATIENCE:g} s; what was last asked of it may be done or not"
        raise StoreUnavailable(said) from None


class StoreBackground:
    """Contexts in a store, opened without anybody to be told of their ends."""

    def __init__(self, backend: RedisBackend, shown: str) -> None:
        self._backend = backend
        self._shown = shown

    async def begin(self, flow: ServedFlow, sets: Sequence[InputSet], key: str = "") -> dict[str, str]:
        """Open contexts, and return their ids by their names when the store has them."""
        from tidemill.backends.redis.refusals import named as errors_named

        named = named_sets(sets, key)
        flow.ready()
        with errors_named(self._shown), _patient():
            async with asyncio.timeout(PATIENCE):
                while True:
                    try:
                        await self._open(flow, named, known=await self._known(named) if key else frozenset())
                        break
                    except DuplicateContext:  # the same request is being answered beside this one
                        if not key:
                            raise
        return {each.name: name for name, each in named.items()}

    async def _known(self, names: Iterable[str]) -> frozenset[str]:
        from tidemill.backends.redis.endings import GONE

        return frozenset([name async for name, raw in self._backend.endings.look(names) if raw != GONE])

    async def _open(self, flow: ServedFlow, named: Mapping[str, InputSet], known: frozenset[str]) -> None:
        from tidemill.orchestrator.submitting import submit

        inputs: Mapping[str, Any] = {name: each.inputs for name, each in named.items() if name not in known}
        if inputs:
            async with closing(submit(self._backend, flow.channel.dataflow, inputs)) as names:
                async for _ in names:
                    pass

    async def look(self, ident: str, seconds: float) -> Outcome | None:
        """Return what became of a context, or None if it has not ended in that time."""
        from tidemill.backends.redis.endings import GONE, OPEN
        from tidemill.backends.redis.refusals import named as errors_named

        if not _ID.fullmatch(ident):  # names that others gave are not for whoever can guess them
            raise _gone(ident)
        with errors_named(self._shown), _patient():
            raw = await self._asked(ident, seconds)
            if raw == GONE:
                raise _gone(ident)
            if raw == OPEN:
                return None
            _, ending = await self._backend.ending_read(raw)
        return outcome_of(ending, StringInputSetContext(ident))

    async def _asked(self, ident: str, seconds: float) -> bytes:
        from tidemill.backends.redis.endings import OPEN

        endings = self._backend.endings
        async with asyncio.timeout(PATIENCE):
            raw = [raw async for _, raw in endings.look([ident])][0]
        if raw != OPEN or seconds <= 0:
            return raw
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), closing(endings.wait([ident])) as answers:
                async for _, raw in answers:
                    return raw
        return OPEN


@contextlib.asynccontextmanager
async def store_background(
    url: str, shown: str, *, durability: str, retention: float, prefix: str = "tm"
) -> AsyncIterator[StoreBackground]:
    """Give what opens contexts in the store at ``url``, whose endings are kept for ``retention`` seconds."""
    from tidemill.backends.redis.session import session

    async with session(url, durability=durability, prefix=prefix, silent=True, retention=retention) as backend:
        yield StoreBackground(backend, shown)
