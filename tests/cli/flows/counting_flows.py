"""A data flow whose operation counts, for tests of what a run writes about that."""

import asyncio
import os
import time
from pathlib import Path

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


def _wait(folder: str, processes: int) -> None:
    while len(os.listdir(folder)) < processes:
        time.sleep(0.01)


@tidemill.op(
    inputs={"number": tidemill.Definition("number", "int")}, outputs={"met": tidemill.Definition("met", "int")}
)
async def meet(number: int) -> dict[str, int]:
    """Wait until so many processes have come here as the variable MEETING says, in the folder that it names."""
    folder, _, processes = os.environ["MEETING"].rpartition(":")
    (Path(folder) / str(os.getpid())).touch()
    await asyncio.to_thread(_wait, folder, int(processes))
    NUMBERS.inc(kind="met")
    SIZES.observe(number)
    return {"met": number}


@tidemill.op(inputs={"number": tidemill.Definition("number", "int")}, outputs={})
async def many(number: int) -> None:
    for at in range(20):
        NUMBERS.inc(kind=at)


doubling = tidemill.DataFlow.auto(double)
counting = tidemill.DataFlow.auto(many)
meeting = tidemill.DataFlow.auto(meet)
above = tidemill.DataFlow(
    operations={"below": tidemill.run_dataflow},
    configs={"below": tidemill.RunDataFlowConfig(dataflow=doubling)},
)
