"""bandit really runs, its findings are counted, and a tree cannot hide from it."""

from pathlib import Path

import pytest
from shouldi import security
from shouldi.tools import ToolFailed

from tests.examples.shouldi.support import PLAIN_SOURCE, WEAK_HASH


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


def put(tree: Path, name: str, body: str) -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body)


async def test_findings_are_counted_by_severity_and_confidence(tree: Path, empty: Path) -> None:
    put(tree, "a.py", WEAK_HASH)
    put(tree, "b.py", "assert True\n")
    put(tree, "c.py", PLAIN_SOURCE)
    found = await security.scan(tree, empty)
    assert found["counts"]["HIGH"] == {"HIGH": 1, "MEDIUM": 0, "LOW": 0}
    assert found["counts"]["LOW"] == {"HIGH": 1, "MEDIUM": 0, "LOW": 0}
    assert security.grave(found) == 1
    first = found["examples"][0]
    assert (first["test"], first["where"], first["severity"]) == ("B324", "a.py:5", "HIGH")
    assert [example["test"] for example in found["examples"]] == ["B324", "B101"]
    assert found["lines"] == 7
    assert found["unread"] == []


async def test_a_tree_without_sources_has_no_findings(tree: Path, empty: Path) -> None:
    found = await security.scan(tree, empty)
    assert (found["lines"], found["examples"], security.grave(found)) == (0, [], 0)


async def test_a_file_that_is_no_python_is_named(tree: Path, empty: Path) -> None:
    put(tree, "old.py", "print 'hello'\n")
    put(tree, "a.py", WEAK_HASH)
    found = await security.scan(tree, empty)
    assert found["unread"] == ["old.py"]
    assert security.grave(found) == 1


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.py", WEAK_HASH.replace("hexdigest()", "hexdigest()  # nosec")),
        (".tox/a.py", WEAK_HASH),
        (".git/a.py", WEAK_HASH),
        ("x.egg/a.py", WEAK_HASH),
        ("__pycache__/a.py", WEAK_HASH),
    ],
)
async def test_nothing_hides_from_it(tree: Path, empty: Path, name: str, body: str) -> None:
    put(tree, name, body)
    assert security.grave(await security.scan(tree, empty)) == 1


async def test_it_does_not_run_for_ever(tree: Path, empty: Path) -> None:
    put(tree, "a.py", PLAIN_SOURCE)
    with pytest.raises(ToolFailed, match="bandit .*did not end within"):
        await security.scan(tree, empty, seconds=0.01)


async def test_a_bandit_that_fails_is_said(tree: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(empty, "bandit/__init__.py", "")
    put(empty, "bandit/__main__.py", "import sys; sys.exit('no luck')")
    monkeypatch.setenv("PYTHONPATH", str(empty))
    with pytest.raises(ToolFailed, match="no JSON|exit code 1: no luck"):
        await security.scan(tree, empty)


async def test_an_unknown_exit_code_is_said(tree: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(empty, "bandit/__init__.py", "")
    put(empty, "bandit/__main__.py", "import sys; print('no luck', file=sys.stderr); sys.exit(2)")
    monkeypatch.setenv("PYTHONPATH", str(empty))
    with pytest.raises(ToolFailed, match="exit code 2: no luck"):
        await security.scan(tree, empty)
