"""What runs in a child process: one call, its outcome as bytes.

The function goes over by name and is imported there; arguments and outcome are pickled between this process and its
own child on one machine, and nowhere else. An outcome that cannot be pickled is a failure that names the output.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pickle
import sys
from collections.abc import Callable
from typing import Any

from tidemill.runtime.failures import text_of, traceback_of

__all__ = ["Outcome", "locate", "outcome_of", "run_encoded"]

Outcome = tuple[str, Any]
"""("returned", value), ("yielded", [values]), ("raised", (type, message, traceback)), ("unserialisable", message) or
("exit", message)."""


def locate(function: Callable[..., Any]) -> tuple[str, str]:
    """Return (module, qualified name) of a function that another process can import.

    Raises ValueError for one that it could not find: a lambda, or a function within a function.
    """
    module, name = function.__module__, function.__qualname__
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not function:
        raise ValueError(
            f"{module}:{name} cannot be imported by another process; define it at the top level of a module"
        )
    return module, name


def run_encoded(module: str, name: str, encoded: bytes) -> bytes:
    """Call a function with pickled arguments and return the pickled outcome. Runs in the child."""
    outcome: Outcome
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        outcome = _called(found, pickle.loads(encoded))
    except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        outcome = ("exit", f"{type(error).__name__}: {text_of(error)}")
    except BaseException as error:
        outcome = ("raised", (type(error).__name__, text_of(error), traceback_of(error)))
    return _encode(outcome)


def _called(function: Callable[..., Any], arguments: dict[str, Any]) -> Outcome:
    returned = function(**arguments)
    if inspect.isasyncgen(returned):

        async def collect() -> list[Any]:
            return [value async for value in returned]

        return "yielded", asyncio.run(collect())
    if inspect.iscoroutine(returned):
        return "returned", asyncio.run(_await(returned))
    return "returned", returned


async def _await(awaitable: Any) -> Any:
    return await awaitable


def _encode(outcome: Outcome) -> bytes:
    try:
        return pickle.dumps(outcome, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps(("unserialisable", _culprit(outcome[1], error)))


def _culprit(value: Any, error: Exception) -> str:
    """Return where in a value the first thing is that cannot be pickled."""
    path = ""
    inner: Any = value
    looking = True
    while looking:
        looking = False
        pairs = (
            inner.items() if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, (list, tuple)) else ()
        )
        for key, item in pairs:
            try:
                pickle.dumps(item)
            except Exception:
                path, inner, looking = f"{path}/{key}", item, True
                break
    return f"{path or '/'}: type {type(inner).__name__}: {type(error).__name__}: {error}"


def outcome_of(encoded: bytes) -> Outcome:
    """Return the outcome that a child process sent."""
    found: Outcome = pickle.loads(encoded)
    return found
