"""Data flows in files, run from the command line: plain functions as code, and definitions that no operation names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tidemill import load

Cli = Callable[..., Any]

CODE = """
import os

def plain(go):
    return {"noted": [go, os.getpid()]}
"""

FLOW = """
linked: true
definitions:
  go: {primitive: int}
  loose: {primitive: int}
  unrelated: {primitive: string}
  noted: {primitive: array}
  names: {primitive: array}
  values: {primitive: map}
operations:
  plain: {name: "plain_of_file:plain", inputs: {go: go}, outputs: {noted: noted}, executor: process}
  result: {name: get_multi, stage: output, inputs: {spec: names}, outputs: {output: values}}
flow:
  plain: {inputs: {go: [seed, {seed: [loose]}]}}
  result: {inputs: {spec: [seed]}}
seed: [{value: [noted], definition: names}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a data flow and its code, which is not where the command is run."""
    made = tmp_path / "elsewhere"
    made.mkdir()
    (made / "plain_of_file.py").write_text(CODE)
    (made / "flow.yaml").write_text(FLOW)
    return made


def _result(cli: Cli, flow: Path, *arguments: str) -> dict[str, Any]:
    done = cli("run", str(flow), "-q", "-o", "jsonl", *arguments)
    assert done.code == 0, done.err
    result: dict[str, Any] = json.loads(done.out)["result"]
    return result


@pytest.mark.parametrize("executor", ["process", "subprocess", "thread"])
def test_a_plain_function_of_a_python_file_runs_where_the_file_says(executor: str, cli: Cli, folder: Path) -> None:
    flow = folder / "flow.yaml"
    flow.write_text(FLOW.replace("executor: process", f"executor: {executor}"))
    ((go, pid),) = _result(cli, flow, "-i", "go=1")["noted"]
    assert (go, pid == os.getpid()) == (1, executor == "thread")


@pytest.mark.parametrize("name", ["loose", "unrelated"])
@pytest.mark.parametrize("linked", [True, False])
def test_inputs_of_definitions_that_no_operation_names_are_known(
    name: str, linked: bool, cli: Cli, folder: Path
) -> None:
    flow = folder / "flow.yaml"
    flow.write_text(FLOW.replace("process", "thread").replace("value: [noted]", f"value: [{name}]"))
    if not linked:
        exported = load(flow).export(linked=False)
        flow = folder / "flow.json"
        flow.write_text(json.dumps(exported))
    value: Any = {"loose": 2, "unrelated": "x"}[name]
    assert _result(cli, flow, "--input", f"{name}={value}") == {name: [value]}
    (folder / "inputs.jsonl").write_text(json.dumps({name: value}) + "\n")
    assert _result(cli, flow, "--inputs", str(folder / "inputs.jsonl")) == {name: [value]}


def test_a_definition_that_is_nowhere_is_told_with_those_that_are_there(cli: Cli, folder: Path) -> None:
    done = cli("run", str(folder / "flow.yaml"), "-i", "unrelatd=x")
    assert done.code == 3
    known = "go, loose, names, noted, unrelated, values"
    assert f"no definition is called 'unrelatd' (has: {known}); did you mean \"unrelated\"?" in done.err
