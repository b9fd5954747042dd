"""Mutation testing of the code that decides: small mistakes are put into it one at a time, and tests must notice.

mutmut expects sources in a folder `src`, so the core and its tests are copied to `build/mutants` first, which also
keeps the working tree out of it. The tests named under `[tool.mutmut]` in pyproject.toml may kill a mutant; none of
them starts another program, which would run the unchanged code.

A mistake that no test can notice is explained in `tests/engine/mutants.md`, by the lines that it changes. The run fails
below `WANTED`, and for a survivor that is not explained there. Their diffs are written to `survivors.txt` too.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "mutants"
EXPLAINED = ROOT / "tests" / "engine" / "mutants.md"
COPIED = ("tests", "tools", "examples", "pyproject.toml", "uv.lock", "README.md")
WANTED = 0.85
KILLED = {"killed", "timeout", "segfault", "suspicious", "caught by type check"}

Change = tuple[str, tuple[str, ...]]
"""A mistake: the function that it is in, and the lines that it takes out (-) and puts in (+), without indentation."""


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
    """Run mutmut in that folder; `run` shows its progress on a terminal, everything else is read."""
    reads = arguments[0] != "run" or not sys.stdout.isatty()
    command = [str(Path(sys.executable).parent / "mutmut"), *arguments]
    # Neither the folders nor the coverage of a test run that starts this may reach the tests of the mutants.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    environment = {name: value for name, value in kept.items() if name not in ("PYTHONPATH", "CI")}
    return subprocess.run(command, cwd=build, env=environment, capture_output=reads, text=True, check=False)


def statuses(text: str) -> dict[str, str]:
    """The status of each mutant, from what `mutmut results --all true` prints."""
    return dict(re.findall(r"^\s*(\S+__mutmut_\d+): (.+?)\s*$", text, re.MULTILINE))


def report(found: Mapping[str, str]) -> tuple[str, float]:
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


def change_of(mutant: str, diff: str) -> Change:
    """What a mutant changes, from its name and what `mutmut show` prints."""
    module, _, mangled = mutant.rpartition("__mutmut_")[0].rpartition(".")
    function = mangled.removeprefix("xǁ").replace("ǁ", ".") if mangled.startswith("xǁ") else mangled.removeprefix("x_")
    return f"{module.removeprefix('tidemill.')}.{function}", _lines(diff)


def _lines(diff: str) -> tuple[str, ...]:
    changed = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---", "")]
    return tuple(line[0] + line[1:].strip() for line in changed)


def explained(text: str) -> set[Change]:
    """The changes that are explained: a heading names the function, a fenced diff below it the lines."""
    found: set[Change] = set()
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        function = section.partition("\n")[0].strip("` ")
        found.update((function, _lines(diff)) for diff in re.findall(r"```diff\n(.*?)```", section, re.DOTALL))
    return found


def verdict(found: Mapping[str, str], diffs: Mapping[str, str], known: set[Change], *, whole: bool) -> tuple[str, bool]:
    """What to print about a run, and whether it passes. ``diffs`` are those of the survivors, ``known`` the changes
    that are explained; ``whole`` says that every mutant was tried."""
    said, share = report(found)
    changes = {mutant: change_of(mutant, diff) for mutant, diff in diffs.items()}
    strange = [mutant for mutant in sorted(changes) if changes[mutant] not in known]
    lines = [said, f"{len(diffs)} survivors, {len(diffs) - len(strange)} of them explained in {EXPLAINED.name}"]
    lines += [f"\nnot explained: {mutant}\n{diffs[mutant]}" for mutant in strange]
    if whole:
        gone = sorted(known - set(changes.values()))
        lines += [f"explained, but it survives no longer: {function}: {'; '.join(text)}" for function, text in gone]
    if share < WANTED:
        lines.append(f"fewer than {WANTED:.0%} of the mutants were noticed")
    return "\n".join(lines), share >= WANTED and not strange


def main(arguments: list[str], build: Path = BUILD) -> int:
    """Mutate, test, report. The arguments name mutants (with ``*``); without any, all of them are tried."""
    prepare(build)
    ran = mutmut(build, "run", *arguments)
    found = statuses(mutmut(build, "results", "--all", "true").stdout)
    if arguments:
        found = {mutant: status for mutant, status in found.items() if status != "not checked"}
    if ran.returncode or not found:
        print(f"{ran.stdout or ''}{ran.stderr or ''}")
        print(f"mutmut ended with exit status {ran.returncode} and {len(found)} mutants: nothing was measured")
        return 1
    survivors = sorted(mutant for mutant, status in found.items() if status not in KILLED)
    diffs = {mutant: mutmut(build, "show", mutant).stdout for mutant in survivors}
    listed = [f"{found[mutant]}: {mutant}\n{diff}" for mutant, diff in diffs.items()]
    (build / "survivors.txt").write_text("\n".join(listed), encoding="utf-8")
    said, passed = verdict(found, diffs, explained(EXPLAINED.read_text(encoding="utf-8")), whole=not arguments)
    print(said)
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
