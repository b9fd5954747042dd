"""What became of contexts, and what went wrong, as answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.serving.support import greeting
from tidemill.errors import InvalidFlow, InvalidInput, LoadError, OperationFailure, Problem, StoreFull, TidemillError
from tidemill.model.context import StringInputSetContext
from tidemill.orchestrator.outcome import Outcome
from tidemill.serving.answers import answer_of, error_of


def ended(result: Any, failure: OperationFailure | None = None) -> Outcome:
    return Outcome("x", StringInputSetContext("x"), result, failure, (), (), 0, 0, 0.0)


RESULTS = {"a": ended({"one": {"list": [1, {"deep": "ä"}]}, "raw": b"\x00"}), "b.c": ended({"only": "text"})}


@pytest.mark.parametrize(
    ("mode", "body"),
    [
        ("text:a.one.list.1.deep", "ä".encode()),
        ("text:a.one.list", '[1, {"deep": "ä"}]'.encode()),
        ("text:'b.c'", b"text"),
        ("text:'b.c'.only", b"text"),
        ("bytes:image/png:a.raw", b"\x00"),
    ],
)
def test_keys_lead_to_what_is_answered(mode: str, body: bytes) -> None:
    answer = answer_of(greeting(output_mode=mode), RESULTS)
    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize("keys", ["b", "a.two", "a.one.list.2", "a.one.list.x", "'b.c'.only.more"])
def test_keys_that_lead_nowhere_are_said(keys: str) -> None:
    answer = answer_of(greeting(output_mode=f"text:{keys}"), RESULTS)
    said = json.loads(answer.body)
    assert (answer.status, said["reason"]) == (500, "OutputMissing")
    assert said["path"].startswith("/")


def test_values_that_json_has_not_are_written_as_they_are_printed() -> None:
    answer = answer_of(greeting(), {"a": ended({"raw": b"\x00\xff", "nan": float("nan")})})
    assert json.loads(answer.body) == {"a": {"raw": "AP8=", "nan": "nan"}}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("x", reason="TypeMismatch"), 400),
        (StoreFull("x"), 503),
        (LoadError("x"), 500),
        (TidemillError("x", reason="ShuttingDown"), 503),
        (TidemillError("x", reason="Unheard"), 500),
        (InvalidFlow([Problem("Wrong", "/a", "is wrong")]), 500),
    ],
)
def test_an_error_has_a_status_and_three_parts(error: TidemillError, status: int) -> None:
    answer = error_of(error)
    said = json.loads(answer.body)
    assert answer.status == status
    assert {"error", "reason", "path", "message"} <= set(said)
    assert ("Retry-After" in answer.headers) is (status == 503)
    assert ("problems" in said) is isinstance(error, InvalidFlow)
