"""Mutation testing of the Lua of the store: mistakes are made in it one at a time, and tests must notice.

The mistakes are listed in `tests/backends/redis/mutants.toml`, each with the tests that notice it soonest; only when
those pass are all others tried that are about the store. Whatever a mistake does stays in one process: this module is
a plugin of pytest too, which hands the changed library to the server that the tests of that process have started.

A mistake that no test can notice is explained in `tests/backends/redis/mutants.md`, under its name. The run fails for
one that survives without that, and for one that is explained and noticed all the same.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Mutant", "changed", "explained", "listed", "main", "verdict"]

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
LIST = TESTS / "backends" / "redis" / "mutants.toml"
EXPLAINED = TESTS / "backends" / "redis" / "mutants.md"
CHOSEN = "TIDEMILL_LUA_MUTANT"
"""The environment variable that names the mistake for the tests of a process."""
NO_MISTAKE = "-"
ALL = (
    *("contract/test_rule", "contract/test_networks", "contract/test_ends", "contract/test_faults"),
    *(
        f"backends/redis/test_{name}"
        for name in (
            *("leases", "verbs", "turns", "endings", "blobs", "races", "overview", "bounds"),
            *("groups", "staging", "corruption", "ahead", "closing"),
        )
    ),
    "contract/test_fixpoint",
)
"""All that is about the Lua."""
OTHERS = {"memory", "redis"}
"""What tests are parametrized with that the mistakes are not tried over."""
IMPATIENT = {"driver.DEADLINE": 5.0, "chaos.STEPS": 4000, "backends.FLOWS": {"valkey": (50, 1)}}
"""Settings of the tests, so that one that would wait or search for long gives up soon."""
SECONDS = 90
"""After which a test hangs, the server in an endless loop for example."""


@dataclass(frozen=True)
class Mutant:
    """A mistake: in a file of the library ``new`` stands for ``old``. ``tests`` notice it soonest."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, text: str) -> str:
        """Return the file with the mistake. Raises ValueError unless ``old`` is there exactly once."""
        found = text.count(self.old)
        if found != 1 or self.old == self.new:
            raise ValueError(f"{self.name}: in {self.file}.lua there has to be once, and is {found} times: {self.old}")
        return text.replace(self.old, self.new)


def listed(path: Path = LIST) -> dict[str, Mutant]:
    """Return all mistakes of the list, by name."""
    read: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: Mutant(name, one["file"], one["old"], one["new"], tuple(one["tests"])) for name, one in read.items()}


def changed(*mutants: Mutant) -> str:
    """Return the source of the library with mistakes. Raises ValueError for one that does not apply."""
    source: str = import_module("tidemill.backends.redis.library").assembled()
    folder = resources.files("tidemill.backends.redis") / "functions"
    for file in {mutant.file for mutant in mutants}:
        text = before = (folder / f"{file}.lua").read_text("utf-8")
        for mutant in mutants:
            text = mutant.apply(text) if mutant.file == file else text
        source = source.replace(before, text)
    return source


def explained(text: str) -> set[str]:
    """Return the names of the mistakes that are explained: each is a heading."""
    return set(re.findall(r"^## `([\w-]+)`$", text, re.MULTILINE))


