"""Contexts that are opened over the HTTP API of a cluster, many in one request, and waited for there.

Names of contexts may be anything here; there they are made up, one for each, so that a name is free again when its
context has ended. Neighbours: `orchestrator.kubernetes`, `orchestrator.cluster.client`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from tidemill.errors import InvalidInput, OperationFailure, TidemillError, pointer
from tidemill.formats.values import as_json
from tidemill.formats.write import plain_data
from tidemill.model.input import SEED, Input
from tidemill.networks.backend import Ending
from tidemill.orchestrator.cluster.client import ApiError, Client
from tidemill.orchestrator.cluster.journals import ClusterBackend
from tidemill.orchestrator.running import Run

__all__ = ["RemoteRun"]

AT_ONCE = 128
"""Contexts that one request opens."""
WAITING = 16
"""Requests that wait for an ending at once."""
WAIT = 30
"""Seconds that one of them waits."""
LATER = frozenset({"RateLimited", "TooManyStreams", "ShuttingDown", "ApiUnavailable", "StoreUnavailable"})
"""Reasons for asking again."""
TRIES = 60
"""How often in a row, a second apart."""


class _Octx(Protocol):
    name: str
    client: Client
    backend: ClusterBackend
    tasks: set[asyncio.Task[None]]

    def crashed(self, error: BaseException) -> None: ...


class RemoteRun(Run):
    """One run: opens its contexts in the order in which they come, and waits for each. ``journal``: they keep one."""

    def __init__(
        self, octx: Any, strict: bool, halt: asyncio.Event | None, most: int, *, journal: bool = False
    ) -> None:
        super().__init__(octx, strict, halt, most)
        self._there: _Octx = octx
        # Said with each request, as the API may know the object as it was a moment ago.
        self._query = {"strict": str(strict).lower(), **({"journal": "true"} if journal else {})}
        self._prefix = f"x{secrets.token_hex(5)}"
        self._numbers = itertools.count()
        self._names: dict[str, str] = {}  # ours of what is open, by those there
        self._lines: dict[str, bytes] = {}  # to be sent, by the names there
        self._sending: asyncio.Task[None] | None = None
        self._room = asyncio.Semaphore(WAITING)
        self._error: BaseException | None = None

    def open(self, name: str, inputs: list[Input]) -> None:
        """Have a context sent with the next request. Raises `InvalidInput` for what JSON cannot carry."""
        if self._error is not None:
            raise self._error
        said = [_said(item, at) for at, item in enumerate(inputs)]
        remote = f"{self._prefix}-{next(self._numbers)}"
        self._names[remote] = name
        self._there.backend.opened(name, f"{self._there.name}.{remote}")
        self._lines[remote] = as_json({"context": remote, "inputs": said}).encode() + b"\n"
        if self._sending is None or self._sending.done():
            self._sending = self._task(self._send())

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guarded(work))
        self._there.tasks.add(task)
        task.add_done_callback(self._there.tasks.discard)
        return task

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # whoever reads the results is told
            self._there.crashed(error)

    async def _send(self) -> None:
        while self._lines:
            some = {remote: self._lines[remote] for remote in list(self._lines)[:AT_ONCE]}
            try:
                await self._again(partial(self._submit, some))
            except TidemillError as error:
                wrong = error.path.startswith("line")  # what is said of a line is about its inputs
                kind = InvalidInput if wrong else type(error)
                self._error = kind(error.message, reason=error.reason, path=error.path)
                for remote in self._lines:
                    self.refused(self._names.pop(remote))
                self._lines.clear()

    async def _submit(self, some: dict[str, bytes]) -> None:
        async def lines() -> AsyncIterator[bytes]:
            for line in some.values():
                yield line

        async for said in self._there.client.open(lines(), **self._query):
            remote = said["context"].rpartition(".")[2]
            if self._lines.pop(remote, None) is not None:
                self._task(self._await(said["context"], self._names[remote]))

    async def _await(self, remote: str, name: str) -> None:
        """Wait for the end of a context and say what became of it."""
        while True:
            async with self._room:
                said = await self._again(partial(self._there.client.get, "contexts", remote, wait=str(WAIT)))
            if said["status"] != "open":
                del self._names[remote.rpartition(".")[2]]
                self.settled(_ending(name, said))
                return

    async def _again(self, asked: Callable[[], Awaitable[Any]]) -> Any:
        """Ask as often as it takes, as long as there is hope. Raises `ApiError`."""
        for left in reversed(range(TRIES)):
            try:
                return await asked()
            except ApiError as error:
                if error.reason not in LATER or not left:
                    raise
                await asyncio.sleep(1)
        raise AssertionError("there is at least one try")

    async def fed(self) -> None:
        """Wait until everything has been sent, and raise what was wrong with it."""
        if self._sending is not None:
            await asyncio.wait([self._sending])
        if self._error is not None:
            raise self._error

    async def cancel(self, name: str) -> None:
        """Have a context end before its time."""
        if self._sending is not None:
            await asyncio.wait([self._sending])
        for remote in [there for there, ours in self._names.items() if ours == name]:
            with contextlib.suppress(ApiError):  # it has ended just now
                await self._again(
                    partial(self._there.client.post, "contexts", f"{self._there.name}.{remote}", "cancel")
                )


def _said(item: Input, at: int) -> dict[str, Any]:
    """Return an input as the API reads it. Raises `InvalidInput` for what JSON cannot carry."""
    path = pointer("inputs", at, item.definition.name)
    if item.parents:
        said = f"{item!r} has parents, which cannot be told to a cluster; give it without them"
        raise InvalidInput(said, reason="NotSupported", path=path)
    exported = item.export()
    try:
        value = plain_data(exported["value"])
    except TidemillError as error:
        raise InvalidInput(f'"{item.definition.name}": {error.message}', reason="NotJson", path=path) from error
    made = {"definition": item.definition.name, "value": value}
    if item.origin != SEED:
        made["origin"] = exported["origin"]
    return made | ({"uid": item.given_uid} if item.given_uid else {})


def _ending(name: str, said: dict[str, Any]) -> Ending:
    if said["status"] == "unreadable":
        failure = OperationFailure(said["reason"], said["message"], context=name)
        return Ending(name, None, failure)
    failed = said.get("failure")
    survived = tuple(_failure(one, name) for one in said.get("failures") or ())
    return Ending(name, said.get("result"), _failure(failed, name) if failed else None, survived)


def _failure(said: dict[str, Any], name: str) -> OperationFailure:
    return OperationFailure(said["reason"], said["message"], said["instance"], said["operation"], context=name)
