"""Data flows with stubs, for tests of what is estimated."""

import tidemill

NUMBER = tidemill.Definition("number", "int")
DOUBLED = tidemill.Definition("doubled", "int")


@tidemill.op(inputs={"number": NUMBER}, outputs={"doubled": DOUBLED}, concurrency=2)
async def double(number: int) -> dict[str, int]:
    return {"doubled": 2 * number}


@double.estimate
def _(number: int) -> tidemill.Estimate:
    return tidemill.Estimate(seconds=30, memory=2e6, outputs={"doubled": 2 * number})


@tidemill.op(inputs={"doubled": DOUBLED}, outputs={})
async def show(doubled: int) -> None:
    pass


@tidemill.op(inputs={"number": NUMBER}, outputs={})
async def wrong(number: int) -> None:
    pass


wrong.estimate(lambda number: number)

doubling = tidemill.DataFlow.auto(double, show)
wrongly = tidemill.DataFlow.auto(wrong)
