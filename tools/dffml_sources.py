"""Which examples in a checkout of DFFML concern data flows, and how each is made runnable.

Doctests of the modules that data flows are written with, code blocks of the pages about data flows, the example
programs, and the tests of the data flow facilitator. What concerns models, sources, records and secrets is not looked
at.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

IMPORT = re.compile(r"^(?P<before>[ \t>.]*)(?P<verb>from|import) dffml\b(?P<rest>[^\n]*)$", re.M)

DOCTESTS = (
    "dffml/base.py",
    "dffml/df/base.py",
    "dffml/df/memory.py",
    "dffml/df/types.py",
    "dffml/high_level/dataflow.py",
    "dffml/noasync.py",
    "dffml/operation",
    "dffml/util/asynctestcase.py",
    "dffml/util/data.py",
    "dffml/util/entrypoint.py",
    "dffml/util/os.py",
)
PAGES = ("README.md", "docs/concepts", "docs/tutorials/dataflows", "docs/examples", "docs/contributing")
PROGRAMS = {
    "examples/dataflow/locking/example.py": (
        "set i = 2, got i = 2",
        "set i = 1, got i = 1",
    ),
}
TESTS = (
    "tests/df",
    "tests/operation",
    "tests/test_df.py",
    "tests/test_input_validation.py",
    "tests/test_high_level.py",
    "tests/util/test_entrypoint.py",
    "tests/util/test_os.py",
    "tests/util/test_traverse.py",
    "tests/util/test_double_context_entry.py",
    "tests/util/test_asynchelper.py",
    "tests/util/test_asynccontextmanager.py",
)
OTHER = re.compile(
    r"\b(SLRModel|sklearn|Features?\(|Record\(|Model\b|CSVSource|JSONSource|Sources?\b|INISecret|train\(|predict\(|score\()"
)
"""What tells of the other half of DFFML: models, sources, records, secrets."""

TABLE = """\
>>> import asyncio as _asyncio
>>> from %s import SqliteDatabase as _Database
>>> async def _prepare():
...     async with _Database(filename="examples.db") as database, database() as context:
...         columns = {"key": "INTEGER NOT NULL PRIMARY KEY", "firstName": "text", "lastName": "text", "age": "int"}
...         await context.create_table("myTable", columns)
...         for row in ROWS:
...             await context.insert("myTable", dict(zip(columns, row)))
>>> ROWS = %s
>>> _asyncio.run(_prepare())

"""
JOHNS = [[10, "John", "Doe", 16], [11, "John", "Wick", 39]]
ROWS = {"db_query_update": JOHNS[:1], "db_query_remove": JOHNS[:1], "db_query_lookup": JOHNS}
"""The rows that the examples over a database find, made by those before them."""


@dataclass(frozen=True)
class Example:
    """Something to be run: ``files`` by path, beginning with ``main``; ``printed`` are lines that it has to print."""

    name: str
    kind: str
    main: str
    files: dict[str, str] = field(repr=False)
    printed: tuple[str, ...] = ()


PACKAGE = "tidemill"
"""What is imported in place of dffml; `tools.dffml_examples` may say dffml itself."""


def changed(text: str) -> str:
    """Return a program with ``tidemill`` in place of ``dffml`` where it is imported, and nothing else changed."""
    if PACKAGE == "dffml":
        return text

    def line(found: re.Match[str]) -> str:
        before, verb, rest = found["before"], found["verb"], found["rest"]
        if verb == "import" and rest == "":
            return f"{before}import tidemill as dffml"
        if verb == "import" and " as " not in rest:  # `import dffml.noasync` binds the name dffml, too
            return f"{before}import tidemill{rest}; import tidemill as dffml"
        return f"{before}{verb} tidemill{rest}"

    return IMPORT.sub(line, text)


def examples(checkout: Path) -> Iterator[Example]:
    """Yield the examples of a checkout, sorted by kind and place."""
    for place in DOCTESTS:
        for path in _files(checkout / place, "*.py"):
            yield from _doctests(checkout, path)
    for place in PAGES:
        for pattern in ("*.rst", "*.md"):
            for path in _files(checkout / place, pattern):
                yield from _blocks(checkout, path)
    for program, printed in PROGRAMS.items():
        text = (checkout / program).read_text(encoding="utf-8")
        yield Example(program, "program", "main.py", {"main.py": changed(text)}, printed)
    helpers = _helpers(checkout)
    for place in TESTS:
        for path in _files(checkout / place, "test_*.py"):
            name = path.relative_to(checkout).as_posix()
            yield Example(name, "tests", name, {**helpers, name: changed(path.read_text(encoding="utf-8"))})


def _files(place: Path, pattern: str) -> list[Path]:
    return (
        sorted(place.rglob(pattern)) if place.is_dir() else [place] if place.match(pattern) and place.exists() else []
    )


def _helpers(checkout: Path) -> dict[str, str]:
    """Return what test files import from each other."""
    found = {f"{folder}/__init__.py": "" for folder in ("tests", "tests/df", "tests/operation", "tests/util")}
    for name in ("tests/test_df.py", "tests/operation/test_archive.py"):
        found[name] = changed((checkout / name).read_text(encoding="utf-8"))
    return found


def _doctests(checkout: Path, path: Path) -> Iterator[Example]:
    place = path.relative_to(checkout).as_posix()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text and ">>>" in text and not OTHER.search(text):
                name = getattr(node, "name", "module")
                table = TABLE % (PACKAGE, ROWS.get(name, [])) if place.endswith("operation/db.py") else ""
                yield Example(f"{place}:{name}", "doctest", "doctest.txt", {"doctest.txt": table + changed(text)})


def _blocks(checkout: Path, path: Path) -> Iterator[Example]:
    """Yield the programs in a page: its blocks of Python that import DFFML, each by itself."""
    text = path.read_text(encoding="utf-8")
    place = path.relative_to(checkout).as_posix()
    fenced = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    indented = re.findall(r"^\.\. code-block:: python\n(?:    :.*\n)*\n((?:    .*\n|\n)+)", text, re.M)
    for at, block in enumerate([*fenced, *(re.sub(r"^    ", "", one, flags=re.M) for one in indented)], start=1):
        if not re.search(r"^\s*(>>> )?(from|import) dffml\b", block, re.M) or OTHER.search(block):
            continue
        kind = "doctest" if ">>>" in block else "program"
        yield Example(f"{place}#{at}", kind, "block.py", {"block.py": changed(block)})
