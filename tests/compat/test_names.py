"""Every public name of DFFML's modules for data flows is here, or in the table of what is not, with a reason."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tidemill
import tidemill.dffml

HERE = Path(__file__).parent
NAMES = [
    tuple(line.split())
    for line in (HERE / "dffml_names.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
PAGE = (HERE.parents[1] / "docs" / "dffml.md").read_text(encoding="utf-8")
ALL = "all"


def left_out() -> Iterator[tuple[str, str]]:
    """Yield (module, name) for each name in the table; the name is "all" where the module is not here."""
    table = PAGE.partition("## Names\n")[2].partition("\n## ")[0]
    for module, names, why, instead in re.findall(r"^\| `([\w.]+)` \| (.*?) \| (.+?) \| (.+?) \|$", table, re.M):
        assert why.strip(), module
        assert instead.strip(), module
        for name in [ALL] if names == ALL else re.findall(r"`(\w+)`", names):
            yield module, name


LEFT_OUT = set(left_out())
MODULES = sorted({module for module, _ in NAMES})


def is_here(module: str, name: str) -> bool:
    """Say whether a name is at DFFML's import path."""
    try:
        return hasattr(importlib.import_module(f"tidemill.{module}"), name)
    except ImportError:
        return False


@pytest.mark.parametrize("module", MODULES)
def test_every_name_is_here_or_left_out_with_a_reason(module: str) -> None:
    names = [name for its, name in NAMES if its == module]
    if (module, ALL) in LEFT_OUT:
        assert not any(is_here(module, name) for name in names)
        return
    here = {name for name in names if is_here(module, name)}
    without = {name for its, name in LEFT_OUT if its == module}
    assert here | without == set(names), "a name is neither here nor in the table"
    assert here & without == set(), "a name that is here stands in the table"


def test_the_table_has_no_names_that_dffml_has_not() -> None:
    known = set(NAMES) | {(module, ALL) for module in MODULES}
    assert known >= LEFT_OUT


def test_what_is_here_is_found_by_the_one_import() -> None:
    for module, name in NAMES:  # DFFML has classes and functions there, no definitions
        if is_here(module, name) and callable(getattr(importlib.import_module(f"tidemill.{module}"), name)):
            assert hasattr(tidemill, name), f"tidemill.{module}.{name} is not tidemill.{name}"


def test_the_names_that_are_listed_are_those_of_the_module() -> None:
    assert set(tidemill._DFFML) == set(tidemill.dffml.__all__)
    assert set(tidemill._DFFML) <= set(tidemill.__all__)


@pytest.mark.parametrize(
    "path", ["df.types", "df.base", "operation.output", "operation.mapping", "util.data", "noasync"]
)
def test_modules_are_reached_through_the_package(path: str) -> None:
    found = tidemill
    for name in path.split("."):
        found = getattr(found, name)
    assert found.__name__ == f"tidemill.{path}"
    with pytest.raises(AttributeError):
        _ = tidemill.util.nothing


def test_everything_is_imported_without_what_only_a_store_needs() -> None:
    program = """
import importlib.util, sys
known = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name in ("redis", "msgpack") else known(name, *more)
sys.modules["redis"] = sys.modules["msgpack"] = None
from tidemill import *
assert "RedisOrchestrator" not in globals()
assert DataFlow and AsyncTestCase and MemoryOrchestrator
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "RedisOrchestrator" in tidemill.__all__
