"""The notebook says what the pages say, its outputs are those of a whole run, and it runs from top to bottom."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.tutorial.test_pages import CASES, PAGES, ROOT, pattern_of
from tools import notebook

SMALL = {"TUTORIAL_REQUESTS": "2", "TUTORIAL_LATENCY": "0.002"}
SAID = [said for _, block in CASES for said in block]


def code_cells(found: notebook.Notebook) -> list[notebook.Notebook]:
    return [cell for cell in found["cells"] if cell["cell_type"] == "code"]


def assert_it_shows_what_the_pages_say(found: notebook.Notebook) -> None:
    cells = code_cells(found)
    for command, printed in SAID:
        [cell] = [cell for cell in cells if cell["source"] == f"!{command}"]
        assert pattern_of(printed).fullmatch(notebook.printed(cell)), notebook.printed(cell)
    pictures = [output for cell in cells for output in cell["outputs"] if "image/png" in output.get("data", {})]
    assert len(pictures) == 3
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))


def test_the_text_is_that_of_the_pages() -> None:
    kept, made = notebook.read(), notebook.made()
    assert [(cell["cell_type"], cell["source"]) for cell in kept["cells"]] == [
        (cell["cell_type"], cell["source"]) for cell in made["cells"]
    ], "run `make docs`"
    text = "\n".join(cell["source"] for cell in kept["cells"])
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith("# "):
                assert line in text


def test_links_lead_somewhere_from_where_the_notebook_lies() -> None:
    for cell in notebook.made()["cells"]:
        if cell["cell_type"] == "markdown":
            for link in re.findall(r"\]\((?!https?:)([^)\s#]+)", cell["source"]):
                assert (notebook.NOTEBOOK.parent / link).exists(), link


def test_the_outputs_that_are_kept_are_those_of_a_whole_run() -> None:
    assert_it_shows_what_the_pages_say(notebook.read())


@pytest.mark.timeout(3600)  # a minute where nothing else runs
def test_it_runs_from_top_to_bottom(tmp_path: Path) -> None:
    into = tmp_path / "run.ipynb"
    subprocess.run(
        [sys.executable, ROOT / "tools" / "notebook.py", "--execute", "--into", into],
        env={**os.environ, **SMALL, "TUTORIAL_INTO": str(tmp_path / "measured")},
        check=True,
        timeout=840,
    )
    assert_it_shows_what_the_pages_say(notebook.read(into))
    assert len((tmp_path / "measured" / "measurements.jsonl").read_text(encoding="utf-8").splitlines()) == 9


def test_outputs_stay_with_cells_that_are_as_they_were() -> None:
    def cell(text: str, *outputs: str) -> notebook.Notebook:
        return {"cell_type": "code", "source": text, "outputs": list(outputs), "execution_count": len(outputs) or None}

    new = {"cells": [cell("b"), cell("a"), cell("a"), cell("c")]}
    old = {"cells": [cell("a", "first"), cell("a", "second", "more"), cell("b", "of b")]}
    kept = notebook.with_outputs_of(new, old)["cells"]
    assert [one["outputs"] for one in kept] == [["of b"], ["first"], ["second", "more"], []]


@pytest.mark.parametrize("text", ["one\n", "one\r\n"])
def test_what_is_printed_is_in_one_piece(text: str) -> None:
    outputs = [{"output_type": "stream", "name": "stdout", "text": part} for part in (text, "two")]
    [found] = notebook._plain(outputs)
    assert notebook.printed({"outputs": [found]}) == "one\ntwo"
