"""Rung 4, a subprocess: each file is packed by gzip, a program of its own.

What to see: bytes go in and out through pipes, all that is known of a failure is a number and a text, each call costs
a process, and a thread stands by for as long as it runs. A program that hangs holds its thread until a time is up,
and has to be killed by whoever started it.
"""

import subprocess
from concurrent.futures import Future, ThreadPoolExecutor

from ladder.client import Session
from ladder.program import Asked, Tally, asked

__all__ = ["download", "packed"]

_SECONDS = 30


def packed(body: bytes) -> bytes:
    """Return the content as gzip packs it. Raises `subprocess.CalledProcessError`, `subprocess.TimeoutExpired`."""
    done = subprocess.run(["gzip", "-1", "-c"], input=body, capture_output=True, check=True, timeout=_SECONDS)
    return done.stdout


def download(what: Asked) -> Tally:
    """Get and pack all files, as many at once as there are threads. Errors are counted, one by one."""
    tally = Tally()
    session = Session(what.site)
    with ThreadPoolExecutor(what.workers) as pool:

        def both(number: int) -> bytes:
            return packed(session.download(number))

        waiting: list[Future[bytes]] = [pool.submit(both, number) for number in range(what.requests)]
        for future in waiting:
            try:
                tally.came(future.result())
            except Exception as error:  # was it the site or gzip? only the type of the error tells
                tally.missed(error)
    return tally


if __name__ == "__main__":
    with asked(__doc__) as what:
        download(what).say()
