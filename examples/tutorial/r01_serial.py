"""Rung 1, serial: log in, get one file after another.

What to see: nearly all of the time is spent waiting for the site, one answer at a time.
"""

from ladder.client import Session
from ladder.program import Asked, Tally, asked

__all__ = ["download"]


def download(what: Asked) -> Tally:
    """Get all files, one after another. The first that does not come ends it."""
    tally = Tally()
    session = Session(what.site)
    for number in range(what.requests):
        tally.came(session.download(number))
    return tally


if __name__ == "__main__":
    with asked(__doc__) as what:
        download(what).say()
