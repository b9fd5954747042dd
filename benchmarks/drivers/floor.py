"""The same cases in plain asyncio, without any data flow: what no engine in Python can go below.

`python -m benchmarks.drivers.floor awaits chains 1000`. `awaits` calls one coroutine after another, `tasks` makes a
task of each, which is what an engine has to do whose operations run side by side.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from benchmarks.drivers import meter, operations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    Call = Callable[..., Awaitable[Any]]


async def await_it(function: operations.Function, *values: int) -> Any:
    """Runs an operation at once."""
    return await function(*values)


async def in_a_task(function: operations.Function, *values: int) -> Any:
    """Runs an operation in a task of its own."""
    return await asyncio.ensure_future(function(*values))


async def chains(call: Call, n: int) -> int:
    """n chains of three."""
    steps = [operations.advance("coroutine") for _ in range(3)]
    total = 0
    for value in range(n):
        for step in steps:
            value = (await call(step, value))["result"]
        total += value
    return total


async def fan(call: Call, n: int) -> int:
    """n numbers through one operation, and on into another one."""
    sink = operations.Sink()
    first, last = operations.advance("coroutine"), sink.operation()
    for value in range(n):
        await call(last, (await call(first, value))["result"])
    return sink.checksum()


async def product(call: Call, n: int) -> int:
    """All pairs of n numbers and n numbers."""
    pair = operations.multiply()
    total = 0
    for a in range(n):
        for b in range(n):
            total += (await call(pair, a, b))["result"]
    return total


CASES = {"chains": chains, "contexts": chains, "fan": fan, "product": product}
CALLS = {"awaits": await_it, "tasks": in_a_task}


async def run(call: Call, case: str, n: int) -> dict[str, Any]:
    """Warms up, runs the case, checks its results and returns the measures."""
    operations.check(case, 3, await CASES[case](call, 3))
    watch = meter.Meter()
    watch.begin()
    checksum = await CASES[case](call, n)
    measures = watch.end()
    operations.check(case, n, checksum)
    measures["version"] = ""
    return measures


def main() -> None:
    """Reads the command line, runs, prints the measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("call", choices=sorted(CALLS))
    parser.add_argument("case", choices=sorted(CASES))
    parser.add_argument("n", type=int)
    arguments = parser.parse_args()
    meter.report(asyncio.run(run(CALLS[arguments.call], arguments.case, arguments.n)))


if __name__ == "__main__":
    main()
