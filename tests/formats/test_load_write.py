"""A data flow that is written to a file and read again is the same data flow."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import DefinitionMissing, InvalidFlow, TidemillError
from tidemill.formats.load import flow_of, load, load_flow
from tidemill.formats.read import parse_document
from tidemill.formats.write import plain_data, to_json, to_yaml
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import NO_DEFAULT, Definition
from tidemill.model.flow import Forward
from tidemill.model.input import Input
from tidemill.model.limits import Limits
from tidemill.model.operation import Operation, Stage
from tidemill.plan.compile import compile_plan

URL = Definition("URL", "string")
LINKED = """\
linked: true
definitions:
  URL: {name: URL, primitive: string}
  limit: {default: 10, name: limit, primitive: int}
operations:
  fetch: {name: "m:fetch", inputs: {url: URL, limit: limit}, outputs: {}, retry: 0, stage: processing}
seed:
- {definition: URL, value: x}
flow:
  fetch: {inputs: {url: [seed], limit: [seed]}}
"""

words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]), min_size=1, max_size=12)
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        "no 012 1:20 2026-01-01 1e3 0o17 0x1f ~ null .5 5. - << = 1_0 +1 y ON .inf &a *a !!str % @ `".split()
    ),
    st.sampled_from(["# x", "a: b", "- a", "\ufeffx", "\x85", "\t"]),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
definitions = st.builds(
    Definition,
    name=words,
    primitive=st.sampled_from(["string", "int", "map", "array", "generic", "object"]),
    default=st.just(NO_DEFAULT) | values,
    lock=st.booleans(),
    dedupe=st.sampled_from([None, "value"]),
)


of_primitive = {
    "string": texts,
    "int": st.integers(),
    "map": st.dictionaries(texts, values, max_size=3),
    "array": st.lists(values, max_size=3),
}


@st.composite
def seeds(draw: st.DrawFn, one: st.SearchStrategy[Definition]) -> Input:
    definition = draw(one)
    value = draw(of_primitive.get(definition.primitive, values))
    return Input(value, definition, origin=draw(words), uid=draw(st.just("") | words))


@st.composite
def dataflows(draw: st.DrawFn) -> DataFlow:
    known = draw(st.lists(definitions, min_size=1, max_size=4, unique_by=lambda each: each.name))
    one = st.sampled_from(known)
    operations = {}
    for instance in draw(st.lists(words, min_size=1, max_size=4, unique=True)):
        outputs = draw(st.dictionaries(words, one, max_size=3))
        operations[instance] = Operation(
            name=draw(words),
            inputs=draw(st.dictionaries(words, one, max_size=3)),
            outputs=outputs,
            stage=draw(st.sampled_from(Stage)),
            conditions=draw(st.lists(one, max_size=2)),
            expand=sorted(draw(st.sets(st.sampled_from(sorted(outputs))))) if outputs else [],
            retry=draw(st.integers(0, 5)),
            validator=draw(st.booleans()),
            conditions_mode=draw(st.sampled_from(["all", "any"])),
            pool=draw(words),
            executor=draw(st.sampled_from([None, "loop", "thread", "process", "subprocess"])),
            concurrency=draw(st.none() | st.integers(1, 9)),
            timeout=draw(st.none() | st.floats(0.001, 1e6)),
            backoff=draw(st.floats(0, 60)),
        )
    return DataFlow(
        operations=operations,
        seed=draw(st.lists(seeds(one), max_size=3)),
        configs=draw(st.dictionaries(st.sampled_from(sorted(operations)), values, max_size=2)),
        forward=Forward(
            draw(st.dictionaries(st.sampled_from(sorted(operations)), st.lists(one, max_size=2), max_size=1))
        ),
        limits=Limits(inputs=draw(st.none() | st.integers(1, 10)), subflow_depth=draw(st.integers(1, 20))),
    )


def again(text: str, format: str) -> DataFlow:
    return flow_of(parse_document(text.encode(), source=f"f.{format}", format=format)).dataflow


@given(dataflows(), st.booleans())
def test_a_data_flow_is_the_same_after_json(flow: DataFlow, linked: bool) -> None:
    read = again(to_json(flow, linked=linked), "json")
    assert read.export() == flow.export()
    assert to_json(read, linked=linked) == to_json(flow, linked=linked)


@given(dataflows(), st.booleans())
def test_a_data_flow_is_the_same_after_yaml(flow: DataFlow, linked: bool) -> None:
    text = to_yaml(flow, linked=linked)
    loaded = flow_of(parse_document(text.encode(), source="f.yaml", format="yaml"))
    assert loaded.warnings == ()
    assert loaded.dataflow.export() == flow.export()


@given(values)
def test_readers_of_yaml_1_1_understand_what_is_written_alike(value: Any) -> None:
    flow = DataFlow(operations={"a": Operation("a")}, configs={"a": value})
    read = yaml.safe_load(to_yaml(flow))["configs"]["a"]
    assert json.dumps(read, sort_keys=True) == json.dumps(value, sort_keys=True)


def test_the_digest_of_a_plan_survives_a_file() -> None:
    flow = again(LINKED, "yaml")
    assert compile_plan(again(to_yaml(flow), "yaml")).digest == compile_plan(flow).digest
    assert compile_plan(again(to_json(flow, linked=True), "json")).digest == compile_plan(flow).digest


def test_keys_are_sorted_so_that_a_file_can_be_compared() -> None:
    text = to_json(DataFlow(Operation("b", inputs={"z": URL, "a": URL}), Operation("a")))
    assert text.index('"a": {') < text.index('"b": {')
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        ({"a": [1, {2, 3}]}, "/configs/a/a/1", "set is neither text, number, boolean, null, list nor mapping"),
        ({1: 2}, "/configs/a", "a key has to be text, this one is int"),
        (math.nan, "/configs/a", "it is not finite"),
        ("\ud800", "/configs/a", "half a surrogate pair is no character"),
        (b"x", "/configs/a", "bytes is neither text"),
    ],
)
def test_what_is_no_plain_data_is_refused_with_its_place(value: Any, path: str, said: str) -> None:
    with pytest.raises(TidemillError) as caught:
        to_json(DataFlow(operations={"a": Operation("a")}, configs={"a": value}))
    assert (caught.value.reason, caught.value.path) == ("NotExportable", path)
    assert said in caught.value.message


def test_what_nests_too_deep_to_be_read_again_is_not_written() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(TidemillError) as caught:
        plain_data(value)
    assert caught.value.reason == "NotExportable"
    while value:  # taken apart by hand: the interpreter would recurse
        value = value.pop()


def test_tuples_become_lists() -> None:
    assert plain_data({"a": (1, (2,))}) == {"a": [1, [2]]}


def test_a_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(LINKED)
    flow = load(path)
    assert sorted(flow.operations) == ["fetch"]
    assert flow.operations["fetch"].inputs["limit"].default == 10
    assert [(item.value, item.definition) for item in flow.seed] == [("x", URL)]


def test_dots_and_slashes_in_a_name_are_only_a_name(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text('operations: {"../../etc/passwd": {name: "../../etc/passwd"}}')
    assert list(load(path).operations) == ["../../etc/passwd"]


def test_what_the_model_refuses_has_the_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("operations:\n  a:\n    name: a\n    expand: [x]\n")
    with pytest.raises(InvalidFlow) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert (problem.reason, problem.path) == ("InvalidOperation", "/operations/a/expand")
    assert problem.message.endswith(f"({path}, line 4)")


def test_a_definition_that_is_missing_has_the_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(LINKED.replace("url: URL,", "url: URI,"))
    with pytest.raises(DefinitionMissing) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert (problem.reason, problem.path) == ("DefinitionMissing", "/operations/fetch/inputs/url")
    assert 'did you mean "URL"?' in problem.message
    assert problem.message.endswith(f"({path}, line 6)")


def test_problems_of_the_plan_are_placed_in_the_wrapper_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    body = "".join(f"  {line}\n" for line in LINKED.replace("[seed]}}", "[seed], lim: [seed]}}").splitlines())
    path.write_text(f"apiVersion: tidemill.alt/v1alpha1\nkind: DataFlow\nmetadata: {{name: n}}\nspec:\n{body}")
    loaded = load_flow(path)
    assert loaded.document.name == "n"
    with pytest.raises(InvalidFlow) as caught:
        compile_plan(loaded.dataflow)
    (problem,) = loaded.locate(caught.value.problems)
    assert (problem.reason, problem.path) == ("UnknownParameter", "/spec/flow/fetch/inputs/lim")
    assert problem.message.endswith(f"({path}, line 14)")


def test_the_definitions_of_a_spec_become_a_type() -> None:
    text = """\
operations:
  a:
    name: a
    inputs:
      repo:
        name: repo
        primitive: map
        spec: {name: Repo, types: {url: str, directory: str}, defaults: {directory: null}}
"""
    spec: Any = again(text, "yaml").operations["a"].inputs["repo"].spec
    assert spec(url="x")._asdict() == {"url": "x", "directory": None}
