"""What runners of the simulation run ahead of their leases, and what they say to have run that nobody has.

Neighbours: `runners` (who does), `tidemill.runtime.ahead` (how a real runner does it).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

from tidemill.backends.redis.implementations import RedisOperationImplementationNetwork
from tidemill.engine.parameters import ParameterSet
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Completed, Report
from tidemill.plan.plan import PlannedOperation

__all__ = ["lies_about", "run_on"]

FURTHEST = 6
"""Parameter sets that are run ahead of one lease; the store takes eight."""
TOO_MANY = 9
MORE = 1000
"""Inputs more than a context of the simulation ever has."""

Network = RedisOperationImplementationNetwork
Run = Callable[[ParameterSet], Awaitable[list[Report]]]


async def run_on(
    report: Completed, network: Network, run: Run, rng: Random
) -> tuple[ParameterSet, list[Report]] | None:
    """Run on from what was completed, for as long as anything follows and it pleases; return what is not over with
    that, and what is to be said of it under its lease."""
    last = report
    while len(report.ahead) < FURTHEST and rng.random() < 0.8 and network.seal(last):
        one = network.following(last) or network.closing(report)
        if one is None:
            break
        reports = await run(one)
        if not reports:
            break
        said = reports[0]
        if len(reports) > 1 or not isinstance(said, Completed) or rng.random() < 0.3 or not network.seal(said):
            report.ahead.append(one)
            return one, reports
        report.ahead.append(said)
        last = said
        if one.operation.stage is Stage.OUTPUT:
            break
    return None


def lies_about(report: Completed, network: Network, rng: Random, evil: int) -> bool:
    """Put something into a report that was never run, with values that nobody has computed; return whether there was
    anything that must be refused."""
    if not network.seal(report):
        return False
    one, given = report.parameter_set, report.said[4]
    follows = one.context.wired.follows.get(given[0][0]) if len(given) == 1 else None
    kind = rng.randrange(4)
    if kind == 3:
        return _closes(report, network, evil)
    if kind == 0:  # what does not follow
        others = [op for op in one.context.wired.plan.operations if op is not follows]
        lies = [_gives(one, rng.choice(others), evil)]
    elif follows is None:
        return False
    else:
        lies = [_gives(one, follows, evil)] * (TOO_MANY if kind == 1 else 1)
    if not all(network.seal(lie) for lie in lies):
        return False
    if kind == 2:  # outputs of another
        stolen = _gives(one, one.operation, evil)
        if follows is one.operation or not network.seal(stolen) or not stolen.said[4]:
            return False
        lies[0].said[4] = stolen.said[4]
    report.ahead = [*lies]
    return True


def _closes(report: Completed, network: Network, evil: int) -> bool:
    """Have the output stage been run over inputs that there are not."""
    one = network.closing(report)
    if one is None:
        return False
    one.context.seen.extend([one.context.seen[-1]] * MORE)
    lie = _gives(one, one.operation, evil)
    report.ahead = [lie]
    return network.seal(lie)


def _gives(one: ParameterSet, operation: PlannedOperation, evil: int) -> Completed:
    context = one.context if one.context.seen is not None else one.context.reading([])
    made = ParameterSet(context, operation, one.items if one.operation is operation else ())
    declared = made.operation.operation
    outputs = {name: [evil] if name in declared.expand else evil for name in declared.outputs}
    return Completed(made, outputs)
