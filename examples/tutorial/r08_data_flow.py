"""Rung 8, a data flow: the same steps as operations, and nothing else.

What to see: that files are got at once, tried again, counted and traced is not in this program. `download` says
`retry=3` and `concurrency=8`, and the engine does it; what happened, and because of what, is in its journal.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

from downloads import FILES, SITE, flow
from ladder.program import Asked, Tally, asked

from tidemill import Input, MemoryOrchestrator
from tidemill.formats.values import as_json
from tidemill.journal.kept import Journal

__all__ = ["download"]


@contextlib.contextmanager
def journal_in(path: Path | None) -> Iterator[Journal | None]:
    """Give a journal that is written to a file, an event on each line; without a file none is kept."""
    if path is None:
        yield None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        yield Journal(sink=lambda events: file.writelines(f"{as_json(event.plain())}\n" for event in events))


async def download(what: Asked) -> Tally:
    """Get and pack all files; what fails is recorded, and the rest goes on."""
    tally = Tally()
    given = {"files": [Input(what.site.endpoint, SITE), Input(what.requests, FILES)]}
    with journal_in(what.journal) as journal:
        async with MemoryOrchestrator(journal=journal) as orchestrator:
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
