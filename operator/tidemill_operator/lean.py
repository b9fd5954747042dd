"""What the API server sends, without ``managedFields``: those mirror whatever a user has written, as deep and as large.

A value nested 9,000 deep is accepted by the API server, and ``managedFields`` nest as deep, in metadata too; to parse
them ends a Python process. So they are cut out of the text before anything parses it. Neighbours: `cluster`, whose
sessions do so for kopf as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

__all__ = ["LeanResponse", "lean"]

# An unescaped quote on both sides: so this cannot stand inside a string.
_KEY = re.compile(rb'"managedFields":\s*\[')
_PART = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)


def lean(text: bytes) -> bytes:
    """Return JSON with every list called ``managedFields`` empty. What is no JSON comes back in some form, unparsed."""
    kept, at = [], 0
    while (found := _KEY.search(text, at)) is not None:
        kept += [text[at : found.end()], b"]"]
        at = _behind(text, found.end())
    return b"".join([*kept, text[at:]]) if kept else text


def _behind(text: bytes, start: int) -> int:
    """Return where the list ends whose bracket stands before ``start``."""
    depth = 1
    for part in _PART.finditer(text, start):
        first = part.group()[0]
        if first in b"[{":
            depth += 1
        elif first in b"]}":
            depth -= 1
            if depth == 0:
                return part.end()
    return len(text)


class LeanResponse(aiohttp.ClientResponse):
    """A response whose JSON, and whose lines of JSON, are lean. A session makes it as its ``response_class``."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """Begin, and have the body read through `lean`."""
        await super().start(connection)
        if self.url.query.get("watch") == "true":
            self.content: Any = _Lines(self.content)
        return self

    async def json(self, **settings: Any) -> Any:
        """Return what the body holds. A list of metadata without any has null for its items, which kopf cannot take."""
        said = json.loads(lean(await self.read()))
        if isinstance(said, dict) and said.get("items", said) is None:
            said["items"] = []
        return said


class _Lines:
    """The body of a watch, which is lines of JSON; whoever reads it gets whole lines, lean ones."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        left: list[bytes] = []
        async for chunk in self._content.iter_chunked(size):
            head, newline, tail = chunk.rpartition(b"\n")
            if newline:
                yield b"".join(lean(line) + b"\n" for line in b"".join([*left, head]).split(b"\n"))
                left = [tail]
            else:
                left.append(chunk)
        if rest := b"".join(left):
            yield lean(rest)
