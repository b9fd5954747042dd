"""Options that every verb has, and what they say about how much is printed.

Neighbours: `group` and every verb; `errors` reads the level when something went wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

__all__ = ["Level", "examples", "level", "paragraphs", "set_up_logging", "verbosity"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass
class Level:
    """How much is to be said, changed by ``-v`` and ``-q`` wherever they stand."""

    value: int = 0


def level(ctx: click.Context | None = None) -> int:
    """Return how much is to be said: -1 (``-q``) only errors and results, 0, 1 (``-v``), 2 (``-vv``)."""
    ctx = ctx or click.get_current_context(silent=True)
    return ctx.ensure_object(Level).value if ctx is not None else 0


def _change(ctx: click.Context, by: int) -> None:
    ctx.ensure_object(Level).value += by


def verbosity(function: _Function) -> _Function:
    """Give a command ``-v`` and ``-q``, which may stand before and after the verb."""
    more = click.option(
        "-v", "--verbose", count=True, expose_value=False, callback=lambda ctx, _, count: _change(ctx, count),
        help="Say more; -v adds tracebacks of operations, -vv those of tidemill itself.",
    )  # fmt: skip
    less = click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, callback=lambda ctx, _, on: _change(ctx, -1 if on else 0),
        help="Print results and errors, nothing else.",
    )  # fmt: skip
    decorated: _Function = more(less(function))
    return decorated


def paragraphs(*texts: str) -> str:
    """Return the paragraphs of a help text, each to be wrapped to the width of the terminal."""
    return "\n\n".join(" ".join(text.split()) for text in texts)


def examples(*lines: str) -> str:
    """Return the end of a help text: examples, which the tests of the project run as they stand."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def set_up_logging() -> None:
    """Send log records to standard error: warnings, with ``-v`` information, with ``-vv`` everything."""
    import logging

    steps = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}
    wanted = steps.get(max(level(), -1), logging.DEBUG)
    logging.basicConfig(level=wanted, format="%(levelname)s %(name)s: %(message)s", force=True)
