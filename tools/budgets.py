"""The size budgets: how long a file and a function may be. There is no list of exceptions, so nothing is long by habit.

Run as a program it prints what is too long and exits 1; `tests/test_budgets.py` runs the same functions. Complexity is
ruff's (C901, in pyproject.toml); here it is only made sure that nobody switches that rule off for one place.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("core", "worker", "operator", "examples", "benchmarks", "tests", "tools")
PYTHON_FILE_LINES = 400
PYTHON_FUNCTION_LINES = 50
LUA_FILE_LINES = 120

# What the header of a Lua file must say besides what it guarantees, each at the start of a comment line.
LUA_HEADER = ("KEYS", "ARGV", "Returns")

_SWITCHED_OFF = re.compile(r"noqa(?!:)|noqa:.*\b(?:C901|PLR0915)\b")


def files(root: Path) -> Iterator[Path]:
    """Every Python and Lua file of the budgeted folders that exist below ``root``, in the order of their paths."""
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(root).parts)
            if path.suffix in (".py", ".lua") and path.is_file() and not hidden:
                yield path


def problems(root: Path) -> list[str]:
    """Every breach of a budget below ``root``, each as ``path:line: what it is, and what is allowed``."""
    found = []
    for path in files(root):
        check = python_problems if path.suffix == ".py" else lua_problems
        found += check(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    return found


def python_problems(name: str, text: str) -> list[str]:
    """The breaches in one Python file: its length, the length of each function, complexity rules switched off."""
    found = [*_too_long(name, text, PYTHON_FILE_LINES)]
    for node in ast.walk(ast.parse(text, name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > PYTHON_FUNCTION_LINES:
                allowed = f"{PYTHON_FUNCTION_LINES} are allowed: give a part of it a name of its own"
                found.append(f"{name}:{node.lineno}: the function {node.name} has {length} lines, {allowed}")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and _SWITCHED_OFF.search(token.string):
            found.append(f"{name}:{token.start[0]}: a budget is switched off here, and there are no exceptions")
    return found


def lua_problems(name: str, text: str) -> list[str]:
    """The breaches in one Lua file: its length, and a header that says what it guarantees, takes and returns."""
    found = [*_too_long(name, text, LUA_FILE_LINES)]
    header = _lua_header(text)
    starts = [line.split(maxsplit=1)[0].split("[")[0].rstrip(":") for line in header if line]
    found += [f"{name}:1: the header has no line that starts with {word}" for word in LUA_HEADER if word not in starts]
    if not starts or starts[0] in LUA_HEADER:
        found.append(f"{name}:1: the header does not begin with what the function guarantees")
    return found


def _lua_header(text: str) -> list[str]:
    """The comment lines at the top of a Lua file, without their dashes; ``#!lua …`` may stand before them."""
    lines = text.splitlines()
    if lines and lines[0].startswith("#!"):
        del lines[0]
    header = []
    for line in lines:
        if not line.startswith("--"):
            break
        header.append(line.lstrip("- ").rstrip())
    return header


def _too_long(name: str, text: str, allowed: int) -> Iterator[str]:
    length = len(text.splitlines())
    if length > allowed:
        yield f"{name}:{allowed + 1}: the file has {length} lines, {allowed} are allowed: part it by what it is about"


def main(arguments: list[str]) -> int:
    """Check the repository given as the only argument, or the one of this file."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    found = problems(root)
    for line in found:
        print(line)
    if not found:
        print(f"budgets kept by {sum(1 for _ in files(root))} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
