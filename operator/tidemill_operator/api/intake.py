"""Input sets out of the body of a request, one on each line, without ever holding more of it than a few lines.

Neighbours: `contexts`, and `tidemill.formats`, which gives a line its meaning.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from aiohttp import StreamReader

from tidemill.errors import InvalidDocument, TidemillError
from tidemill.formats.fitting import Fitting
from tidemill.formats.inputs import InputFile
from tidemill.model.definition import Definition
from tidemill.plan.plan import Plan
from tidemill_operator.kinds.accept import GivenSet, given_of

__all__ = ["AT_ONCE", "batches", "given_sets", "lines_of"]

AT_ONCE = 128
"""Input sets that are opened at once."""
BYTES = 1024 * 1024
"""Bytes of input sets that are opened at once, about."""


async def lines_of(body: StreamReader, *, most: int, silence: float) -> AsyncIterator[bytes]:
    """Yield the lines of a body. Raises `InvalidDocument`: TooLarge (a line above ``most`` bytes), RequestTimeout
    (nothing came for ``silence`` seconds).
    """
    rest, number = bytearray(), 1
    while True:
        try:
            async with asyncio.timeout(silence):
                piece = await body.readany()
        except TimeoutError:
            said = f"nothing came for {silence:g} s; what is in the lines before line {number} has been opened"
            raise InvalidDocument(said, reason="RequestTimeout") from None
        rest += piece
        *lines, last = rest.split(b"\n")
        for line in lines:
            yield bytes(line)
        number += len(lines)
        rest = bytearray(last)
        if len(rest) > most:
            raise InvalidDocument(f"line {number} has more than {most} bytes", reason="TooLarge", path=f"line {number}")
        if not piece:
            if rest.strip():
                yield bytes(rest)
            return


async def batches(lines: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Yield so many lines at a time, with the number of the first."""
    first, some, size = 1, list[bytes](), 0
    async for line in lines:
        some.append(line)
        size += len(line)
        if len(some) >= AT_ONCE or size >= BYTES:
            yield first, some
            first, some, size = first + len(some), [], 0
    if some:
        yield first, some


def given_sets(
    plan: Plan, definitions: Mapping[str, Definition], lines: list[bytes], first: int, prefix: str, request: str
) -> tuple[list[GivenSet], TidemillError | None]:
    """Return the input sets of some lines, and what is wrong with the line after the last of them.

    ``prefix`` begins all names; those that have none are called by ``request`` and the number of their line.
    """
    fits, made = Fitting(plan), list[GivenSet]()
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        try:
            for found, _ in InputFile("body", definitions).rows(io.BytesIO(line), "body", ".jsonl"):
                fits(found)
                name = f"{request}-{number}" if found.name == "body:1" else found.name
                made.append(given_of(replace(found, name=f"{prefix}.{name}")))
        except TidemillError as error:
            path = error.path.replace("body:1", f"line {number}", 1) or f"line {number}"
            return made, InvalidDocument(
                error.message.replace("body:1", f"line {number}"), reason=error.reason, path=path
            )
    return made, None
