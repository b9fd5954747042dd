"""How the command line ends: the exit codes, and errors as one readable block on standard error.

Neighbours: `__main__` calls `guarded`; verbs raise errors of the project or return a code.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Sequence

import click

from tidemill.cli import options
from tidemill.errors import InvalidFlow, LoadError, OperationException, Problem, StoreError, TidemillError

__all__ = [
    "FAILED", "INTERNAL", "INVALID", "LOAD", "OK", "OPEN", "USAGE", "Interrupted", "ReaderGone", "code_of", "guarded",
    "one_line", "problem_lines", "say", "visible",
]  # fmt: skip

OK, FAILED, USAGE, INVALID, LOAD, INTERNAL, OPEN = range(7)
BROKEN_PIPE = 128 + signal.SIGPIPE
_SHOWN_PROBLEMS = 20
_MACHINE = ("GraphvizMissing", "GraphvizFailed")  # nothing that was given is wrong, this machine lacks something
_NO_STORE = ("InvalidStoreURL", "NotAStore", "NotShared", "UnknownDurability")  # it was not even asked


class Interrupted(Exception):
    """A signal ended the run; everything has been cleaned up and said."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.code = 128 + signum


class ReaderGone(Exception):
    """Nobody reads the output any more. Click would take a `BrokenPipeError` for a failure of its own, exit code 1."""


def visible(text: str) -> str:
    """Return ``text`` with everything that a terminal would act on written as an escape; line ends stay."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode("ascii") for char in text
    )


def one_line(text: str) -> str:
    """Return ``text`` as `visible` does, with line ends written as escapes, too."""
    return visible(text).replace("\n", "\\n")


def say(text: str) -> None:
    """Write a line to standard error."""
    click.echo(visible(text), err=True)


def code_of(error: TidemillError) -> int:
    """Return the exit code for an error of the project."""
    if isinstance(error, LoadError):
        return LOAD
    failed = isinstance(error, OperationException) or error.reason in _MACHINE
    failed = failed or (isinstance(error, StoreError) and error.reason not in _NO_STORE)
    return FAILED if failed else INVALID


def problem_lines(problems: Iterable[Problem], kind: str) -> list[str]:
    """Return the block of lines that says the problems: each with reason, place and message."""
    listed = list(problems)
    lines = []
    for problem in listed[:_SHOWN_PROBLEMS]:
        lines.append(f"{kind}: {problem.reason}" + (f" at {one_line(problem.path)}" if problem.path else ""))
        lines += [f"  {line}" for line in problem.message.splitlines()]
    if len(listed) > _SHOWN_PROBLEMS:
        lines.append(f"{kind}: … and {len(listed) - _SHOWN_PROBLEMS} more")
    return lines


def guarded(arguments: Sequence[str], name: str = "tidemill") -> int:
    """Run the command line with ``arguments`` and return its exit code; whatever happens becomes one."""
    from tidemill.cli.group import tidemill

    level = options.Level()
    try:
        # Not standalone: click would end the process itself, and call every error of the system its own.
        result = tidemill.main(list(arguments), prog_name=name, standalone_mode=False, obj=level)
        sys.stdout.flush()
        return int(result or OK)
    except BaseException as error:
        return _code_after(error, level.value)


def _code_after(error: BaseException, level: int) -> int:
    if isinstance(error, Interrupted):
        return error.code
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        say("interrupted")
        return 128 + signal.SIGINT
    if isinstance(error, (ReaderGone, BrokenPipeError)):
        return _silenced()
    if isinstance(error, SystemExit):
        raise error
    if level >= 2 and not isinstance(error, click.ClickException):
        import traceback

        say("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, TidemillError):
        problems = error.problems if isinstance(error, InvalidFlow) else [_as_problem(error)]
        say("\n".join(problem_lines(problems, "error")))
        return code_of(error)
    if isinstance(error, OSError):
        say(f"error: OperatingSystem\n  {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        return FAILED
    say(f"error: Internal\n  {type(error).__name__}: {error}\n  this is a mistake in tidemill; -vv shows where")
    return INTERNAL


def _as_problem(error: TidemillError) -> Problem:
    return Problem(error.reason, error.path, error.message)


def _silenced() -> int:
    """Keep the interpreter from writing to the closed pipe once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
