"""Measuring rungs: all their processes count, and the table is what the data flow gives."""

import json
import subprocess
import sys
from pathlib import Path

import climb
import psutil
import pytest
from ladder.measure import RUNGS, Measurement, memory_of
from ladder.plots import draw

CHILD = "import subprocess, sys; b = bytearray(64 << 20); print('ready', flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_memory_of_children_counts() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        alone = psutil.Process(process.pid).memory_info().rss
        assert memory_of(psutil.Process(process.pid)) > 64 << 20 > alone
        process.communicate("")


async def test_the_table_has_a_row_for_each_run_and_the_plots_show_it(tmp_path: Path) -> None:
    names = ["serial", "event loop", "data flow"]
    rows = await climb.measured([0.0, 0.01], [1, 5], names)
    assert sorted((row["latency"], row["requests"], row["rung"]) for row in rows) == sorted(
        (latency, count, name) for latency in (0.0, 0.01) for count in (1, 5) for name in names
    )
    for row in rows:
        assert (row["done"], row["failed"]) == (row["requests"], 0)
        assert row["memory"] > 10 << 20
        assert row["cpu"] > 0
        assert row["seconds"] > row["latency"] * 3  # home page, login, file
    drawn = draw(rows, tmp_path)
    assert len(drawn) == 6
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    climb.show(rows)


async def test_a_site_is_stopped_also_when_measuring_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNGS, "serial", "no such file.py")
    before = {one.pid for one in psutil.Process().children(recursive=True)}
    rows = await climb.measured([0.0], [1], ["serial"])
    assert [(row["done"], row["failed"]) for row in rows] == [(0, 1)]
    assert {one.pid for one in psutil.Process().children(recursive=True)} <= before


def test_a_measurement_says_how_many_came_in_a_second() -> None:
    found = Measurement("serial", 10, 0.1, 2.0, 0.5, 1 << 20, 8, 2)
    assert found.rate == 4.0
    assert json.loads(json.dumps(found.as_dict()))["rate"] == 4.0
