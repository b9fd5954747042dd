"""`run` reads inputs, runs, prints results and failures, and ends with the code that says how it went."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import FLOWS

Cli = Callable[..., Any]


@pytest.fixture
def run(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a data flow of numbers_flows quietly, and return (code, records, standard error)."""
    monkeypatch.syspath_prepend(str(FLOWS))

    def call(flow: str, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        result = cli("run", f"numbers_flows:{flow}", "-q", "-o", "jsonl", *arguments)
        return result.code, [json.loads(line) for line in result.out.splitlines()], result.err

    return call


def results(records: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["context"]: each["result"] for each in records}


def test_inputs_of_arguments_are_one_context(run: Cli) -> None:
    code, records, err = run("doubling", "-i", "number=3", "--input", "number=4")
    assert (code, err) == (0, "")
    assert records == [{"context": "default", "status": "succeeded", "result": {"doubled": [6, 8]}}]


def test_without_inputs_there_is_one_context(run: Cli) -> None:
    assert run("seeded")[:2] == (0, [{"context": "default", "status": "succeeded", "result": {"doubled": [14]}}])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("i.jsonl", '{"number": [1, 2]}\n{"context": "b", "inputs": {"number": 3}}\n',
         {"i.jsonl:1": {"doubled": [2, 4]}, "b": {"doubled": [6]}}),
        ("i.csv", "context,number\na,1\nb,2\n", {"a": {"doubled": [2]}, "b": {"doubled": [4]}}),
        ("i.yaml", "a: {number: 1}\nb: {number: [2, 3]}\n", {"a": {"doubled": [2]}, "b": {"doubled": [4, 6]}}),
        ("i.json", '[{"number": 1}]', {"i.json-1": {"doubled": [2]}}),
        ("empty.jsonl", "", {}),
    ],
)  # fmt: skip
def test_every_kind_of_file_gives_contexts(
    name: str, content: str, expected: dict[str, Any], run: Cli, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    code, records, err = run("doubling", "--inputs", name)
    assert (code, err, results(records)) == (0, "", expected)


def test_arguments_go_into_every_context_of_a_file(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "i.jsonl").write_text('{"number": 1}\n{"number": 2}\n')
    _, records, _ = run("doubling", "--inputs", "i.jsonl", "-i", "number=5", "-i", "label=x")
    assert results(records) == {"i.jsonl:1": {"doubled": [10, 2]}, "i.jsonl:2": {"doubled": [10, 4]}}


def test_containers_are_given_as_json(run: Cli) -> None:
    _, records, _ = run("combining", "-i", 'table={"a": [1, {}]}', "-i", "share=1")
    assert records[0]["result"] == {"thing": [[{"a": [1, {}]}, 1.0]]}


def test_a_failed_context_is_a_record_a_block_and_exit_code_1(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text("context,number\ngood,1\nbad,13\nfine,2\n")
    code, records, err = run("doubling", "--inputs", "i.csv")
    assert code == 1
    assert results(records) == {"good": {"doubled": [2]}, "bad": None, "fine": {"doubled": [4]}}
    (failed,) = (each for each in records if each["status"] == "failed")
    assert failed["failure"]["reason"] == "Exception"
    assert failed["failure"]["inputs"] == {"label": "none", "number": 13}
    assert failed["failure"]["instance"] == failed["failure"]["operation"] == "numbers_flows:double"
    lines = err.splitlines()
    assert lines[:3] == ["failed: bad", "  operation: numbers_flows:double", "  inputs: label='none', number=13"]
    assert "13 is unlucky, none" in err
    assert "Traceback" not in err


def test_the_traceback_of_an_operation_is_shown_with_v(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FLOWS))
    err = cli("run", "numbers_flows:doubling", "-i", "number=13", "-v").err
    assert 'raise ValueError(f"{number} is unlucky, {label}")' in err
    (where,) = [line for line in err.splitlines() if "File " in line]
    assert where.startswith("  | ")
    assert "numbers_flows.py" in where


def test_without_strict_the_context_goes_on_and_the_failure_is_said(run: Cli) -> None:
    code, records, err = run("doubling", "--no-strict", "-i", "number=13", "-i", "number=2")
    assert code == 1
    assert records[0]["status"] == "succeeded"
    assert records[0]["result"] == {"doubled": [4]}
    assert [each["reason"] for each in records[0]["failures"]] == ["Exception"]
    assert "13 is unlucky" in err


def test_many_failures_are_counted_and_not_all_written(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(FLOWS))
    (tmp_path / "i.jsonl").write_text('{"number": 13}\n' * 15)
    command = ["run", "numbers_flows:doubling", "--inputs", "i.jsonl", "-o", "jsonl"]
    err = cli(*command).err
    assert err.count("failed: i.jsonl:") == 10
    assert "… and 5 more contexts with failures; -v shows them all\n15 contexts: 0 succeeded, 15 failed; " in err
    assert cli(*command, "-v").err.count("failed: i.jsonl:") == 15


def test_results_that_json_has_no_words_for_are_written_as_text(run: Cli) -> None:
    _, records, _ = run("oddities", "-i", "number=1")
    assert records[0]["result"] == {
        "thing": [{"bytes": "AP8=", "date": "2026-01-02 03:04:05", "set": [1, 2], "nan": "nan", "object": 1}]
    }


def test_json_is_one_array(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(FLOWS))
    (tmp_path / "i.jsonl").write_text('{"number": 1}\n{"number": 2}\n')
    out = cli("run", "numbers_flows:doubling", "-o", "json", "--inputs", "i.jsonl").out
    assert {each["context"] for each in json.loads(out)} == {"i.jsonl:1", "i.jsonl:2"}
    (tmp_path / "empty.jsonl").write_text("")
    assert cli("run", "numbers_flows:doubling", "-o", "json", "--inputs", "empty.jsonl").out == "[]\n"


def test_a_table_has_aligned_columns_in_the_order_given(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(FLOWS))
    (tmp_path / "i.csv").write_text("context,number\nfirst,1\nthe second,13\nthird,3\n")
    result = cli("run", "numbers_flows:doubling", "--inputs", "i.csv")
    assert result.out.splitlines() == [
        "context     status             doubled",
        "first       ok                 [2]",
        "the second  failed: Exception",
        "third       ok                 [6]",
    ]
    assert "3 contexts: 2 succeeded, 1 failed; " in result.err


def test_a_long_run_prints_a_table_now_and_then(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(FLOWS))
    (tmp_path / "i.jsonl").write_text('{"number": 1}\n' * 1500)
    lines = cli("run", "numbers_flows:doubling", "--inputs", "i.jsonl", "-q").out.splitlines()
    assert sum(line.startswith("context ") for line in lines) == 2
    assert len(lines) == 1502


@pytest.mark.parametrize(
    ("arguments", "reason", "path", "said"),
    [
        (["-i", "nmber=1"], "UnknownDefinition", "--input nmber", 'did you mean "number"?'),
        (["-i", "number=x"], "TypeMismatch", "--input number", "\"number\": expected int, got the text 'x'"),
        (["-i", "number"], "InvalidArgument", "--input", "expected name=value"),
        (["--inputs", "missing.jsonl"], "FileNotFound", "missing.jsonl", "there is no such file"),
    ],
)
def test_an_input_that_is_wrong_is_exit_code_3(
    arguments: list[str], reason: str, path: str, said: str, run: Cli
) -> None:
    code, records, err = run("doubling", *arguments)
    assert (code, records) == (3, [])
    assert err.splitlines()[0] == f"error: {reason} at {path}"
    assert said in err


def test_a_bad_line_at_the_end_of_a_file_stops_all_before_anything_runs(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "i.jsonl").write_text('{"number": 1}\n' * 100 + '{"number": "12"}\n')
    code, records, err = run("doubling", "--inputs", "i.jsonl")
    assert (code, records) == (3, [])
    assert err == "error: TypeMismatch at i.jsonl:101#/number\n  \"number\": expected int, got str '12'\n"


def test_two_contexts_of_one_name_stop_all(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text("context,number\na,1\na,2\n")
    code, records, err = run("doubling", "--inputs", "i.csv")
    assert (code, records) == (3, [])
    assert err.startswith("error: DuplicateContext at i.csv:3\n")


def test_a_value_that_its_validator_refuses_fails_the_context_in_its_words(run: Cli) -> None:
    code, records, err = run("checking", "-i", "checked=9")
    assert (code, records[0]["status"], records[0]["result"]["doubled"], err) == (0, "succeeded", [18], "")
    code, records, err = run("checking", "-i", "checked=10")
    assert (code, records[0]["result"]) == (1, None)
    assert "10 is too large, 9 is the most" in err
    assert "  operation: small\n" in err


def test_a_value_larger_than_the_limit_of_the_data_flow_is_refused(run: Cli) -> None:
    code, records, err = run("bounded", "-i", "label=" + "x" * 101)
    assert code in (1, 3)
    assert "ValueTooLarge" in err
    assert not any(each["result"] for each in records)


def test_more_inputs_than_the_limit_of_the_data_flow_fail(run: Cli) -> None:
    code, _, err = run("bounded", *(argument for at in range(5) for argument in ("-i", f"number={at}")))
    assert code in (1, 3)
    assert "InputLimitExceeded" in err


def test_a_data_flow_that_feeds_itself_meets_its_limit(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FLOWS))
    result = cli("run", "numbers_flows:growing", "-i", "number=1", "-o", "jsonl")
    assert result.code == 1
    assert result.err.startswith("warning: UnboundedCycle at /flow/numbers_flows:grow\n")
    assert "ParameterSetLimitExceeded" in result.err


def test_inputs_of_one_identity_are_one_input_or_a_conflict(run: Cli, tmp_path: Path) -> None:
    item = '{"definition": "number", "value": %d, "uid": "u"}'
    (tmp_path / "i.jsonl").write_text(f"[{item % 1}, {item % 1}]\n")
    assert run("doubling", "--inputs", "i.jsonl")[1][0]["result"] == {"doubled": [2]}
    (tmp_path / "i.jsonl").write_text(f"[{item % 1}, {item % 2}]\n")
    code, records, err = run("doubling", "--inputs", "i.jsonl")
    assert code in (1, 3)
    assert "InputConflict" in err
    assert not any(each["result"] for each in records)


def test_names_of_contexts_cannot_move_the_cursor_or_forge_lines(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(FLOWS))
    name = "a\x00{b}\n\u202efailed: c\x1b[2J"
    (tmp_path / "i.yaml").write_text(json.dumps({name: {"number": 13}}))
    result = cli("run", "numbers_flows:doubling", "--inputs", "i.yaml")
    assert result.code == 1
    assert not {"\x00", "\u202e", "\x1b"} & set(result.out + result.err)
    assert len(result.out.splitlines()) == 2
    assert not any(line.startswith("failed: c") for line in result.err.splitlines())
    (record,) = json.loads(cli("run", "numbers_flows:doubling", "--inputs", "i.yaml", "-o", "json").out)
    assert record["context"] == name


def test_a_data_flow_that_is_wrong_is_exit_code_3_with_the_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("operations: {a: {name: json:loads}}\nflow:\n  b: {}\n")
    result = cli("run", "f.yaml")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("error: UnknownOperation at /flow/b\n")
    assert "(f.yaml, line 3)" in result.err


def test_code_that_is_missing_is_exit_code_4_and_nothing_runs(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("operations:\n  a: {name: no_such_module:f}\n  b: {name: ../../etc/passwd}\n")
    result = cli("run", "f.yaml")
    assert (result.code, result.out) == (4, "")
    assert result.err.splitlines()[0] == "error: OperationLoadError at /operations/a"
    assert "No module named 'no_such_module'" in result.err
    assert "(f.yaml, line 2)" in result.err
    assert "error: OperationLoadError at /operations/b" in result.err


def test_warnings_are_said_unless_quiet(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(
        "operations:\n  a: {name: json:loads, inputs: {s: {name: s, primitive: string}}}\nflow: {a: {}}\n"
    )
    assert cli("run", "f.yaml").err.startswith("warning: UnboundParameter at /flow/a/inputs/s\n")
    assert cli("run", "f.yaml", "-q").err == ""


def test_inputs_inside_the_document_are_run(cli: Cli, tmp_path: Path) -> None:
    flow = (FLOWS / "flow.yaml").read_text()
    inputs = "inputs:\n- values: {name: Ada}\n- context: g\n  inputs: [{definition: name, value: Grace}]"
    spec = "".join(f"  {line}\n" for line in f"{flow}{inputs}".splitlines())
    (tmp_path / "f.yaml").write_text(f"apiVersion: tidemill.alt/v1alpha1\nkind: DataFlow\nspec:\n{spec}")
    monkeypatched = cli("run", str(tmp_path / "f.yaml"), "-q", "-o", "jsonl", cwd=FLOWS)
    assert monkeypatched.code == 0
    found = [json.loads(line)["result"] for line in monkeypatched.out.splitlines()]
    assert found == [{"greeting": ["Hello, Ada!"]}, {"greeting": ["Hello, Grace!"]}]
    (tmp_path / "f.yaml").write_text(
        f"apiVersion: tidemill.alt/v1alpha1\nkind: DataFlow\nspec:\n{spec}".replace("Ada", "[1]")
    )
    bad = cli("run", str(tmp_path / "f.yaml"), cwd=FLOWS)
    assert bad.code == 3
    assert bad.err.startswith("error: TypeMismatch at /spec/inputs/0/values/name/0\n")


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("inputsFrom: [{name: a, url: 's3://b/k'}]", "/spec/inputsFrom"),
        ("inputs: [{inputs: [{definition: name, valueFrom: {configMapKeyRef: {name: c, key: k}}}]}]",
            "/spec/inputs/0/inputs/0/valueFrom"),
    ],
)  # fmt: skip
def test_inputs_that_only_a_cluster_has_are_asked_for(cli: Cli, tmp_path: Path, said: str, path: str) -> None:
    flow = (FLOWS / "flow.yaml").read_text()
    spec = "".join(f"  {line}\n" for line in f"{flow}{said}".splitlines())
    (tmp_path / "f.yaml").write_text(f"apiVersion: tidemill.alt/v1alpha1\nkind: DataFlow\nspec:\n{spec}")
    bad = cli("run", str(tmp_path / "f.yaml"), cwd=FLOWS)
    assert bad.code == 3
    assert bad.err.startswith(f"error: OnlyInCluster at {path}\n")
    assert cli("validate", str(tmp_path / "f.yaml"), cwd=FLOWS).code == 0
    (tmp_path / "given.jsonl").write_text('{"name": "Ada"}')
    assert cli("run", str(tmp_path / "f.yaml"), "--inputs", str(tmp_path / "given.jsonl"), cwd=FLOWS).code == 0


def test_large_integers_and_whole_floats_arrive_as_they_were_written(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "keeping.py").write_text("def keep(n, f):\n    return {'kept': [n, f]}\n")
    (tmp_path / "f.yaml").write_text("""\
linked: true
definitions:
  n: {primitive: int}
  f: {primitive: float}
  kept: {primitive: array}
  spec: {primitive: array}
  all: {primitive: map}
operations:
  keep: {name: "keeping:keep", inputs: {n: n, f: f}, outputs: {kept: kept}}
  get_multi: {name: get_multi, stage: output, inputs: {spec: spec}, outputs: {output: all}}
seed:
- {definition: spec, value: [kept]}
""")
    (tmp_path / "i.jsonl").write_text('{"n": [9007199254740993, 18446744073709551616], "f": 1}\n')
    result = cli("run", "f.yaml", "--inputs", "i.jsonl", "-o", "jsonl", "-q")
    assert (result.code, result.err) == (0, "")
    kept = json.loads(result.out)["result"]["kept"]
    assert kept == [[9007199254740993, 1], [18446744073709551616, 1]]


def test_a_product_that_would_be_too_large_fails_before_it_is_made(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "i.jsonl").write_text(json.dumps({"number": list(range(1000))}))
    code, records, err = run("exploding", "--inputs", "i.jsonl")
    failure = records[0]["failure"]
    assert (code, failure["reason"], failure["path"]) == (1, "ParameterSetLimitExceeded", "/limits/parameter_sets")
    assert 'ParameterSetLimitExceeded at /limits/parameter_sets: operation "five" would need ' in err
    assert "limit 1000000" in err


def test_an_error_inside_tidemill_is_exit_code_5(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from tidemill.cli import source

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("x\x1b[2J")

    monkeypatch.setattr(source, "_from_module", broken)
    result = cli("validate", "a:b")
    assert (result.code, result.out) == (5, "")
    assert result.err == (
        "error: Internal\n  ZeroDivisionError: x\\x1b[2J\n  this is a mistake in tidemill; -vv shows where\n"
    )
    assert "Traceback" in cli("validate", "a:b", "-vv").err


def test_a_seed_makes_a_run_repeatable(run: Cli) -> None:
    arguments = [argument for at in range(20) for argument in ("-i", f"number={at + 20}")]
    first = run("doubling", "--seed", "1", "--workers", "1", "--max-contexts", "1", *arguments)
    assert first == run("doubling", "--seed", "1", "--workers", "1", "--max-contexts", "1", *arguments)
    assert results(first[1])["default"] == {"doubled": [2 * (at + 20) for at in range(20)]}


def test_a_run_that_takes_too_long_is_cancelled(run: Cli) -> None:
    code, records, err = run("waiting", "-i", "number=2", "--timeout", "0.2")
    assert (code, records) == (1, [])
    assert err.endswith("error: Timeout\n  the run took longer than --timeout 0.2 s and was cancelled\n")
