"""Data flows whose operations wait until somebody was told that their contexts have begun."""

import asyncio
import os
from pathlib import Path

import tidemill

NUMBER, SEEN = tidemill.Definition("number", "int"), tidemill.Definition("seen", "int")
LOOKS = 6000
"""Looks, a hundredth of a second apart, within which a begin has to be told."""


def _begun() -> int:
    return Path(os.environ["TOLD"]).read_text().count('"START"')


@tidemill.op(inputs={"number": NUMBER}, outputs={"seen": SEEN})
async def wait(number: int) -> dict[str, int]:
    """Wait until the file that the variable TOLD names says START so often; 13 fails then."""
    for _ in range(LOOKS):
        if _begun() >= number % 10:
            break
        await asyncio.sleep(0.01)
    else:
        raise TimeoutError("nobody was told that it has begun")
    if number == 13:
        raise ValueError("unlucky")
    return {"seen": number}


waiting = tidemill.DataFlow(
    wait, tidemill.GetSingle, seed=[tidemill.Input(["seen"], tidemill.GetSingle.op.inputs["spec"])]
)
above = tidemill.DataFlow(
    operations={"below": tidemill.run_dataflow}, configs={"below": tidemill.RunDataFlowConfig(dataflow=waiting)}
)
