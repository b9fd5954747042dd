"""Makes docs/tutorial.ipynb out of the pages of docs/tutorial: the same text, and each command as a cell.

    python tools/notebook.py             writes the text; outputs stay with the cells that are as they were
    python tools/notebook.py --execute   runs it from top to bottom, measuring all rungs, and keeps the outputs

The measuring is that of `make tutorial`, and writes into the same folder: `tutorial_doc.py --take` takes it over.
``TUTORIAL_REQUESTS`` and ``TUTORIAL_LATENCY`` in the environment make it smaller.
Neighbours: `tutorial_doc`, which makes the page about what was measured; tests/examples/tutorial/test_notebook.py.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

__all__ = ["NOTEBOOK", "Notebook", "executed", "made", "main", "printed", "read", "with_outputs_of", "write"]

Notebook = dict[str, Any]
"""A notebook as it is in its file, with every text in one piece."""

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "tutorial"
NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"
LONGEST = 3600
"""Seconds that one cell may take."""

BEGINNING = """import os
import sys
from pathlib import Path

ROOT = next(folder for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "examples" / "tutorial").is_dir())
os.chdir(ROOT)
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
sys.path.insert(0, "examples/tutorial")
REQUESTS = [int(number) for number in os.environ.get("TUTORIAL_REQUESTS", "1 10 100 1000").split()]
LATENCIES = [float(seconds) for seconds in os.environ.get("TUTORIAL_LATENCY", "0.01 0.1").split()]"""

MEASURING = """# What the rungs cost

Each rung gets so many files of a site that answers after so long, eight at once where it can. The measuring is a data
flow too: `measuring.py` has its operations, and its output is the table.
"""

MEASURED = """from climb import measured, written
from ladder.measure import available

rows = await measured(LATENCIES, REQUESTS, available())
plots = written(rows, Path(os.environ.get("TUTORIAL_INTO", "examples/tutorial/measured")))"""

PLOTTED = """from IPython.display import Image

Image(next(path for path in plots if path.stem == "{name}"))"""

_CONSOLE = re.compile(r"(?<!<!-- cluster -->\n)^```console\n(?P<text>(?:.*\n)*?)```\n", re.M)
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s]+)(?=\))")


def _sources() -> Iterator[tuple[str, str]]:
    """Yield each cell as its kind and its text."""
    yield "code", BEGINNING
    for page in [PAGES / "index.md", *sorted(PAGES.glob("[0-9]*.md"))]:
        text, at = _relinked(page), 0
        for found in _CONSOLE.finditer(text):
            yield from _markdown(text[at : found.start()])
            for command in re.findall(r"^\$ (.*)$", found["text"], re.M):
                yield "code", f"!{command}"
            at = found.end()
        yield from _markdown(text[at:])
    yield from _markdown(MEASURING)
    yield "code", MEASURED
    for name in ("seconds", "memory", "seconds-memory"):
        yield "code", PLOTTED.format(name=name)


def _markdown(text: str) -> Iterator[tuple[str, str]]:
    if text.strip():
        yield "markdown", text.strip()


def _relinked(page: Path) -> str:
    """Return the text of a page with its links as they are where the notebook lies."""

    def link(found: re.Match[str]) -> str:
        return os.path.relpath(page.parent / found[1], NOTEBOOK.parent)

    return _LINK.sub(link, page.read_text(encoding="utf-8"))


def made() -> Notebook:
    """Return the notebook as the pages have it, without outputs."""
    cells: list[Notebook] = []
    for number, (kind, text) in enumerate(_sources()):
        cell: Notebook = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text}
        cells.append(cell | ({"outputs": [], "execution_count": None} if kind == "code" else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def read(path: Path = NOTEBOOK) -> Notebook:
    """Return a notebook that is there."""
    found: Notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in found["cells"]:
        cell["source"] = "".join(cell["source"])
    return found


def write(notebook: Notebook, path: Path) -> None:
    """Write a notebook, each line of its cells on one of its own."""
    cells = [cell | {"source": cell["source"].splitlines(keepends=True)} for cell in notebook["cells"]]
    text = json.dumps(notebook | {"cells": cells}, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(f"{text}\n", encoding="utf-8")


def with_outputs_of(notebook: Notebook, other: Notebook) -> Notebook:
    """Give cells the outputs that cells of the same text have in another notebook, in their order."""
    known = [cell for cell in other["cells"] if cell["cell_type"] == "code"]
    for cell in notebook["cells"]:
        same = next((one for one in known if one["source"] == cell["source"]), None)
        if cell["cell_type"] == "code" and same is not None:
            known.remove(same)
            cell.update(outputs=same["outputs"], execution_count=same["execution_count"])
    return notebook


def executed(notebook: Notebook) -> Notebook:
    """Return a notebook after a run from top to bottom. Raises `CellExecutionError` with the traceback of a cell."""
    run = nbformat.reads(json.dumps(notebook), as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(run, timeout=LONGEST, kernel_name="python3", record_timing=False).execute(cwd=str(ROOT))
    cells = [
        cell
        | (
            {"outputs": _plain(done["outputs"]), "execution_count": done["execution_count"]}
            if "outputs" in cell
            else {}
        )
        for cell, done in zip(notebook["cells"], run["cells"], strict=True)
    ]
    return notebook | {"cells": cells}


def _plain(outputs: list[Any]) -> list[Any]:
    """Return outputs with what was printed in one piece, and with lines that end as they do elsewhere."""
    text = "".join(one["text"] for one in outputs if one["output_type"] == "stream").replace("\r\n", "\n")
    stream = [{"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)}] if text else []
    return stream + [json.loads(json.dumps(one)) for one in outputs if one["output_type"] != "stream"]


def printed(cell: Notebook) -> str:
    """Return what a cell has printed."""
    return "".join("".join(one["text"]) for one in cell["outputs"] if one["output_type"] == "stream")


def main() -> int:
    """Write the notebook."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--execute", action="store_true", help="run it, and keep the outputs")
    parser.add_argument("--into", type=Path, default=NOTEBOOK, help="(default: %(default)s)")
    given = parser.parse_args()
    notebook = made()
    if given.execute:
        notebook = executed(notebook)
    elif given.into.exists():
        notebook = with_outputs_of(notebook, read(given.into))
    write(notebook, given.into)
    return 0


if __name__ == "__main__":
    sys.exit(main())
