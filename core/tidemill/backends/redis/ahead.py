"""Running ahead: what follows from outputs for certain, so that a runner may run it before it is leased.

What is certain is said by the plan, here and in ``functions/ahead.lua`` alike. Neighbours: `plans` (has it for each
channel), `implementations` (sends it), `runtime.ahead` (runs it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidemill.backends.redis.blobs import Reference
from tidemill.backends.redis.codec import decode
from tidemill.engine.inputs import Item
from tidemill.engine.operations import Channel
from tidemill.engine.parameters import LEASED, ParameterSet
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Completed, Report
from tidemill.plan.plan import PlannedOperation

__all__ = ["following", "leads_on", "own_what_runs", "with_ahead"]


def leads_on(channel: Channel) -> PlannedOperation | None:
    """Return the operation of which an output makes one parameter set and nothing else, in a data flow that has no
    locks; None where that is not certain."""
    giver, definition = channel.operation, channel.definition
    if giver is None or channel.stands_for is not None or len(channel.targets) != 1:
        return None
    if channel.validator is not None or channel.doors or channel.awaited or definition.dedupe is not None:
        return None
    (target,) = channel.targets
    operation = target.operation
    same = giver.stage is operation.stage is Stage.PROCESSING and giver.operation.pool == operation.operation.pool
    checks = giver.operation.validator or operation.operation.validator
    waits = operation.gate or operation.operation.concurrency or operation.forwards
    expands = giver.outputs[channel.origin[1]].expand
    return operation if target.plain and same and not (checks or waits or expands) else None


def following(report: Completed) -> ParameterSet | None:
    """Return the parameter set that a report, which is sealed, is certain to make; None if there is none."""
    given = report.said[4]
    if len(given) != 1 or isinstance(given[0][1], Reference) or not isinstance(given[0][0], int):
        return None
    one = report.parameter_set
    operation = one.context.wired.follows.get(given[0][0])
    if operation is None:
        return None
    made = ParameterSet(one.context, operation, (Item(-1, decode(given[0][1]), None),))
    made.state = LEASED
    return made


def with_ahead(report: Completed, head: Sequence[Any]) -> list[Any]:
    """Return what is sent of a report that is sealed: under the lease that it has now, with what was run ahead."""
    kind, _, _, _, *rest = report.said
    if kind != "completed" or not report.ahead:
        return [kind, *head, *rest]
    ahead = [
        [one.operation.index] if isinstance(one, ParameterSet) else [one.parameter_set.operation.index, one.said[4]]
        for one in report.ahead
    ]
    return [kind, *head, *rest, ahead]


def own_what_runs(reports: Sequence[Report], claimed: Sequence[Any]) -> None:
    """Note the leases of what reports say to run still."""
    known = {
        (report.parameter_set.context.id, report.parameter_set.worker): running
        for report in reports
        if isinstance(report, Completed)
        for running in report.ahead[-1:]
        if isinstance(running, ParameterSet)
    }
    for context, parent, identity, lease, number in claimed:
        running = known[context.decode(), parent.decode()]
        running.worker, running.leases = identity.decode(), lease
        running.items = (Item(number, running.items[0].value, None),)
