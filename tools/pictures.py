"""Makes docs/pictures: real data flows as `tidemill diagram` draws them.

Run as a program it draws them anew, for which graphviz has to be there; `stale` needs none of it, as it compares what a
picture shows and not how: another graphviz draws the same thing a little differently.
Neighbours: tests/test_site.py; the pages that show the pictures.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

__all__ = ["FOLDER", "PICTURES", "drawn", "main", "shown", "stale"]

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"

PICTURES = {
    "start": ("docs/start.md", "words:flow", ["--stages", "processing"]),
    "downloads": ("examples/tutorial", "downloads:flow", ["--stages", "processing"]),
    "tour": ("examples/kubernetes", "tour.yaml", []),
    "engine": ("docs/pictures", "engine.dot", []),
    "shouldi": ("examples/shouldi", "shouldi.dataflow:build", ["--stages", "processing", "--simple"]),
}
"""Each picture: the folder of its data flow (or the page in which it stands), what `tidemill` calls it, and options."""


def drawn(name: str, form: str, scratch: Path) -> str:
    """Return a picture as ``dot`` or ``svg``. Raises `subprocess.CalledProcessError` where it cannot be drawn."""
    where, what, options = PICTURES[name]
    folder = ROOT / where
    if folder.is_file():
        _written(folder, scratch)
        folder = scratch
    if what.endswith(".dot"):
        text = (folder / what).read_text(encoding="utf-8")
        return text if form == "dot" else _run(["dot", "-Tsvg", what], folder)
    return _run([sys.executable, "-m", "tidemill.cli", "diagram", what, "--format", form, *options], folder)


def _run(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def _written(page: Path, folder: Path) -> None:
    """Write the files that a page shows: their first line is their name."""
    for text in re.findall(r"^```(?:python|py|yaml)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S):
        (folder / text.split("\n", 1)[0].removeprefix("# ")).write_text(text, encoding="utf-8")


def shown(picture: str) -> set[str]:
    """Return everything that is written in a picture, be it in the words of graphviz or drawn. A node without a label
    shows its name.
    """
    if re.search(r"^digraph ", picture, re.M):
        words = re.findall(r'label="((?:[^"\\]|\\.)*)"', picture)
        words += [
            name for name in re.findall(r"^ +(\w+) \[(?!.*label=)", picture, re.M) if name not in ("node", "edge")
        ]
        return {line.strip() for word in words for line in re.split(r"\\[nlr]", word)} - {""}
    tree = ElementTree.fromstring(picture)
    return {"".join(text.itertext()).strip() for text in tree.iter("{http://www.w3.org/2000/svg}text")}


def stale(scratch: Path) -> list[str]:
    """Return the pictures that do not show what their data flows are now."""
    return [
        name
        for name in PICTURES
        if shown(drawn(name, "dot", scratch)) != shown((FOLDER / f"{name}.svg").read_text(encoding="utf-8"))
    ]


def main() -> None:
    """Draw them."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in PICTURES:
            text = re.sub(r"<!--.*?-->\n?|<[?!].*?>\n?", "", drawn(name, "svg", Path(scratch)), flags=re.S)
            (FOLDER / f"{name}.svg").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
