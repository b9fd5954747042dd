"""DFFML's files: what it writes is read; what is written is read back as the same data flow, by us and by DFFML."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from tests.dffml_peer import dffml
from tidemill import DataFlow, Definition, Forward, Input, InputFlow, Operation, Stage
from tidemill.formats.dffml import exported, merged, text_of
from tidemill.formats.load import load

NAMES = ["a", "b.c", "op:run", "x y", "ü", "yes", "1e3", "0o7", "null", "~"]
"""Names that something in a file might take for something else."""
PRIMITIVES = {
    "string": st.sampled_from(["", "no", "12", "0x1f", "- a", "{", "line\nline", "\u2028", "ä", " x "]),
    "int": st.integers(-(2**70), 2**70),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
}
names = st.sampled_from(NAMES)


@st.composite
def definitions(draw: st.DrawFn, *, peer: bool) -> dict[str, Definition]:
    """Definitions by name; for DFFML itself only those that it can hold."""
    found = {}
    for name in draw(st.lists(names, min_size=1, max_size=5, unique=True)):
        primitive = draw(st.sampled_from([*PRIMITIVES, "map"]))
        said: dict[str, Any] = {"lock": draw(st.booleans())}
        if primitive == "map":
            if draw(st.booleans()):
                said["spec"] = namedtuple("Spec", ["url", "size"], defaults=[3])
                said["spec"].__annotations__ = {"url": str, "size": int}
            elif not peer and draw(st.booleans()):
                said["default"] = {"k": [1, None, {"deep": True}]}
        elif draw(st.booleans()):
            said["default"] = draw(PRIMITIVES[primitive])
        found[name] = Definition(name, primitive, **said)
    return found


@st.composite
def operations(draw: st.DrawFn, known: dict[str, Definition], instance: str) -> Operation:
    def some(most: int) -> dict[str, Definition]:
        parameters = draw(st.lists(names, max_size=most, unique=True))
        return {parameter: known[draw(st.sampled_from(sorted(known)))] for parameter in parameters}

    outputs = some(2)
    return Operation(
        name=draw(names),
        inputs=some(3),
        outputs=outputs,
        stage=draw(st.sampled_from(list(Stage))),
        conditions=list({d.name: d for d in some(2).values()}.values()),
        expand=[key for key in outputs if draw(st.booleans())],
        retry=draw(st.integers(0, 3)),
        instance_name=instance,
    )


@st.composite
def sources(draw: st.DrawFn, made: list[tuple[str, str]], known: list[str], *, paths: bool = True) -> Any:
    step: Any = st.sampled_from(["seed", "client"])
    if made:
        output: Any = st.sampled_from([{instance: name} for instance, name in made])
        step = st.one_of(step, output, st.lists(output, min_size=1, max_size=3)) if paths else st.one_of(step, output)
    listed = st.lists(st.sampled_from(known), min_size=1, max_size=2, unique=True).map(lambda some: {"seed": some})
    return draw(st.one_of(step, listed))


@st.composite
def dataflows(draw: st.DrawFn, *, peer: bool = False) -> DataFlow:
    """A data flow with every form that a file may have; ``peer`` leaves out what DFFML 0.4 cannot hold."""
    known = draw(definitions(peer=peer))
    instances = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    made = {instance: draw(operations(known, instance)) for instance in instances}
    # A definition that stands in no operation is only for us: DFFML does not write it.
    used = sorted({d.name for op in made.values() for d in (*op.inputs.values(), *op.outputs.values(), *op.conditions)})
    assume(used or not peer)  # DFFML cannot read a linked file without definitions
    outputs = [(instance, key) for instance, op in made.items() for key in op.outputs]
    flow = {
        instance: InputFlow(
            inputs={key: draw(st.lists(sources(outputs, used), min_size=1, max_size=3)) for key in op.inputs},
            conditions=[draw(sources(outputs, used, paths=not peer)) for _ in op.conditions],  # DFFML has none there
        )
        for instance, op in made.items()
    }
    seeds = [
        Input(draw(PRIMITIVES[known[name].primitive]), known[name], origin=draw(st.sampled_from(["seed", "client"])))
        for name in used
        if known[name].primitive in PRIMITIVES and draw(st.booleans())
    ]
    configs = {
        instance: {"plugin": "x", "config": {"n": [1, {"deep": None}]}} for instance in made if draw(st.booleans())
    }
    forward = Forward()
    if not peer and draw(st.booleans()):
        forward.add(instances[0], [known[name] for name in used])
    return DataFlow(operations=made, flow=flow, seed=seeds, configs=configs, forward=forward)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(dataflow=dataflows())
def test_what_is_written_is_read_as_the_same_data_flow(dataflow: DataFlow, tmp_path: Path) -> None:
    for kind in ("json", "yaml"):
        for linked in (True, False):
            file = tmp_path / f"flow.{kind}"
            file.write_text(text_of(exported(dataflow, linked=linked), kind), encoding="utf-8")
            read = load(file)
            assert read.export() == dataflow.export()
            assert text_of(exported(read, linked=linked), kind) == file.read_text(encoding="utf-8")


GIVEN = """
import json, pathlib, sys
from dffml import DataFlow
for path in sorted(pathlib.Path(".").glob("ours-*.json")):
    dataflow = DataFlow._fromdict(**json.loads(path.read_text()))
    for linked in (True, False):
        name = path.name.replace("ours", "linked" if linked else "plain")
        pathlib.Path(name).write_text(json.dumps(dataflow.export(linked=linked), sort_keys=True, indent=4))
