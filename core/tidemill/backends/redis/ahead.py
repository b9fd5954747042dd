"""Running ahead: what follows from outputs for certain, so that a runner may run it before it is leased; and what the
output stage does when nothing else is open, which is as good as certain.

What follows is said by the plan, here and in ``functions/ahead.lua`` alike. Neighbours: `plans` (has it for each
channel), `implementations` (sends it), `runtime.ahead` (runs it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.backends.redis.blobs import Reference, is_reference
from tidemill.backends.redis.codec import decode
from tidemill.engine.inputs import Item
from tidemill.engine.operations import Channel
from tidemill.engine.parameters import LEASED, ParameterSet
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Completed, Report
from tidemill.plan.plan import Plan, PlannedOperation

__all__ = ["FURTHEST", "closes", "closing", "ends", "following", "is_inert", "leads_on", "own_what_runs", "with_ahead"]

FURTHEST = 4
"""Operations of a chain after which the end of a context is not looked for: a runner runs no more ahead of a lease."""


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


def is_inert(channel: Channel) -> bool:
    """Say whether an output concerns nobody: it is there to be read by the output stage."""
    giver = channel.operation
    concerned = channel.targets or channel.doors or channel.awaited or channel.validator
    return not (giver is None or concerned or channel.definition.dedupe or giver.operation.validator)


def closes(plan: Plan) -> PlannedOperation | None:
    """Return the operation that the output stage of a data flow consists of, and that comes next where nothing of a
    context is open any more: if there is no other, and it has one parameter at most."""
    pools = {operation.operation.pool for operation in plan.operations}
    cleans_up = any(operation.stage is Stage.CLEANUP for operation in plan.operations)
    waits = any(parameter.has_default for operation in plan.operations for parameter in operation.parameters)
    found = [operation for operation in plan.operations if operation.stage is Stage.OUTPUT]
    if len(pools) > 1 or cleans_up or waits or len(found) != 1 or len(found[0].parameters) > 1:
        return None
    (one,) = found
    refused = one.gate or one.forwards or one.operation.concurrency or one.operation.validator
    return None if refused else one


def ends(operation: PlannedOperation, outputs: Sequence[Sequence[Channel]], follows: Mapping[int, Any]) -> bool:
    """Say whether whoever runs on from an operation comes to the end of what it leads to. ``outputs`` are the channels
    of each operation, ``follows`` what each is certain to be followed by, by the channel's `id`."""
    for _ in range(FURTHEST + 1):
        given = outputs[operation.index]
        if given and all(is_inert(channel) for channel in given):
            return True
        if len(given) != 1 or id(given[0]) not in follows:
            return False
        operation = follows[id(given[0])]
    return False


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


def closing(report: Completed, before: Sequence[Any]) -> ParameterSet | None:
    """Return the parameter set of the output stage that comes after a report, which is sealed, and all that was run
    ahead of it, if nothing else of its context is open; None where that is not known. ``before`` are the inputs that
    there were before it, as `inputs.items_of` takes them."""
    one, wired = report.parameter_set, report.parameter_set.context.wired
    records, made_of = [*before], [item.number for item in one.items]
    given: list[Any] = []
    for step in (report, *report.ahead):
        if not isinstance(step, Completed):
            return None
        given = step.said[4]
        for channel, value, element, *_ in given:
            if isinstance(value, Reference):
                return None
            records.append([len(records), channel, made_of, 0, element, value])
        made_of = [len(records) - 1]
    known = all(isinstance(record[1], int) for record in records)
    if not known or not given or any(channel not in wired.inert for channel, *_ in given):
        return None
    items: tuple[Item, ...] = ()
    if wired.closes.parameters:
        taken = [record for record in records if record[1] in wired.read_last]
        if len(taken) != 1 or is_reference(taken[0][5]):
            return None
        items = (Item(taken[0][0], decode(taken[0][5]), None),)
    made = ParameterSet(one.context.reading(records), wired.closes, items)
    made.state = LEASED
    return made


def with_ahead(report: Completed, head: Sequence[Any]) -> list[Any]:
    """Return what is sent of a report that is sealed: under the lease that it has now, with what was run ahead."""
    kind, _, _, _, *rest = report.said
    if kind != "completed" or not report.ahead:
        return [kind, *head, *rest]
    return [kind, *head, *rest, [_ahead(one) for one in report.ahead]]


def _ahead(one: Completed | ParameterSet) -> list[Any]:
    """Return what is said of one that was run ahead: see ``functions/ahead.lua``."""
    ran = one if isinstance(one, ParameterSet) else one.parameter_set
    over = None if isinstance(one, ParameterSet) else one.said
    if ran.operation.stage is not Stage.OUTPUT:
        return [ran.operation.index] if over is None else [ran.operation.index, over[4]]
    identity = ":".join(str(number) for number in (ran.operation.index, *(item.number for item in ran.items)))
    about: list[Any] = [ran.operation.index, [] if over is not None else False, identity, len(ran.context.seen)]
    return about if over is None else [*about, *over[5:]]


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
        running.items = tuple([Item(number, item.value, None) for item in running.items])
        running.context.before = None  # there is more by now
