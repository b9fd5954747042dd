"""FLOW is a file, module:attribute or a URL, and what it is not is said plainly."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FLOW = """
from tidemill import DataFlow, Operation
flow = DataFlow(Operation("a"))
class Holder:
    inner = flow
def made():
    return DataFlow(Operation("b"), Operation("c"))
def needs(argument):
    return flow
def fails():
    raise RuntimeError("no luck")
def leaves():
    raise SystemExit(3)
number = 3
wrong = DataFlow(Operation("a"), flow={"zz": {}})
"""


ROUND = """
from tidemill import DataFlow, RunDataFlowConfig, op, run_dataflow

@op(name="leave_a_trace", inputs={}, outputs={})
def leave_a_trace():
    open("ran", "w").close()

def flow(name):
    made = DataFlow(leave_a_trace, implementations={run_dataflow.op.name: run_dataflow})
    made.operations[name] = run_dataflow.op._replace(instance_name=name)
    return made

first, second = flow("b"), flow("a")
first.configs["b"] = RunDataFlowConfig(dataflow=second)
second.configs["a"] = RunDataFlowConfig(dataflow=first)
first.update(auto_flow=True)
"""


@pytest.fixture
def validate(cli: Callable[..., Any], tmp_path: Path) -> Callable[[str], Any]:
    (tmp_path / "flows_here.py").write_text(textwrap.dedent(FLOW))

    def call(flow: str) -> tuple[int, dict[str, Any], str]:
        result = cli("validate", flow, "-o", "json", cwd=tmp_path)
        return result.code, json.loads(result.out) if result.out else {}, result.err

    return call


@pytest.mark.parametrize(
    ("flow", "operations"),
    [("flows_here:flow", ["a"]), ("flows_here:Holder.inner", ["a"]), ("flows_here:made", ["b", "c"])],
)
def test_a_module_of_the_current_folder_gives_a_data_flow(
    flow: str, operations: list[str], validate: Callable[[str], Any]
) -> None:
    code, report, err = validate(flow)
    assert (code, report["operations"], err) == (0, operations, "")


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        (
            "no_such_module:flow",
            "importing no_such_module raised ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("flows_here:flwo", "has no 'flwo' (has: DataFlow, Holder, Operation, fails, flow"),
        ("flows_here:Holder.outer", "has no 'outer' (has: inner)"),
        ("flows_here:number", "it is 3, expected a DataFlow or a function that returns one"),
        ("flows_here:Holder", "it is <flows_here.Holder object at "),
        ("flows_here:needs", "calling needs() raised TypeError: needs() missing 1 required positional argument"),
        ("flows_here:fails", "calling fails() raised RuntimeError: no luck"),
        ("flows_here:leaves", "calling leaves() raised SystemExit: 3"),
    ],
)
def test_a_module_that_gives_none_is_exit_code_4(flow: str, said: str, validate: Callable[[str], Any]) -> None:
    code, _, err = validate(flow)
    assert code == 4
    assert err.startswith(f"error: FlowLoadError at {flow}\n  ")
    assert said in err
    assert "Traceback" not in err


def test_a_module_that_is_broken_shows_its_traceback_with_vv_only(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "broken_here.py").write_text("1 / 0\n")
    assert "Traceback" not in cli("validate", "broken_here:flow", "-v").err
    err = cli("-v", "validate", "broken_here:flow", "-v").err
    assert "Traceback" in err
    assert "1 / 0" in err
    assert "error: FlowLoadError at broken_here:flow\n" in err


def test_a_data_flow_of_a_module_has_paths_without_a_file(validate: Callable[[str], Any]) -> None:
    code, report, _ = validate("flows_here:wrong")
    assert code == 3
    (only,) = report["errors"]
    assert (only["reason"], only["path"]) == ("UnknownOperation", "/flow/zz")
    assert only["message"].endswith("(has: a)")


def test_data_flows_of_a_module_that_run_each_other_are_refused_before_anything_runs(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "round_here.py").write_text(ROUND)
    said = "a data flow runs itself: b → a → b; run a data flow that ends instead"
    for verb in ("validate", "run"):
        result = cli(verb, "round_here:first", cwd=tmp_path)
        assert (result.code, result.out.removeprefix("round_here:first: invalid: 1 error, 0 warnings\n")) == (3, "")
        assert result.err == f"error: SubflowCycle at /configs/b\n  {said}\n"
    assert not (tmp_path / "ran").exists()


def test_the_current_folder_is_searched_once(validate: Callable[[str], Any], tmp_path: Path) -> None:
    validate("flows_here:flow")
    validate("flows_here:made")
    assert sys.path.count(str(tmp_path)) == 1


@pytest.mark.parametrize(
    ("flow", "reason"),
    [
        ("missing.yaml", "FileNotFound"),
        ("missing", "UnknownFormat"),
        ("a b:c", "UnknownFormat"),
        (".", "UnknownFormat"),
    ],
)
def test_what_is_no_file_is_exit_code_3(flow: str, reason: str, validate: Callable[[str], Any]) -> None:
    code, report, _ = validate(flow)
    assert (code, report["errors"][0]["reason"], report["errors"][0]["path"]) == (3, reason, flow)


def test_a_file_whose_name_looks_like_a_module_is_a_file(validate: Callable[[str], Any], tmp_path: Path) -> None:
    (tmp_path / "flows_here:flow").write_text("operations: {}")
    assert validate("flows_here:flow")[1]["errors"][0]["reason"] == "UnknownFormat"


@pytest.mark.parametrize("flow", ["http://localhost/f.yaml", "https://example.org/f.yaml", "file:///etc/passwd"])
def test_a_url_needs_a_flag(flow: str, validate: Callable[[str], Any]) -> None:
    code, report, _ = validate(flow)
    (only,) = report["errors"]
    assert (code, only["reason"], only["path"]) == (3, "UrlNotAllowed", flow)
    assert only["message"] == "a data flow says what code is run; give --allow-remote if you trust this URL"


BESIDE = """
operations:
  a: {name: "beside_here:f", stage: output, outputs: {result: {name: r, primitive: string}}}
