"""Configurations as DFFML's programs use them: made of words, changed only where that was said, nested."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tidemill.base import BaseConfig, ImmutableConfigPropertyError, config, field, make_config
from tidemill.errors import TidemillError
from tidemill.runtime.config import as_config, hints_of, plain_fields


@config
class InnerConfig:
    """What is within."""

    depth: int = 0


@config
class StoneConfig:
    """How a stone is."""

    size: int
    place: Path = Path()
    weight: float | None = None
    turns: bool = field("whether it turns", default=False, mutable=True)
    inner: InnerConfig = field("what is within", default_factory=InnerConfig)
    names: list[str] = field("its names", default_factory=list, required=True, labeled=True, action="append")

    def __post_init__(self) -> None:
        if self.weight is None:
            self.weight = self.size * 2.0


def made_of(**said: Any) -> Any:
    made: Any = StoneConfig
    return made._fromdict(**said)


def test_fields_may_be_set_while_it_is_made() -> None:
    assert StoneConfig(3).weight == 6.0


def test_only_what_is_mutable_is_changed_and_that_is_told() -> None:
    made: Any = StoneConfig(3)
    told: list[Any] = []
    made.add_mutable_callback(lambda name, value: told.append((name, value)))
    made.turns = True
    assert (made.turns, told) == (True, [("turns", True)])
    with pytest.raises(ImmutableConfigPropertyError, match=r"StoneConfig.size cannot be changed; declare it"):
        made.size = 4
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.other = 4
    with made.no_enforce_immutable():
        made.size = 4
    assert made.size == 4
    with pytest.raises(ImmutableConfigPropertyError):
        made.size = 5
    assert made._replace(size=7).size == 7


def test_words_become_what_the_fields_are() -> None:
    made = made_of(size="3", place="a/b", weight="1.5", turns="Yes", inner={"depth": "2"}, names=["a"])
    assert made == StoneConfig(3, Path("a/b"), 1.5, True, InnerConfig(2), ["a"])
    assert made_of(size=["3"], turns="off") == StoneConfig(3)


def test_what_is_nested_is_taken_out() -> None:
    made = made_of(
        size={"plugin": ["3"], "config": {}},
        inner={"plugin": "inner", "config": {"depth": {"plugin": "2", "config": {}}}},
        names={"plugin": ["a", "b"], "config": {}},
    )
    assert made == StoneConfig(3, inner=InnerConfig(2), names=["a", "b"])


@pytest.mark.parametrize(("said", "expected"), [({"size": "many"}, "int"), ({"size": 1, "turns": "maybe"}, "bool")])
def test_a_word_that_means_nothing_is_refused(said: dict[str, Any], expected: str) -> None:
    with pytest.raises(TidemillError, match=f"expected {expected}") as caught:
        made_of(**said)
    assert caught.value.reason == "InvalidConfig"


def test_notes_of_a_field_are_kept() -> None:
    names = {item.name: dict(item.metadata) for item in dataclasses.fields(StoneConfig)}
    assert names["names"] == {"description": "its names", "action": "append", "required": True, "labeled": True}
    assert names["turns"] == {"description": "whether it turns", "mutable": True}


def test_a_configuration_is_made_of_triples() -> None:
    made: Any = make_config(
        "Made", [("name", str, field("a name", default="mill")), ("size", int, field("how large it is"))]
    )
    assert [item.name for item in dataclasses.fields(made)] == ["size", "name"]
    assert made._fromdict(size="3")._asdict() == {"size": 3, "name": "mill"}
    with pytest.raises(ImmutableConfigPropertyError):
        made(1).size = 2


def test_types_that_are_not_there_when_it_runs_are_no_hindrance() -> None:
    @config
    class Later:
        size: NotThere = field("of a type for type checkers")  # type: ignore[name-defined]  # noqa: F821

    made: Any = Later
    assert hints_of(made) == {}
    assert made._fromdict(size="3").size == "3"


def test_fields_are_found_below_the_words_that_a_command_line_has() -> None:
    nested = {"orchestrator": {"plugin": None, "config": {"max-ctxs": {"plugin": 5, "config": {}}}}, "other": 1}
    assert plain_fields(nested, "orchestrator", "memory") == {"max_ctxs": 5}
    assert plain_fields(None, "orchestrator") == {}
    assert plain_fields({"a-b": 1}) == {"a_b": 1}


def test_nothing_is_the_defaults() -> None:
    assert as_config(InnerConfig, BaseConfig()) == InnerConfig()
    assert as_config(BaseConfig, BaseConfig()) == BaseConfig()
