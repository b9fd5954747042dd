"""A backend: the five networks, and the contexts they work on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tidemill.engine.lineage import LineageRecord
from tidemill.errors import OperationFailure
from tidemill.journal.event import Event
from tidemill.model.input import Input
from tidemill.networks.implementations import OperationImplementationNetwork
from tidemill.networks.inputs import InputNetwork
from tidemill.networks.locks import LockNetwork
from tidemill.networks.operations import OperationNetwork
from tidemill.networks.redundancy import RedundancyChecker
from tidemill.plan.plan import Plan

__all__ = ["Backend", "Counts", "Ending"]


@dataclass(slots=True)
class Counts:
    """How many parameter sets of an operation have been taken, dispatched, leased, completed, failed for good, and
    tried again; leases are counted, not sets, so ``leased`` grows with every try."""

    taken: int = 0
    dispatched: int = 0
    leased: int = 0
    completed: int = 0
    failed: int = 0
    retried: int = 0


@dataclass(slots=True)
class Ending:
    """What became of a context. ``result`` is None exactly when ``failure`` says why it failed; ``failures`` are those
    that it survived, because it was not strict."""

    context: str
    result: dict[str, Any] | None
    failure: OperationFailure | None
    failures: tuple[OperationFailure, ...] = ()
    notes: tuple[str, ...] = ()
    inputs: int = 0
    parameter_sets: int = 0
    lineage: Callable[[], list[LineageRecord]] = field(default=list)


class Backend(Protocol):
    """Keeps contexts and runs them to their end. All verbs may be repeated; each is one atomic step."""

    @property
    def inputs(self) -> InputNetwork:
        """All inputs, by context."""
        ...

    @property
    def operations(self) -> OperationNetwork:
        """The operations, and whom an input concerns."""
        ...

    @property
    def implementations(self) -> OperationImplementationNetwork:
        """Where workers get parameter sets from."""
        ...

    @property
    def redundancy(self) -> RedundancyChecker:
        """What has been taken."""
        ...

    @property
    def locks(self) -> LockNetwork:
        """Who may use what."""
        ...

    async def open(
        self, context: str, plan: Plan, inputs: Sequence[Input], *, strict: bool = True, hold: bool = False
    ) -> None:
        """Open a context with its first inputs. ``hold`` keeps its intake open until `close`: it does not go quiet
        before.

        Raises `DuplicateContext`, and `InvalidInput` for an input that is refused; nothing is opened then.
        """
        ...

    async def add(self, context: str, inputs: Sequence[Input]) -> int:
        """Add inputs to a context that lives and return how many were new.

        Adding is all or nothing: when one input of a batch is refused, nothing of it is stored. An input with a uid
        that the context knows is not added again. Raises `InvalidInput` for a value that its definition does not
        allow, `ContextClosed` when it is too late.
        """
        ...

    async def close(self, context: str) -> None:
        """Take no more inputs for a context."""
        ...

    async def cancel(self, context: str) -> None:
        """Drop the work of a context, clean up, and end it as failed with the reason Cancelled."""
        ...

    async def ending(self, context: str) -> Ending:
        """Wait for the end of a context, forget it, and return what became of it.

        Raises `ContextClosed` for a context that is not known.
        """
        ...

    def journal(self, context: str, *, after: int = 0, follow: bool = False) -> AsyncGenerator[Event, None]:
        """Yield the events of a context, in their order, that come after the one with this id; with ``follow`` also
        those that are still to happen, to the end of the context.

        Of a context with more events than the journal keeps, the first one that is yielded says what was cut off.
        Raises `ContextClosed` (NoJournal) for a context that is not known or was opened without a journal.
        """
        ...
