"""A data flow whose operation counts, for tests of what a run writes about that."""

import tidemill
from tidemill import metrics

NUMBERS = metrics.counter("numbers_total", "Numbers that were doubled", "kind")
SIZES = metrics.histogram("number_size", "How large they were")


@tidemill.op(
    inputs={"number": tidemill.Definition("number", "int")}, outputs={"doubled": tidemill.Definition("doubled", "int")}
)
async def double(number: int) -> dict[str, int]:
    NUMBERS.inc(kind="odd" if number % 2 else "even")
    SIZES.observe(number)
    return {"doubled": 2 * number}


@tidemill.op(inputs={"number": tidemill.Definition("number", "int")}, outputs={})
async def many(number: int) -> None:
    for at in range(20):
        NUMBERS.inc(kind=at)


doubling = tidemill.DataFlow.auto(double)
counting = tidemill.DataFlow.auto(many)
