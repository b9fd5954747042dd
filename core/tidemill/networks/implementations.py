"""Operation implementation network: gets parameter sets run somewhere, and hears what became of them.

A worker calls `cycle` with what it has finished and with how many it can take. Whatever it reports is settled in one
step: outputs stored, combinations matched and checked for redundancy, locks taken, what is due dispatched, stages
moved on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tidemill.engine.parameters import ParameterSet
from tidemill.errors import OperationFailure
from tidemill.model.input import Input
from tidemill.plan.plan import Plan

__all__ = [
    "Child",
    "Completed",
    "Emitted",
    "Failed",
    "Fenced",
    "Lost",
    "OperationImplementationNetwork",
    "Released",
    "RemoteNetwork",
    "Report",
    "Subflow",
]


@dataclass(slots=True)
class Completed:
    """The operation has returned this mapping (or None). ``notes`` are remarks for the record of the run.

    ``ahead`` is what was run without a lease, each over the outputs of the one before: how it was completed, or, as the
    last, a parameter set that still runs. ``said`` is what a network has worked out of the report before it is sent.
    """

    parameter_set: ParameterSet
    returned: Any
    notes: Sequence[str] = ()
    lease: int = 0
    ahead: list[Completed | ParameterSet] = field(default_factory=list)
    said: Any = None


@dataclass(slots=True)
class Emitted:
    """A generator has yielded this mapping, its ``emission``-th (from 0). It still runs."""

    parameter_set: ParameterSet
    emission: int
    returned: Any
    lease: int = 0


@dataclass(slots=True)
class Failed:
    """This try has failed. Whether there is another one is not the worker's to decide."""

    parameter_set: ParameterSet
    failure: OperationFailure
    lease: int = 0


@dataclass(slots=True)
class Lost:
    """The process that ran it vanished: no failure of the operation, unless that happens again and again."""

    parameter_set: ParameterSet
    message: str
    lease: int = 0


@dataclass(slots=True)
class Released:
    """The worker hands it back without having tried."""

    parameter_set: ParameterSet
    lease: int = 0


@dataclass(slots=True)
class Child:
    """A child context to open: its name within its parent, its plan and its inputs."""

    name: str
    plan: Plan
    inputs: Sequence[Input]
    strict: bool = True


@dataclass(slots=True)
class Subflow:
    """The operation runs data flows: it waits for these child contexts, without a worker. When they have all ended it
    is dispatched again, with their endings in ``children``."""

    parameter_set: ParameterSet
    children: Sequence[Child]
    lease: int = 0


class Fenced(Exception):
    """A worker is held to be dead: what it held has gone to others, and whatever it says is refused from now on."""


Report = Completed | Emitted | Failed | Lost | Released | Subflow


class OperationImplementationNetwork(Protocol):
    """Dispatches parameter sets to workers. A report from one that does not hold the lease any more is refused."""

    async def cycle(self, worker: str, reports: Sequence[Report], want: int) -> Sequence[ParameterSet]:
        """Settle ``reports`` and lease up to ``want`` parameter sets to ``worker``, oldest first."""
        ...

    def listen(self, worker: str, ready: Callable[[], None]) -> None:
        """Call ``ready`` after work has become ready for a worker whose last cycle returned less than it wanted."""
        ...

    async def lose(self, worker: str) -> int:
        """Take everything back that a vanished worker held, and return how much it was."""
        ...


class RemoteNetwork(Protocol):
    """The same, as a process uses it that shares a store with others."""

    async def exchange(
        self, worker: str, reports: Sequence[Report], want: int, nonce: bytes
    ) -> tuple[Sequence[ParameterSet], float | None]:
        """Settle ``reports`` and lease up to ``want`` parameter sets; return them, and the seconds until a delayed one
        is due (None: there is none).

        A call whose reply is lost is repeated, with the same ``nonce``, until the store has answered: it gets the same
        answer, and nothing is settled twice. What a report says to run still, ahead of its lease, has a `worker` and
        the number of its lease afterwards; where it has not, it is not to go on. Raises `Fenced`.
        """
        ...

    def seal(self, report: Completed) -> bool:
        """Work out what is sent of a report; say whether that is what was returned, and not that it cannot be taken."""
        ...

    def following(self, report: Completed) -> ParameterSet | None:
        """Return the parameter set that a report, sealed, is certain to make, which may be run ahead of a lease."""
        ...

    def closing(self, report: Completed) -> ParameterSet | None:
        """Return the parameter set of the output stage that comes after a report, sealed, and all that was run ahead of
        it, unless something else of its context is open by then; it reads what there is then. None: there is none."""
        ...

    async def rung(self, worker: str) -> bool:
        """Wait a while for the bell of a worker that got less than it wanted; say whether there may be work now."""
        ...
