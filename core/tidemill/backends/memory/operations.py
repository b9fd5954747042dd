"""Operation network in memory: a plan bound to its channels, shared by all contexts that run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tidemill.engine.inputs import Item
from tidemill.engine.operations import Channel, Channels, Check, exact
from tidemill.model.definition import Definition
from tidemill.model.input import Origin
from tidemill.model.operation import Stage
from tidemill.networks.backend import Counts
from tidemill.plan.plan import Plan, PlannedOperation

__all__ = ["Bound", "CheckOf", "MemoryOperationNetwork"]

CheckOf = Callable[[Definition], Check | None]


class Bound:
    """A plan with what its contexts share: channels, counters, and which operations a stage starts with."""

    def __init__(self, plan: Plan, check_of: CheckOf) -> None:
        self.plan = plan
        self.channels = Channels(plan, check_of)
        self.counts = [Counts() for _ in plan.operations]
        ungated = [op for op in plan.operations if not op.gate]
        self.active_at_start = frozenset(op.index for op in ungated if op.stage is Stage.PROCESSING)
        self.autostart = tuple(op for op in ungated if op.stage is Stage.PROCESSING and not op.parameters)
        self.has_defaults = any(p.has_default for op in plan.operations for p in op.parameters)
        self.forwards = any(op.forwards for op in plan.operations)
        self.seeds: tuple[Any, ...] | None = None  # the plan's own inputs, checked, for every context to start with
        self.opened = {strict: ("opened", plan, strict, None) for strict in (True, False)}  # for a journal, by strict
        self._outputs = [{name: self.channels.output(op, name) for name in op.outputs} for op in plan.operations]

    def given(self, origin: Origin, definition: Definition) -> Channel:
        """Return the channel of inputs given from outside."""
        return self.channels.given(origin, definition)

    def output(self, operation: PlannedOperation, name: str) -> Channel:
        """Return the channel of an output."""
        return self._outputs[operation.index][name]

    def arrival(self, channel: Channel, parents: Sequence[Item]) -> Channel:
        """Return the channel under which an output enters: what a validator gave stands for what it was given."""
        operation = channel.operation
        if operation is not None and operation.operation.validator and parents and parents[0].channel is not None:
            return self.channels.validated(channel, parents[0].channel)
        return channel


class MemoryOperationNetwork:
    """The plans that are being executed; ``check_of`` says what values are held to."""

    def __init__(self, check_of: CheckOf = exact) -> None:
        self._check_of = check_of
        self._bound: dict[int, Bound] = {}

    def bind(self, plan: Plan) -> Bound:
        """Return the plan with its channels and counters; one plan object is bound once."""
        bound = self._bound.get(id(plan))
        if bound is None:
            bound = self._bound[id(plan)] = Bound(plan, self._check_of)  # keeps the plan, so its id stays its own
        return bound

    def affected_by(self, plan: Plan, origin: Origin, definition: str) -> list[str]:
        """Return the instances that take such an input."""
        channels = self.bind(plan).channels
        if isinstance(origin, str):
            channel = channels.given(origin, plan.definitions[definition])
        else:
            channel = channels.output(plan.instances[origin[0]], origin[1])
        return [target.operation.instance for target in (channel.validator or channel).targets]

    def counts(self) -> dict[str, Counts]:
        """Return the counters of all operations, by instance; those of equal names in several plans are added up."""
        found: dict[str, Counts] = {}
        for bound in self._bound.values():
            for operation, counts in zip(bound.plan.operations, bound.counts, strict=True):
                known = found.setdefault(operation.instance, Counts())
                for name in Counts.__dataclass_fields__:
                    setattr(known, name, getattr(known, name) + getattr(counts, name))
        return found
