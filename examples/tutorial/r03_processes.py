"""Rung 3, processes: several files at once, each waited for in a process.

What to see: waiting does not get faster than with threads, and each process has an interpreter, a login and memory of
its own. Errors go wrong in another way: an exception that cannot be sent between processes takes the whole pool with
it, and what the other processes were at.
"""

from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from ladder.client import Session, SiteContext
from ladder.program import Asked, Tally, asked

__all__ = ["download"]

_session: Session | None = None


class Refused(Exception):
    """A file that did not come. It is made from two values and keeps one: pickle cannot make it again on the other
    side.
    """

    def __init__(self, number: int, error: Exception) -> None:
        super().__init__(f"file {number}: {error}")


def begin(site: SiteContext) -> None:
    """Log in, once in each process: a session cannot be sent to another."""
    global _session
    _session = Session(site)


def get(number: int) -> bytes:
    """Get a file. Its content goes back through a pipe."""
    assert _session is not None
    try:
        return _session.download(number)
    except Exception as error:
        raise Refused(number, error) from error


def download(what: Asked) -> Tally:
    """Get all files, as many at once as there are processes; one error may end them all."""
    tally = Tally()
    context = get_context("spawn")
    with ProcessPoolExecutor(what.workers, context, initializer=begin, initargs=(what.site,)) as pool:
        waiting = [pool.submit(get, number) for number in range(what.requests)]
        for future in waiting:
            try:
                tally.came(future.result())
            except BrokenProcessPool as error:
                tally.missed(error)
            except Exception as error:
                tally.missed(error)
    return tally


if __name__ == "__main__":
    with asked(__doc__) as what:
        download(what).say()
