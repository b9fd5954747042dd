"""`convert` writes a data flow as an object for Kubernetes, or as DFFML has it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.support import FLOWS


def test_an_object_is_called_like_its_file_and_is_read_again(cli: Callable[..., Any], tmp_path: Path) -> None:
    result = cli("convert", "flow.yaml", cwd=FLOWS)
    assert (result.code, result.err) == (0, "")
    made = yaml.safe_load(result.out)
    assert (made["apiVersion"], made["kind"]) == ("tidemill.alt/v1alpha1", "DataFlow")
    assert made["metadata"] == {"name": "flow"}
    target = tmp_path / "object.yaml"
    target.write_text(result.out)
    plain, wrapped = (cli("validate", str(path), "-o", "json").out for path in (FLOWS / "flow.yaml", target))
    assert json.loads(wrapped)["digest"] == json.loads(plain)["digest"]
    again = cli("convert", str(target), "--format", "json")
    assert json.loads(again.out) == made


def test_an_object_can_be_called_otherwise_and_goes_into_a_file(cli: Callable[..., Any], tmp_path: Path) -> None:
    target = tmp_path / "o.json"
    result = cli("convert", "flow.yaml", "--name", "other", "--format", "json", "-o", str(target), cwd=FLOWS)
    assert (result.code, result.out, result.err) == (0, "", f"wrote {target}\n")
    assert json.loads(target.read_text())["metadata"] == {"name": "other"}
    lost = cli("convert", "flow.yaml", "-o", str(tmp_path / "missing" / "o.yaml"), cwd=FLOWS)
    assert lost.code == 1
    assert "No such file or directory" in lost.err


def test_dffml_has_the_data_flow_alone(cli: Callable[..., Any], tmp_path: Path) -> None:
    made = cli("convert", "flow.yaml", cwd=FLOWS).out
    spec = yaml.safe_load(made)["spec"]
    wrapped = tmp_path / "object.yaml"
    wrapped.write_text(made + "  pools: [{name: default}]\n  inputs: [{values: {name: Ada}}]\n")
    result = cli("convert", str(wrapped), "--to", "dffml")
    assert (result.code, result.err) == (0, "")
    assert yaml.safe_load(result.out) == spec
    assert cli("convert", str(wrapped), "--to", "dffml", "--name", "x").code == 2
    assert yaml.safe_load(cli("convert", str(wrapped)).out)["spec"] == {
        **spec, "pools": [{"name": "default"}], "inputs": [{"values": {"name": "Ada"}}]}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["flow.yaml", "--name", "Big Name"], 3, "no object can be called 'Big Name'"),
        (["missing.yaml"], 3, "there is no such file"),
        (["flow.yaml", "--to", "toml"], 2, "'toml' is not one of"),
    ],
)
def test_what_cannot_be_converted(cli: Callable[..., Any], arguments: list[str], code: int, said: str) -> None:
    result = cli("convert", *arguments, cwd=FLOWS)
    assert (result.code, result.out) == (code, "")
    assert said in result.err


def test_a_data_flow_that_cannot_run_is_not_written(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("operations:\n  a: {name: m:a}\nflow:\n  b: {}\n")
    result = cli("convert", "f.yaml")
    assert (result.code, result.out) == (3, "")
    assert "UnknownOperation at /flow/b" in result.err
    assert "f.yaml, line 4" in result.err


def test_one_from_a_module_needs_a_name(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "flows_to_convert.py").write_text(
        "from tidemill import DataFlow, op\n@op\ndef say(word: str) -> str:\n    return word\nflow = DataFlow(say)\n"
    )
    bare = cli("convert", "flows_to_convert:flow")
    assert (bare.code, "an object needs a name" in bare.err) == (2, True)
    made = yaml.safe_load(cli("convert", "flows_to_convert:flow", "--name", "said").out)
    assert list(made["spec"]["operations"]) == ["flows_to_convert:say"]
