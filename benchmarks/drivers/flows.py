"""Runs one case as a data flow, in Tidemill or in DFFML: both have the same API, so both run these lines.

`python -m benchmarks.drivers.flows tidemill chains 1000`. Python 3.8 syntax. What differs between the two is in `Api`.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
from typing import TYPE_CHECKING

from benchmarks.drivers import meter, operations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from typing import Any

WARM_UP = {"chains": 5, "contexts": 5, "fan": 5, "product": 3, "ancestry": 5}
"""case → the size of the run that comes before the measured one and loads what is loaded late."""


class Api:
    """The names of a data flow library, and what it calls or does differently from the other one."""

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.module: Any = importlib.import_module(name)
        self._definitions: dict[str, Any] = {}

    def version(self) -> str:
        """The version of the library."""
        if self.name == "dffml":
            return str(importlib.import_module("dffml.version").__dict__["VERSION"])
        return str(self.module.__version__)

    def definition(self, name: str) -> Any:
        """The definition of whole numbers called `name`."""
        if name not in self._definitions:
            self._definitions[name] = self.module.Definition(name=name, primitive="int")
        return self._definitions[name]

    def op(self, function: operations.Function, name: str, takes: dict[str, str], gives: str | None) -> Any:
        """The function as operation `name`; `takes` names the definition of each parameter, `gives` of the result."""
        more = {}
        if self.name == "tidemill" and self.kind == "function":
            more["executor"] = "loop"  # DFFML runs plain functions on its event loop, always
        return self.module.op(
            name=name,
            inputs={parameter: self.definition(each) for parameter, each in takes.items()},
            outputs={"result": self.definition(gives)} if gives else {},
            **more,
        )(function)

    def input(self, value: int, definition: str) -> Any:
        """One number as an input."""
        return self.module.Input(value=value, definition=self.definition(definition))

    def seed(self, dataflow: Any, output: Any, spec: list[str]) -> None:
        """Tells an output operation of the data flow what to give."""
        dataflow.seed.append(self.module.Input(value=spec, definition=output.op.inputs["spec"]))

    def chain(self) -> Any:
        """a → b → c, and c's number as the result."""
        names = ["x0", "x1", "x2", "x3"]
        steps = [
            self.op(operations.advance(self.kind), name, {"x": names[at]}, names[at + 1])
            for at, name in enumerate("abc")
        ]
        dataflow = self.module.DataFlow.auto(self.module.GetSingle, *steps)
        self.seed(dataflow, self.module.GetSingle, ["x3"])
        return dataflow


async def chains(api: Api, n: int, watch: meter.Meter) -> int:
    """n contexts at once, each a chain of three."""
    total = 0
    sets = {str(value): [api.input(value, "x0")] for value in range(n)}
    async for _, result in api.module.run(api.chain(), sets):
        watch.first()
        total += result["x3"]
    return total


async def contexts(api: Api, n: int, watch: meter.Meter) -> int:
    """The same from a generator, so that not even the inputs exist all at once; DFFML takes no generator."""

    def sets() -> Iterator[tuple[str, list[Any]]]:
        for value in range(n):
            yield str(value), [api.input(value, "x0")]

    total = 0
    given: Any = dict(sets()) if api.name == "dffml" else sets()
    async for _, result in api.module.run(api.chain(), given):
        watch.first()
        total += result["x3"]
    return total


async def fan(api: Api, n: int, watch: meter.Meter) -> int:
    """One context: n numbers through one operation, and its n results through another one."""
    sink = operations.Sink()
    dataflow = api.module.DataFlow.auto(
        api.op(operations.advance(api.kind), "advance", {"x": "x0"}, "x1"),
        api.op(sink.operation(), "sink", {"x": "x1"}, None),
    )
    async for _ in api.module.run(dataflow, {"fan": [api.input(value, "x0") for value in range(n)]}):
        watch.first()
    return sink.checksum()


async def product(api: Api, n: int, watch: meter.Meter) -> int:
    """One context: an operation over all pairs of n numbers and n numbers."""
    dataflow = api.module.DataFlow.auto(
        api.module.GetMulti, api.op(operations.multiply(), "pair", {"a": "left", "b": "right"}, "product")
    )
    api.seed(dataflow, api.module.GetMulti, ["product"])
    inputs = [api.input(value, side) for side in ("left", "right") for value in range(n)]
    total = 0
    async for _, result in api.module.run(dataflow, {"product": inputs}):
        watch.first()
        total += sum(result["product"])
    return total


async def ancestry(api: Api, n: int, watch: meter.Meter) -> int:
    """One context: n generations of an operation that feeds itself, read twice.

    An operation takes those numbers whose own origin and whose parent's origin is `step`; Associate asks of every
    number whether the seed is among its ancestors.
    """
    sink = operations.Sink()
    flow_of = api.module.InputFlow
    dataflow = api.module.DataFlow(
        api.module.Associate,
        api.op(operations.advance("coroutine"), "begin", {"x": "start"}, "generation"),
        api.op(operations.advance_below(n), "step", {"x": "generation"}, "generation"),
        api.op(sink.operation(), "trail", {"x": "generation"}, None),
        flow={
            "begin": flow_of(inputs={"x": ["seed"]}),
            "step": flow_of(inputs={"x": [{"begin": "result"}, {"step": "result"}]}),
            "trail": flow_of(inputs={"x": [[{"step": "result"}, {"step": "result"}]]}),
            "associate": flow_of(inputs={"spec": ["seed"]}),
        },
    )
    api.seed(dataflow, api.module.Associate, ["start", "generation"])
    last = 0
    async for _, result in api.module.run(dataflow, {"ancestry": [api.input(0, "start")]}):
        watch.first()
        last = result["generation"][0]
    return sink.checksum() + last


CASES: dict[str, Callable[[Api, int, meter.Meter], Awaitable[int]]] = {
    "chains": chains,
    "contexts": contexts,
    "fan": fan,
    "product": product,
    "ancestry": ancestry,
}


async def run(api: Api, case: str, n: int, watch: meter.Meter) -> dict[str, Any]:
    """Warms up, runs the case, checks its results and returns the measures."""
    warm = await CASES[case](api, WARM_UP[case], meter.Meter())
    operations.check(case, WARM_UP[case], warm)
    watch.begin()
    checksum = await CASES[case](api, n, watch)
    measures = watch.end()
    operations.check(case, n, checksum)
    measures["version"] = api.version()
    return measures


def main() -> None:
    """Reads the command line, runs, prints the measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("api", choices=["tidemill", "dffml"])
    parser.add_argument("case", choices=sorted(CASES))
    parser.add_argument("n", type=int)
    parser.add_argument("--kind", choices=["coroutine", "function"], default="coroutine")
    parser.add_argument("--lines", action="store_true", help="count lines of Python instead of seconds")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # DFFML formats debug messages for every operation
    api = Api(arguments.api, arguments.kind)
    meter.report(asyncio.run(run(api, arguments.case, arguments.n, meter.Meter(arguments.lines))))


if __name__ == "__main__":
    main()
