"""Lays out what the site is made of: the pages of docs/, other pages of the repository, and the files they link to.

Everything that a page links to is on the site as well: a page of Markdown as itself, a file as a page that shows it, a
folder as a list. So nothing leads outside, and a link to what does not exist fails the build.
Neighbours: `site`, which builds the pages that lie in the folder then; `site_reference`, what comes out of the code.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tools.site_reference import MADE

__all__ = ["NAVIGATION", "Layout", "place_of"]

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

NAVIGATION = {
    "Learn": [
        "docs/start.md",
        "docs/concepts.md",
        "docs/tutorial/index.md",
        "docs/operations.md",
        "docs/estimates.md",
        "docs/migrating.md",
    ],
    "Use": [
        "docs/serving.md",
        "docs/running.md",
        "docs/estimates.md",
        "docs/journal.md",
        "docs/api.md",
        "docs/runbooks.md",
        "docs/misbehaviour.md",
    ],
    "Look up": [
        "docs/reference/api.md",
        "docs/reference/cli.md",
        "docs/reference/errors.md",
        "docs/metrics.md",
        "docs/dataflow.md",
        "docs/redis.md",
        "charts/tidemill/README.md",
    ],
    "From DFFML": ["docs/dffml.md", "docs/dffml-differences.md", "docs/dffml-examples.md"],
    "Examples": ["examples/shouldi/README.md", "examples/kubernetes/README.md", "examples/kubernetes/image/README.md"],
    "Inside": ["docs/architecture.md", "docs/decisions/README.md", "CONTRIBUTING.md", "CHANGELOG.md"],
}
"""What stands beside each page, in this order. Pages that are in nobody's list fail the build."""

WITHIN = {
    "docs/tutorial/index.md": ["docs/tutorial/[0-9]*.md", "docs/tutorial/measured.md"],
    "docs/decisions/README.md": ["docs/decisions/[0-9]*.md"],
}
"""Pages that have others below them."""

TITLES = {
    "docs/reference/api.md": "Names of Python",
    "charts/tidemill/README.md": "The chart",
    "docs/tutorial/index.md": "The ladder",
}
"""What pages are called there, where that is not their own title."""

LEXERS = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".lua": "lua"}
_LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")
_CODE = re.compile(r"^(?P<fence>```+).*?^(?P=fence)$|`[^`\n]+`", re.M | re.S)
_MERMAID = re.compile(r"^<!-- picture: (?P<path>\S+) -->\n```mermaid\n.*?^```$", re.M | re.S)

_MADE = re.compile(r"^<!-- made: (?P<name>[a-z]+) -->$", re.M)


def place_of(path: Path) -> str:
    """Return where on the site a file of the repository has its page, without a suffix."""
    if path.suffix == ".md":
        inside = path.relative_to(DOCS if path.is_relative_to(DOCS) else ROOT).with_suffix("")
        return inside.as_posix() if path.is_relative_to(DOCS) else f"project/{inside.as_posix()}"
    return f"source/{path.relative_to(ROOT).as_posix()}".rstrip("/.")


