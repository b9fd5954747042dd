"""The pages of the tutorial, followed literally: each command in them is run, and prints what the page says.

An ellipsis in a page stands for anything within a line, a line of nothing else for any number of lines. What needs a
cluster says so, and is run by tests/e2e/test_tutorial.py.
"""

import os
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.test_migrating import commands

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted((ROOT / "docs" / "tutorial").glob("[0-9]*.md"))
BLOCK = re.compile(r"(?<!<!-- cluster -->\n)^```console\n(?P<text>(?:.*\n)*?)```$", re.M)
ON_A_CLUSTER = re.compile(r"^<!-- cluster -->\n```console\n(?P<text>(?:.*\n)*?)```$", re.M)
CASES = [
    (page.name, commands(found["text"])) for page in PAGES for found in BLOCK.finditer(page.read_text(encoding="utf-8"))
]


def pattern_of(printed: str) -> re.Pattern[str]:
    """Return what a text has to be to be what a page says."""
    lines = []
    for line in printed.splitlines():
        exact = re.escape(line).replace("…", ".*")
        lines.append(r"(?:.*\n)*?" if line == "…" else exact + r"\n")
    return re.compile("".join(lines))


@pytest.mark.parametrize(("page", "block"), CASES, ids=[f"{page} {block[0][0][9:60]}" for page, block in CASES])
def test_a_command_prints_what_the_page_says(page: str, block: list[tuple[str, str]]) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command, printed in block:
        typed = ["bash", "-c", command]
        done = subprocess.run(
            typed, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=120, check=False
        )
        assert pattern_of(printed).fullmatch(done.stdout), done.stdout + done.stderr


def test_the_site_of_the_first_page_is_served() -> None:
    text = (ROOT / "docs" / "tutorial" / "index.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^```\n(.*?)^```$", text, re.M | re.S)
    folder, command = block.splitlines()
    program, *arguments = shlex.split(command.replace("--port 8000", "--port 0"))  # any that is free
    assert (folder, program) == ("cd examples/tutorial", "python")
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, *arguments], cwd=ROOT / folder[3:], stdout=pipe, text=True) as site:
        try:
            assert site.stdout is not None
            with urllib.request.urlopen(site.stdout.readline().strip(), timeout=60) as answer:
                assert b"authenticity_token" in answer.read()
        finally:
            site.terminate()


def test_every_rung_has_a_page_that_names_its_program() -> None:
    programs = sorted(path.name for path in (ROOT / "examples" / "tutorial").glob("r[0-9]*.py"))
    named = [re.search(r"examples/tutorial/(r\d+_\w+\.py)\)", page.read_text(encoding="utf-8")) for page in PAGES]
    assert [found[1] if found else None for found in named] == programs


def test_an_ellipsis_stands_for_anything_and_nothing_else_does() -> None:
    assert pattern_of("a … c\n").fullmatch("a b c\n")
    assert pattern_of("…\nend\n").fullmatch("one\ntwo\nend\n")
    assert not pattern_of("a.c\n").fullmatch("abc\n")
    assert not pattern_of("a\n").fullmatch("a\nb\n")
