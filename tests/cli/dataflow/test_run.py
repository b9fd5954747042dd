"""``tidemill dataflow run``: one context, several, or one for each record, with results in DFFML's form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RESULT = {"size": [1, 2, 10]}


def printed(result: Any) -> Any:
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert result.out == json.dumps(found, sort_keys=True, indent=4) + "\n", "the form of DFFML"
    return found


def test_a_single_context(dataflow: Callable[..., Any]) -> None:
    result = dataflow("run", "single", "-dataflow", "whole.yaml", "-inputs", "http://a=URL", "-log", "critical")
    assert printed(result) == [RESULT]


def test_a_data_flow_may_be_one_of_a_module(dataflow: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from tidemill import DataFlow\nimport myops\nflow = DataFlow(myops.check)\n")
    assert printed(dataflow("run", "single", "--dataflow", "mine:flow", "--inputs", "x=URL")) == [{}]


def test_contexts_are_inputs_too(dataflow: Callable[..., Any]) -> None:
    arguments = ("-contexts", "http://a", "http://b", "http://a", "-context-def", "URL", "-inputs", "12=limit")
    found = printed(dataflow("run", "contexts", "-dataflow", "whole.yaml", *arguments))
    assert sorted(found, key=str) == [{"http://a": {"size": [1, 2, 12]}}, {"http://b": {"size": [1, 2, 12]}}]


def test_without_names_there_is_one_context(dataflow: Callable[..., Any]) -> None:
    result = dataflow("run", "contexts", "-dataflow", "whole.yaml", "-inputs", "http://a=URL")
    assert printed(result) == [{"context1": RESULT}]


@pytest.mark.parametrize("verb", [["single"], ["contexts"], ["records", "set", "-sources", "m=memory", "-keys", "k"]])
def test_nothing_is_printed_where_that_is_asked_for(verb: list[str], dataflow: Callable[..., Any]) -> None:
    result = dataflow("run", *verb, "-dataflow", "whole.yaml", "-inputs", "http://a=URL", "-no-echo")
    assert (result.code, result.out) == (0, "")


def test_a_failure_ends_its_context_or_is_passed_over(dataflow: Callable[..., Any]) -> None:
    arguments = ("-dataflow", "whole.yaml", "-contexts", "http://broken", "http://a", "-context-def", "URL")
    result = dataflow("run", "contexts", *arguments)
    assert result.code == 1
    assert json.loads(result.out) == [{"http://a": RESULT}]
    assert "broken as asked for" in result.err
    result = dataflow("run", "single", "-dataflow", "rerouted.json", "-inputs", "http://broken=URL", "-no-strict")
    assert result.code == 1
    assert "broken as asked for" in result.err


def test_contexts_may_live_in_a_store(dataflow: Callable[..., Any]) -> None:
    arguments = ("-dataflow", "whole.yaml", "-inputs", "http://a=URL", "-backend", "embedded", "-max-ctxs", "1")
    assert printed(dataflow("run", "single", *arguments)) == [RESULT]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["single"], 2, "Missing option '-dataflow'"),
        (["single", "-dataflow", "absent.yaml"], 3, "FileNotFound"),
        (["single", "-dataflow", "whole.yaml", "-inputs", "x=URK"], 3, "UnknownDefinition at -inputs x=URK"),
        (["single", "-dataflow", "whole.yaml", "-inputs", "x=limit"], 3, "TypeMismatch at -inputs x=limit"),
        (["single", "-dataflow", "whole.yaml", "-orchestrator", "kubernetes.job"], 2, "--backend"),
        (["single", "-dataflow", "whole.yaml", "-sources", "m=memory"], 2, "dataflow run records"),
        (["single", "-dataflow", "whole.yaml", "-workers", "0"], 2, "leaves operations to others"),
        (["contexts", "-dataflow", "whole.yaml", "-context-def", "URK"], 3, "UnknownDefinition at -context-def"),
        (["contexts", "-dataflow", "whole.yaml", "-contexts", "x", "-context-def", "limit"], 3, "TypeMismatch"),
        (["records", "all", "-dataflow", "whole.yaml"], 2, "Missing option '-sources'"),
        (["records", "all", "-dataflow", "whole.yaml", "-sources", "m=mysql"], 2, "json, csv, memory"),
        (["records", "all", "-dataflow", "whole.yaml", "-sources", "m=json"], 2, "-source-filename FILE"),
        (["records", "all", "-dataflow", "whole.yaml", "-sources", "m=json", "-source-user", "x"], 2, "no option of"),
        (["records", "all", "-dataflow", "whole.yaml", "-sources", "m=json", "-source-filename"], 2, "takes a value"),
        (["records", "all", "-dataflow", "whole.yaml", "-sources", "m=csv", "-source-filename", "no.csv"], 3,
            "FileNotFound"),
        (["records", "set", "-dataflow", "whole.yaml", "-sources", "m=memory"], 2, "Missing option '-keys'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(arguments: list[str], code: int, said: str, dataflow: Callable[..., Any]) -> None:
    result = dataflow("run", *arguments)
    assert result.code == code, result.err
    assert said in " ".join(result.err.split())
    assert result.out.strip() in ("", "[]")


ALL = ("run", "records", "all", "-dataflow", "whole.yaml", "-record-def", "URL")
PEOPLE = {"untagged": {"http://a": {"features": {"stars": 3}}, "http://b": {"key": "http://b", "extra": {"x": 1}}},
          "other": {"http://c": {"features": {}}}}  # fmt: skip


def records_of(result: Any) -> dict[str, Any]:
    return {record["key"]: record for record in printed(result)}


def test_records_of_a_json_file_get_results_as_features(dataflow: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(PEOPLE))
    (tmp_path / "r.json").chmod(0o640)
    arguments = ("-sources", "mine=json", "-source-mine-filename", "r.json")
    found = records_of(dataflow(*ALL, *arguments))
    assert sorted(found) == ["http://a", "http://b"]
    assert found["http://a"]["features"] == {"stars": 3, **RESULT}
    assert found["http://b"]["extra"] == {"x": 1}
    assert all(record["last_updated"].endswith("Z") for record in found.values())
    assert json.loads((tmp_path / "r.json").read_text()) == PEOPLE, "it was not to be written"
    found = records_of(dataflow(*ALL, *arguments, "-source-readwrite", "-source-tag", "other"))
    assert sorted(found) == ["http://c"]
    written = json.loads((tmp_path / "r.json").read_text())
    assert (tmp_path / "r.json").stat().st_mode & 0o777 == 0o640
    assert written["untagged"] == PEOPLE["untagged"]
    assert written["other"] == found
    dataflow(*ALL, *arguments, "-source-readwrite", "-no-update")
    assert json.loads((tmp_path / "r.json").read_text()) == written


def test_records_of_a_csv_file_are_read_and_written(dataflow: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("key,stars,words\nhttp://a,3,some\nhttp://b,,\n")
    found = records_of(dataflow(*ALL, "-sources", "m=csv", "-source-filename", "r.csv", "-source-readwrite", "on"))
    assert found["http://a"]["features"] == {"stars": 3, "words": "some", **RESULT}
    assert found["http://b"]["features"] == RESULT
    assert (tmp_path / "r.csv").read_text().splitlines() == [
        "key,tag,size,stars,words",
        'http://a,untagged,"[1, 2, 10]",3,some',
        'http://b,untagged,"[1, 2, 10]",,',
    ]
    again = records_of(dataflow(*ALL, "-sources", "m=csv", "-source-filename", "r.csv", "-caching", "size", "stars"))
    assert sorted(again) == ["http://b"], "the other has these features"


def test_records_are_taken_by_key_from_a_file_or_from_nowhere(dataflow: Callable[..., Any], tmp_path: Path) -> None:
    some = ("run", "records", "set", "-dataflow", "whole.yaml", "-record-def", "URL", "-keys", "http://a", "http://z")
    found = records_of(dataflow(*some, "-sources", "m=memory"))
    assert {key: record["features"] for key, record in found.items()} == {"http://a": RESULT, "http://z": RESULT}
    empty = ("-sources", "m=json", "-source-filename", "new.json", "-source-allowempty", "-source-readwrite")
    assert records_of(dataflow(*some, *empty)).keys() == found.keys()
    assert json.loads((tmp_path / "new.json").read_text())["untagged"].keys() == found.keys()


@pytest.mark.parametrize(
    "text", ["[1]", '{"untagged": 3}', '{"untagged": {"a": 3}}', '{"untagged": {"a": {"features": 3}}}']
)
def test_a_file_of_another_shape_is_refused(text: str, dataflow: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(text)
    result = dataflow(*ALL, "-sources", "m=json", "-source-filename", "r.json", "-source-readwrite")
    assert (result.code, result.out) == (3, "")
    assert "error: TypeMismatch" in result.err
    assert (tmp_path / "r.json").read_text() == text
