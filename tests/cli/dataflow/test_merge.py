"""``tidemill dataflow merge``: mappings are merged, lists appended, the last of other values holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.dataflow.conftest import GOLDEN


def merged(result: Any) -> dict[str, Any]:
    assert result.code == 0, result.err
    found: dict[str, Any] = json.loads(result.out)
    for seed in found.get("seed", []):
        seed.setdefault("origin", "seed")
    return found


def test_files_are_merged_as_dffml_merges_them(dataflow: Callable[..., Any]) -> None:
    result = dataflow("merge", "whole.yaml", "gated.json")
    assert merged(result) == json.loads((GOLDEN / "merged.json").read_text())


def test_a_file_may_be_a_part_only_and_the_last_value_holds(dataflow: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(
        "linked: true\noperations: {'myops:clone': {retry: 5}}\nseed: [{definition: URL, value: http://a}]\n"
    )
    found = merged(dataflow("merge", "whole.yaml", "part.yaml"))
    assert found["operations"]["myops:clone"]["retry"] == 5
    assert [seed["value"] for seed in found["seed"]] == [["size"], "http://a"]


def test_plain_and_linked_files_go_together(dataflow: Callable[..., Any]) -> None:
    found = merged(dataflow("merge", "plain.json", "whole.yaml"))
    assert found["linked"] is True
    assert found["operations"]["myops:rm"]["inputs"] == {"repo": "repo"}
    plain = merged(dataflow("merge", "-not-linked", "plain.json", "whole.yaml"))
    assert "linked" not in plain
    assert plain["operations"]["myops:rm"]["inputs"]["repo"]["lock"] is True


def test_what_kubernetes_is_given_is_merged_by_what_it_says(dataflow: Callable[..., Any], tmp_path: Path) -> None:
    spec = json.loads((tmp_path / "plain.json").read_text()) | {"pools": [{"name": "default"}], "suspend": True}
    wrapped = {"apiVersion": "tidemill.alt/v1alpha1", "kind": "DataFlow", "metadata": {"name": "x"}, "spec": spec}
    (tmp_path / "wrapped.json").write_text(json.dumps(wrapped))
    assert merged(dataflow("merge", "wrapped.json")) == merged(dataflow("merge", "plain.json"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1, 2]", "TypeMismatch"),
        ("linked: true\noperations: [1]", "TypeMismatch"),
        ("seed: {a: 1}", "TypeMismatch"),
        ("linked: true\nseed: [{definition: nobody, value: 1}]", "DefinitionMissing"),
        ("forward: {book: 3}", "TypeMismatch"),
        ("operations: {a: {name: a, inputs: {x: {name: U, primitive: int}, y: {name: U}}}}", "DefinitionConflict"),
        ("a: 1\na: 2", "DuplicateKey"),
    ],
)
def test_what_makes_no_data_flow_is_refused(
    text: str, reason: str, dataflow: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "part.yaml").write_text(text)
    result = dataflow("merge", "whole.yaml", "part.yaml")
    assert (result.code, result.out) == (3, "")
    assert f"error: {reason}" in result.err
