"""Output operations: what each makes of the inputs of a context, in canonical order, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.orchestrator.support import MULTI, SINGLE, failure_of, outcome_of, result_of
from tidemill import (
    Associate,
    AssociateDefinition,
    DataFlow,
    Definition,
    GetMulti,
    GetSingle,
    GroupBy,
    Input,
    InvalidInput,
    OperationImplementationContext,
    Stage,
    op,
)

YEAR, NAME, SIZE, REST = Definition("year", "int"), Definition("name"), Definition("size"), Definition("rest", "int")
GROUP_BY, ASSOCIATE = Definition("group_by_spec", "map"), Definition("associate_spec", "array")
PAIRS = Definition("associate_spec_definition", "map")


@op(name="named", inputs={"year": YEAR}, outputs={"names": NAME}, expand=["names"])
async def named(year: int) -> dict[str, Any]:
    return {"names": [f"{year}a", f"{year}b"]}


@op(name="sized", inputs={"name": NAME}, outputs={"size": SIZE})
async def sized(name: str) -> dict[str, Any]:
    return {"size": name.upper()}


@op(name="divided", inputs={"year": YEAR}, outputs={"rest": REST})
async def divided(year: int) -> dict[str, Any]:
    return {"rest": year % 2}


def years(*given: int) -> list[Input]:
    return [Input(year, YEAR) for year in given]


# -- GetSingle and GetMulti -----------------------------------------------------------------------------------------


async def test_get_single_takes_the_last_in_canonical_order_and_notes_that_there_were_more() -> None:
    outcome = await outcome_of(DataFlow(named, GetSingle), *years(2, 1), Input(["year", "name"], SINGLE))
    assert outcome.result == {"year": 1, "name": "1b"}
    assert outcome.notes == (
        'get_single: "year" has 2 values; the last one was taken',
        'get_single: "name" has 4 values; the last one was taken',
    )


async def test_get_multi_takes_all_in_canonical_order() -> None:
    outcome = await outcome_of(DataFlow(named, GetMulti), *years(2, 1), Input(["year", "name"], MULTI))
    assert outcome.result == {"year": [2, 1], "name": ["2a", "2b", "1a", "1b"]}
    assert outcome.notes == ()


SPECS: list[tuple[Any, dict[str, Any]]] = [
    (["year"], {"year": 1}),
    (("year",), {"year": 1}),
    ([{"when": "year"}, "name"], {"when": 1, "name": "1b"}),
    ({"when": "year", "who": "name"}, {"when": 1, "who": "1b"}),
    ([], {}),
]


ANY = Definition("told", "generic")


def told_anything(getting: Any, *others: Any) -> DataFlow:
    """A data flow in which the definition of what to get takes any value; that of the operation itself takes lists."""
    operation = getting.op._replace(inputs={"spec": ANY})
    return DataFlow(*others, operations={operation.name: operation})


@pytest.mark.parametrize(("spec", "result"), SPECS)
async def test_what_to_get_is_a_list_of_names_or_of_new_names(spec: Any, result: dict[str, Any]) -> None:
    assert await result_of(told_anything(GetSingle, named), *years(1), Input(spec, ANY)) == result


@pytest.mark.parametrize("getting", [GetSingle, GetMulti])
@pytest.mark.parametrize("spec", ["year", 3, None])
async def test_anything_else_is_refused(getting: Any, spec: Any) -> None:
    with pytest.raises(InvalidInput):
        await outcome_of(DataFlow(getting), Input(spec, getting.op.inputs["spec"]))
    failure = await failure_of(told_anything(getting), Input(spec, ANY))
    assert (failure.reason, failure.instance) == ("InvalidSpec", getting.op.name)
    assert f"a list of definition names, or of {{key: name}}; it got {spec!r}" in failure.message


@pytest.mark.parametrize(("getting", "definition"), [(GetSingle, SINGLE), (GetMulti, MULTI)])
async def test_a_definition_that_nothing_has_is_refused_with_those_there_are(
    getting: Any, definition: Definition
) -> None:
    failure = await failure_of(DataFlow(getting), *years(1), Input(["yaer"], definition))
    assert failure.reason == "DefinitionNotInContext"
    assert 'no input of the context is a "yaer"' in failure.message
    assert 'did you mean "year"?' in failure.message


@pytest.mark.parametrize(
    ("getting", "definition", "result"), [(GetSingle, SINGLE, {"year": 1}), (GetMulti, MULTI, {"year": [1]})]
)
async def test_what_is_not_insisted_on_may_be_missing(getting: Any, definition: Definition, result: Any) -> None:
    flow = DataFlow(getting, configs={getting.op.name: {"nostrict": ["size"]}})
    assert await result_of(flow, *years(1), Input(["size", "year"], definition)) == result
    assert (await failure_of(flow, *years(1), Input(["name"], definition))).reason == "DefinitionNotInContext"


async def test_values_that_say_nothing_are_values() -> None:
    values: list[Any] = ["", 0, False, [], None]
    given = [Input(value, NAME) for value in values]
    assert await result_of(DataFlow(GetMulti), *given, Input(["name"], MULTI)) == {"name": values}


async def test_two_specs_for_one_operation_make_one_result() -> None:
    specs = Input(["year"], SINGLE), Input(["name"], SINGLE)
    assert await result_of(DataFlow(named, GetSingle), *years(1), *specs) == {"year": 1, "name": "1b"}


async def test_two_output_operations_each_have_their_name() -> None:
    flow = DataFlow(GetSingle, GetMulti, operations={"again": GetSingle})
    assert await result_of(flow, *years(1, 2), Input(["year"], SINGLE), Input(["year"], MULTI)) == {
        "again": {"year": 2},
        "get_single": {"year": 2},
        "get_multi": {"year": [1, 2]},
    }


async def test_without_a_spec_it_does_not_run() -> None:
    assert await result_of(DataFlow(GetSingle), *years(1)) == {}
    assert await result_of(DataFlow(GetSingle, GetMulti), Input([], MULTI)) == {"get_multi": {}}


# -- GroupBy --------------------------------------------------------------------------------------------------------


def grouped(**entry: Any) -> Input:
    return Input({"out": entry}, GROUP_BY)


async def test_values_come_in_the_order_of_what_they_descend_from() -> None:
    flow = DataFlow(named, sized, GroupBy)
    assert await result_of(flow, *years(3, 1, 2), grouped(group="size", by="year")) == {
        "out": ["1A", "1B", "2A", "2B", "3A", "3B"]
    }


async def test_what_cannot_be_sorted_is_grouped_in_canonical_order() -> None:
    given = [Input(value, NAME) for value in ("b", 1, None, "a")]
    spec = grouped(group="rest", by="name")
    assert await result_of(DataFlow(one_of, GroupBy), *given, spec) == {"out": [0, 1, 2, 3]}


@op(name="one_of", inputs={"name": NAME}, outputs={"rest": REST})
async def one_of(name: Any) -> dict[str, Any]:
    return {"rest": ["b", 1, None, "a"].index(name)}


async def test_what_descends_from_none_is_left_out_and_equal_values_stand_together() -> None:
    flow = DataFlow(divided, GroupBy)
    given = [*years(5, 5, 2), Input(9, REST)]
    assert await result_of(flow, *given, grouped(group="rest", by="year")) == {"out": [0, 1, 1]}
    assert await result_of(flow, *given, grouped(group="year", by="rest")) == {"out": []}


async def test_grouping_insists_on_both_definitions_unless_told_not_to() -> None:
    flow = DataFlow(named, GroupBy)
    for wanted in ({"group": "size", "by": "year"}, {"group": "name", "by": "size"}):
        failure = await failure_of(flow, *years(1), grouped(**wanted))
        assert (failure.reason, '"size"' in failure.message) == ("DefinitionNotInContext", True)
        assert await result_of(flow, *years(1), grouped(**wanted, nostrict=True)) == {"out": []}


@pytest.mark.parametrize("entry", [{"group": "year"}, {"by": "year"}, ["year", "year"], "year", None])
async def test_a_wrong_entry_is_refused(entry: Any) -> None:
    failure = await failure_of(DataFlow(GroupBy), *years(1), Input({"out": entry}, GROUP_BY))
    assert failure.reason == "InvalidSpec"
    assert 'group_by: "out" is told by {"group": definition, "by": definition}' in failure.message


# -- Associate and AssociateDefinition ------------------------------------------------------------------------------


async def test_associate_puts_values_under_what_they_descend_from() -> None:
    spec = Input(["year", "size"], ASSOCIATE)
    assert await result_of(DataFlow(named, sized, Associate), *years(2, 1), spec) == {"size": {2: "2B", 1: "1B"}}
    assert await result_of(DataFlow(named, Associate), *years(1), spec) == {"size": {}}


async def test_what_cannot_be_a_key_stands_by_what_it_looks_like() -> None:
    flow = DataFlow(counted, Associate)
    given = [Input([1, 2], NAME), Input({"a": 1}, NAME), Input(["name", "rest"], ASSOCIATE)]
    assert await result_of(flow, *given) == {"rest": {"[1, 2]": 2, "{'a': 1}": 1}}


@op(name="counted", inputs={"name": NAME}, outputs={"rest": REST})
async def counted(name: Any) -> dict[str, Any]:
    return {"rest": len(name)}


@pytest.mark.parametrize("spec", [[], ["year"], ["year", "name", "size"]])
async def test_associate_is_told_by_two_definitions(spec: list[str]) -> None:
    failure = await failure_of(DataFlow(Associate), Input(spec, ASSOCIATE))
    assert (failure.reason, failure.instance) == ("InvalidSpec", "associate")
    assert "[key definition, value definition]" in failure.message


async def test_associate_definition_gives_the_last_descendant() -> None:
    spec = Input({"year": "size", "name": "size", "size": "year"}, PAIRS)
    assert await result_of(DataFlow(named, sized, AssociateDefinition), *years(2, 1), spec) == {
        "year": "1B",
        "name": "1B",
    }


# -- user-written ---------------------------------------------------------------------------------------------------


@op(name="summed", inputs={"spec": Definition("sum_of")}, outputs={"sum": Definition("sum")}, stage=Stage.OUTPUT)
class Summed(OperationImplementationContext):
    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        definition = await self.octx.ictx.definition(self.ctx, inputs["spec"])
        async with self.octx.ictx.definitions(self.ctx) as definitions:
            return {"sum": sum([item.value async for item in definitions.inputs(definition)])}


async def test_an_output_operation_of_ones_own_reads_the_inputs_of_its_context() -> None:
    assert await result_of(DataFlow(Summed), *years(1, 2, 4), Input("year", Definition("sum_of"))) == {"sum": 7}
    failure = await failure_of(DataFlow(Summed), Input("year", Definition("sum_of")))
    assert failure.reason == "DefinitionNotInContext"


async def test_what_descends_over_ten_thousand_generations_is_found() -> None:
    @op(name="count", inputs={"rest": REST}, outputs={"rest": REST})
    async def count(rest: int) -> dict[str, Any] | None:
        return {"rest": rest + 1} if rest < 10_000 else None

    flow = DataFlow(count, AssociateDefinition)
    flow.flow["count"].inputs["rest"].append("seed")
    flow.update_by_origin()
    spec = Input({"rest": "rest"}, PAIRS)
    assert await result_of(flow, Input(0, REST), spec) == {"rest": 10_000}


@op(name="pair", inputs={"one": SIZE, "other": REST}, outputs={"both": Definition("both")})
async def pair(one: str, other: int) -> dict[str, Any]:
    return {"both": f"{one}{other}"}


async def test_ancestors_on_several_ways_count_once() -> None:
    flow = DataFlow(named, sized, divided, pair, GroupBy)
    both = ["1A0", "1A1", "1B0", "1B1", "2A0", "2A1", "2B0", "2B1"]
    result = await result_of(flow, *years(1, 2), grouped(group="both", by="year"))
    # What was made of one year by two ways stands under it once, what was made of both years under each of them.
    assert sorted(result["out"]) == sorted([*both, "1A0", "1B0", "2A1", "2B1"])
