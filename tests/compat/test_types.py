"""What a type checker knows of a program that uses Tidemill, also as DFFML: functions keep their signature."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROGRAM = """
from collections.abc import AsyncIterator
from typing import Any

import tidemill as dffml
from tidemill import OperationImplementationContext, op
from tidemill.df.types import Definition, Input
from tidemill.operation.mapping import create_mapping
from tidemill.operation.math import multiply


@op
async def shout(text: str, times: int = 1) -> str:
    return text.upper() * times


@dffml.op(inputs={"text": Definition("text", "string")}, outputs={})
def count(text: str) -> dict[str, int]:
    return {"count": len(text)}


@op(name="words")
async def words(text: str) -> AsyncIterator[str]:
    yield text


@op(imp_enter={"session": lambda self: None})
async def entered(self: OperationImplementationContext, text: str) -> str:
    return text


@op(stage=dffml.Stage.OUTPUT)
class Tell(OperationImplementationContext):
    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return inputs


@dffml.config
class Stone:
    size: int = dffml.field("how large it is", default=1)


async def main(flow: dffml.DataFlow) -> None:
    reveal_type(shout)
    reveal_type(shout.op)
    reveal_type(await shout("a", times=2))
    reveal_type(count("a"))
    reveal_type(words("a"))
    reveal_type(entered)
    reveal_type(Tell)
    reveal_type(Stone(size=2).size)
    reveal_type(Input(value=1, definition=Definition("a", "int")))
    reveal_type(create_mapping("a", 1))
    reveal_type(multiply.op.inputs)
    reveal_type(dffml.MemoryOrchestrator.withconfig({}))
    reveal_type(dffml.SqliteDatabase)
    async for ctx, result in dffml.run(flow, {"a": []}):
        reveal_type(result)
    for ctx, result in dffml.noasync.run(flow):
        reveal_type(ctx)
    await shout(1)
    count()
    Stone(size="a")
"""

REVEALED = [
    r"Decorated\[\[text: str, times: int =\], .*Coroutine\[Any, Any, str\]\]",
    r"Operation",
    r"str",
    r"dict\[str, int\]",
    r"AsyncIterator\[str\]",
    r"Decorated\[\[self: .*OperationImplementationContext, text: str\], .*Coroutine\[Any, Any, str\]\]",
    r"def \(parent: .*OperationImplementation, ctx: Any, octx: Any\) -> .*Tell",
    r"int",
    r"Input",
    r"dict\[str, Any\]",
    r"dict\[str, .*Definition\]",
    r"MemoryOrchestrator",
    r"def \(config: .*SqliteDatabaseConfig \| None =, \*\*fields: Any\) -> .*SqliteDatabase",
    r"dict\[str, Any\]",
    r"BaseInputSetContext",
]
ERRORS = [
    'Argument 1 to "__call__" of "Decorated" has incompatible type "int"; expected "str"',
    'Missing positional argument "text" in call to "__call__" of "Decorated"',
    'Argument "size" to "Stone" has incompatible type "str"; expected "int"',
]


def test_a_type_checker_knows_the_api(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", program.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    revealed = re.findall(r'note: Revealed type is "(.*)"', done.stdout)
    assert len(revealed) == len(REVEALED), done.stdout
    for found, expected in zip(revealed, REVEALED, strict=True):
        assert re.fullmatch(rf"(?:[\w.]*\.)?{expected}", found), f"{found} is not {expected}"
    assert re.findall(r"error: (.*?)  \[", done.stdout) == ERRORS, done.stdout
