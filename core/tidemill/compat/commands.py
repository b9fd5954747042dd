"""Command lines out of classes, as DFFML's programs write them.

A subclass of `CMD` has a configuration whose fields are its options (``-name value``; those without a default come by
their place), ``async def run(self)`` or an async generator, or other commands as attributes::

    class Grind(CMD):
        CONFIG = GrindConfig

        async def run(self):
            return {"grain": self.grain}

    class Mill(CMD):
        grind = Grind

    Mill.main()                # mill grind -stones 2 rye
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import dataclasses
import inspect
import json
import logging
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from tidemill.compat.data import export, parser_helper, traverse_config_set
from tidemill.runtime.config import as_config, config, field, hints_of, without_none

__all__ = ["CMD", "Arg", "CMDConfig", "CMDOutputOverride", "DisplayHelp", "parse_unknown"]

DisplayHelp = "Display help message"
"""What a command gives that has only shown its help."""


class CMDOutputOverride:
    """What a command gives that has printed for itself."""


class Arg(dict[str, Any]):
    """The keywords of an option of `argparse`, and its name."""

    def __init__(self, *args: str, annotation: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.annotation = annotation
        self.name = args[0] if args else "no-name"

    def modify(self, name: str | None = None, **kwargs: Any) -> Arg:
        """Return a copy with other keywords, and another name if one is given."""
        made = copy.deepcopy(self)
        made.update(kwargs)
        made.name = made.name if name is None else name
        return made


async def parse_unknown(*unknown: str, configloaders: Any = None) -> dict[str, Any]:
    """Return options that nobody declared as nested mappings: ``-a-b 1`` is a, b, with the list of its words as value.

    With ``configloaders``, ``@path`` stands for what the file holds.
    """
    parsed: dict[str, Any] = {}
    name = ""
    values: list[Any] = []
    for word in [*unknown, "-"]:
        if word.startswith("-") and not word.lstrip("-").replace(".", "").isnumeric():
            if name:
                traverse_config_set(parsed, *name.split("-"), values or [True])
            name, values = word.lstrip("-"), []
        elif word.startswith("@") and configloaders is not None:
            values.append((await configloaders.load_file(word[1:]))[1])
        else:
            values.append(word)
    return parsed


@config
class CMDConfig:
    """What every command may be told."""

    log: str = field("logging level", default="INFO")


class CMD:
    """A command, or several under one name."""

    CONFIG: ClassVar[Any] = CMDConfig
    CLI_FORMATTER_CLASS: ClassVar[Any] = argparse.ArgumentDefaultsHelpFormatter
    run: ClassVar[Callable[..., Any] | None] = None

    def __init__(self, extra_config: dict[str, Any] | None = None, **kwargs: Any) -> None:
        self.logger = logging.getLogger(f"{type(self).__module__}.{type(self).__qualname__}")
        self.extra_config = extra_config or {}
        known = {item.name for item in dataclasses.fields(type(self).CONFIG)}
        made = as_config(type(self).CONFIG, {name: value for name, value in kwargs.items() if name in known})
        for name in known:
            setattr(self, name, getattr(made, name))

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def do_run(self) -> Any:
        """Run the command and return what it gives; of a generator, the list."""
        run: Any = self.run
        async with self:
            if inspect.isasyncgenfunction(run):
                return [given async for given in run()]
            return await run()

    def __call__(self) -> Any:
        """Run the command in an event loop of its own."""
        return asyncio.run(self.do_run())

    @classmethod
    async def cli(cls, *args: str) -> Any:
        """Run what the words of a command line say and return what it gives."""
        parser = _parser(cls)
        found, unknown = parser.parse_known_args(list(args))
        said = vars(found)
        chosen, its_parser = said.pop("cmd", cls), said.pop("parser", parser)
        if chosen.run is None:
            its_parser.print_help()
            return DisplayHelp
        level = said.pop("log", None)
        if level:
            logging.basicConfig(level=str(level).upper())
        return await chosen(extra_config=await parse_unknown(*unknown), **said).do_run()

    @classmethod
    async def _main(cls, *args: str) -> Any:
        return await cls.cli(*args)

    @classmethod
    def main(cls, loop: Any = None, argv: Sequence[str] | None = None) -> None:
        """Run the words after the first, and print what the command gives as JSON."""
        words = list(sys.argv if argv is None else argv)[1:]
        running = cls._main(*words)
        given = asyncio.run(running) if loop is None else loop.run_until_complete(running)
        if given is not None and given != DisplayHelp and given not in (CMDOutputOverride, [CMDOutputOverride]):
            sys.stdout.write(json.dumps(export(given), sort_keys=True, indent=4, default=str) + "\n")


def _parser(cls: type[CMD]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=cls.__doc__, formatter_class=cls.CLI_FORMATTER_CLASS)
    _fill(parser, cls)
    return parser


def _fill(parser: argparse.ArgumentParser, cls: type[CMD]) -> None:
    """Give a parser the commands and the options of a command."""
    below: Any = None
    for name, other in inspect.getmembers(cls, inspect.isclass):
        if issubclass(other, CMD) and not name.startswith("__"):
            below = below or parser.add_subparsers()
            inner = below.add_parser(
                name.lower().replace("_", ""), description=other.__doc__, formatter_class=other.CLI_FORMATTER_CLASS
            )
            inner.set_defaults(cmd=other, parser=inner)
            _fill(inner, other)
    hints = hints_of(cls.CONFIG)
    for item in dataclasses.fields(cls.CONFIG):
        _option(parser, item, without_none(hints.get(item.name, item.type)))
    if "log" not in hints:
        parser.add_argument("-log", help="logging level")


def _option(parser: argparse.ArgumentParser, item: Any, hint: Any) -> None:
    words: dict[str, Any] = {"help": item.metadata.get("description")}
    if item.metadata.get("action"):
        words["action"] = item.metadata["action"]
    elif hint is bool:
        words["action"] = "store_true"
    else:
        many = typing.get_origin(hint) in (list, tuple)
        element = (typing.get_args(hint) or (Any,))[0] if many else hint
        words["type"] = element if element in (int, float, str) else getattr(element, "load", parser_helper)
        if many:
            words["nargs"] = "+"
    if item.default is not dataclasses.MISSING:
        words["default"] = item.default
    elif item.default_factory is not dataclasses.MISSING:
        words["default"] = item.default_factory()
    elif not item.metadata.get("required"):
        parser.add_argument(item.name, **words)
        return
    else:
        words["required"] = True
    parser.add_argument("-" + item.name.replace("_", "-"), dest=item.name, **words)
