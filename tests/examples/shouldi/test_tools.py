"""Child processes end: by themselves, at their deadline, or when they print too much."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest
from shouldi.tools import ToolFailed, run_tool


async def test_output_and_exit_code_are_given() -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['A']); print('é', file=sys.stderr); sys.exit(3)"
    ran = await run_tool([sys.executable, "-c", code], seconds=60, cwd=Path("/"), env={"A": "b", "PYTHONUTF8": "1"})
    assert (ran.code, ran.out, ran.err) == (3, "/ b\n", "é\n")


async def test_standard_input_is_empty() -> None:
    ran = await run_tool([sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"], seconds=60)
    assert ran.out == "''\n"


async def test_a_tool_that_does_not_end_is_killed() -> None:
    with pytest.raises(ToolFailed, match=r"did not end within 0.2 s"):
        await run_tool([sys.executable, "-c", "import time; time.sleep(600)"], seconds=0.2)


async def test_a_tool_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    child = "import time; time.sleep(600)"
    code = (
        "import os, pathlib, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        f"pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\n"
        "while True: print('x' * 999)"
    )
    with pytest.raises(ToolFailed, match="printed more than 1000 bytes"):
        await run_tool([sys.executable, "-c", code], seconds=120, limit=1000)
    for pid in map(int, pids.read_text().split()):
        deadline = time.monotonic() + 60
        while _runs(pid):  # the signal is sent; the system may take a moment to deliver it
            assert time.monotonic() < deadline
            await asyncio.sleep(0)


def _runs(pid: int) -> bool:
    """Whether the process runs: a killed child that nobody has collected yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return _signalled(pid) if not Path("/proc").exists() else False
    return state not in "ZX"


def _signalled(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_tool_that_is_missing_says_so() -> None:
    with pytest.raises(ToolFailed, match="cannot be started"):
        await run_tool(["/nonexistent/tool"], seconds=5)
