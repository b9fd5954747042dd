"""``python -m tests.simulation --seed N`` plays one world, ``--from N --many M`` plays M of them."""

import argparse
import json
import logging
import sys
import time

from tests.simulation.play import Broken, kept, load, play_all
from tests.simulation.variants import VARIANTS, noticed
from tests.simulation.wire import Wire
from tidemill.backends.redis.embedded import EmbeddedStore


def main() -> int:
    """Play, print what it came to, and return 1 for the first world that went wrong."""
    parser = argparse.ArgumentParser(prog="tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this world alone")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first number (default: %(default)s)")
    parser.add_argument("--many", type=int, default=100, help="how many worlds (default: %(default)s)")
    parser.add_argument("--step", type=int, default=1, help="play every so manieth number (default: %(default)s)")
    parser.add_argument("--variants", action="store_true", help="look how soon each mistake made on purpose is noticed")
    parser.add_argument("--kept", action="store_true", help="play those that have gone wrong before, and no others")
    wanted = parser.parse_args()
    numbers = list(range(wanted.first, wanted.first + wanted.many * wanted.step, wanted.step))
    if wanted.kept:
        numbers = kept()
    elif wanted.seed is not None:
        numbers = [wanted.seed]
    with EmbeddedStore(durability="none") as store:
        if wanted.variants:
            return show(store.url)
        load(Wire(store.url))
        began = time.monotonic()
        try:
            done = play_all(store.url, numbers)
        except Broken as error:
            sys.stderr.write(f"{error}\n")
            sys.stdout.write(json.dumps({"broken": error.number}) + "\n")
            return 1
        done["seconds"] = round(time.monotonic() - began)
        sys.stdout.write(json.dumps(done) + "\n")
    return 0


def show(url: str) -> int:
    """Print for each mistake after how many worlds it was noticed; return 1 if one was not."""
    logging.getLogger("tidemill.store").setLevel(logging.ERROR)
    wire, found = Wire(url), {}
    for variant in VARIANTS:
        found[variant.name], said = noticed(wire, url, variant)
        sys.stderr.write(f"{found[variant.name]:4d} {variant.name}: {said}\n")
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if all(found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