"""


def said_by(text: str) -> str:
    return f"from tidemill import op\n@op\ndef f() -> str:\n    return {text!r}\n"


def test_the_folder_of_a_file_is_searched_for_its_modules(cli: Callable[..., Any], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "f.yaml").write_text(BESIDE)
    (elsewhere / "beside_here.py").write_text(said_by("beside the file"))
    assert cli("validate", "elsewhere/f.yaml", "--load").code == 0
    result = cli("run", "elsewhere/f.yaml", "-q", "-o", "jsonl")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)["result"] == {"result": "beside the file"}
    assert sys.path.count(str(elsewhere)) == 1


def test_the_folder_of_a_file_comes_before_the_current_one(cli: Callable[..., Any], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "f.yaml").write_text(BESIDE)
    (elsewhere / "beside_here.py").write_text(said_by("beside the file"))
    (tmp_path / "beside_here.py").write_text(said_by("here"))
    assert "beside the file" in cli("run", "elsewhere/f.yaml", "-q").out


def test_the_current_folder_is_searched_for_the_modules_of_a_file(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "f.yaml").write_text(BESIDE)
    (tmp_path / "beside_here.py").write_text(said_by("here"))
    assert "here" in cli("run", "elsewhere/f.yaml", "-q").out


def test_several_operations_that_cannot_be_loaded_for_one_reason_are_one_error(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    names = [*"abcdefgh"]
    (tmp_path / "here_too.py").write_text("")
    lines = [f'  {name}: {{name: "no_such_module.{name}:run"}}' for name in names]
    (tmp_path / "f.yaml").write_text("\n".join(["operations:", *lines, '  z: {name: "here_too:gone"}', ""]))
    for command in (["validate", "f.yaml", "--load", "-q"], ["run", "f.yaml"]):
        result = cli(*command)
        assert (result.code, result.out) == (4, "")
        assert result.err.splitlines() == [
            "error: OperationLoadError at /operations/a",
            "  no_such_module.a:run: ModuleNotFoundError: No module named 'no_such_module'; modules are looked for in "
            f"{tmp_path} and among what is installed; so it is with 'b', 'c', 'd', 'e', 'f' and 2 more "
            "(f.yaml, line 2)",
            "error: OperationLoadError at /operations/z",
            '  here_too:gone: "gone" is not there (there are none) (f.yaml, line 10)',
        ]
