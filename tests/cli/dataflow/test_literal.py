"""Values as DFFML's command line reads them."""

from __future__ import annotations

from typing import Any

import pytest

from tidemill.cli.dataflow.literal import steps, value_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", True),
        ("Yes", True),
        ("false", False),
        ("OFF", False),
        ("null", None),
        ("None", None),
        ("[1, 2, 3]", [1, 2, 3]),
        ("1,2,3", [1, 2, 3]),
        ("hello", "hello"),
        ("'on'", "on"),
        ("on,off,feed,face,42", [True, False, "feed", "face", 42]),
        ("list,", ["list"]),
        ("{'a': (1, 2)}", {"a": [1, 2]}),
        ("1.5", 1.5),
        ("", ""),
        ("a b", "a b"),
        ("__import__('os')", "__import__('os')"),
        ("1 +", "1 +"),
        ("[" * 5000, "[" * 5000),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_text_is_a_literal_a_word_or_a_list_or_else_itself(text: str, value: Any) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b.c", ["a", "b", "c"]),
        ("'a.b'.c", ["a.b", "c"]),
        ('"a.b".c', ["a.b", "c"]),
        ("a:b.inputs.x", ["a:b", "inputs", "x"]),
        ("", []),
    ],
)
def test_quotes_keep_a_step_together(path: str, found: list[str]) -> None:
    assert steps(path) == found
