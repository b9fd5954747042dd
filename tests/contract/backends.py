"""The backends that the contract suite runs against: the one place that knows them by name.

A backend joins by a factory in `FACTORIES`. The factory is an async context manager that takes a `Clock` and, if the
backend can be told in which order to lease, ``choose``; it yields a `Subject`. Everything else in this folder talks
to the `Backend` protocol alone.
"""

import gc
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from tests.contract.clock import Clock
from tidemill.backends.memory.backend import MemoryBackend
from tidemill.backends.memory.context import MemoryContext
from tidemill.engine.parameters import DELAYED, DISPATCHED, LEASED, TAKEN, ParameterSet
from tidemill.networks.backend import Backend

__all__ = ["FACTORIES", "Factory", "Subject"]

Choose = Callable[[int], int] | None


@dataclass(frozen=True)
class Subject:
    """A backend under test.

    ``check`` looks inside for what must hold between any two steps, given every parameter set that was ever leased;
    ``left`` counts what the backend still keeps of contexts that have ended and been asked for; ``refused`` counts the
    reports that it did not take.
    """

    backend: Backend
    check: Callable[[Iterable[ParameterSet]], None]
    left: Callable[[], int]
    refused: Callable[[], int]


class Factory(Protocol):
    """Makes a backend for one test."""

    def __call__(self, clock: Clock, choose: Choose = None) -> AbstractAsyncContextManager[Subject]: ...


@asynccontextmanager
async def memory(clock: Clock, choose: Choose = None) -> AsyncIterator[Subject]:
    """The engine in this process."""
    backend = MemoryBackend(choose=choose, later=clock.later, lineage=True)
    yield Subject(
        backend=backend,
        check=lambda seen: check_memory(backend, seen),
        left=lambda: contexts_in_memory(backend),
        refused=lambda: backend.implementations.refused,
    )


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


FACTORIES: dict[str, Factory] = {"memory": memory}