print("done")
"""


def meaning(dataflow: DataFlow) -> Any:
    """What a data flow says, whoever wrote it: what is empty or the rule may be left out, sets have no order."""
    said = exported(dataflow, linked=False)
    said["flow"] = {name: entry for name, entry in said.get("flow", {}).items() if entry != {"inputs": {}}}
    return json.loads(json.dumps(said, sort_keys=True))


def test_dffml_reads_what_is_written_and_what_it_writes_is_read(tmp_path: Path) -> None:
    made: list[DataFlow] = []

    @settings(max_examples=60, derandomize=True, database=None, phases=[Phase.generate])
    @given(dataflow=dataflows(peer=True))
    def gather(dataflow: DataFlow) -> None:
        made.append(dataflow)

    gather()
    for number, dataflow in enumerate(made):
        data = exported(dataflow, linked=number % 2 == 0)
        (tmp_path / f"ours-{number:03}.json").write_text(text_of(data, "json"), encoding="utf-8")
    assert dffml(GIVEN, cwd=tmp_path).strip() == "done"
    for number, dataflow in enumerate(made):
        for form in ("linked", "plain"):
            read = load(tmp_path / f"{form}-{number:03}.json")
            assert meaning(read) == meaning(dataflow), f"flow {number}, {form}"


WRITTEN = Path(__file__).parent.parent / "cli" / "dataflow" / "golden"


@pytest.mark.parametrize("file", sorted(path.name for path in WRITTEN.glob("*.[jy]*")))
def test_what_dffml_wrote_is_read_and_written_as_it_was(file: str) -> None:
    kind = file.rpartition(".")[2]
    text = (WRITTEN / file).read_text(encoding="utf-8")
    if "plain" in file:
        linked = False
    else:
        linked = True
        assert "linked" in text
    read = load(WRITTEN / file)
    again = text_of(exported(read, linked=linked), kind)
    if file == "merged.json":  # it says the origin of seeds, which is the rule
        text = text.replace('            "origin": "seed",\n', "")
    assert again.strip() == text.strip()


def test_files_are_merged_without_being_changed() -> None:
    one: dict[str, Any] = {"linked": True, "seed": [1], "operations": {"a": {"retry": 1, "expand": ["x"]}}}
    two: dict[str, Any] = {"linked": True, "seed": [2], "operations": {"a": {"retry": 2, "expand": ["y"]}, "b": {}}}
    before = json.dumps([one, two])
    assert merged([one, two]) == {
        "linked": True,
        "seed": [1, 2],
        "operations": {"a": {"retry": 2, "expand": ["x", "y"]}, "b": {}},
    }
    assert json.dumps([one, two]) == before
