"""Rung 2, threads: several files at once, each waited for in a thread.

What to see: it is as many times faster as there are threads, as long as all goes well. When a file does not come,
`map` raises the first error in the order of the files: those that came after it are thrown away though they came, and
errors of others are never heard of.
"""

from concurrent.futures import ThreadPoolExecutor

from ladder.client import Session
from ladder.program import Asked, Tally, asked

__all__ = ["download"]


def download(what: Asked) -> Tally:
    """Get all files, as many at once as there are threads; what follows the first error is lost."""
    tally = Tally()
    session = Session(what.site)  # all threads share one login
    with ThreadPoolExecutor(what.workers) as pool:
        answers = pool.map(session.download, range(what.requests))
        try:
            for body in answers:
                tally.came(body)
        except Exception as error:
            tally.missed(error)
            lost = what.requests - tally.done - 1
            for _ in range(lost):
                tally.missed("lost with another")
    return tally


if __name__ == "__main__":
    with asked(__doc__) as what:
        download(what).say()
