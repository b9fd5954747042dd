"""What the page about the differences says that DFFML prints is what DFFML prints; skipped where there is none.

That Tidemill prints what the page says is for `tests.test_docs`, as for every page.
"""

from __future__ import annotations

import re
import subprocess
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
PATIENCE = 10
"""Seconds after which a program that prints nothing more hangs; those that do not take less than one."""


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
    running = subprocess.Popen(
        [peer_python(), "-u", "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        printed, wrong = running.communicate(timeout=PATIENCE if theirs.endswith(HANGS) else 120)
    except subprocess.TimeoutExpired:
        running.kill()
        printed, wrong = running.communicate()
        printed += HANGS
    assert printed == theirs, wrong
