"""The command line: `python -m benchmarks.cluster [rate latency objects] [--smoke] [--record]`.

Tidemill has to be in the cluster that kubectl means, as `make playground` installs it; the throwaway cluster beside the
repository is used if there is one that runs.
"""

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks import keeping, machine
from benchmarks.cluster import latency, objects, rate, table
from benchmarks.cluster.inside import inside
from benchmarks.cluster.kube import Kube
from benchmarks.cluster.outside import ROOT, outside
from tools import playground
from tools.programs import Missing

RECORD = Path(__file__).with_name("results.json")
README = ROOT / "benchmarks" / "README.md"
MARKS = ("<!-- the last table in a cluster begins -->\n", "<!-- the last table in a cluster ends -->\n")
PARTS = ("rate", "latency", "objects")


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description="Measures Tidemill in a cluster.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--workers", type=int, default=2, help="worker pods, and processes (default: %(default)s)")
    parser.add_argument("--slots", type=int, default=64, help="what each runs at once (default: %(default)s)")
    parser.add_argument("--contexts", type=int, default=40000, help="of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="inside and outside by turns (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=20, help="of `kubectl apply` (default: %(default)s)")
    parser.add_argument("--objects", type=int, default=1000, help="data flows (default: %(default)s)")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds of doing nothing (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, once: is everything in order?")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "benchmarks-cluster.json", metavar="FILE")
    parser.add_argument("--record", action="store_true", help="write results.json and the README's table too")
    given = parser.parse_args()
    if unknown := sorted(set(given.parts) - set(PARTS)):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(PARTS)}")
    given.parts = given.parts or list(PARTS)
    if given.smoke:
        given.contexts, given.rounds, given.runs, given.objects, given.idle = 400, 1, 3, 20, 5.0
    return given


def rates(kube: Kube, given: argparse.Namespace) -> dict[str, Any]:
    """Measures workers outside and inside by turns, so that a busy neighbour disturbs both alike."""
    found: dict[str, list[float]] = {"outside": [], "inside": []}
    with outside(given.workers, given.slots) as here, inside(kube, given.workers, given.slots) as there:
        for workers in (here, there):
            rate.measured(workers, max(100, given.contexts // 10))  # once for nothing: it is warm then
        for _ in range(given.rounds):
            for name, workers in (("outside", here), ("inside", there)):
                found[name].append(rate.measured(workers, given.contexts))
    middle = {name: statistics.median(values) for name, values in found.items()}
    sizes = {"workers": given.workers, "slots": given.slots, "contexts": given.contexts}
    return {**sizes, **found, "ratio": middle["inside"] / middle["outside"]}


def latencies(kube: Kube, given: argparse.Namespace) -> dict[str, Any]:
    """Measures `kubectl apply` with and without a worker that waits."""
    warm = latency.warm(kube, given.runs)
    cold = latency.cold(kube, max(1, given.runs // 4))
    return {"warm": warm, "cold": [all_ for all_, _ in cold], "pod": [pod for _, pod in cold]}


def main() -> int:
    """Measures what is asked for, and prints it."""
    given = arguments()
    try:
        if playground.chosen() == "dev":
            playground.dev_cluster()
    except Missing as error:
        print(error, file=sys.stderr)
        return 1
    kube, begin = Kube(playground.NAMESPACE), machine.load()
    report = table.Report(machine.describe())
    if "rate" in given.parts:
        objects.say("measuring rates")
        report.rate = rates(kube, given)
    if "latency" in given.parts:
        objects.say("measuring latencies")
        report.latency = latencies(kube, given)
    if "objects" in given.parts:
        objects.say("measuring the operator")
        report.objects = objects.measured(kube, given.objects, given.idle)
    report.load = {"begin": begin, "end": machine.load()}
    text = table.render(report)
    keeping.write(report, text, given, record=RECORD, readme=README, marks=MARKS)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
