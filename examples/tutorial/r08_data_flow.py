"""Rung 8, a data flow: the same steps as operations, and nothing else.

What to see: that files are got at once, tried again, counted and traced is not in this program. `download` says
`retry=3` and `concurrency=8`, and the engine does it; where something came from is asked of the outcome.
"""

import asyncio

from downloads import FILES, SITE, flow
from ladder.program import Asked, Tally, asked

from tidemill import Input, MemoryOrchestrator

__all__ = ["download"]


async def download(what: Asked) -> Tally:
    """Get and pack all files; what fails is recorded, and the rest goes on."""
    tally = Tally()
    given = {"files": [Input(what.site.endpoint, SITE), Input(what.requests, FILES)]}
    async with MemoryOrchestrator(lineage=what.verbose) as orchestrator:
        async with orchestrator(flow(), strict=False) as octx:
            async for outcome in octx.outcomes(given):
                for size in (outcome.result or {}).get("size", []):
                    tally.came(size)
                for failure in outcome.failures:
                    tally.missed(failure.reason)
                if what.verbose:
                    for record in outcome.lineage():
                        print(record.definition, "from", record.origin, "after", list(record.parents), "is", record.id)
    return tally


if __name__ == "__main__":
    with asked(__doc__) as what:
        asyncio.run(download(what)).say()
