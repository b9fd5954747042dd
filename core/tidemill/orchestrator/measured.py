"""What everybody measures of a run over a store: the record of that run, not only of the process that opened it.

A store adds up by data flow what workers tell it, from all runs of two weeks. So the window of a record is from `begin`
to `read`: what the store has more in the end, of the data flow and of those that it runs. Neighbours:
`backends.redis.measures` reads sums, `orchestrator.redis` knows what was completed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.measures import EVERY, RedisMeasures
from tidemill.errors import TidemillError
from tidemill.metrics.measured import ENDED
from tidemill.metrics.series import Recorder
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan
from tidemill.runtime.find import find_implementation
from tidemill.runtime.flows import FlowImplementation
from tidemill.runtime.measuring import short

__all__ = ["StoreWindow", "family"]

LATE = 6 * EVERY
"""Seconds at most that are waited in the end for workers to tell the store what they have measured: they do it now and
then, and one that has died never does."""
LOOK = 0.1
"""Seconds between two looks whether they have."""


def family(plan: Plan) -> Iterator[Plan]:
    """Yield a plan, and those of the data flows that its operations run, as far as their code is known here."""
    yield plan
    for operation in plan.operations:
        try:
            implementation = find_implementation(operation.operation, plan.implementations)
            if not issubclass(implementation, FlowImplementation):
                continue
            made = type(implementation.__name__, (implementation,), {"op": operation.operation})
            flows = made(plan.configs.get(operation.instance)).dataflows()
        except TidemillError:
            continue
        for flow in flows:
            yield from family(compile_plan(flow))


class StoreWindow:
    """What a store measures of a plan and of those below it, whoever runs them, from `begin` on."""

    def __init__(self, backend: RedisBackend, plan: Plan) -> None:
        self._backend = backend
        self._measures = RedisMeasures(backend.client)
        self._plans = {each.digest: each for each in family(plan)}
        self._before: dict[str, dict[str, str]] = {}
        self._before_that = 0

    async def begin(self) -> None:
        """Take note of what is there already. Raises `StoreError`."""
        self._before = {name: await self._measures.numbers(name) for name in map(short, self._plans)}
        self._before_that = await self._completed()

    async def read(self, own: Recorder, *, patient: bool) -> Recorder:
        """Return what was measured since, and of ``own`` what is about nothing that the store measures here.

        ``patient``: wait for workers that have completed something and not yet told of it. Raises `StoreError`.
        """
        found = await self._measures.since(self._before)
        deadline = time.monotonic() + (LATE if patient else 0)
        while _told(found) < await self._completed() - self._before_that and time.monotonic() < deadline:
            await asyncio.sleep(LOOK)
            found = await self._measures.since(self._before)
        found.merge(Recorder.of([one for one in own.plain() if one["dataflow"] not in self._before]).take())
        return found

    async def _completed(self) -> int:
        """Return how many parameter sets have been completed, by the counters of the store."""
        counts = [await self._backend.counts(plan) for plan in self._plans.values()]
        return sum(one.completed for each in counts for one in each.values())


def _told(found: Recorder) -> int:
    """Return how many calls have been told of that have completed something."""
    ended = [one for _, one in found if one.kind.name == ENDED.name and one.values == ("completed",)]
    return sum(int(one.value) for one in ended)
