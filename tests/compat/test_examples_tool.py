"""The tool that runs DFFML's own examples, on a checkout with examples of ours: it changes the import, no more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools import dffml_sources

ROOT = Path(__file__).resolve().parents[2]
MODULE = '''
"""Has examples."""


def good():
    """
    Adds.

    >>> from dffml import traverse_get
    >>> traverse_get({"a": 1}, "a")
    1
    """


def bad():
    """
    >>> import dffml
    >>> dffml.nothing
    3
    """


def other():
    """
    >>> from dffml import *
    >>> SLRModel()
    """
'''
PAGE = """
.. code-block:: python
    :test:

    import dffml.noasync
    print(list(dffml.noasync.run(dffml.DataFlow(dffml.print_output))))

.. code-block:: python

    print("nothing of dffml")
"""
TESTS = """
from dffml.util.asynctestcase import AsyncTestCase
from dffml import traverse_get


class TestIt(AsyncTestCase):
    async def test_good(self):
        self.assertEqual(traverse_get({"a": 1}, "a"), 1)

    async def test_bad(self):
        self.assertEqual(traverse_get({"a": 1}, "a"), 2)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Files at the places where DFFML has its own."""
    files = {
        "dffml/operation/module.py": MODULE,
        "docs/concepts/page.rst": PAGE,
        "README.md": "```python\nimport dffml\nprint(dffml.DataFlow)\n```\n",
        "examples/dataflow/locking/example.py": "import dffml\nprint('set i = 2, got i = 2')\n",
        "tests/df/test_it.py": TESTS,
        "tests/test_df.py": "import dffml.broken\n",
        "tests/operation/test_archive.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_every_example_has_a_verdict(checkout: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "dffml_examples.py"), str(checkout), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    verdicts: list[dict[str, Any]] = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert {verdict["name"]: verdict["passed"] for verdict in verdicts} == {
        "dffml/operation/module.py:good": True,
        "dffml/operation/module.py:bad": False,
        "README.md#1": True,
        "docs/concepts/page.rst#1": True,
        "examples/dataflow/locking/example.py": False,
        "tests.df.test_it.TestIt.test_good": True,
        "tests.df.test_it.TestIt.test_bad": False,
        "unittest.loader._FailedTest.test_df": False,
    }
    said = {verdict["name"]: verdict["said"] for verdict in verdicts}
    assert "AttributeError" in said["dffml/operation/module.py:bad"]
    assert "did not print 'set i = 1, got i = 1'" in said["examples/dataflow/locking/example.py"]
    assert "1 != 2" in said["tests.df.test_it.TestIt.test_bad"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("import dffml", "import tidemill as dffml"),
        ("    import dffml", "    import tidemill as dffml"),
        (">>> from dffml import *", ">>> from tidemill import *"),
        ("from dffml.df.types import Input", "from tidemill.df.types import Input"),
        ("import dffml.noasync", "import tidemill.noasync; import tidemill as dffml"),
        ("import dffml.df.types as types", "import tidemill.df.types as types"),
        ("import dffml_feature_git", "import dffml_feature_git"),
        ('print("from dffml")', 'print("from dffml")'),
    ],
)
def test_only_the_import_is_changed(theirs: str, ours: str) -> None:
    assert dffml_sources.changed(theirs) == ours
