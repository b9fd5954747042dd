"""The command line: `python -m benchmarks.store [chains latency …] [--peers ready] [--smoke] [--record]`."""

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks import keeping, machine
from benchmarks.store import peers, plan, table
from benchmarks.store.measuring import Measuring
from benchmarks.store.server import program
from benchmarks.store.sessions import ROOT, Sample

README = ROOT / "benchmarks" / "README.md"
RECORD = Path(__file__).with_name("results.json")
BEGIN, END = "<!-- the last table over a store begins -->\n", "<!-- the last table over a store ends -->\n"


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description="Measures Tidemill over a store.")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(plan.PARTS)} (default: all)"
    )
    parser.add_argument(
        "--peers", default="ready", metavar="WHICH",
        help="ready (those that have an environment), all (make environments, which takes minutes), none, or names: "
        + ", ".join(peers.SYSTEMS),
    )  # fmt: skip
    parser.add_argument("--repeats", type=int, help=f"runs of each workload (default {plan.FULL.repeats})")
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual sizes of workloads")
    parser.add_argument("--large", action="store_true", help="growth up to a million contexts")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, once: is everything in order? No peers")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "benchmarks-store.json", metavar="FILE")
    parser.add_argument("--record", action="store_true", help="write results.json and the README's table too")
    parser.add_argument("--show", type=Path, metavar="FILE", help="measure nothing, print the table of this JSON file")
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - set(plan.PARTS))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(plan.PARTS)}")
    return given


def planned(given: argparse.Namespace) -> plan.Plan:
    """What was asked for."""
    found = plan.SMOKE if given.smoke else plan.FULL
    if given.parts:
        found = found.only(frozenset(given.parts))
    if given.large and found.growth:
        found = replace(found, growth=(*found.growth, 10 * found.growth[-1]))
    sizes = {name: max(2, int(n * given.scale)) for name, n in found.sizes.items()}
    return replace(found, sizes=sizes, repeats=given.repeats or found.repeats)


def measured(given: argparse.Namespace) -> table.Report:
    """Measures. Exits when a peer is unknown."""
    begin = machine.load()
    try:
        systems, missing = peers.found("none" if given.smoke else given.peers)
    except peers.NoPeers as error:
        sys.exit(f"{error}; see python -m benchmarks.store --help.")
    found = Measuring(planned(given), systems).run()
    loads = {"begin": begin, "end": machine.load()}
    return table.Report(machine.describe(), loads, _server(), missing, found.samples, found.figures, found.failures)


def _server() -> str:
    """The name and version of the server, in its own words."""
    done = subprocess.run([program(), "--version"], capture_output=True, text=True, check=False)
    return " ".join(done.stdout.split()[:3])


def read(path: Path) -> table.Report:
    """A report from its JSON file."""
    data = keeping.load(path)
    data["samples"] = [Sample(**each) for each in data["samples"]]
    return table.Report(**data)


def write(report: table.Report, text: str, given: argparse.Namespace) -> None:
    """Writes the JSON file, and on request what is kept with the source."""
    keeping.write(report, text, given, record=RECORD, readme=README, marks=(BEGIN, END))


def main() -> int:
    """Measures or shows; 1 when something of ours went wrong."""
    given = arguments()
    report = read(given.show) if given.show else measured(given)
    text = table.render(report)
    print(text)
    if not given.show:
        write(report, text, given)
    return 1 if any(not each.startswith(peers.SYSTEMS) for each in report.failures) else 0


if __name__ == "__main__":
    sys.exit(main())
