"""Every verb below ``tidemill dataflow`` has help, and the examples in it can be read."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import pytest

VERBS = [
    ["create"],
    ["diagram"],
    ["merge"],
    ["run", "single"],
    ["run", "contexts"],
    ["run", "records", "all"],
    ["run", "records", "set"],
]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_verb_has_help_with_examples(verb: list[str], dataflow: Callable[..., Any]) -> None:
    result = dataflow(*verb, "--help")
    assert (result.code, result.err) == (0, "")
    shown = result.out.split("Examples:\n")[1].strip()
    for line in shown.split("tidemill ")[1:]:
        assert shlex.split(line)[: len(verb) + 1] == ["dataflow", *verb]


@pytest.mark.parametrize("group", [[], ["run"], ["run", "records"]], ids=" ".join)
def test_a_group_lists_its_verbs(group: list[str], dataflow: Callable[..., Any]) -> None:
    result = dataflow(*group, "--help")
    assert (result.code, result.err) == (0, "")
    for verb in {words[len(group)] for words in VERBS if words[: len(group)] == group}:
        assert f"  {verb} " in result.out
    result = dataflow(*group, "bogus")
    assert result.code == 2
    assert "No such command 'bogus'" in result.err
