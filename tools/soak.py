"""Plays fifty thousand simulated worlds, then kills workers a thousand times and the server of the store twenty times
while real processes work: what the test suite does with two thousand worlds, two hundred kills and five.

``make soak ARGS="--kills 5000 --flows 0"``; ``ARGS="--cluster 10000"`` kills pods of a cluster while so many contexts
come by its HTTP API, and does nothing else. Prints what was done and what it came to; exits 1 when a promise is broken.
The number of a world that goes wrong is kept in tests/simulation/seeds.txt, each from a number that no run before has
had.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.play import SEEDS, Broken, load, play_all
from tests.simulation.wire import Wire
from tests.worker.mayhem import mayhem
from tidemill.backends.redis.embedded import EmbeddedStore

EXECUTIONS = 1.05
"""Calls for each parameter set that killed workers may cost."""
PODS = {"worker": 30, "operator": 10, "api": 5, "store": 3}
"""How often pods of each kind are killed."""
REPORT = 1000
"""Worlds after which it is said how far it is."""


def simulate(flows: int, first: int) -> int:
    """Play so many simulated worlds and return the exit code; the first that goes wrong is kept, and ends it."""
    began, done = time.monotonic(), Counter[str]()
    with EmbeddedStore(durability="none") as store:
        load(Wire(store.url))
        try:
            for at in range(first, first + flows, REPORT):
                done += play_all(store.url, range(at, min(at + REPORT, first + flows)))
                print(f"{done['flows']} worlds in {time.monotonic() - began:.0f} s", flush=True)
        except Broken as error:
            print(error, file=sys.stderr)
            with SEEDS.open("a", encoding="utf-8") as kept:
                kept.write(f"{error.number}  # {str(error).splitlines()[0][:100]}\n")
            return 1
    print(dict(done), flush=True)
    return 0


def kill(wanted: argparse.Namespace, number: int) -> int:
    """Kill processes while others work, as often as is wanted, and return the exit code."""
    seconds = 300 + 10 * (wanted.kills + wanted.stores) * (wanted.pause + 0.5)
    with tempfile.TemporaryDirectory(prefix="tidemill-soak-") as folder:
        run = mayhem(
            Path(folder), kills=wanted.kills, stores=wanted.stores, pause=wanted.pause, number=number, seconds=seconds,
            kind=wanted.store,
        )  # fmt: skip
        try:
            done = asyncio.run(run)
            print(done)
            done.check()
        except AssertionError as error:
            print(error, file=sys.stderr)
            return 1
    return 0 if done.executions <= EXECUTIONS else 1


def cluster(contexts: int, number: int) -> int:
    """Kill pods while contexts come by the HTTP API, and return the exit code."""
    from tests.e2e.node import Node
    from tests.e2e.place import place
    from tests.e2e.storm import Storm

    where = place()
    name = where.unique("soak")
    with tempfile.TemporaryDirectory(prefix="tidemill-soak-") as folder, where.account() as account:
        token = Path(folder) / "token"
        token.write_text(where.kubectl("create", "token", account, "--duration=4h"))
        storm = Storm(where, Node(where), token, contexts, PODS, number=number)
        with where.gone_after(f"dataflow/{name}"):
            try:
                storm.check(storm.run(name), storm.results(name))
            except AssertionError as error:
                print(storm.said(), error, sep="\n", file=sys.stderr)
                return 1
    print(storm.said())
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run as the arguments say and return the exit code."""
    parser = argparse.ArgumentParser(prog="soak", description=" ".join((__doc__ or "").split("\n\n")[0].split()))
    parser.add_argument("--kills", type=int, default=1000, help="how often workers are killed (default: %(default)s)")
    parser.add_argument("--stores", type=int, default=20, help="how often the server is killed (default: %(default)s)")
    parser.add_argument("--flows", type=int, default=50_000, help="how many worlds (default: %(default)s)")
    parser.add_argument(
        "--pause", type=float, default=0.3, help="seconds between two kills, on average (default: %(default)s)"
    )
    parser.add_argument("--number", type=int, help="what everything is drawn from (default: another each time)")
    parser.add_argument(
        "--store", choices=["redis", "valkey"], default="valkey", help="whose server is killed (default: %(default)s)"
    )
    parser.add_argument("--cluster", type=int, metavar="CONTEXTS", help="kill pods of a cluster instead")
    wanted = parser.parse_args(arguments)
    number = random.randrange(10**6) if wanted.number is None else wanted.number
    print(f"drawn from {number}", flush=True)
    if wanted.cluster:
        return cluster(wanted.cluster, number)
    if wanted.flows and simulate(wanted.flows, 10**6 + number * 10**5):
        return 1
    return kill(wanted, number) if wanted.kills or wanted.stores else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