# -- in the process of the tests --------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Give the servers of this process the library with the mistake."""
    name = os.environ[CHOSEN]
    source = changed() if name == NO_MISTAKE else changed(listed()[name])
    setattr(import_module("tidemill.backends.redis.client"), "assembled", lambda: source)  # noqa: B010


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs over something else, and do not wait for long."""
    for name, value in IMPATIENT.items():
        module, _, attribute = name.partition(".")
        setattr(import_module(f"tests.contract.{module}"), attribute, value)
    kept = [item for item in items if not OTHERS & _given(item) and "naive_variant" not in item.name]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _given(item: pytest.Item) -> set[str]:
    call = getattr(item, "callspec", None)
    return set() if call is None else {value for value in call.params.values() if isinstance(value, str)}


# -- the run ----------------------------------------------------------------------------------------------------------


def files(names: Sequence[str]) -> Iterator[str]:
    """Return the test files whose names, below `tests`, begin so."""
    for name in names:
        found = sorted(str(path.relative_to(ROOT)) for path in TESTS.glob(f"{name}*.py"))
        if not found:
            raise ValueError(f"there is no test file tests/{name}*.py")
        yield from found


def tried(name: str, tests: Sequence[str]) -> tuple[int, str]:
    """Run tests with a mistake; return the exit status of pytest and the end of what it said."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("COV", "PYTEST"))}
    options = ["-x", "-q", "-p", "no:cacheprovider", f"--timeout={SECONDS}", "--timeout-method=thread", "--tb=line"]
    command = [sys.executable, "-m", "pytest", "-p", "tools.lua_mutants", "--hypothesis-profile=mutants", *options]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**kept, CHOSEN: name, "HYPOTHESIS_STORAGE_DIRECTORY": folder}
        with subprocess.Popen(
            [*command, *files(tests)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            said = process.communicate()[0]
    return process.returncode, said[-2000:]


def noticed(mutant: Mutant) -> tuple[str, float]:
    """Return which tests noticed a mistake ("" if none did), and after how many seconds. Raises RuntimeError if tests
    could not be run."""
    begun = time.monotonic()
    for tests in (mutant.tests, [name for name in ALL if name not in mutant.tests]):
        status, said = tried(mutant.name, tests)
        if status == pytest.ExitCode.TESTS_FAILED:
            failed = re.findall(r"^(?:FAILED|ERROR) \S*/(test_\w+\.py::\S+)", said, re.MULTILINE)
            return (failed[0] if failed else "a test that hangs"), time.monotonic() - begun
        if status != pytest.ExitCode.OK:
            raise RuntimeError(f"{mutant.name}: pytest ended with {status}\n{said}")
    return "", time.monotonic() - begun


def verdict(found: Mapping[str, str], mutants: Mapping[str, Mutant], known: set[str]) -> tuple[str, bool]:
    """Return what to print about a run, and whether it passes. ``found`` says which test noticed each mistake."""
    made = Counter(mutants[name].file for name in found)
    caught = Counter(mutants[name].file for name, test in found.items() if test)
    lines = [f"{'file':<20}{'mutants':>9}{'noticed':>9}"]
    lines += [f"{file:<20}{made[file]:>9}{caught[file]:>9}" for file in sorted(made)]
    lines.append(f"{'all':<20}{made.total():>9}{caught.total():>9}")
    strange = sorted(name for name, test in found.items() if not test and name not in known)
    noticed_now = sorted(name for name, test in found.items() if test and name in known)
    lines += [f"survives, and is not explained in {EXPLAINED.name}: {name}" for name in strange]
    lines += [f"explained, but {found[name]} notices it: {name}" for name in noticed_now]
    lines += [f"explained, but there is no such mistake: {name}" for name in sorted(known - set(mutants))]
    return "\n".join(lines), not (strange or noticed_now or known - set(mutants))


def main(arguments: Sequence[str]) -> int:
    """Make the mistakes, test, report."""
    parser = argparse.ArgumentParser(prog="lua_mutants", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("names", nargs="*", help="mistakes to try (default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="how many to try at once")
    options = parser.parse_args(arguments)
    mutants = listed()
    for mutant in mutants.values():
        changed(mutant)
    status, said = tried(NO_MISTAKE, ALL if not options.names else mutants[options.names[0]].tests)
    if status:
        print(f"{said}\nwithout a mistake the tests have to pass, or nothing is measured")
        return 1
    found: dict[str, str] = {}
    chosen = [mutants[name] for name in options.names or mutants]
    with ThreadPoolExecutor(options.jobs) as pool:
        for mutant, (test, seconds) in zip(chosen, pool.map(noticed, chosen), strict=True):
            found[mutant.name] = test
            print(f"{mutant.name:<42}{seconds:>6.1f} s  {test or 'SURVIVES'}", flush=True)
    text, passed = verdict(found, mutants, explained(EXPLAINED.read_text(encoding="utf-8")))
    print(text)
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
