"""`remap`: values at paths in what other output operations make of the same inputs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.orchestrator.support import MULTI, SINGLE, failure_of, result_of
from tidemill import DataFlow, Definition, GetMulti, GetSingle, Input, RemapConfig, RemapFailure, op, remap
from tidemill.operation.remap import remap as Remap

YEAR, SIZE = Definition("year", "int"), Definition("size", "map")
SPEC = Definition("remap_spec", "map")


@op(name="sized", inputs={"year": YEAR}, outputs={"size": SIZE})
async def sized(year: int) -> dict[str, Any]:
    return {"size": {"of": [year, year + 1], "name": str(year)}}


def remapping(*operations: Any, seed: list[Input], **more: Any) -> DataFlow:
    inner = DataFlow(*operations, seed=seed, **more)
    return DataFlow(sized, operations={"remap": remap}, configs={"remap": RemapConfig(dataflow=inner)})


PATHS: list[tuple[Any, Any]] = [
    (["size"], {"of": [1, 2], "name": "1"}),
    ("size", {"of": [1, 2], "name": "1"}),
    (["size", "name"], "1"),
    (["size", "of", 0], 1),
    (["size", "of", -1], 2),
    ([], {"size": {"of": [1, 2], "name": "1"}}),
]


@pytest.mark.parametrize(("path", "value"), PATHS)
async def test_a_key_gets_what_is_at_its_path(path: Any, value: Any) -> None:
    flow = remapping(GetSingle, seed=[Input(["size"], SINGLE)])
    assert await result_of(flow, Input(1, YEAR), Input({"new": path}, SPEC)) == {"new": value}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (["sizes"], "there is no 'sizes' (has: size); did you mean \"size\"?"),
        (["size", "of", 2], "there is no 2 in [1, 2]"),
        (["size", "of", "0"], "there is no '0' in [1, 2]"),
        (["size", "name", 0], "there is no 0 in '1'"),
        (["size", "of", 0, "x"], "there is no 'x' in 1"),
    ],
)
async def test_a_path_that_leads_nowhere_is_refused(path: Any, said: str) -> None:
    flow = remapping(GetSingle, seed=[Input(["size"], SINGLE)])
    failure = await failure_of(flow, Input(1, YEAR), Input({"new": path}, SPEC))
    assert failure.reason == "RemapFailure"
    assert isinstance(failure.error, RemapFailure)
    assert f'"new" is to be at {path!r}, but {said}' in failure.message


async def test_several_output_operations_stand_under_their_names() -> None:
    flow = remapping(GetSingle, GetMulti, seed=[Input(["year"], SINGLE), Input(["size"], MULTI)])
    spec = {"last": ["get_single", "year"], "first": ["get_multi", "size", 0, "name"]}
    assert await result_of(flow, Input(1, YEAR), Input(2, YEAR), Input(spec, SPEC)) == {"last": 2, "first": "1"}


async def test_what_it_picks_from_may_be_given_in_its_exported_form() -> None:
    inner = DataFlow(GetSingle, seed=[Input(["year"], SINGLE), Input([{"size": "size"}], SINGLE)])
    flow = DataFlow(sized, operations={"remap": remap}, configs={"remap": {"dataflow": inner.export()}})
    given = Input(1, YEAR), Input({"year": ["year"], "name": ["size", "name"]}, SPEC)
    assert await result_of(flow, *given) == {"year": 1, "name": "1"}
    again = DataFlow._fromdict(**DataFlow(sized, operations={"remap": remap}, configs={
        "remap": RemapConfig(dataflow=inner)}).export())  # fmt: skip
    again.implementations[sized.op.name] = sized.imp
    assert await result_of(again, *given) == {"year": 1, "name": "1"}


async def test_defaults_and_configurations_of_the_inner_operations_hold() -> None:
    spec = Definition("get_single_spec", "array", default=["year", "gone"])
    own = GetSingle.op._replace(inputs={"spec": spec}, instance_name="own")
    flow = remapping(own, seed=[], configs={"own": {"nostrict": ["gone"]}})
    flow.configs["remap"].dataflow.implementations["get_single"] = GetSingle.imp
    assert await result_of(flow, Input(1, YEAR), Input({"new": ["year"]}, SPEC)) == {"new": 1}


async def test_an_inner_operation_without_its_spec_gives_nothing() -> None:
    flow = remapping(GetSingle, seed=[])
    assert await result_of(flow, Input(1, YEAR), Input({"all": []}, SPEC)) == {"all": {}}
    assert Remap is remap
