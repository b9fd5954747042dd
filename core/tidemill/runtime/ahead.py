"""Running ahead: what follows for certain from what has just been completed is run at once, before it is leased, and
reported along with it. That saves a call of the store, and all that a lease costs, for each step of a chain.

Where nothing else of the context was open, the output stage comes next, and is run ahead, too: not for certain, as
somebody may add inputs meanwhile, so only by operations that do nothing but read (`only_reads`).

The store decides: what it does not make of the report does not count. So what was completed is never kept back for
what still runs; that is leased with the report then. Neighbours: `runtime.pump`, and `networks.implementations`, which
knows what follows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tidemill.engine.parameters import ParameterSet
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Completed, Released, RemoteNetwork, Report
from tidemill.plan.plan import PlannedOperation
from tidemill.runtime.prepare import Implementations

__all__ = ["AT_MOST", "SOON", "Ahead"]

AT_MOST = 4
"""Parameter sets that are run ahead of one lease."""
SOON = 0.01
"""Seconds after its lease within which a parameter set has to be over for others to be run ahead: a group that is
suspended, or a context that is cancelled, goes on for that long at most."""
KINDS = ("coroutine", "function")
"""How operations are called that may be run ahead: those that need nothing but their parameters."""


@dataclass(slots=True, eq=False)
class _Chain:
    """What is run ahead of one lease. ``ended`` is what became of its last one, which has to have a lease for that."""

    report: Completed
    began: float
    sent: bool = False
    ended: Report | None = None


class Ahead:
    """What one pump runs ahead. ``start`` has a parameter set called; `ended` is to be told what became of it.

    ``steps`` counts whatever happens here.
    """

    def __init__(
        self, network: RemoteNetwork, implementations: Implementations, start: Callable[[ParameterSet], None]
    ) -> None:
        self.steps = 0
        self._network = network
        self._prepared = implementations.prepared
        self._start = start
        self._chains: dict[ParameterSet, _Chain] = {}
        self._dropped: set[ParameterSet] = set()

    def has(self, one: ParameterSet) -> bool:
        """Say whether a parameter set is run here without a lease."""
        return one in self._chains or one in self._dropped

    def begin(self, report: Completed, began: float) -> None:
        """Run on from what was leased and called at ``began`` (`time.monotonic`), if anything follows."""
        one = report.parameter_set
        # Where it was lost before, the next one to be lost with its process must be known.
        if one.lost == 0 and one.operation.stage is Stage.PROCESSING and one.operation.outputs:
            self._go_on(_Chain(report, began), report)

    def _go_on(self, chain: _Chain, last: Completed) -> None:
        if time.monotonic() - chain.began > SOON or not self._network.seal(last):
            return
        one = self._network.following(last) if len(chain.report.ahead) < AT_MOST else None
        if one is not None:
            prepared = self._prepared.get(one.operation)
            fits = prepared is not None and prepared.kind in KINDS
        elif last.parameter_set.operation.stage is Stage.PROCESSING:
            one = self._network.closing(chain.report)
            fits = one is not None and self._only_reads(one.operation)
        if one is not None and fits:
            self._chains[one] = chain
            self.steps += 1
            self._start(one)

    def _only_reads(self, operation: PlannedOperation) -> bool:
        prepared = self._prepared.get(operation)
        return prepared is not None and type(prepared.implementation).CONTEXT.__dict__.get("only_reads", False)

    def ended(self, one: ParameterSet, report: Report) -> None:
        """Take what became of a parameter set that is run here without a lease."""
        self.steps += 1
        if one in self._dropped:
            self._dropped.discard(one)
            return
        chain = self._chains[one]
        if chain.sent:
            chain.ended = report
            return
        del self._chains[one]
        if isinstance(report, Completed) and self._network.seal(report):
            chain.report.ahead.append(report)
            self._go_on(chain, report)
        elif not isinstance(report, Released):
            chain.ended = report
            self._chains[one] = chain

    def sends(self, reports: Iterable[Report]) -> None:
        """Note that reports are on their way, each with what has been run ahead of it so far, and what still runs."""
        if self._chains:
            sent = {id(report) for report in reports}
            for one, chain in self._chains.items():
                if id(chain.report) in sent:
                    chain.sent = True
                    chain.report.ahead.append(one)

    def answered(self) -> Iterator[tuple[ParameterSet, Report | None]]:
        """Yield what runs or has ended of what was sent: with what became of it, which may be said now, or None for
        what must not go on, as it was not leased."""
        for one, chain in list(self._chains.items()):
            if not chain.sent:
                continue
            del self._chains[one]
            if one.worker is not None:
                if chain.ended is not None:
                    yield one, chain.ended
            elif chain.ended is None:
                self._dropped.add(one)
                yield one, None
