"""Kills workers at random, for long: the same as the test suite does, a thousand times instead of forty.

``make soak ARGS="--kills 5000"``. Prints what was done and what it came to; exits 1 when a promise was broken.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.backends.redis.stores import server
from tests.worker.mayhem import mayhem

EXECUTIONS = 1.05
"""Calls for each parameter set that killed workers may cost."""


def main(arguments: Sequence[str]) -> int:
    """Run as the arguments say and return the exit code."""
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000, help="how many processes are killed (default: %(default)s)")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two kills, on average")
    parser.add_argument("--number", type=int, help="what everything is drawn from (default: another each time)")
    parser.add_argument("--store", choices=["redis", "valkey"], default="valkey")
    wanted = parser.parse_args(arguments)
    number = random.randrange(10**6) if wanted.number is None else wanted.number
    print(f"drawn from {number}", flush=True)
    seconds = 120 + wanted.kills * (wanted.pause + 1.5)
    with tempfile.TemporaryDirectory(prefix="tidemill-soak-") as folder:
        run = mayhem(
            server(wanted.store), Path(folder), kills=wanted.kills, pause=wanted.pause, number=number, seconds=seconds
        )
        try:
            done = asyncio.run(run)
            print(done)
            done.check()
        except AssertionError as error:
            print(error, file=sys.stderr)
            return 1
    return 0 if done.executions <= EXECUTIONS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
