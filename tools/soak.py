"""Kills workers at random, for long: the same as the test suite does, a thousand times instead of forty. Before that it
plays simulated worlds: fifty thousand instead of two, each from a number that no run before has had.

``make soak ARGS="--kills 5000 --flows 0"``. Prints what was done and what it came to; exits 1 when a promise is broken.
The number of a world that goes wrong is kept in tests/simulation/seeds.txt.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.backends.redis.stores import server
from tests.simulation.play import SEEDS, Broken, load, play_all
from tests.simulation.wire import Wire
from tests.worker.mayhem import mayhem
from tidemill.backends.redis.embedded import EmbeddedStore

EXECUTIONS = 1.05
"""Calls for each parameter set that killed workers may cost."""


def simulate(flows: int, first: int) -> int:
    """Play so many simulated worlds and return the exit code; the first that goes wrong is kept, and ends it."""
    with EmbeddedStore(durability="none") as store:
        load(Wire(store.url))
        try:
            print(dict(play_all(store.url, range(first, first + flows))), flush=True)
        except Broken as error:
            print(error, file=sys.stderr)
            with SEEDS.open("a", encoding="utf-8") as kept:
                kept.write(f"{error.number}  # {str(error).splitlines()[0][:100]}\n")
            return 1
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run as the arguments say and return the exit code."""
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000, help="how many processes are killed (default: %(default)s)")
    parser.add_argument("--flows", type=int, default=50_000, help="how many worlds (default: %(default)s)")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two kills, on average")
    parser.add_argument("--number", type=int, help="what everything is drawn from (default: another each time)")
    parser.add_argument("--store", choices=["redis", "valkey"], default="valkey")
    wanted = parser.parse_args(arguments)
    number = random.randrange(10**6) if wanted.number is None else wanted.number
    print(f"drawn from {number}", flush=True)
    if wanted.flows and simulate(wanted.flows, 10**6 + number * 10**5):
        return 1
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
