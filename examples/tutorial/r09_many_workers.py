"""Rung 9, many workers: the same data flow, run by processes that share nothing but a store.

What to see: the data flow is the one of rung 8, word for word. Workers may be on other machines, may be killed, and
more may be started while it runs. One run of few files is not faster for it: what is new is that there is no end to
how many can work.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from downloads import FILES, SITE, flow
from ladder.program import FOLDER, Asked, Tally, asked

from tidemill import Input, RedisOrchestrator

__all__ = ["download"]

WORKERS = 2


@contextlib.contextmanager
def workers(store: str) -> Iterator[None]:
    """Run so many workers on a store, as `tidemill worker` does."""
    environment = {**os.environ, "TIDEMILL_STORE": store, "PYTHONPATH": str(FOLDER)}
    command = [sys.executable, "-m", "tidemill_worker", "--runners=1", "--port=-1", "--grace=5"]
    running = [subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) for _ in range(WORKERS)]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


async def download(what: Asked) -> Tally:
    """Get and pack all files; what fails is recorded, and the rest goes on."""
    tally = Tally()
    given = {"files": [Input(what.site.endpoint, SITE), Input(what.requests, FILES)]}
    async with RedisOrchestrator("embedded", workers=0) as orchestrator:
        with workers(orchestrator.store):
            async with orchestrator(flow(), strict=False) as octx:
                async for outcome in octx.outcomes(given):
                    for size in (outcome.result or {}).get("size", []):
                        tally.came(size)
                    for failure in outcome.failures:
                        tally.missed(failure.reason)
    return tally


if __name__ == "__main__":
    with asked(__doc__) as what:
        asyncio.run(download(what)).say()
