"""What the page about the differences says that DFFML prints is what DFFML prints; skipped where there is none.

That Tidemill prints what the page says is for `tests.test_docs`, as for every page.
"""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.dffml_peer import peer_python

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "dffml-differences.md").read_text(encoding="utf-8")
BEGINNING, *_ = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
SECTIONS = re.findall(
    r"^## (.*?)\n.*?^```python\n(.*?)^```\n\n^```text\n(.*?)^```\n\n^```dffml\n(.*?)^```$", PAGE, re.M | re.S
)
HANGS = "(it hangs)\n"
LINES = 20
DEADLINE = 120
"""Seconds within which a program has printed what it prints, or has ended."""
PATIENCE = 10
"""Seconds after which a program hangs that has printed it; those that do not take less than one."""


def test_every_section_has_a_program_and_what_both_print() -> None:
    assert len(SECTIONS) == PAGE.count("\n## ") >= 18
    for title, program, ours, theirs in SECTIONS:
        assert ours != theirs, f"{title}: no difference"
        said = [line for line in program.splitlines() if line.strip()]
        assert len(said) <= LINES, f"{title}: {len(said)} lines"


@pytest.mark.parametrize(
    ("program", "theirs"), [pytest.param(section[1], section[3], id=section[0]) for section in SECTIONS]
)
def test_dffml_prints_what_the_page_says(program: str, theirs: str, tmp_path: Path) -> None:
    code = (
        (BEGINNING + program).replace("import tidemill as dffml", "import dffml").replace("from tidemill", "from dffml")
    )
    said = theirs.removesuffix(HANGS)
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        running = subprocess.Popen([peer_python(), "-u", "-c", code], cwd=tmp_path, stdout=out, stderr=err)
    deadline = time.monotonic() + DEADLINE
    while running.poll() is None and len((tmp_path / "out").read_text()) < len(said) and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        running.wait(PATIENCE if said != theirs else DEADLINE)
        hangs = ""
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        hangs = HANGS
    assert (tmp_path / "out").read_text() + hangs == theirs, (tmp_path / "err").read_text()
