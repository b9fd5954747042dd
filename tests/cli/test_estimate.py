"""`estimate` says how long a data flow will take, by stubs and by what was measured, and what it assumes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import FLOWS

Cli = Callable[..., Any]
NUMBERS = [f"-inumber={n}" for n in range(4)]


@pytest.fixture(autouse=True)
def flows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FLOWS))


def test_what_is_estimated_is_said(cli: Cli) -> None:
    result = cli("estimate", "estimated_flows:doubling", *NUMBERS)
    assert (result.code, result.err) == (0, "")
    assert result.out == (
        "about 61 s with 1 worker of 64 slots, of which 2.0 are busy on average\n"
        "  that is 1 min 1 s\n"
        "1 context, 8 parameter sets\n"
        "memory of calls at once, at most: 4 MB\n"
        "critical path: 31 s: estimated_flows:double 30 s → estimated_flows:show 1 s\n"
        "\n"
        "operation               calls  seconds each  memory each  from\n"
        "estimated_flows:double  4      30 s          2 MB         stub\n"
        "estimated_flows:show    4      1 s           unknown      default\n"
        "\n"
        "Nothing is known of estimated_flows:show: 1 s a call is assumed; a stub or a --record says more.\n"
    )


@pytest.mark.parametrize("how", [["--json"], ["-o", "json"], ["--output", "jsonl"]])
def test_it_is_data_too(cli: Cli, how: list[str]) -> None:
    result = cli("estimate", "estimated_flows:doubling", *NUMBERS, "--workers", "3", "--default", "0.5", *how)
    found = json.loads(result.out)
    assert (found["seconds"], found["workers"], found["parameter_sets"]) == (60.5, 3, 8)
    assert found["operations"]["estimated_flows:show"]["from"] == "default"
    assert [step["seconds"] for step in found["critical_path"]] == [30, 0.5]
    assert len(result.out.splitlines()) == 1 or how != ["--output", "jsonl"]


def test_what_a_run_has_measured_corrects_it(cli: Cli, tmp_path: Path) -> None:
    record = str(tmp_path / "record.json")
    assert cli("run", "estimated_flows:doubling", *NUMBERS, "--record", record).code == 0
    result = cli("estimate", "estimated_flows:doubling", *NUMBERS, "--record", record, "--json")
    found = json.loads(result.out)
    assert {one["from"] for one in found["operations"].values()} == {"corrected", "measured"}
    assert 0 < found["seconds"] < 30
    result = cli("estimate", "estimated_flows:wrongly", "--record", record)
    assert "note: the record is of another data flow" in result.err


def test_what_a_store_has_measured_corrects_it(cli: Cli, store: str) -> None:
    over = ("--backend", store)
    assert cli("run", "estimated_flows:doubling", *NUMBERS, *over).code == 0
    result = cli("estimate", "estimated_flows:doubling", *NUMBERS, *over, "--json")
    found = json.loads(result.out)
    assert {one["from"] for one in found["operations"].values()} == {"corrected", "measured"}


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "NotARecord"), ("[]", "NotARecord"), ('{"tidemill": "record"}', "NotARecord"), (None, "CannotRead"),
     ('{"tidemill": "record", "version": 2, "metrics": []}', "another version"),
     ('{"tidemill": "record", "version": 1, "metrics": [3]}', "NotARecord")],
)  # fmt: skip
def test_what_is_no_record_is_refused(cli: Cli, tmp_path: Path, text: str | None, said: str) -> None:
    record = tmp_path / "record.json"
    if text is not None:
        record.write_text(text)
    result = cli("estimate", "estimated_flows:doubling", "--record", str(record))
    assert result.code == 3
    assert said in result.err


def test_a_stub_that_is_wrong_is_said(cli: Cli) -> None:
    result = cli("estimate", "estimated_flows:wrongly", "-inumber=1")
    assert result.code == 3
    assert "error: EstimateFailed at estimated_flows:wrong" in result.err
    assert "returned 1, expected tidemill.Estimate" in result.err