class Layout:
    """The folder that the site is built from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._wanted: list[Path] = []
        self._laid: set[Path] = set()

    def lay(self) -> None:
        """Write all pages, those that are linked to as well. Raises `FileNotFoundError` for a link to nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for path in sorted(DOCS.rglob("*")):
            if path.suffix in (".png", ".svg", ".jsonl", ".ipynb"):
                self._copied(path)
        self._wanted = [*sorted(DOCS.rglob("*.md")), *map(ROOT.joinpath, _beside())]
        while self._wanted:
            path = self._wanted.pop()
            if path not in self._laid:
                self._laid.add(path)
                self._write(path)

    def _copied(self, path: Path) -> None:
        into = self.folder / path.relative_to(DOCS)
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, into)

    def _write(self, path: Path) -> None:
        place = self.folder / f"{place_of(path)}.md"
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            text = self._listed(path)
        elif path.suffix == ".md":
            text = self._page(path)
        else:
            text = _shown(path)
        place.write_text(text, encoding="utf-8")

    def _page(self, path: Path) -> str:
        """Return a page with its links turned to where things are on the site, and what stands below it."""
        text = path.read_text(encoding="utf-8")
        text = _MERMAID.sub(lambda found: f"![]({os.path.relpath(ROOT / found['path'], path.parent)})", text)
        text = _MADE.sub(lambda found: MADE[found["name"]](), re.sub(r"^```dffml$", "```python", text, flags=re.M))
        parts, at = [], 0
        for code in _CODE.finditer(text):
            parts += [self._linked(text[at : code.start()], path), code[0]]
            at = code.end()
        text = "".join([*parts, self._linked(text[at:], path)])
        name = path.relative_to(ROOT).as_posix()
        if not path.is_relative_to(DOCS) and name not in _listed_pages():
            text = f"---\norphan: true\n---\n\n{text}"
        return text + "".join(_contents(path))

    def _linked(self, text: str, page: Path) -> str:
        return _LINK.sub(lambda found: self._link(found, page), text)

    def _link(self, found: re.Match[str], page: Path) -> str:
        target, anchor = found["target"], found["anchor"] or ""
        if re.match(r"[a-z]+:", target):
            return found[0]
        path = (page.parent / target).resolve()
        if not path.exists():
            raise FileNotFoundError(f"{page.relative_to(ROOT)} links to {target}, which does not exist")
        if path.suffix in (".png", ".svg", ".jsonl", ".ipynb") and path.is_relative_to(DOCS):
            return os.path.relpath(path.relative_to(DOCS), Path(place_of(page)).parent)
        self._wanted.append(path)
        return os.path.relpath(f"{place_of(path)}.md", Path(place_of(page)).parent) + anchor

    def _listed(self, path: Path) -> str:
        """Return a page with what is in a folder: its own page if it has one, else a link to each file."""
        readme = path / "README.md"
        found = [readme] if readme.exists() else _files(path)
        self._wanted += found
        here = Path(place_of(path)).parent
        links = [
            f"- [{file.relative_to(path).as_posix()}]({os.path.relpath(place_of(file), here)}.md)" for file in found
        ]
        return "\n".join(["---", "orphan: true", "---", "", f"# {path.relative_to(ROOT).as_posix()}/", "", *links, ""])


def _files(path: Path) -> list[Path]:
    return sorted(
        file
        for file in path.rglob("*")
        if file.suffix in LEXERS and not any(part.startswith((".", "__pycache__")) for part in file.parts)
    )


def _shown(path: Path) -> str:
    """Return a page that shows a file."""
    text = path.read_text(encoding="utf-8")
    name, lexer = path.relative_to(ROOT).as_posix(), LEXERS.get(path.suffix, "text")
    return f"---\norphan: true\n---\n\n# {name}\n\n````{lexer}\n{text.rstrip()}\n````\n"


def _listed_pages() -> set[str]:
    named = {page for pages in NAVIGATION.values() for page in pages}
    below = {
        path.relative_to(ROOT).as_posix() for globs in WITHIN.values() for glob in globs for path in ROOT.glob(glob)
    }
    return named | below


def _beside() -> list[str]:
    return [page for pages in NAVIGATION.values() for page in pages if not page.startswith("docs/")]


def _contents(path: Path) -> Iterator[str]:
    """Yield the lists of pages that belong below one."""
    name = path.relative_to(ROOT).as_posix()
    if name == "docs/index.md":
        for caption, pages in NAVIGATION.items():
            yield _toctree([_titled(page) for page in pages], caption)
    for glob in WITHIN.get(name, []):
        places = [place_of(found) for found in sorted(ROOT.glob(glob))]
        yield _toctree([f"/{place}" for place in places], "")


def _titled(page: str) -> str:
    place = place_of(ROOT / page)
    return f"{TITLES[page]} <{place}>" if page in TITLES else place


def _toctree(places: list[str], caption: str) -> str:
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "```{toctree}", *options, "", *places, "```", ""])
