"""The measuring of the rungs, as a data flow: its output is the table.

A context is one latency of the site. In it the site is started, each rung is run for each number of requests, one at
a time, and in the end the site is stopped, whatever happened. `flow` is the data flow, `contexts` the inputs of its
contexts.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

from ladder.measure import RUNGS, measure
from ladder.program import FOLDER

from tidemill import DataFlow, Definition, GetMulti, Input, Stage, op

__all__ = ["contexts", "flow", "measure_rung", "runs", "start_site", "stop_site"]

LATENCY = Definition("latency", "float")
FILES = Definition("files", "int")
RUNG_NAMES = Definition("rung_names", "array")
COUNTS = Definition("counts", "array")
SITE = Definition("site", "map")
CASE = Definition("case", "map")
MEASUREMENT = Definition("measurement", "map")

_SITES: dict[int, subprocess.Popen[str]] = {}


@op(inputs={"latency": LATENCY, "files": FILES}, outputs={"site": SITE})
def start_site(latency: float, files: int) -> dict[str, dict[str, object]]:
    """Start the site in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ladder.site", f"--latency={latency}", f"--files={files}"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(FOLDER)},
    )
    _SITES[process.pid] = process
    assert process.stdout is not None
    with process.stdout as said:
        return {"site": {"url": said.readline().strip(), "pid": process.pid}}


@op(inputs={"names": RUNG_NAMES, "counts": COUNTS}, outputs={"cases": CASE}, expand=["cases"])
def runs(names: list[str], counts: list[int]) -> dict[str, list[dict[str, object]]]:
    """Give what is to be measured: each rung with each number of requests."""
    return {"cases": [{"rung": name, "requests": count} for count in counts for name in names]}


@op(
    inputs={"site": SITE, "latency": LATENCY, "case": CASE},
    outputs={"measurement": MEASUREMENT},
    concurrency=1,  # two at once would disturb each other
)
def measure_rung(site: dict[str, str], latency: float, case: dict[str, object]) -> dict[str, dict[str, object]]:
    """Run a rung and measure it."""
    found = measure(str(case["rung"]), int(str(case["requests"])), latency, site["url"])
    return {"measurement": found.as_dict()}


@op(inputs={"site": SITE}, outputs={}, stage=Stage.CLEANUP)
def stop_site(site: dict[str, int]) -> None:
    """Stop the site."""
    process = _SITES.pop(site["pid"])
    process.terminate()
    process.wait()


def flow() -> DataFlow:
    """Return the data flow of the four; the result of a context are its measurements."""
    wanted = Input(["measurement"], GetMulti.op.inputs["spec"])
    return DataFlow(start_site, runs, measure_rung, stop_site, GetMulti, seed=[wanted])


def contexts(
    latencies: Sequence[float], counts: Sequence[int], names: Sequence[str] = ()
) -> Iterator[dict[str, list[Input]]]:
    """Yield the inputs of a context for each latency."""
    for latency in latencies:
        yield {
            f"latency {latency:g} s": [
                Input(latency, LATENCY),
                Input(max(counts), FILES),
                Input(list(names or RUNGS), RUNG_NAMES),
                Input(list(counts), COUNTS),
            ]
        }
