"""``tidemill dataflow create`` prints what DFFML prints for the same arguments, and refuses what it lets pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.cli.dataflow.conftest import GOLDEN

MADE = {
    "whole.yaml": ["-configloader", "yaml", "-inputs", "size,=get_multi_spec", "--",
        "myops:check", "myops:clone", "myops:sizes", "myops:rm", "get_multi"],
    "rerouted.json": ["-inputs", "size,=get_multi_spec", "http://x=URL=client",
        "-flow", '[{"seed":["URL"]},"client"]=myops:check.inputs.url',
        "-config", "1=myops:check.a.b", "on=myops:check.c", "--", "myops:check", "x=myops:clone", "get_multi"],
    "plain.json": ["-not-linked", "--", "myops:check", "myops:clone", "myops:sizes", "get_multi"],
    "gated.json": ["-flow", "seed,=myops:clone.conditions.x",
        '[[{"myops:clone":"repo"},{"seed":"URL"}]]=myops:sizes.inputs.repo',
        "-inputs", "size,=get_multi_spec", "on=valid_url", "--", "myops:clone", "myops:sizes", "get_multi"],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(MADE))
@pytest.mark.parametrize("dashes", ["-", "--"])
def test_the_file_is_the_one_that_dffml_prints(name: str, dashes: str, dataflow: Callable[..., Any]) -> None:
    arguments = [dashes + word[1:] if word[0] == "-" and word != "--" else word for word in MADE[name]]
    result = dataflow("create", *arguments)
    assert result.code == 0, result.err
    wanted = (GOLDEN / name).read_text()
    assert result.out.strip() == wanted.strip()


def seeds(result: Any) -> list[Any]:
    assert result.code == 0, result.err
    found: list[Any] = json.loads(result.out)["seed"]
    return found


@pytest.mark.parametrize(
    ("given", "seed"),
    [
        ("http://x/?a=b=URL", {"value": "http://x/?a=b", "definition": "URL"}),
        ("http://x/?a=b=URL=client", {"value": "http://x/?a=b", "definition": "URL", "origin": "client"}),
        ("12=URL", {"value": "12", "definition": "URL"}),
        ("on=URL", {"value": "on", "definition": "URL"}),
        ("on=valid_url", {"value": True, "definition": "valid_url"}),
        ("-3=limit", {"value": -3, "definition": "limit"}),
    ],
)
def test_a_seed_is_a_value_of_its_definition(given: str, seed: Any, dataflow: Callable[..., Any]) -> None:
    result = dataflow("create", "-inputs", given, "--", "myops:check", "myops:clone", "myops:sizes")
    assert seeds(result) == [seed]


def test_unlinked_seeds_hold_their_definitions(dataflow: Callable[..., Any]) -> None:
    result = dataflow("create", "-not-linked", "-inputs", "x=URL", "--", "myops:check")
    assert seeds(result) == [{"value": "x", "definition": {"name": "URL", "primitive": "string"}}]


def test_what_is_created_runs(dataflow: Callable[..., Any], tmp_path: Any) -> None:
    result = dataflow("create", *MADE["whole.yaml"])
    (tmp_path / "made.yaml").write_text(result.out)
    assert yaml.safe_load(result.out)["linked"] is True
    result = dataflow("run", "single", "-dataflow", "made.yaml", "-inputs", "http://a=URL")
    assert json.loads(result.out) == [{"size": [1, 2, 10]}]


def test_steps_with_dots_are_found_with_quotes_and_without(dataflow: Callable[..., Any]) -> None:
    for target in ("'a.b'.inputs.url", "a.b.inputs.url"):
        result = dataflow("create", "-flow", f"client,={target}", "--", "a.b=myops:check")
        assert json.loads(result.out)["flow"]["a.b"]["inputs"] == {"url": ["client"]}
    for target in ("'a.b'.c.d", "a.b.c.d"):
        result = dataflow("create", "-config", f"1={target}", "--", "a.b=myops:check")
        assert json.loads(result.out)["configs"] == {"a.b": {"c": {"d": 1}}}


@pytest.mark.parametrize(
    ("arguments", "reason", "said"),
    [
        (["-inputs", "x=URK", "--", "myops:check"], "UnknownDefinition", 'did you mean "URL"'),
        (["-inputs", "x", "--", "myops:check"], "InvalidArgument", "expected VALUE=TARGET"),
        (["-inputs", "no=limit", "--", "myops:sizes"], "TypeMismatch", "expected int"),
        (
            ["-flow", "seed=myops:chek.inputs.url", "--", "myops:check"],
            "UnknownOperation",
            'did you mean "myops:check"',
        ),
        (["-flow", "seed=myops:check.inputs.uri", "--", "myops:check"], "UnknownParameter", "one of: url"),
        (["-flow", "seed=myops:check", "--", "myops:check"], "UnknownOperation", "myops:check"),
        (["-config", "1=nobody.field", "--", "myops:check"], "UnknownOperation", "INSTANCE.FIELD"),
        (["-config", "1=myops:check.a", "1=myops:check.a.b", "--", "myops:check"], "InvalidArgument", "already"),
        (["--", "myops:check", "myops:check"], "DuplicateOperation", "give one another name"),
        (["--", "myops:nothing"], "OperationLoadError", "nothing"),
        (["--", "no_such_operation"], "OperationLoadError", "no package announces"),
        (["--", "myops:URL"], "NotAnOperation", "is no operation"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_printed(
    arguments: list[str], reason: str, said: str, dataflow: Callable[..., Any]
) -> None:
    result = dataflow("create", *arguments)
    assert result.out == ""
    assert result.code in (3, 4)
    assert f"error: {reason}" in result.err
    assert said in result.err


def test_what_cannot_run_alone_is_printed_with_a_warning(dataflow: Callable[..., Any]) -> None:
    result = dataflow("create", "-flow", '[{"later":"url"}]=myops:check.inputs.url', "--", "myops:check")
    assert result.code == 0
    assert json.loads(result.out)["flow"]["myops:check"]["inputs"] == {"url": [{"later": "url"}]}
    assert "warning: " in result.err
    assert "later" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["-orchestrator", "memory", "--", "myops:check"],
            "-orchestrator is an option of DFFML that means nothing here",
        ),
        (["-orchestrator-max_ctxs", "3", "--", "myops:check"], "--backend"),
        (["--model", "x"], "Tidemill runs data flows and has no models"),
        (["-inputs"], "takes one value or more"),
        (["-bogus", "--", "myops:check"], "No such option"),
        (["-configloader", "toml", "--", "myops:check"], "'toml' is not one of 'json', 'yaml'"),
        (["-log", "loud", "--", "myops:check"], "'loud' is no level"),
        ([], "Missing argument"),
    ],
)
def test_a_wrong_option_is_named_with_what_to_use(
    arguments: list[str], said: str, dataflow: Callable[..., Any]
) -> None:
    result = dataflow("create", *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in " ".join(result.err.split())
