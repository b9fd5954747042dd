"""Makes the reference out of the code, when the site is built: the names of Python and the verbs, each with its place.

A page says ``<!-- made: python -->`` where it belongs. What a name means is in its docstring, and what a verb takes is
in its parser: Sphinx reads both, so nothing of it is written twice.
Neighbours: `site_pages`, which puts it in; `tidemill.__init__`, which says what is public; `tidemill.cli.group`.
"""

from __future__ import annotations

import enum
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import click

import tidemill
from tidemill.cli.group import ON_A_CLUSTER, ONLY_ON_A_CLUSTER, VERBS, command_of

__all__ = ["MADE", "SECTIONS", "cli", "python"]

SECTIONS = {
    "Data flows": ("model.dataflow", "model.definition", "model.input", "model.flow", "model.parameters"),
    "Operations": ("runtime.decorator", "runtime.find", "model.operation", "runtime.implementation", "runtime.config"),
    "Operations that come with it": ("operation.output", "operation.dataflow", "operation.remap"),
    "Running": (
        "orchestrator.run",
        "orchestrator.memory",
        "orchestrator.redis",
        "orchestrator.kubernetes",
        "orchestrator.outcome",
    ),
    "Contexts and limits": ("model.context", "model.limits"),
    "Estimates": ("metrics.estimate",),
    "Files and plans": ("formats.load", "plan.compile"),
}
"""The sections of the page, and the modules whose public names they have. What no section has comes after them."""


def _directive(name: str) -> Iterator[str]:
    found = getattr(tidemill, name)
    if inspect.isclass(found):
        yield f".. autoclass:: tidemill.{name}"
        if issubclass(found, enum.Enum):
            yield "   :undoc-members:"
    elif callable(found):
        yield f".. autofunction:: tidemill.{name}"
    else:
        yield f".. autodata:: tidemill.{name}"


def python() -> str:
    """Return the sections about Python."""
    homes = {module.removeprefix("tidemill."): names for module, names in tidemill._HOMES.items()}
    homes.pop("errors")  # a page of their own
    parts = []
    for title, modules in SECTIONS.items():
        names = [name for module in modules for name in homes.pop(module, ())]
        parts.append(_section(title, names))
    if homes:
        parts.append(_section("More", [name for names in homes.values() for name in names]))
    summary = _block(
        [".. autosummary::", "   :nosignatures:", "", *(f"   tidemill.{name}" for name in tidemill._DFFML)]
    )
    return "\n".join([*parts, f"## What only DFFML's API has\n\n{summary}"])


def _section(title: str, names: Sequence[str]) -> str:
    return f"## {title}\n\n{_block(line for name in names for line in _directive(name))}"


def cli() -> str:
    """Return the sections about the command line."""
    parts = []
    for title, cluster in (("Every verb", False), ("With `-n`: a cluster", True)):
        verbs = [verb for verb in (ON_A_CLUSTER if cluster else VERBS) if not (cluster and verb in ONLY_ON_A_CLUSTER)]
        lines = [
            line
            for verb in verbs
            for line in _clicks(command_of(verb, cluster=cluster), f"tidemill {verb}{' -n' if cluster else ''}")
        ]
        parts.append(f"## {title}\n\n{_block(lines)}")
    return "\n".join(parts)


def _clicks(command: click.Command, typed: str) -> Iterator[str]:
    """Yield what stands for a command, and for each below it: by its place, since all of them have the same name."""
    assert command.callback is not None
    module = sys.modules[inspect.unwrap(command.callback).__module__]
    [attribute] = {name for name, found in vars(module).items() if found is command}
    yield from (f".. click:: {module.__name__}:{attribute}", f"   :prog: {typed}", "   :nested: none", "")
    if isinstance(command, click.Group):
        with click.Context(command) as ctx:
            for name in command.list_commands(ctx):
                below = command.get_command(ctx, name)
                assert below is not None
                yield from _clicks(below, f"{typed} {name}")


def _block(lines: Iterable[str]) -> str:
    return "\n".join(["```{eval-rst}", *"\n".join(lines).rstrip().splitlines(), "```", ""])


MADE: dict[str, Callable[[], str]] = {
    "python": python,
    "cli": cli,
    "errors": lambda: _block([".. automodule:: tidemill.errors"]),
}
"""What can stand in a page as ``<!-- made: NAME -->``."""
