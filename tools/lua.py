"""Looks for mistakes in the Lua of the store that nothing would notice before the line is run.

Every file is parsed, and every name has to be one of its own, of the language, or of those that `.luacheckrc` lists; a
local that nobody uses is a mistake too. Where `luacheck` is installed it is asked as well: it knows more, and goes by
the same list.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luaparser import ast, astnodes

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ROOT / "core" / "tidemill" / "backends" / "redis" / "functions"
SETTINGS = ROOT / ".luacheckrc"
LANGUAGE = frozenset(
    "assert error getmetatable ipairs math next pairs pcall rawget rawset select setmetatable string table tonumber"
    " tostring type unpack xpcall".split()
)
"""What there is while a function runs."""


def shared(settings: str) -> frozenset[str]:
    """The names that `.luacheckrc` lists: what the server gives, and what files give each other."""
    return frozenset(
        name
        for listed in re.findall(r"^(?:local )?(?:read_globals|globals|shared) = \{(.*?)\}", settings, re.M | re.S)
        for name in re.findall(r'"(\w+)"', listed)
    )


@dataclass
class Scope:
    """The locals of a block: where each stands, and which of them are used."""

    above: "Scope | None" = None
    names: dict[str, int] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def holder(self, name: str) -> "Scope | None":
        """The scope that a name belongs to; None: it is no local."""
        scope: Scope | None = self
        while scope is not None and name not in scope.names:
            scope = scope.above
        return scope


class Names:
    """Resolves the names of one file. ``found`` are its mistakes, by line."""

    def __init__(self, known: frozenset[str]) -> None:
        self.known = known
        self.found: list[tuple[int, str]] = []
        self._scope = Scope()
        self._line = 1  # of what was looked at last: not every node knows its own

    def file(self, chunk: astnodes.Chunk) -> None:
        """Look at a whole file."""
        self._block([], chunk.body)

    def _block(self, names: Iterable[Any], body: astnodes.Block, after: Any = None) -> None:
        """Look at a block that has these locals; ``after`` is a condition that sees the locals of the block."""
        self._scope = Scope(self._scope)
        for name in names:
            if isinstance(name, astnodes.Name):  # and not `...`
                self._define(name)
                self._scope.used.add(name.id)  # a parameter says what may be given, used or not
        for statement in body.body:
            self._look(statement)
        self._look(after)
        for name, line in self._scope.names.items():
            if name not in self._scope.used and name not in self.known and name != "_":
                self.found.append((line, f'the local "{name}" is never used'))
        assert self._scope.above is not None
        self._scope = self._scope.above

    def _define(self, name: astnodes.Name) -> None:
        self._scope.names[name.id] = name.line or self._line

    def _look(self, node: Any) -> None:
        if isinstance(node, list):
            for one in node:
                self._look(one)
        elif isinstance(node, astnodes.Name):
            self._use(node)
        elif isinstance(node, astnodes.Node):
            self._line = node.line or self._line
            special = getattr(self, f"_look_{type(node).__name__.lower()}", self._look_inside)
            special(node)

    def _look_inside(self, node: Any) -> None:
        for name, part in vars(node).items():
            if not name.startswith("_"):
                self._look(part)

    def _use(self, node: astnodes.Name) -> None:
        scope = self._scope.holder(node.id)
        if scope is not None:
            scope.used.add(node.id)
        elif node.id not in self.known:
            self.found.append((node.line or self._line, f'nobody has defined "{node.id}"'))

    def _look_block(self, node: astnodes.Block) -> None:
        self._block([], node)

    def _look_localassign(self, node: Any) -> None:
        self._look(node.values)
        for name in node.targets:
            self._define(name)

    def _look_localfunction(self, node: Any) -> None:
        self._define(node.name)
        self._block(node.args, node.body)

    def _look_function(self, node: Any) -> None:
        self._look(node.name)
        self._block(node.args, node.body)

    def _look_anonymousfunction(self, node: Any) -> None:
        self._block(node.args, node.body)

    def _look_fornum(self, node: Any) -> None:
        self._look([node.start, node.stop, node.step])
        self._block([node.target], node.body)

    def _look_forin(self, node: Any) -> None:
        self._look(node.iter)
        self._block(node.targets, node.body)

    def _look_repeat(self, node: Any) -> None:
        self._block([], node.body, node.test)

    def _look_index(self, node: Any) -> None:
        self._look(node.value)
        if node.notation is astnodes.IndexNotation.SQUARE:
            self._look(node.idx)

    def _look_invoke(self, node: Any) -> None:
        self._look([node.source, node.args])

    def _look_field(self, node: Any) -> None:
        if node.between_brackets:
            self._look(node.key)
        self._look(node.value)


def mistakes(text: str, known: frozenset[str]) -> list[tuple[int, str]]:
    """The mistakes of a file, by line. ``known`` are the names that it need not define."""
    try:
        chunk = ast.parse(text)
    except ast.SyntaxException as error:
        return [(0, f"it cannot be parsed: {error}")]
    names = Names(known)
    names.file(chunk)
    return sorted(names.found)


def check(paths: Iterable[Path]) -> Iterator[str]:
    """Say what is wrong with files."""
    known = LANGUAGE | shared(SETTINGS.read_text(encoding="utf-8"))
    for path in paths:
        for line, said in mistakes(path.read_text(encoding="utf-8"), known):
            yield f"{path.relative_to(ROOT)}:{line}: {said}"


def main() -> int:
    """Check all files, and ask `luacheck` if it is there."""
    paths = sorted(FUNCTIONS.glob("*.lua"))
    found = list(check(paths))
    print("\n".join(found) if found else f"Lua: no mistakes in {len(paths)} files")
    program = shutil.which("luacheck")
    if program is None:
        return int(bool(found))
    ran = subprocess.run([program, "--quiet", "--no-color", str(FUNCTIONS)], cwd=ROOT, check=False)
    return int(bool(found) or ran.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
