"""Rung 5, an event loop: one thread waits for everything at once.

What to see: fast, with the memory of one process. Errors are handled where they strike: what may work later is tried
again, what cannot is counted, and no file takes another with it. But while it runs nothing can be told about one
file: that is in the local variables of a coroutine.
"""

import asyncio
import http

import aiohttp
from ladder.client import checked, logged_in
from ladder.program import Asked, Tally, asked

__all__ = ["download", "packed"]

TRIES = 3
_LATER = (http.HTTPStatus.SERVICE_UNAVAILABLE, http.HTTPStatus.TOO_MANY_REQUESTS)


async def packed(body: bytes) -> bytes:
    """Return the content as gzip packs it. Raises `OSError` if gzip fails."""
    process = await asyncio.create_subprocess_exec(
        "gzip", "-1", "-c", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(body)
    if process.returncode:
        raise OSError(f"gzip ended with {process.returncode}")
    return out


async def get(session: aiohttp.ClientSession, url: str) -> bytes:
    """Get a file; what the site may give later is asked for again."""
    for number in range(1, TRIES + 1):
        try:
            async with session.get(url, raise_for_status=True) as answer:
                return checked(await answer.read(), answer.headers.get("X-SHA256"))
        except aiohttp.ClientResponseError as error:
            if error.status not in _LATER or number == TRIES:
                raise
            await asyncio.sleep(0.05 * number)
    raise AssertionError("the last try returns or raises")


async def download(what: Asked) -> Tally:
    """Get and pack all files, so many at once."""
    tally = Tally()
    room = asyncio.Semaphore(what.workers)
    async with logged_in(what.site) as session:

        async def one(number: int) -> None:
            async with room:
                try:
                    tally.came(await packed(await get(session, what.site.url(f"/files/{number}"))))
                except (aiohttp.ClientError, OSError) as error:
                    tally.missed(error)

        async with asyncio.TaskGroup() as group:
            for number in range(what.requests):
                group.create_task(one(number))
    return tally


if __name__ == "__main__":
    with asked(__doc__) as what:
        asyncio.run(download(what)).say()
