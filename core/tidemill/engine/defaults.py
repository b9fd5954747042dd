"""Defaults: when a parameter takes the default of its definition.

At once, when only given inputs could stand there and none was given. Otherwise when the context is quiet: then
nothing is on its way, and an input could only still come from operations that themselves wait for a default. Among
those that wait, the ones go first that no other can reach; in a circle all go together. So the outcome does not
depend on any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tidemill.plan.plan import Plan, PlannedOperation, PlannedParameter

__all__ = ["at_close", "at_quiet", "leads_to"]

Place = tuple[PlannedOperation, PlannedParameter]
HasCandidate = Callable[[int, int], bool]
"""Says, for the numbers of an operation and a parameter, whether something may stand there (or, when the intake
closes, has been given for it and has still to be validated)."""


def at_close(plan: Plan, has_candidate: HasCandidate) -> list[Place]:
    """Return the parameters that take their default when the last input has been given."""
    return [
        (operation, parameter)
        for operation in plan.operations
        for parameter in operation.parameters
        if parameter.has_default and parameter.only_given and not has_candidate(operation.index, parameter.index)
    ]


def at_quiet(plan: Plan, active: Iterable[PlannedOperation], has_candidate: HasCandidate) -> list[Place]:
    """Return the parameters that take their default now that nothing is on its way.

    ``active`` are the operations of the stage whose gates are open. An operation waits if all its other parameters
    have a candidate or a default.
    """
    waiting = [place for operation in active for place in _waiting(operation, has_candidate)]
    return [place for place in waiting if not any(_may_feed(plan, other, place) for other in waiting)]


def _waiting(operation: PlannedOperation, has_candidate: HasCandidate) -> list[Place]:
    missing = [p for p in operation.parameters if not has_candidate(operation.index, p.index)]
    if any(not parameter.has_default for parameter in missing):
        return []
    return [(operation, parameter) for parameter in missing]


def _may_feed(plan: Plan, source: Place, place: Place) -> bool:
    """Say whether running ``source`` could give an input for ``place``, and not the other way round as well."""
    if source[0] is place[0]:
        return False
    return leads_to(plan, source[0], place[1]) and not leads_to(plan, place[0], source[1])


def leads_to(plan: Plan, operation: PlannedOperation, parameter: PlannedParameter) -> bool:
    """Say whether what an operation gives can lead to an input for a parameter."""
    reached = plan.reaches[operation.index]
    givers = [plan.instances[name].index for name in parameter.givers]
    return any(index == operation.index or index in reached for index in givers)
