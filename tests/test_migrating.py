"""Pages of steps are followed: their files are written down, their commands typed, what those print compared.

A comment before a block says what it needs: DFFML (where there is none its command is given to Tidemill, which prints
the same), a terminal of its own, a cluster (`tests/e2e`), or machines that nobody has: those are only read.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.peer import cache, works
from tests.dffml_peer import VARIABLE
from tidemill.cli.group import ON_A_CLUSTER, command_of

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for name in ("journal", "migrating", "serving", "start")
}
BLOCK = re.compile(r"^(?:<!-- (?P<needs>[a-z]+) -->\n)?```(?P<language>[a-z]+)\n(?P<text>.*?)^```$", re.M | re.S)
DEADLINE = 120.0
"""Seconds in which something has to listen."""


def commands(text: str) -> list[tuple[str, str]]:
    """Each command after a ``$``, with what it prints."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert parts[0] == "", "a block that begins with no command"
    return [(command, printed) for command, _, printed in (part.partition("\n") for part in parts[1:])]


class Reader:
    """Follows the page in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{folder / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", "PYTHONPATH": "."}
        self.environment.pop("TIDEMILL_BACKEND", None)
        self.running: list[subprocess.Popen[str]] = []
        (folder / "bin").mkdir()

    def typed(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stderr}"
        return done.stdout

    def follow(self, block: re.Match[str]) -> None:
        """Do what a block says."""
        needs, text = block["needs"], block["text"]
        if block["language"] != "console":
            name = text.split("\n", 1)[0].removeprefix("# ")
            (self.folder / name).write_text(text, encoding="utf-8")
        elif needs == "background":
            [(command, printed)] = commands(text)
            self.begin(command, printed)
        elif needs == "elsewhere":
            for command, _ in commands(text):
                self.read(command)
        elif needs != "cluster":
            for command, printed in commands(text):
                said = self.typed(self.substituted(command) if needs == "dffml" else command)
                assert said.rstrip("\n") == printed.rstrip("\n"), f"$ {command}"

    def substituted(self, command: str) -> str:
        """A command of DFFML, or where there is none the same of Tidemill, over the same operations."""
        python = os.environ.get(VARIABLE) or str(cache() / "dffml" / "bin" / "python")
        if works(python, "import dffml"):
            run = "import sys; from dffml.cli.cli import CLI; CLI.main(argv=['dffml', *sys.argv[1:]])"
            return f"{shlex.quote(python)} -c {shlex.quote(run)}{command.removeprefix('dffml')}"
        changed = "sed -i.dffml 's/^from dffml import/from tidemill import/' ops.py"
        back = "mv ops.py.dffml ops.py"
        return f"{changed} && tidemill{command.removeprefix('dffml')}; code=$?; {back}; exit $code"

    def begin(self, command: str, printed: str) -> None:
        """Type a command in a terminal of its own, and wait until it is there."""
        arguments = shlex.split(command)
        process = subprocess.Popen(
            arguments, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.running.append(process)
        if printed.startswith("export "):
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.split("=")[0] == printed.split("=")[0]
            name, _, value = shlex.split(line.removeprefix("export "))[0].partition("=")
            self.environment[name] = value
        if "--port" in arguments:
            await_port(int(arguments[arguments.index("--port") + 1]), process)

    def read(self, command: str) -> None:
        """See that there is such a command with these options."""
        program, verb, *arguments = shlex.split(command)
        assert program == "tidemill"
        found = command_of(verb, cluster="-n" in arguments and verb in ON_A_CLUSTER)
        assert found.make_context(verb, arguments).params

    def end(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.communicate(timeout=DEADLINE)


def await_port(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + DEADLINE
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, "it has ended"
        assert time.monotonic() < deadline, "it does not listen"
        time.sleep(0.02)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody who follows the page; whatever was begun ends with the test."""
    made = Reader(tmp_path)
    yield made
    made.end()


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_step_does_what_the_page_says(page: str, reader: Reader) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the page asks over HTTP with curl, which is not in PATH")
    blocks = list(BLOCK.finditer(PAGES[page]))
    assert PAGES[page].count("```") == 2 * len(blocks), "a block that is not run"
    assert {block["needs"] for block in blocks} <= {None, "dffml", "background", "elsewhere", "cluster"}
    for block in blocks:
        reader.follow(block)
