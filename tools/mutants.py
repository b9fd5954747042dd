"""Mutation testing of the code that decides: small mistakes are put into it one at a time, and tests must notice.

mutmut expects sources in a folder `src`, so the core and its tests are copied to `build/mutants` first, which also
keeps the working tree out of it. The tests named under `[tool.mutmut]` in pyproject.toml may kill a mutant; none of
them starts another program, which would run the unchanged code. The survivors are written to
`build/mutants/survivors.txt` with their diffs.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "mutants"
COPIED = ("tests", "tools", "examples", "pyproject.toml", "uv.lock", "README.md")
WANTED = 0.85
KILLED = {"killed", "timeout", "segfault", "suspicious", "caught by type check"}


def prepare(build: Path) -> None:
    """Copy the core as `src` and what its tests need into a fresh folder."""
    shutil.rmtree(build, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(ROOT / "core", build / "src", ignore=ignore)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, build / name, ignore=ignore)
        elif source.exists():
            shutil.copy2(source, build / name)


def mutmut(build: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run mutmut in that folder; `run` prints its progress, the other commands are read."""
    reads = arguments[0] != "run"
    command = [str(Path(sys.executable).parent / "mutmut"), *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "CI")}
    return subprocess.run(command, cwd=build, env=environment, capture_output=reads, text=True, check=False)


def statuses(text: str) -> dict[str, str]:
    """The status of each mutant, from what `mutmut results --all true` prints."""
    return dict(re.findall(r"^\s*(\S+__mutmut_\d+): (.+?)\s*$", text, re.MULTILINE))


def report(found: dict[str, str]) -> tuple[str, float]:
    """A table by module, and the share of mutants that some test noticed."""
    made: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    for mutant, status in found.items():
        module = mutant.rpartition(".")[0].removeprefix("tidemill.")
        made[module] += 1
        killed[module] += status in KILLED
    lines = [f"{'module':<28}{'mutants':>9}{'noticed':>9}{'share':>8}"]
    for module in [*sorted(made), "all"]:
        count, noticed = (made.total(), killed.total()) if module == "all" else (made[module], killed[module])
        lines.append(f"{module:<28}{count:>9}{noticed:>9}{noticed / max(count, 1):>8.1%}")
    return "\n".join(lines), killed.total() / max(made.total(), 1)


def main(arguments: list[str]) -> int:
    """Mutate, test, report. The arguments name mutants (with ``*``); without any, all of them are tried."""
    prepare(BUILD)
    ran = mutmut(BUILD, "run", *arguments)
    found = statuses(mutmut(BUILD, "results", "--all", "true").stdout)
    if arguments:
        found = {mutant: status for mutant, status in found.items() if status != "not checked"}
    if ran.returncode or not found:
        print(f"mutmut ended with exit status {ran.returncode} and {len(found)} mutants: nothing was measured")
        return 1
    table, share = report(found)
    survivors = sorted(mutant for mutant, status in found.items() if status not in KILLED)
    diffs = [f"{found[mutant]}: {mutant}\n{mutmut(BUILD, 'show', mutant).stdout}" for mutant in survivors]
    (BUILD / "survivors.txt").write_text("\n".join(diffs), encoding="utf-8")
    print(table)
    print(f"{len(survivors)} survivors, with their diffs in {(BUILD / 'survivors.txt').relative_to(ROOT)}")
    if share < WANTED:
        print(f"fewer than {WANTED:.0%} of the mutants were noticed")
    return int(share < WANTED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
