"""The operations, and the data flows that the workloads are, as anybody would write them.

Workers import this module by the names of its operations. What the operations do is what those of the peers do.
"""

import asyncio
import os
from typing import Any

from tidemill import DataFlow, Definition, GetMulti, GetSingle, Input, OperationImplementationContext, Stage, op

BURN = int(os.environ.get("BENCH_BURN_ITERS", "60000"))
"""How often `burn` goes round: about 5 ms, worked out by whoever starts the measurement."""
BURN_SECONDS = 0.005
NAP = 0.010
MIB = 1 << 20
_RANDOM = os.urandom(MIB - 8)
"""Cannot be compressed, and is made once a process."""

X0, X1, X2, X3 = (Definition(f"x{at}", "int") for at in range(4))
ITEM, DOUBLED = Definition("item", "int"), Definition("doubled", "int")
LENGTH, TOTAL = Definition("length", "int"), Definition("total", "int")
BLOB = Definition("blob", "bytes")
LEFT, RIGHT, PRODUCT = Definition("left", "int"), Definition("right", "int"), Definition("product", "int")


@op(inputs={"x": X0}, outputs={"result": X1})
async def first(x: int) -> dict[str, int]:
    """Moves its number on by one, so that the end of a chain can be checked."""
    return {"result": x + 1}


@op(inputs={"x": X1}, outputs={"result": X2})
async def second(x: int) -> dict[str, int]:
    """Does so too."""
    return {"result": x + 1}


@op(inputs={"x": X2}, outputs={"result": X3})
async def third(x: int) -> dict[str, int]:
    """Does so too."""
    return {"result": x + 1}


@op(inputs={"x": X2}, outputs={"result": X3}, stage=Stage.OUTPUT)
async def last(x: int) -> dict[str, int]:
    """Does so too, and is the result."""
    return {"result": x + 1}


@op(inputs={"n": LENGTH}, outputs={"item": ITEM}, expand=["item"])
async def generate(n: int) -> dict[str, list[int]]:
    """Gives so many items."""
    return {"item": list(range(n))}


@op(inputs={"item": ITEM}, outputs={"doubled": DOUBLED})
async def double(item: int) -> dict[str, int]:
    """Takes each of them."""
    return {"doubled": 2 * item}


@op(inputs={}, outputs={"total": TOTAL}, stage=Stage.OUTPUT)
class Total(OperationImplementationContext):
    """Takes all that `double` has given."""

    async def run(self, inputs: dict[str, Any]) -> dict[str, int]:
        """Returns their sum."""
        return {"total": sum(item.value for item in await self.octx.ictx.inputs("doubled"))}


@op(inputs={"x": X0}, outputs={"result": X3})
async def one(x: int) -> dict[str, int]:
    """The no-op that nothing follows."""
    return {"result": x + 1}


@op(inputs={"x": X0}, outputs={"result": X3}, pool="nobody")
async def wait(x: int) -> dict[str, int]:
    """Is never run: no worker is in its pool."""
    return {"result": x}


@op(inputs={"x": X0}, outputs={"result": X3})
async def nap(x: int) -> dict[str, int]:
    """Waits as for a network."""
    await asyncio.sleep(NAP)
    return {"result": x}


def burn_for(times: int) -> int:
    """Goes round so often."""
    value = 1
    for _ in range(times):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
    return value


@op(inputs={"x": X0}, outputs={"result": X3})
def burn(x: int) -> dict[str, int]:
    """Computes for about 5 ms, as a plain function."""
    burn_for(BURN)
    return {"result": x}


@op(inputs={"x": X0}, outputs={"blob": BLOB})
async def blob(x: int) -> dict[str, bytes]:
    """Gives 1 MiB."""
    return {"blob": x.to_bytes(8, "big") + _RANDOM}


@op(inputs={"blob": BLOB}, outputs={"result": X3})
async def size(blob: bytes) -> dict[str, int]:
    """Takes it."""
    return {"result": int.from_bytes(blob[:8], "big") + len(blob) - MIB}


@op(inputs={"a": LEFT, "b": RIGHT}, outputs={"product": PRODUCT})
async def pair(a: int, b: int) -> dict[str, int]:
    """Takes every combination."""
    return {"product": a * b}


@op(inputs={"a": LEFT, "b": RIGHT}, outputs={})
async def meet(a: int, b: int) -> None:
    """Takes every combination and gives nothing."""


SINGLE, MULTI = GetSingle.op.inputs["spec"], GetMulti.op.inputs["spec"]


def _flow(*operations: Any) -> DataFlow:
    return DataFlow(*operations, GetSingle, seed=[Input(["x3"], SINGLE)])


FLOWS = {
    "queue": _flow(one),
    "chains": _flow(first, second, third),
    "direct": DataFlow(first, second, last),
    "fan": DataFlow(generate, double, Total),
    "io": _flow(nap),
    "cpu": _flow(burn),
    "payload": _flow(blob, size),
    "product": DataFlow(pair, GetMulti, seed=[Input(["product"], MULTI)]),
    "meet": DataFlow(meet),
    "kept": _flow(wait),
}
"""What is run by which name. In `direct` the last operation of the chain is an output operation; nobody runs `kept`."""

GIVES = {"queue": "x3", "chains": "x3", "direct": "result", "io": "x3", "cpu": "x3", "payload": "x3"}
"""The key of the result in each."""
