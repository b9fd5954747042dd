"""What the three ways of running a data flow share: their options, the inputs, and results as DFFML prints them.

Neighbours: `single`, `contexts`, `records`; `cli.running` runs, and ends at signals.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tidemill.cli.backend import MEMORY, VARIABLE
from tidemill.cli.dataflow.words import loader, log, option, several
from tidemill.cli.options import level, verbosity

if TYPE_CHECKING:
    from tidemill.formats.inputs import InputSet
    from tidemill.model.dataflow import DataFlow
    from tidemill.model.input import Input

__all__ = ["Asked", "Results", "asked", "execute", "named_definition", "run_options"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def run_options(function: _Function) -> _Function:
    """Give a command the options that all ways of running have."""
    for decorate in reversed(
        [
            option("dataflow", "flow", required=True, metavar="FLOW",
                help="The data flow: a file (.json, .yaml), or module:attribute."),
            loader,
            several("inputs", metavar="VALUE=DEFINITION…", help="Inputs for every context."),
            option("no-strict", is_flag=True, help="Go on in a context of which an operation fails."),
            option("no-echo", is_flag=True, help="Print no results."),
            option("backend", metavar="URL", envvar=VARIABLE, show_envvar=True, default=MEMORY,
                help="Where contexts live: memory (default), embedded, or the URL of a store."),
            option("max-ctxs", type=click.IntRange(min=1), metavar="N", help="Contexts that are open at a time."),
            option("workers", type=click.IntRange(min=0), metavar="N",
                help="Operations that run at a time in this process; over a store 0 leaves them to others."),
            log,
            verbosity,
        ]
    ):  # fmt: skip
        function = decorate(function)
    return function


@dataclass(frozen=True)
class Asked:
    """A data flow that has been compiled, the inputs that all contexts get, and how it is to be run."""

    dataflow: DataFlow
    common: list[Input]
    fits: Callable[[InputSet], None]
    no_strict: bool
    no_echo: bool
    backend: str
    max_ctxs: int | None
    workers: int | None


def asked(
    *, flow: str, configloader: str | None, inputs: tuple[str, ...], backend: str, workers: int | None, **more: Any
) -> Asked:
    """Return what the options say; raises the errors of the project for a data flow or an input that is refused."""
    from tidemill.cli.backend import is_memory
    from tidemill.cli.dataflow.literal import input_of
    from tidemill.cli.given import compiled
    from tidemill.cli.source import open_source, search
    from tidemill.formats.fitting import Fitting

    if is_memory(backend) and workers == 0:
        raise click.UsageError("-workers 0 leaves operations to others, and there are none with -backend memory.")
    search(os.getcwd())
    source = open_source(flow, format=configloader)
    plan = compiled(source, workers != 0)
    common = [input_of(text, source.dataflow.definitions, "-inputs") for text in inputs]
    fits = Fitting(plan, common, [f"-inputs {text}" for text in inputs])
    return Asked(source.dataflow, common, fits, backend=backend, workers=workers, **more)


def _copies(items: Iterable[Input]) -> list[Input]:
    """Return the same inputs for one more context."""
    from tidemill.model.input import Input

    return [Input(item.value, item.definition, origin=item.origin) for item in items]


def named_definition(given: Asked, name: str, option: str) -> Any:
    """Return the definition of this name; raises `InvalidInput`."""
    from tidemill.errors import InvalidInput, did_you_mean, shown

    found = given.dataflow.definitions.get(name)
    if found is None:
        said = f"no definition is called {shown(name)} {did_you_mean(name, given.dataflow.definitions)}"
        raise InvalidInput(said, reason="UnknownDefinition", path=option)
    return found


def execute(given: Asked, sets: list[InputSet], form: Callable[[dict[str, Any]], Any]) -> int:
    """Run the data flow over the input sets, each with what all get before its own, and return the exit code.

    ``form`` makes of what became of a context what is printed.
    """
    from tidemill.cli.running import Settings
    from tidemill.cli.running import execute as run
    from tidemill.formats.inputs import InputSet

    for each in sets:
        given.fits(each)
    whole = [InputSet(each.name, [*_copies(given.common), *each.inputs]) for each in sets]
    settings = Settings(
        output="json",
        strict=not given.no_strict,
        max_contexts=given.max_ctxs,
        workers=given.workers,
        progress="off",
        level=level(),
        total=len(sets),
        backend=given.backend,
        printer=Results(form, echo=not given.no_echo),
    )
    return run(given.dataflow, whole, settings)


class Results:
    """Prints an array of results as contexts end, in the form in which DFFML prints it at the end."""

    def __init__(self, form: Callable[[dict[str, Any]], Any], *, echo: bool = True) -> None:
        self._form, self._echo = form, echo
        self._separator = "["

    def put(self, record: dict[str, Any], place: int) -> None:
        """Print what became of a context; nothing, if it has failed."""
        if record["result"] is None:
            return
        made = self._form(record)
        if self._echo:
            text = json.dumps(made, sort_keys=True, indent=4, allow_nan=False).replace("\n", "\n    ")
            sys.stdout.write(f"{self._separator}\n    {text}")
            sys.stdout.flush()
            self._separator = ","

    def close(self) -> None:
        """Finish the array."""
        if self._echo:
            sys.stdout.write("[]\n" if self._separator == "[" else "\n]\n")
        sys.stdout.flush()
