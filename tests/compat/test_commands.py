"""Command lines out of classes: options out of configurations, commands below commands, results as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tidemill import CMD, Arg, TidemillError, config, field
from tidemill.configloader.configloader import ConfigLoaders
from tidemill.util.cli.arg import parse_unknown
from tidemill.util.cli.cmd import CMDOutputOverride, DisplayHelp


@config
class GrindConfig:
    """How grain is ground."""

    grain: list[str] = field("what is ground")
    stones: int = field("how many stones", default=1)
    fine: bool = field("whether it is fine", default=False)
    size: float | None = field("how large the stones are", default=None)
    extra: list[str] = field("what else there is", default_factory=list)


class Grind(CMD):
    """Grinds."""

    CONFIG = GrindConfig
    grain: list[str]
    stones: int

    async def run(self) -> Any:
        """Return what it was told."""
        told = ("grain", "stones", "fine", "size", "extra", "extra_config")
        return {name: getattr(self, name) for name in told}


class List_All(CMD):  # DFFML leaves underscores out of the names of commands
    """Lists."""

    async def run(self) -> AsyncIterator[int]:
        """Yield some numbers."""
        yield 1
        yield 2


class Quiet(CMD):
    """Prints for itself."""

    async def run(self) -> Any:
        """Return the sign of that."""
        return CMDOutputOverride


class Below(CMD):
    """Has a command of its own."""

    list_all = List_All


class Mill(CMD):
    """Has commands."""

    grind = Grind
    below = Below
    quiet = Quiet


async def test_options_are_the_fields_of_the_configuration() -> None:
    words = ["-stones", "2", "-fine", "-size", "1.5", "-extra", "a", "b", "-log", "warning"]
    assert await Mill.grind.cli("rye", "oat", *words) == await Mill.cli("grind", "rye", "oat", *words)
    found = await Grind.cli("rye", "oat", *words, "-other-thing", "5")
    assert found == {"grain": ["rye", "oat"], "stones": 2, "fine": True, "size": 1.5, "extra": ["a", "b"],
        "extra_config": {"other": {"plugin": None, "config": {"thing": {"plugin": ["5"], "config": {}}}}}}  # fmt: skip
    plain = await Mill._main("grind", "rye")
    assert (plain["stones"], plain["fine"], plain["size"], plain["extra"]) == (1, False, None, [])


def test_a_command_is_made_and_called() -> None:
    assert Grind(grain=["rye"], stones="3")()["stones"] == 3
    with pytest.raises(TidemillError, match="expected int"):
        Grind(grain=[], stones="many")
    with pytest.raises(SystemExit):
        asyncio.run(Grind.cli("rye", "-stones", "many"))


def test_a_required_option_has_to_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    @config
    class NeedsConfig:
        word: str = field("a word", required=True)

    class Needs(CMD):
        CONFIG = NeedsConfig
        word: str

        async def run(self) -> str:
            return self.word

    assert asyncio.run(Needs.cli("-word", "rye")) == "rye"
    with pytest.raises(SystemExit):
        asyncio.run(Needs.cli())
    assert "-word" in capsys.readouterr().err


def test_what_a_command_gives_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    Mill.main(argv=["mill", "grind", "rye"])
    assert json.loads(capsys.readouterr().out)["grain"] == ["rye"]
    Mill.main(argv=["mill", "below", "listall"])
    assert json.loads(capsys.readouterr().out) == [1, 2]
    Mill.main(argv=["mill", "quiet"])
    assert capsys.readouterr().out == ""
    loop = asyncio.new_event_loop()
    Mill.main(loop, ["mill", "below", "listall"])
    loop.close()
    assert json.loads(capsys.readouterr().out) == [1, 2]


async def test_a_command_that_does_nothing_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert await Mill.cli() == DisplayHelp
    assert "grind" in capsys.readouterr().out
    assert await Mill.cli("below") == DisplayHelp
    assert "listall" in capsys.readouterr().out


async def test_options_that_nobody_declared_are_nested(tmp_path: Path) -> None:
    assert await parse_unknown() == {}
    assert await parse_unknown("-a", "-b", "-3", "x", "--c-d") == {
        "a": {"plugin": [True], "config": {}},
        "b": {"plugin": ["-3", "x"], "config": {}},
        "c": {"plugin": None, "config": {"d": {"plugin": [True], "config": {}}}},
    }
    (tmp_path / "a.json").write_text('{"a": 1}')
    async with ConfigLoaders() as loaders:
        found = await parse_unknown("-a", f"@{tmp_path / 'a.json'}", configloaders=loaders)
    assert found == {"a": {"plugin": [{"a": 1}], "config": {}}}


def test_an_option_may_be_changed() -> None:
    option = Arg("-log", help="level", annotation=str)
    changed = option.modify("-level", default=3)
    assert (changed.name, changed, changed.annotation) == ("-level", {"help": "level", "default": 3}, str)
    assert (option.name, option, Arg().name) == ("-log", {"help": "level"}, "no-name")
