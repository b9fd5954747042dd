"""What becomes of a report: completions, emissions, failures, lost workers, child contexts.

Everything that follows from one report happens here in one step; a report from a worker that does not hold the lease is
refused and counted. Neighbours: `networks.implementations` (the reports), `engine.implementations` (what they mean).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tidemill.backends.memory.children import Children
from tidemill.backends.memory.flowing import Exceeded, Flowing
from tidemill.backends.memory.implementations import MemoryOperationImplementationNetwork
from tidemill.backends.memory.locks import MemoryLockNetwork
from tidemill.backends.memory.stages import Stages
from tidemill.engine.implementations import MAX_LOST, Refused, given_by, result_of_call, retry_after
from tidemill.engine.parameters import COMPLETED, DELAYED, DROPPED, TAKEN, ParameterSet
from tidemill.errors import OperationFailure
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Completed, Emitted, Failed, Lost, Released, Report, Subflow

__all__ = ["Settling"]


class Settling:
    """Settles reports."""

    implementations: MemoryOperationImplementationNetwork  # set when the backend is put together

    def __init__(
        self,
        flowing: Flowing,
        stages: Stages,
        locks: MemoryLockNetwork,
        later: Callable[[float, Callable[[], None]], object],
        children: Children,
    ) -> None:
        self._flowing = flowing
        self._stages = stages
        self._locks = locks
        self._later = later
        self._children = children
        self._by_kind: dict[type, Callable[[Any], None]] = {
            Completed: self._completed,
            Emitted: self._emitted,
            Failed: self._failed,
            Lost: self._lost,
            Released: self._released,
            Subflow: self._subflow,
        }

    def settle(self, worker: str, report: Report) -> None:
        """Settle one report of a worker."""
        if self.implementations.holds(worker, report):
            self._by_kind[type(report)](report)

    # -- what is reported -------------------------------------------------------------------------------------------

    def _completed(self, report: Completed) -> None:
        parameter_set = report.parameter_set
        context = parameter_set.context
        if report.notes:
            context.notes.extend(report.notes)
        if self._stored(parameter_set, report.returned, parameter_set.emitted):
            context.bound.counts[parameter_set.operation.index].completed += 1
            self._finish(parameter_set, COMPLETED)

    def _emitted(self, report: Emitted) -> None:
        parameter_set = report.parameter_set
        if report.emission == parameter_set.emitted:  # of a further try, what is stored already is not stored again
            # One that gives nothing counts too: a generator must not go on for ever.
            if self._stored(parameter_set, report.returned, report.emission, least=1):
                parameter_set.emitted += 1

    def _stored(self, parameter_set: ParameterSet, returned: Any, emission: int, least: int = 0) -> bool:
        """Store what an operation gave; say whether it was accepted. If not, its failure has been settled."""
        context, operation = parameter_set.context, parameter_set.operation
        try:
            if operation.stage is Stage.OUTPUT:
                context.results.append((parameter_set, result_of_call(operation, returned)))
                return True
            bound = context.bound
            limits = bound.plan.limits
            given = given_by(operation, returned, bound.output, limits, emission)
            if given or least:
                parameter_set.given += max(len(given), least)
                if limits.outputs is not None and parameter_set.given > limits.outputs:
                    said = f'"{operation.instance}" has given more than {limits.outputs} inputs, the limit outputs'
                    raise Refused("EmitLimitExceeded" if emission else "TooManyItems", said)
                self._flowing.outputs(context, given, parameter_set.items)
            return True
        except Refused as refused:
            self._try_again_or_fail(parameter_set, _failure(parameter_set, refused.reason, refused.message))
        except Exceeded as exceeded:
            self._exceeded(parameter_set, exceeded)
        return False

    def _exceeded(self, parameter_set: ParameterSet, exceeded: Exceeded) -> None:
        context = parameter_set.context
        self._leave(parameter_set, DROPPED)
        context.open -= 1
        self._stages.fail(context, OperationFailure(exceeded.reason, exceeded.message, context=context.name))

    def _failed(self, report: Failed) -> None:
        self._try_again_or_fail(report.parameter_set, report.failure)

    def _lost(self, report: Lost) -> None:
        self._lose(report.parameter_set, report.message)

    def lose(self, worker: str) -> int:
        """Take back what a worker held that has vanished."""
        held = self.implementations.held_by(worker)
        for parameter_set in held:
            self._lose(parameter_set, f"the worker {worker} vanished")
        return len(held)

    def _lose(self, parameter_set: ParameterSet, message: str) -> None:
        parameter_set.lost += 1
        if parameter_set.lost < MAX_LOST:
            self._again(parameter_set)
            return
        said = f"{MAX_LOST} workers vanished with it, so it is held to be the cause; the last one: {message}"
        self._fail(parameter_set, _failure(parameter_set, "Poisonous", said))

    def _released(self, report: Released) -> None:
        self._again(report.parameter_set)

    # -- what follows -----------------------------------------------------------------------------------------------

    def _leave(self, parameter_set: ParameterSet, state: str) -> None:
        """End the lease and give the locks back."""
        self.implementations.end(parameter_set)
        parameter_set.state = state
        if parameter_set.locks:
            for other in self._locks.release(parameter_set):
                self.implementations.dispatch(other)

    def _finish(self, parameter_set: ParameterSet, state: str) -> None:
        """Take a parameter set off the count, for good. Its outputs have been counted before."""
        context = parameter_set.context
        self._leave(parameter_set, state)
        context.open -= 1
        if context.holding or not context.open:
            self._stages.settle_if_quiet(context)

    def _again(self, parameter_set: ParameterSet) -> None:
        """Make a parameter set ready once more, behind the others that wait for its locks."""
        context = parameter_set.context
        self._leave(parameter_set, TAKEN)
        if context.stage is not parameter_set.operation.stage:  # dropped meanwhile
            parameter_set.state = DROPPED
            context.open -= 1
            self._stages.settle_if_quiet(context)
            return
        context.backlog += 1
        self._redispatch(parameter_set)

    def _redispatch(self, parameter_set: ParameterSet) -> None:
        if not parameter_set.locks or self._locks.acquire(parameter_set):
            self.implementations.dispatch(parameter_set)

    def _try_again_or_fail(self, parameter_set: ParameterSet, failure: OperationFailure) -> None:
        parameter_set.tries += 1
        context = parameter_set.context
        wait = retry_after(parameter_set)
        if wait is None:
            self._fail(parameter_set, failure)
            return
        if context.stage is not parameter_set.operation.stage:
            self._again(parameter_set)  # its context has failed: it is dropped, with the tries that it had left
            return
        context.bound.counts[parameter_set.operation.index].retried += 1
        if wait <= 0:
            self._again(parameter_set)
            return
        self._delay(parameter_set, wait)

    def _delay(self, parameter_set: ParameterSet, wait: float) -> None:
        self._leave(parameter_set, DELAYED)
        self._later(wait, lambda: self._due(parameter_set))

    def _subflow(self, report: Subflow) -> None:
        parameter_set = report.parameter_set
        if parameter_set.context.stage is not parameter_set.operation.stage:
            self._again(parameter_set)  # its context has failed: it is dropped, and opens nothing any more
            return
        problem = self._children.too_deep(parameter_set)
        if problem is not None:
            self._fail(parameter_set, _failure(parameter_set, "SubflowDepthExceeded", problem))
            return
        self.implementations.end(parameter_set)
        self._children.open(parameter_set, report.children)

    def _due(self, parameter_set: ParameterSet) -> None:
        context = parameter_set.context
        if parameter_set.state is DELAYED and context.stage is parameter_set.operation.stage:
            parameter_set.state = TAKEN
            context.backlog += 1
            self._redispatch(parameter_set)

    def _fail(self, parameter_set: ParameterSet, failure: OperationFailure) -> None:
        """Fail a parameter set for good, and its context with it if that is strict."""
        context = parameter_set.context
        context.bound.counts[parameter_set.operation.index].failed += 1
        if context.strict and context.failure is None:
            self._leave(parameter_set, COMPLETED)
            context.open -= 1
            self._stages.fail(context, failure)
            return
        context.failures.append(failure)
        self._finish(parameter_set, COMPLETED)


def _failure(parameter_set: ParameterSet, reason: str, message: str) -> OperationFailure:
    return OperationFailure(
        reason=reason,
        message=message,
        instance=parameter_set.operation.instance,
        operation=parameter_set.operation.name,
        inputs=parameter_set.arguments(),
        context=parameter_set.context.name,
    )
