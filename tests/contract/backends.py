"""The backends that the contract suite runs against: the one place that knows them by name.

A backend joins by a factory in `FACTORIES`. The factory is an async context manager that takes a `Clock` and, if the
backend can be told in which order to lease, ``choose``; it yields a `Subject`. Everything else in this folder talks
to the `Backend` protocol alone.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial

from tests.backends.redis.stores import program_of, store
from tests.contract.clock import Clock
from tests.contract.subject import Choose, Factory, Subject
from tidemill.backends.memory.backend import MemoryBackend
from tidemill.backends.memory.context import MemoryContext
from tidemill.engine.inputs import Item
from tidemill.engine.parameters import DELAYED, DISPATCHED, LEASED, TAKEN, ParameterSet

__all__ = ["FACTORIES", "FLOWS", "Factory", "Subject", "factory_of"]


@asynccontextmanager
async def memory(clock: Clock, choose: Choose = None) -> AsyncIterator[Subject]:
    """The engine in this process."""

    async def above(one: ParameterSet) -> tuple[Item, ...]:
        return one.items

    backend = MemoryBackend(choose=choose, later=clock.later, lineage=True)
    yield Subject(
        backend=backend,
        check=lambda seen: check_memory(backend, seen),
        left=lambda: contexts_in_memory(backend),
        refused=lambda: backend.implementations.refused,
        existing=parameter_sets_in_memory,
        above=above,
        hears=lambda: asyncio.sleep(0),
        keeps_objects=True,
    )


def parameter_sets_in_memory() -> int:
    """Count the parameter sets that exist in this process."""
    gc.collect()
    return sum(1 for thing in gc.get_objects() if type(thing) is ParameterSet)


def contexts_in_memory(backend: MemoryBackend) -> int:
    """Count the contexts of this backend that anything still refers to."""
    gc.collect()
    bound = list(backend.operations._bound.values())
    return sum(1 for thing in gc.get_objects() if type(thing) is MemoryContext and thing.bound in bound)


def check_memory(backend: MemoryBackend, seen: Iterable[ParameterSet]) -> None:
    """Compare the counter ``open`` of each context with everything that can be found of it."""
    network = backend.implementations
    ready = [*network.ready._waiting, *(one for parked in network._parked.values() for one in parked)]
    delayed = [one for one in seen if one.state is DELAYED]
    for context in list(backend._contexts.values()):
        if context.stage is None and context.failed_stage is None:
            continue
        leased = [one for one in network.leased_of(context) if one.state is LEASED]
        assert len(leased) == context.leased, f"{context.name}: {context.leased} leased, but found {leased}"
        found = len(leased) + len(context.parents)
        stage = context.stage
        if stage is not None:
            queues = context.queues._queues.values()
            waiting = {
                id(one): one for queue in queues for one in queue if one.state is TAKEN and one.operation.stage is stage
            }
            found += len(context.boxes) + len(waiting)
            found += sum(
                1
                for one in ready
                if one.context is context and one.state is DISPATCHED and one.operation.stage is stage
            )
            found += sum(1 for one in delayed if one.context is context and one.operation.stage is stage)
        assert found == context.open, f"{context.name}: open is {context.open}, but found {found}"


FACTORIES: dict[str, Factory] = {
    "memory": memory,
    "redis": partial(store, "redis"),
    "valkey": partial(store, "valkey"),
}

FLOWS = {"memory": (2000, 2), "redis": (400, 1), "valkey": (400, 1)}
"""How many random data flows each is tried with, and in how many orders: a step of a store costs a round trip."""


def factory_of(name: str) -> Factory:
    """Return the factory of a backend; skip what asks for one whose server this machine has not."""
    if name in ("redis", "valkey"):
        program_of(name)
    return FACTORIES[name]
