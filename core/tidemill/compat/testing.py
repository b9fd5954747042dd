"""A test case whose tests are coroutines and run in a directory of their own, as DFFML's plugins write them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import os
import sys
import tempfile
import unittest
import uuid
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

from tidemill.model.dataflow import DataFlow
from tidemill.model.input import Input
from tidemill.orchestrator.run import run

__all__ = ["AsyncTestCase", "non_existant_tempfile", "relative_chdir", "relative_path"]


@contextlib.contextmanager
def non_existant_tempfile() -> Iterator[str]:
    """Give the name of a file that is not there, in a directory that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        yield os.path.join(folder, uuid.uuid4().hex)


def relative_path(*args: str) -> Path:
    """Return a path beside the file of the caller."""
    return Path(sys._getframe(1).f_code.co_filename).parent.joinpath(*args)


@contextlib.contextmanager
def relative_chdir(*args: str) -> Iterator[Path]:
    """Work in a directory beside the file of the caller."""
    target = Path(sys._getframe(2).f_code.co_filename).parent.joinpath(*args)
    with contextlib.chdir(target):
        yield target


class AsyncTestCase(unittest.TestCase):
    """Runs ``test_`` methods that are coroutines, each in an event loop and a working directory of its own.

    ``setUp`` and ``tearDown`` are coroutines too: subclasses await those of this class first. ``REQUIRED_PLUGINS`` are
    packages without which the tests are skipped.
    """

    REQUIRED_PLUGINS: ClassVar[list[str]] = []

    async def setUp(self) -> None:  # type: ignore[override]
        """Enter the working directory."""
        self.required_plugins(*self.REQUIRED_PLUGINS)
        self._stack = contextlib.ExitStack()
        self._astack = contextlib.AsyncExitStack()
        self.stdout = io.StringIO()
        self._stack.enter_context(contextlib.chdir(self.mktempdir()))

    async def tearDown(self) -> None:  # type: ignore[override]
        """Leave it, and what was entered besides."""
        self._stack.close()
        await self._astack.aclose()

    def async_wrapper(self, coro: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that runs a coroutine function in the loop of the test."""

        def called(*args: Any, **kwargs: Any) -> Any:
            return self._runner.run(coro(*args, **kwargs))

        return called

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test, its coroutines in one loop."""
        for name, method in inspect.getmembers(self, predicate=inspect.iscoroutinefunction):
            if name.startswith("test_") or name in ("setUp", "tearDown"):
                setattr(self, name, self.async_wrapper(method))
        with asyncio.Runner() as self._runner:
            return super().run(result)

    def mktempfile(self, suffix: str | None = None, text: str | None = None) -> str:
        """Return the name of a file in a directory that goes away with the test; with ``text`` it is written."""
        filename = self._stack.enter_context(non_existant_tempfile()) + (suffix or "")
        if text:
            Path(filename).write_text(inspect.cleandoc(text) + "\n", encoding="utf-8")
        return filename

    def mktempdir(self) -> str:
        """Return a directory that goes away with the test."""
        return self._stack.enter_context(tempfile.TemporaryDirectory())

    def required_plugins(self, *args: str) -> None:
        """Skip the test unless these packages are installed."""
        missing = [name for name in args if not _is_installed(name)]
        if missing:
            self.skipTest(f"these packages are not installed: {', '.join(missing)}")

    async def assertRunDataFlow(self, dataflow: DataFlow, check: dict[str, tuple[list[Input], dict[str, Any]]]) -> None:
        """Run a data flow over the inputs of each context and compare what results with what was expected."""
        sets = {name: inputs for name, (inputs, _) in check.items()}
        async for ctx, results in run(dataflow, sets):
            name = (await ctx.handle()).as_string()
            self.assertEqual(check[name][1], results, name)


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True
