"""The folder called ``operator`` must never become importable, or it hides the standard library's module of that name.

The same goes for packages among the tests, which would make names like ``operator`` importable from there; and a source
root holds exactly one package, of another name than its folder.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE_ROOTS = {"core": "tidemill", "worker": "tidemill_worker", "operator": "tidemill_operator"}


def importing_operator(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start a child in ``folder`` with it first on the path, and let it use the standard library's ``operator``."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    return subprocess.run(
        [sys.executable, "-c", "import operator, collections; print(operator.itemgetter(0)('a'))"],
        cwd=folder,
        env={**plain, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("folder", SOURCE_ROOTS)
def test_a_source_root_is_a_folder_and_no_package(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert not (ROOT / folder / "__init__.py").exists()
    assert not (ROOT / f"{folder}.py").exists()


@pytest.mark.parametrize(("folder", "package"), SOURCE_ROOTS.items())
def test_a_source_root_holds_no_package_but_its_own(folder: str, package: str) -> None:
    assert {path.parent.name for path in (ROOT / folder).glob("*/__init__.py")} <= {package}
    assert list((ROOT / folder).glob("*.py")) == []


def test_no_tests_are_packages_and_none_live_beside_the_source() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []
    assert [path for folder in SOURCE_ROOTS for path in (ROOT / folder).rglob("test_*.py")] == []


def test_import_operator_in_the_root_is_the_standard_library() -> None:
    for environment in ({}, {"PYTHONPATH": str(ROOT)}):
        child = importing_operator(ROOT, **environment)
        assert (child.returncode, child.stdout, child.stderr) == (0, "a\n", "")


def test_the_trap_is_real(tmp_path: Path) -> None:
    """With an ``__init__.py`` in a folder ``operator`` the same child fails: so the test above can fail."""
    (tmp_path / "operator").mkdir()
    assert importing_operator(tmp_path, PYTHONPATH=str(tmp_path)).returncode == 0
    (tmp_path / "operator" / "__init__.py").touch()
    assert importing_operator(tmp_path, PYTHONPATH=str(tmp_path)).returncode != 0
