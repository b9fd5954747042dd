"""`run.py` as people start it: a table on a terminal, plain lines elsewhere, JSON when asked, and honest exit codes."""

import asyncio
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console
from shouldi import table

from tests.examples.shouldi.support import PLAIN_SOURCE, LocalIndex, make_wheel

EXAMPLE = Path(table.__file__).resolve().parents[1]


def load_run() -> ModuleType:
    """The program, as a module of a name that nothing else has."""
    spec = importlib.util.spec_from_file_location("shouldi_run", EXAMPLE / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run = load_run()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(tmp_path, "thing", "1.0", {"thing.py": PLAIN_SOURCE}, "License-Expression: MIT")


def start(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a child process, from another folder."""
    command = [sys.executable, str(EXAMPLE / "run.py"), *map(str, arguments)]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd="/", timeout=250, check=False)


def test_files_are_judged_and_shown_as_plain_lines(wheel: Path, local_index: LocalIndex) -> None:
    local_index.say("thing", "1.0", [])
    done = start(wheel)
    assert (done.returncode, done.stderr) == (0, "")
    head, line, *rest = done.stdout.splitlines()
    assert head.split() == "package verdict licence bandit H/M/L complexity vulnerabilities from".split()
    assert line.split() == "thing 1.0 yes MIT 0/0/0 A 1.0, worst A 1 none file: wheel".split()
    assert "\x1b" not in done.stdout


def test_names_are_judged_as_json(wheel: Path, local_index: LocalIndex) -> None:
    local_index.add(wheel)
    done = start("--json", "thing", "shouldi-nothing")
    assert done.returncode == 0
    first, second = json.loads(done.stdout)
    assert (first["package"], first["verdict"], first["source"]) == ("thing", "maybe", "index: wheel")
    assert (second["package"], second["verdict"]) == ("shouldi-nothing", "unknown")
    assert second["reasons"][0]["check"] == "source"


def test_without_a_network_ten_installed_ones_are_judged_and_that_is_said() -> None:
    packages, why = run.choose([], offline=False)
    assert len(packages) == 10
    assert all(package.startswith("installed:") for package in packages)
    assert why is not None
    assert why.endswith("so these ten are installed here")
    assert run.choose([], offline=True)[0] == packages


def test_with_a_network_the_ten_are_the_well_known_ones(local_index: LocalIndex) -> None:
    local_index.pages["/simple/packaging/"] = (200, "text/html", b"")
    assert run.choose([], offline=False) == (list(run.TEN), None)
    assert len(set(run.TEN)) == 10


def test_what_is_named_is_judged_once() -> None:
    assert run.choose(["a", "b", "a"], offline=False) == (["a", "b"], None)


@pytest.mark.parametrize(
    ("arguments", "thresholds"),
    [
        ([], {}),
        (["--max-grave", "0", "--max-average", "2.5"], {"grave": 0, "average": 2.5}),
        (["--max-worst=9", "--max-vulnerabilities=1"], {"worst": 9.0, "vulnerabilities": 1}),
    ],
)
def test_thresholds_come_from_the_command_line(arguments: list[str], thresholds: dict[str, float]) -> None:
    assert run.parse(arguments).thresholds == thresholds


@pytest.mark.parametrize(
    "arguments", [["--max-grave", "-1"], ["--max-grave", "x"], ["--max-worst=nan"], ["--index-url=x"]]
)
def test_a_wrong_command_line_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run.main(arguments)
    assert caught.value.code == 2
    assert "usage: run.py" in capsys.readouterr().err


def test_a_name_with_dashes_is_judged_as_a_name_after_two_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--offline", "--", "--index-url=x"]) == 0
    out = capsys.readouterr().out
    assert "--index-url=x: unknown" in out
    assert "is not a project's name" in out


def test_a_failed_operation_gives_1_and_says_which(
    wheel: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(run.operations.metadata, "read", fail)
    assert run.main(["--offline", str(wheel)]) == 1
    out = capsys.readouterr().out
    assert f"{wheel}: failed" in out
    assert "read_metadata failed (Exception)" in out
    assert "a fault" in out


def test_notes_are_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--offline", "packaging"]) == 0
    assert "the installed distribution was judged" not in capsys.readouterr().out
    assert run.main(["--offline", "--notes", "packaging"]) == 0
    assert "the installed distribution was judged: no network was to be used" in capsys.readouterr().out


def test_a_terminal_gets_a_table(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()

    def console(*args: Any, **options: Any) -> Console:
        options.pop("stderr", None)
        return Console(*args, file=screen, force_terminal=True, width=160, **options)

    monkeypatch.setattr(run, "Console", console)
    assert run.main(["--offline", str(wheel)]) == 0
    shown = screen.getvalue()
    assert "Should I install it?" in shown
    assert "thing 1.0" in shown
    assert "\x1b[33mmaybe" in shown
    assert "judged" in shown, "the progress bar"


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing_behind(
    sent: signal.Signals, code: int, wheel: Path, local_index: LocalIndex, tmp_path: Path
) -> None:
    local_index.add(wheel)
    file = f"/files/{wheel.name}"
    local_index.stuck.add(file)
    folder = tmp_path / "workspaces"
    folder.mkdir()
    command = [sys.executable, str(EXAMPLE / "run.py"), "thing"]
    env = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as started:
        deadline = time.monotonic() + 120
        while file not in local_index.asked:
            assert time.monotonic() < deadline, "pip never asked for the file"
            assert started.poll() is None
            local_index.answered.wait(1)
        assert list(folder.glob("shouldi-*"))
        started.send_signal(sent)
        out, errors = started.communicate(timeout=120)
    assert (started.returncode, out) == (code, "")
    assert errors == "stopped before all packages were judged\n"
    assert list(folder.glob("shouldi-*")) == []


def collected(rows: Iterable[table.Row]) -> list[str]:
    return [row.package for row in rows]


def test_rows_come_in_the_order_of_the_packages(tmp_path: Path) -> None:
    wheels = [str(make_wheel(tmp_path, f"t{n}", "1.0", {f"t{n}.py": PLAIN_SOURCE * (4 - n)})) for n in range(4)]
    options = run.parse(["--offline", *wheels])
    rows = asyncio.run(run.collect(wheels, options, Console(file=io.StringIO())))
    assert collected(rows) == wheels
    assert all(row.seconds > 0 for row in rows)
