"""Makes docs/tutorial/measured.md out of what `make tutorial` has measured: the table, and the plots beside it.

    python tools/tutorial_doc.py            writes the page
    python tools/tutorial_doc.py --take     first takes over what `make tutorial` has written, plots and all

The page says nothing that is not in the measurements, so it cannot grow stale without them.
"""

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "examples" / "tutorial" / "measured"
PAGES = ROOT / "docs" / "tutorial"
KEPT = PAGES / "measured"

BEGINNING = """# What the rungs cost

*Made by `python tools/tutorial_doc.py` out of `measured/measurements.jsonl`.*

Each rung got so many files of a site that answers after so long, eight at once where it could. Time is from start to
finish, with starting the program and logging in. Memory is the sum over all its processes at its highest (PSS); the
site is not part of it. From rung 4 on each file is packed by gzip, a process for each, which is most of the processor
time there. `make tutorial` measures on your machine.
"""

ON_A_CLUSTER = """
The rung "kubernetes" was measured on a cluster of one node on the same machine, where store and operator ran before, as
the site did; its time begins with applying the data flow. Time and memory of pods are part of it: of two workers, and
of what store and operator have used meanwhile.
"""

PLOTS = {
    "seconds": "Time over the number of requests",
    "memory": "Memory over the number of requests",
    "cpu": "Processor time over the number of requests",
    "seconds-memory": "Time against memory",
    "seconds-cpu": "Time against processor time",
    "cpu-memory": "Processor time against memory",
}

Row = Mapping[str, Any]


def rows() -> list[Row]:
    """Return the measurements, one for each line."""
    lines = (KEPT / "measurements.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def page(found: Sequence[Row]) -> str:
    """Return the text of the page."""
    parts = [BEGINNING + (ON_A_CLUSTER if any(row["rung"] == "kubernetes" for row in found) else "")]
    for latency in sorted({row["latency"] for row in found}):
        counts = sorted({row["requests"] for row in found if row["latency"] == latency})
        head = "".join(f" {count} |" for count in counts)
        parts.append(f"## The site answers after {latency * 1000:g} ms\n")
        rule = "---|" * len(counts)
        parts.append(f"Seconds, of which processor time, and MiB, for so many requests:\n\n| rung |{head}\n|---|{rule}")
        for rung in dict.fromkeys(row["rung"] for row in found):
            cells = [_cell(found, rung, latency, count) for count in counts]
            parts[-1] += f"\n| {rung} |" + "".join(f" {cell} |" for cell in cells)
        parts[-1] += "\n"
    parts += [f"## {title}\n\n![{title}](measured/{name}.png)\n" for name, title in PLOTS.items()]
    return "\n".join(parts)


def _cell(found: Sequence[Row], rung: str, latency: float, count: int) -> str:
    for row in found:
        if (row["rung"], row["latency"], row["requests"]) == (rung, latency, count):
            if row["failed"]:
                return f"{row['failed']} failed"
            return f"{row['seconds']:.2f} ({row['cpu']:.2f}), {row['memory'] / 2**20:.0f}"
    return ""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--take", action="store_true", help="take over what `make tutorial` has written")
    if parser.parse_args().take:
        KEPT.mkdir(parents=True, exist_ok=True)
        for path in [MEASURED / "measurements.jsonl", *(MEASURED / f"{name}.png" for name in PLOTS)]:
            shutil.copy(path, KEPT)
    (PAGES / "measured.md").write_text(page(rows()), encoding="utf-8")


if __name__ == "__main__":
    main()
