"""What runs in a child process: one call, its outcome as bytes.

The function goes over by name and is imported there; arguments and outcome are pickled between this process and its
own child on one machine, and nowhere else. An outcome that cannot be pickled is a failure that names the output.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import itertools
import locale
import os
import pickle
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, NamedTuple

from tidemill.errors import pointer
from tidemill.metrics.children import heard, on_cpu, telling
from tidemill.runtime.failures import text_of, traceback_of
from tidemill.runtime.located import Place, found_at

__all__ = ["Outcome", "Reading", "called", "outcome_of", "run_encoded"]

Outcome = tuple[str, Any]
"""("returned", value), ("yielded", [values]), ("raised", (type, message, traceback)), ("unserialisable", (path,
message)), ("unloadable", message) or ("exit", message)."""
DEPTH_SHOWN = 32
"""Levels into a value that are looked at for what cannot be pickled."""


class Reading(NamedTuple):
    """How far what an operation returns is read: the outputs that ``expands`` names are lists, however they are made,
    and no longer than one more than ``most`` (None: without end). ``output`` is the one that a bare value is."""

    output: str | None
    expands: frozenset[str]
    most: int | None

    @property
    def enough(self) -> int | None:
        """How many are read at most: with one too many the limit is known to be passed."""
        return None if self.most is None else self.most + 1

    def read(self, returned: Any) -> Any:
        """Return what was returned, with its lazy lists read."""
        if self.output is not None:
            return self._listed(returned) if self.output in self.expands else returned
        if self.expands and isinstance(returned, dict):
            return {name: self._listed(value) if name in self.expands else value for name, value in returned.items()}
        return returned

    def _listed(self, value: Any) -> Any:
        return list(itertools.islice(value, self.enough)) if isinstance(value, Iterator) else value


def run_encoded(place: Place, encoded: bytes, reading: Reading, *, programs: bool = False) -> bytes:
    """Call a function with pickled arguments and return the pickled outcome, behind what is told of the call. Runs in
    the child. ``programs``: what it starts may say metrics as well."""
    with telling(programs=programs) as told:
        outcome = _outcome(place, encoded, reading)
    return pickle.dumps(told) + _encode(outcome)


def _outcome(place: Place, encoded: bytes, reading: Reading) -> Outcome:
    try:
        function = found_at(place)
    except (Exception, SystemExit) as error:  # whatever a module raises while it is imported; a script may exit
        said = (
            f"{place.module}:{place.name} cannot be imported in its process: {type(error).__name__}: {text_of(error)}"
        )
        return "unloadable", said
    try:
        with _unchanged():
            return called(function, pickle.loads(encoded), reading)
    except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        return "exit", f"{type(error).__name__}: {text_of(error)}"
    except BaseException as error:
        return "raised", (type(error).__name__, text_of(error), traceback_of(error))


@contextlib.contextmanager
def _unchanged() -> Iterator[None]:
    """Take back what an operation changes of its process: the next one here starts where it did.

    That is the working directory, the environment, the umask, the import path, the locale and which signals are
    blocked.
    """
    try:
        directory = os.getcwd()
    except FileNotFoundError:  # somebody has removed it
        directory = None
    environment, path = dict(os.environ), list(sys.path)
    umask = os.umask(0o077)
    os.umask(umask)
    spoken = locale.setlocale(locale.LC_ALL)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if locale.setlocale(locale.LC_ALL) != spoken:
            locale.setlocale(locale.LC_ALL, spoken)
        os.umask(umask)
        if directory is not None:
            os.chdir(directory)
        sys.path[:] = path
        if os.environ != environment:
            os.environ.clear()
            os.environ.update(environment)


def called(function: Callable[..., Any], arguments: dict[str, Any], reading: Reading) -> Outcome:
    """Call a function away from the event loop; what is asynchronous gets a loop of its own.

    Generators and lazy lists are read here, as far as they may go on: nobody else is to wait for them.
    """
    with on_cpu():
        returned = function(**arguments)
        if inspect.iscoroutine(returned):
            returned = asyncio.run(_await(returned))
        if inspect.isasyncgen(returned):
            return "yielded", asyncio.run(_collected(returned, reading.enough))
        return "returned", reading.read(returned)


async def _await(awaitable: Any) -> Any:
    return await awaitable


async def _collected(generator: AsyncGenerator[Any, Any], enough: int | None) -> list[Any]:
    values: list[Any] = []
    async with contextlib.aclosing(generator):
        async for value in generator:
            values.append(value)
            if enough is not None and len(values) >= enough:
                break
    return values


def _encode(outcome: Outcome) -> bytes:
    try:
        return pickle.dumps(outcome, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps(("unserialisable", _culprit(outcome[1], error)))


def _culprit(value: Any, error: Exception) -> tuple[str, str]:
    """Return the path to the first thing in a value that cannot be pickled, and what is wrong with it."""
    path: list[Any] = []
    inner, seen = value, {id(value)}
    while len(path) < DEPTH_SHOWN and (found := _unpicklable(inner, seen)) is not None:
        path.append(found[0])
        inner = found[1]
        seen.add(id(inner))
    return pointer(*path), f"type {type(inner).__name__}: {type(error).__name__}: {text_of(error)}"


def _unpicklable(value: Any, seen: set[int]) -> tuple[Any, Any] | None:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    for key, item in items:
        try:
            pickle.dumps(item)
        except Exception:
            if id(item) not in seen:  # a value may contain itself
                return key, item
    return None


def outcome_of(encoded: bytes) -> Outcome:
    """Return the outcome that a child process sent, and take in what it told of the call."""
    sent = io.BytesIO(encoded)
    try:
        told = pickle.load(sent)
        heard(told, len(encoded) - sent.tell())
        found: Outcome = pickle.load(sent)
    except Exception as error:  # it could be written, but not be read: code of the user runs here
        return "unserialisable", ("", f"it cannot be read back: {type(error).__name__}: {text_of(error)}")
    return found
