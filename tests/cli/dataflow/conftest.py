"""The folder in which the verbs are called has operations, and the data flows that DFFML made of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Result

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
"""What DFFML 0.4 printed for the same arguments."""


@pytest.fixture
def dataflow(cli: Callable[..., Result], tmp_path: Path) -> Callable[..., Result]:
    """Call a verb of ``tidemill dataflow`` in a folder with the operations and data flows."""
    shutil.copytree(HERE / "flows", tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in GOLDEN.glob("*.[jy]*"):
        shutil.copy(path, tmp_path)

    def call(*arguments: str) -> Any:
        return cli("dataflow", *arguments, cwd=tmp_path)

    return call
