"""Helpers over tasks and async context managers: several tasks as one stream, several things entered together."""

from __future__ import annotations

import asyncio
import contextlib
from collections import UserList
from collections.abc import AsyncGenerator, Mapping
from typing import Any

__all__ = ["AsyncContextManagerList", "AsyncContextManagerListContext", "aenter_stack", "concurrently"]


async def concurrently(
    work: dict[asyncio.Task[Any], Any], *, errors: str = "strict", nocancel: set[asyncio.Task[Any]] | None = None
) -> AsyncGenerator[tuple[Any, Any], None]:
    """Yield (what ``work`` has for a task, what it returned) as tasks end; the caller may put more into ``work``.

    The first exception is raised, and the other tasks but those in ``nocancel`` are cancelled then, unless ``errors``
    is something else than "strict".
    """
    try:
        while work:
            done, _ = await asyncio.wait(list(work), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.exception() is not None and errors == "strict":
                    await task
                said = work.pop(task)
                if task.exception() is None:
                    yield said, task.result()
    finally:
        for task in work:
            if not task.done() and task not in (nocancel or ()):
                task.cancel()


async def aenter_stack(obj: Any, context_managers: Mapping[str, Any], call: bool = True) -> contextlib.AsyncExitStack:
    """Enter async context managers (with ``call``: what calling each gives), set what they give as attributes of
    ``obj``, and return the stack that leaves them."""
    async with contextlib.AsyncExitStack() as stack:
        for name, manager in context_managers.items():
            setattr(obj, name, await stack.enter_async_context(manager() if call else manager))
        return stack.pop_all()


class AsyncContextManagerListContext(UserList[Any]):
    """The contexts of the things of a list, entered together."""

    def __init__(self, parent: AsyncContextManagerList) -> None:
        super().__init__()
        self.parent = parent
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> AsyncContextManagerListContext:
        async with contextlib.AsyncExitStack() as stack:
            self.data = [await stack.enter_async_context(item()) for item in self.parent.data]
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()


class AsyncContextManagerList(UserList[Any]):
    """Things that are entered together; calling it gives a list of their contexts."""

    CONTEXT = AsyncContextManagerListContext

    def __init__(self, *args: Any) -> None:
        super().__init__(args)
        self._stack = contextlib.AsyncExitStack()

    def __call__(self) -> AsyncContextManagerListContext:
        """Return a list of the contexts, to be entered."""
        return type(self).CONTEXT(self)

    async def __aenter__(self) -> AsyncContextManagerList:
        async with contextlib.AsyncExitStack() as stack:
            for item in self.data:
                await stack.enter_async_context(item)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()
