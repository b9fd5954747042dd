"""On a terminal a run shows live progress and a table with colours, which NO_COLOR and -q take away."""

from __future__ import annotations

import codecs
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.support import FLOWS, environment

DEADLINE = 120.0
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """A process whose output is a terminal, and what it has written so far."""

    def __init__(self, *arguments: str, stdout_too: bool = True, **more: str) -> None:
        self.ours, theirs = pty.openpty()
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        settings = {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40", **more}
        self.process = subprocess.Popen(
            ["tidemill", *arguments],
            cwd=FLOWS,
            env=environment(**settings),
            stdin=theirs,
            stdout=theirs if stdout_too else subprocess.PIPE,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def read_until(self, wanted: Callable[[str], bool]) -> str:
        """Read until what was written satisfies ``wanted``."""
        deadline = time.monotonic() + DEADLINE
        while not wanted(self.text):
            left = deadline - time.monotonic()
            assert left > 0, f"not within {DEADLINE} s: {self.text!r}"
            if select.select([self.ours], [], [], left)[0] and not self._read():
                assert wanted(self.text), f"it ended before: {self.text!r}"
        return self.text

    def _read(self) -> bool:
        try:
            data = os.read(self.ours, 65536)
        except OSError:  # how a terminal says that nobody writes to it any more
            return False
        self.text += self._decoder.decode(data)  # a character may come in pieces
        return bool(data)

    def finish(self) -> tuple[int, str]:
        """Read to the end and return (exit code, all that was written)."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and self._read():
            pass
        return self.process.wait(DEADLINE), self.text.replace("\r\n", "\n")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        os.close(self.ours)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def begin(*arguments: str, stdout_too: bool = True, **more: str) -> Terminal:
        opened.append(Terminal(*arguments, stdout_too=stdout_too, **more))
        return opened[-1]

    yield begin
    for each in opened:
        each.close()


def test_progress_is_live_and_is_gone_when_the_table_is_there(terminal: Callable[..., Terminal]) -> None:
    shown = terminal("run", "numbers_flows:waiting", "-i", "number=1", "-i", "number=2")
    shown.read_until(lambda text: "0 of 1 contexts done, 0 failed, 1 open" in text and "1 done of 2" in text)
    shown.process.send_signal(signal.SIGINT)
    code, text = shown.finish()
    assert code == 130
    assert "interrupted: 0 contexts: 0 succeeded, 0 failed, 1 not finished" in text
    assert "\x1b[?25h" in text.rsplit("\x1b[?25l", 1)[1]  # the cursor that was hidden is shown again


def test_the_table_has_borders_and_failed_rows_have_a_colour(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text("context,number\ngood,1\nbad,13\n")
    code, text = terminal("run", "numbers_flows:doubling", "--inputs", str(tmp_path / "i.csv")).finish()
    assert code == 1
    assert re.search(r"good\s*\x1b?.*│.*ok.*│.*\[2\]", text)
    assert "\x1b[31m" in text


@pytest.mark.parametrize("variable", ["NO_COLOR"])
def test_no_colour_where_none_is_wanted(variable: str, terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text("context,number\ngood,1\nbad,13\n")
    file = str(tmp_path / "i.csv")
    code, text = terminal("run", "numbers_flows:doubling", "--inputs", file, **{variable: "1"}).finish()
    assert code == 1
    assert "│ [2]" in COLOUR.sub("", text)
    coloured = [code for code in COLOUR.findall(text) if re.search(r"[\[;](3[0-7]|9[0-7]|38|48)[;m]", code)]
    assert coloured == []


def test_quiet_shows_no_progress(terminal: Callable[..., Terminal]) -> None:
    code, text = terminal("run", "numbers_flows:doubling", "-i", "number=1", "-q", "-o", "jsonl").finish()
    assert code == 0
    assert text == '{"context": "default", "status": "succeeded", "result": {"doubled": [2]}}\n'


def test_a_dumb_terminal_gets_plain_lines(terminal: Callable[..., Terminal]) -> None:
    shown = terminal("run", "numbers_flows:waiting", "-i", "number=2", TERM="dumb")
    shown.read_until(lambda text: "0 of 1 contexts done" in text)
    shown.process.send_signal(signal.SIGINT)
    code, text = shown.finish()
    assert code == 130
    assert "\x1b" not in text


def test_results_on_the_same_terminal_are_not_overwritten(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    (tmp_path / "i.jsonl").write_text('{"number": 1}\n' * 50)
    file = str(tmp_path / "i.jsonl")
    code, text = terminal("run", "numbers_flows:doubling", "--inputs", file, "-o", "jsonl").finish()
    assert code == 0
    *lines, last = text.splitlines()
    assert "\x1b" not in text
    assert last.startswith("50 contexts: 50 succeeded, 0 failed; ")
    assert sorted(json.loads(line)["context"] for line in lines) == sorted(f"i.jsonl:{at}" for at in range(1, 51))


def test_results_into_a_file_stay_plain_while_progress_is_live(tmp_path: Path) -> None:
    shown = Terminal("run", "numbers_flows:doubling", "-i", "number=1", stdout_too=False)
    try:
        assert shown.process.stdout is not None
        out = shown.process.stdout.read().decode()
        code, text = shown.finish()
    finally:
        shown.close()
    assert (code, out) == (0, "context  status  doubled\ndefault  ok      [2]\n")
    assert "1 context: 1 succeeded, 0 failed" in text


def test_a_second_signal_gives_the_cursor_back(terminal: Callable[..., Terminal]) -> None:
    shown = terminal("run", "numbers_flows:hanging", "-i", "number=2")
    shown.read_until(lambda text: "0 of 1 contexts done, 0 failed, 1 open" in text and "\x1b[?25l" in text)
    shown.process.send_signal(signal.SIGINT)
    shown.read_until(lambda text: "a second signal ends it at once" in text)
    shown.process.send_signal(signal.SIGINT)
    code, text = shown.finish()
    assert code == 130
    assert "stopped at once; what was running is not cleaned up" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
