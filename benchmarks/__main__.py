"""The command line: `python -m benchmarks [--smoke] [--cases fan,product] [--systems tidemill,dffml] [--record]`."""

import argparse
import sys
from pathlib import Path

from benchmarks import catalogue, keeping, machine, peer, processes, table

README = Path(__file__).with_name("README.md")
RECORD = Path(__file__).with_name("results.json")
BEGIN, END = "<!-- the last table begins -->\n", "<!-- the last table ends -->\n"


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures Tidemill beside DFFML.")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, once: is everything in order? No DFFML")
    parser.add_argument("--cases", default="all", help="comma-separated: " + ", ".join(c.name for c in catalogue.CASES))
    parser.add_argument("--systems", help="comma-separated: " + ", ".join(catalogue.SYSTEMS))
    parser.add_argument("--repeats", type=int, default=5, help="runs of each cell (default 5)")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds after which one run is stopped")
    parser.add_argument("--peer-python", metavar="PATH", help="the Python 3.8 or 3.7 to make DFFML's environment with")
    parser.add_argument("--json", type=Path, default=processes.ROOT / "build" / "benchmarks.json", metavar="FILE")
    parser.add_argument("--record", action="store_true", help="write results.json and the README's table too")
    parser.add_argument("--show", type=Path, metavar="FILE", help="measure nothing, print the table of this JSON file")
    return parser.parse_args()


def chosen(given: argparse.Namespace) -> tuple[list[catalogue.Case], frozenset[str]]:
    """The cases and the systems that were asked for. Exits when a name is unknown."""
    cases = catalogue.tiny() if given.smoke else catalogue.CASES
    names = {case.name for case in cases} if given.cases == "all" else set(given.cases.split(","))
    default = [each for each in catalogue.SYSTEMS if not (given.smoke and each == catalogue.DFFML)]
    systems = frozenset(given.systems.split(",") if given.systems else default)
    unknown = sorted(names - {case.name for case in cases}) + sorted(systems - set(catalogue.SYSTEMS))
    if unknown:
        sys.exit(f"There is no case or system called {', '.join(unknown)}; see python -m benchmarks --help.")
    return [case for case in cases if case.name in names], systems


def measured(given: argparse.Namespace) -> table.Report:
    """Runs everything that was asked for, the systems in turn."""
    cases, systems = chosen(given)
    begin, python, no_peer = machine.load(), None, ""
    if catalogue.DFFML in systems:
        try:
            python = peer.interpreter(given.peer_python)
        except peer.NoPeer as reason:
            no_peer, systems = str(reason), systems - {catalogue.DFFML}
    repeats = 1 if given.smoke else given.repeats
    samples = _samples(catalogue.cells(tuple(cases), systems), repeats, python, given.timeout)
    starts = {} if given.cases != "all" else start_ups(repeats, python, systems)
    return table.Report(machine.describe(), {"begin": begin, "end": machine.load()}, no_peer, samples, starts)


def _samples(cells: list[catalogue.Cell], repeats: int, python: str | None, timeout: float) -> list[processes.Sample]:
    """Every repeat goes through all cells; every second one in the opposite order."""
    samples = []
    for repeat in range(repeats):
        for cell in cells if repeat % 2 == 0 else reversed(cells):
            if repeat < cell.repeats(repeats):
                sample = processes.measure(cell, python, timeout)
                samples.append(sample)
                _progress(repeat, sample)
    return samples


def _progress(repeat: int, sample: processes.Sample) -> None:
    end = sample.problem or f"{sample.units / sample.cpu if sample.cpu else 0:,.0f} units per CPU second"
    place = f"{sample.case} n={sample.n} {sample.system}"
    print(f"{repeat + 1}. {place}: {sample.cpu:.4f} s, {end} (load {sample.load:.1f})", file=sys.stderr, flush=True)


def start_ups(repeats: int, python: str | None, systems: frozenset[str]) -> dict[str, list[tuple[float, float]]]:
    """Command → (CPU, wall) seconds of its starts. One start before them fills the caches."""
    own = sys.executable
    commands = {
        "python -c pass": [own, "-c", "pass"],
        "python -c 'import asyncio'": [own, "-c", "import asyncio"],
    }
    if catalogue.TIDEMILL in systems:
        commands["python -c 'import tidemill'"] = [own, "-c", "import tidemill"]
        commands[table.HELP] = [own, "-m", "tidemill.cli", "--help"]
    if python is not None:
        commands["python3.8 -c 'import dffml'"] = [python, "-c", "import dffml"]
        commands["dffml --help"] = [python, "-m", "dffml", "--help"]
    found = {name: [processes.start_up(command) for _ in range(repeats + 1)] for name, command in commands.items()}
    return {name: [time for time in times[1:] if time] for name, times in found.items() if any(times[1:])}


def read(path: Path) -> table.Report:
    """A report from its JSON file."""
    data = keeping.load(path)
    data["samples"] = [processes.Sample(**each) for each in data["samples"]]
    data["start_up"] = {name: [(cpu, wall) for cpu, wall in times] for name, times in data["start_up"].items()}
    return table.Report(**data)


def write(report: table.Report, text: str, given: argparse.Namespace) -> None:
    """Writes the JSON file, and on request what is kept with the source."""
    keeping.write(report, text, given, record=RECORD, readme=README, marks=(BEGIN, END))


def main() -> int:
    """Measures or shows; 1 when a run of Tidemill or of the floor went wrong."""
    given = arguments()
    report = read(given.show) if given.show else measured(given)
    text = table.render(report, catalogue.CASES)
    print(text)
    if not given.show:
        write(report, text, given)
    failed = [each for each in report.samples if each.problem and each.system != catalogue.DFFML]
    for each in failed:
        print(f"{each.case} n={each.n} {each.system}: {each.problem}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
