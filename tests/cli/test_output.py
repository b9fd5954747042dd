"""Results as tables and records: notes, results of other shapes, many columns, long cells."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidemill.cli.output import printer, record_of
from tidemill.errors import OperationFailure
from tidemill.model.context import StringInputSetContext
from tidemill.orchestrator.outcome import Outcome


def outcome(name: str, result: Any, **more: Any) -> Outcome:
    said: dict[str, Any] = {
        "failure": None,
        "failures": (),
        "notes": (),
        "inputs": 0,
        "parameter_sets": 0,
        "elapsed": 0.0,
    }
    return Outcome(name=name, ctx=StringInputSetContext(name), result=result, **{**said, **more})


def table(capsys: pytest.CaptureFixture[str], *outcomes: Outcome) -> list[str]:
    made = printer("table")
    for place, each in enumerate(outcomes):
        made.put(record_of(each), place)
    made.close()
    return capsys.readouterr().out.splitlines()


def test_a_record_has_what_was_noted_and_what_was_survived() -> None:
    failure = OperationFailure("Exception", "no", "a", "m:a", {"x": {1}})
    record = record_of(outcome("c", {"a": 1}, failures=(failure,), notes=("several values",)))
    assert json.loads(json.dumps(record)) == {
        "context": "c",
        "status": "succeeded",
        "result": {"a": 1},
        "failures": [
            {
                "reason": "Exception",
                "path": "/operations/a",
                "message": "no",
                "instance": "a",
                "operation": "m:a",
                "inputs": {"x": [1]},
            }
        ],
        "notes": ["several values"],
    }


def test_columns_are_the_keys_of_all_results(capsys: pytest.CaptureFixture[str]) -> None:
    assert table(capsys, outcome("c", {"a": 1}), outcome("d", {"b": "x"}), outcome("e", {})) == [
        "context  status  a  b",
        "c        ok      1",
        "d        ok         x",
        "e        ok",
    ]


def test_many_columns_are_one_column(capsys: pytest.CaptureFixture[str]) -> None:
    header, row = table(capsys, outcome("c", {f"k{at}": at for at in range(13)}))
    assert header == "context  status  result"
    assert row.startswith('c        ok      {"k0": 0, "k1": 1')
    assert row.endswith("…")


def test_results_that_are_no_mappings_are_one_column(capsys: pytest.CaptureFixture[str]) -> None:
    failure = OperationFailure("Timeout", "too long")
    assert table(capsys, outcome("c", [1, 2]), outcome("d", {"a": 1}), outcome("e", None, failure=failure)) == [
        "context  status           result",
        "c        ok               [1, 2]",
        'd        ok               {"a": 1}',
        "e        failed: Timeout",
    ]


def test_a_long_cell_is_cut_and_line_ends_are_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    _, row = table(capsys, outcome("a\nb", {"a": "x" * 100}))
    assert row == "a\\nb     ok      " + "x" * 59 + "…"


def test_nothing_is_an_empty_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert table(capsys) == []
