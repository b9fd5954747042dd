"""DFFML's way to write a command line: long options with one dash, and options that take values up to the next one.

`DffmlCommand` rewrites the arguments into what click reads, and answers options of DFFML that mean nothing here with
what to use. Neighbours: the verbs of this package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

__all__ = ["DffmlCommand", "loader", "log", "option", "several"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_NUMBER = re.compile(r"-\.?\d")

_ELSEWHERE = {
    "orchestrator": "contexts live where --backend says: memory, embedded, or the URL of a store",
    "source": "it belongs to `dataflow run records`",
    "sources": "it belongs to `dataflow run records`",
    "model": "Tidemill runs data flows and has no models; call yours in an operation",
    "models": "Tidemill runs data flows and has no models; call yours in an operation",
    "features": "Tidemill runs data flows and has no models; call yours in an operation",
    "port": "Tidemill has no ports; write what operations return",
    "caching": "leave out records that have what you want with -keys",
    "overlay": "overlays are not applied; merge the data flows with `tidemill dataflow merge`",
    "halt": "Ctrl-C, or --timeout of `tidemill run`, ends a run",
    "mc": "data flows are served by `tidemill serve`",
}
"""First words of DFFML's options that mean nothing here, and what to use in their place."""


class DffmlCommand(click.Command):
    """A command whose options may have one dash or two, and of which some take several values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; raises `click.UsageError` for options of DFFML that mean nothing here."""
        return super().parse_args(ctx, list(self._spread(ctx, list(args))))

    def _spread(self, ctx: click.Context, args: list[str]) -> Iterator[str]:
        """Yield the arguments with an option before each of its values."""
        known = {
            name: parameter
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option)
            for name in parameter.opts
        }
        at = 0
        while at < len(args):
            word = args[at]
            at += 1
            if word == "--":
                yield from args[at - 1 :]
                return
            name = word.partition("=")[0]
            if name not in known:
                self._refuse_elsewhere(ctx, name)
                yield word
            elif known[name].multiple and "=" not in word:
                values = at
                while at < len(args) and not _is_option(args[at]):
                    at += 1
                if values == at:
                    raise click.UsageError(f"{name} takes one value or more.", ctx)
                for value in args[values:at]:
                    yield from (word, value)
            else:
                yield word
                if not known[name].is_flag and "=" not in word and at < len(args):
                    yield args[at]  # whatever it looks like, it is the value
                    at += 1

    def _refuse_elsewhere(self, ctx: click.Context, name: str) -> None:
        if not _is_option(name) or name == "--":
            return
        told = _ELSEWHERE.get(name.lstrip("-").split("-")[0])
        if told is not None:
            raise click.UsageError(f"{name} is an option of DFFML that means nothing here: {told}.", ctx)


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-" and not _NUMBER.match(word)


def option(name: str, *more: str, **settings: Any) -> Callable[[_Function], _Function]:
    """Give a command the option ``name``, with one dash and with two."""
    return click.option(f"-{name}", f"--{name}", *more, **settings)


def several(name: str, *more: str, **settings: Any) -> Callable[[_Function], _Function]:
    """Give a command an option that takes one value or more, up to the next option."""
    return option(name, *more, multiple=True, **settings)


def loader(function: _Function) -> _Function:
    """Give a command ``-configloader``: how its files are written, whatever they are called."""
    return option("configloader", type=click.Choice(["json", "yaml"]),
        help="The form of the file.  [default: by its suffix]")(function)  # fmt: skip


def log(function: _Function) -> _Function:
    """Give a command ``-log``, which says what log records are shown."""
    return option("log", metavar="LEVEL", expose_value=False, callback=_set_up_logging, default="warning",
        help="Log records of this level and above go to standard error: debug, info, warning, error, critical.",
    )(function)  # fmt: skip


def _set_up_logging(ctx: click.Context, param: click.Parameter, value: str) -> None:
    import logging

    level = logging.getLevelNamesMapping().get(value.upper())
    if level is None:
        raise click.BadParameter(
            f"{value!r} is no level; expected debug, info, warning, error or critical.", ctx, param
        )
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", force=True)
