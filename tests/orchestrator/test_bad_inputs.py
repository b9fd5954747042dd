"""Inputs that are wrong, strange or too many: one typed error before any of them is stored, or a value like any."""

from __future__ import annotations

import datetime
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.orchestrator.support import failure_of, listed, outcome_of, result_of
from tidemill import (
    ContextLimitExceeded,
    DataFlow,
    Definition,
    DuplicateContext,
    GetMulti,
    Input,
    InputValidationError,
    InvalidInput,
    Limits,
    MemoryInputSet,
    MemoryInputSetConfig,
    MemoryOrchestrator,
    StringInputSetContext,
    TidemillError,
    op,
    run,
)

MULTI = GetMulti.op.inputs["spec"]
NUMBER = Definition("number", "int")
TEXT = Definition("text", "str")
THING = Definition("thing", "generic")
SEEN = Definition("seen", "generic")

runs: list[Any] = []


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    runs.clear()


@op(name="number", inputs={"number": NUMBER}, outputs={"seen": SEEN})
async def take_number(number: int) -> dict[str, Any]:
    runs.append(number)
    return {"seen": number}


@op(name="thing", inputs={"thing": THING}, outputs={"seen": SEEN})
async def take_thing(thing: Any) -> dict[str, Any]:
    runs.append(thing)
    return {"seen": thing}


def flow(*operations: Any, **more: Any) -> DataFlow:
    return DataFlow(*operations, GetMulti, seed=[Input(["seen"], MULTI)], **more)


async def refused(dataflow: DataFlow, *inputs: Any) -> InvalidInput:
    """Give these together with a healthy context; nothing of them may run."""
    with pytest.raises(InvalidInput) as caught:
        await listed(run(dataflow, {"wrong": list(inputs)}, orchestrator=MemoryOrchestrator(exact=True)))
    assert runs == []
    return caught.value


async def test_an_input_of_an_undefined_definition_concerns_nobody() -> None:
    """In Python an input brings its definition along; only where it is named by a string can it be unknown."""
    outcome = await outcome_of(flow(take_number), Input(1, Definition("nubmer", "int")), Input(2, NUMBER))
    assert outcome.result == {"seen": [2]}
    assert runs == [2]


@pytest.mark.parametrize("undefined", ["number", None, 3])
def test_an_input_without_a_definition_is_refused(undefined: Any) -> None:
    with pytest.raises(TidemillError, match="is given a Definition") as caught:
        Input(1, undefined)
    assert caught.value.reason == "UnknownDefinition"


@pytest.mark.parametrize(
    ("definition", "value", "said"),
    [
        (NUMBER, "12", "expected int, got str '12'"),
        (NUMBER, True, "expected int, got bool True"),
        (NUMBER, 1.0, "expected int, got float 1.0"),
        (TEXT, b"12", "expected str, got bytes"),
        (TEXT, 12, "expected str, got int 12"),
        (Definition("real", "float"), "1.5", "expected float, got str"),
        (Definition("items", "array"), "abc", "expected array, got str"),
        (Definition("items", "array"), {"a": 1}, "expected array, got dict"),
        (Definition("fields", "map"), [1], "expected map, got list"),
        (Definition("raw", "bytes"), "abc", "expected bytes, got str"),
        (Definition("yes", "bool"), 1, "expected bool, got int 1"),
    ],
)
async def test_a_value_of_the_wrong_type_is_refused_and_not_converted(
    definition: Definition, value: Any, said: str
) -> None:
    error = await refused(flow(take_number), Input(7, NUMBER), Input(value, definition))
    assert error.reason == "TypeMismatch"
    assert error.path == f"/inputs/1/{definition.name}"
    assert said in error.message


async def test_null_is_refused_unless_the_definition_takes_it() -> None:
    error = await refused(flow(take_number), Input(None, NUMBER))
    assert (error.reason, error.path) == ("NullValue", "/inputs/0/number")
    assert await result_of(flow(take_thing), Input(None, THING)) == {"seen": [None]}


async def test_a_value_that_the_definition_s_own_check_refuses_is_no_input() -> None:
    def positive(value: int) -> int:
        if value <= 0:
            raise ValueError(f"{value} is not positive")
        return value

    checked = NUMBER._replace(validate=positive)
    with pytest.raises(InputValidationError, match="ValueError: -1 is not positive") as caught:
        Input(-1, checked)
    assert (caught.value.reason, caught.value.path) == ("InputValidationError", "/inputs/number")
    assert isinstance(caught.value.__cause__, ValueError)


async def test_a_value_that_its_validator_refuses_runs_nothing_that_depends_on_it() -> None:
    waiting = NUMBER._replace(validate="positive")

    @op(name="positive", inputs={"number": waiting}, outputs={"number": waiting}, validator=True)
    async def positive(number: int) -> dict[str, int]:
        if number <= 0:
            raise ValueError(f"{number} is not positive")
        return {"number": number}

    @op(name="take", inputs={"number": waiting}, outputs={"seen": SEEN})
    async def take(number: int) -> dict[str, Any]:
        runs.append(number)
        return {"seen": number}

    made = flow(positive, take)
    failure = await failure_of(made, Input(-1, waiting))
    assert (failure.reason, failure.path) == ("Exception", "/operations/positive")
    assert (failure.instance, failure.message) == ("positive", "ValueError: -1 is not positive")
    assert runs == []
    outcome = await outcome_of(made, Input(-1, waiting), Input(3, waiting), strict=False)
    assert outcome.result == {"seen": [3]}


async def test_a_value_that_is_too_large_is_refused_with_its_limit() -> None:
    made = flow(take_thing, limits=Limits(value_bytes=256 * 1024))
    error = await refused(made, Input(b"x" * (10 * 1024 * 1024), THING))
    assert (error.reason, error.path) == ("ValueTooLarge", "/inputs/0/thing")
    assert error.message == '"thing": the value has more than 262144 bytes, the limit value_bytes'


async def test_a_value_that_is_too_deep_is_refused_with_its_limit() -> None:
    deep: list[Any] = []
    for _ in range(9000):
        deep = [deep]
    error = await refused(flow(take_thing, limits=Limits(value_depth=64)), Input(deep, THING))
    assert (error.reason, error.path) == ("TooDeep", "/inputs/0/thing")
    assert error.message == '"thing": the value nests deeper than 64 levels, the limit value_depth'


@pytest.mark.parametrize("value", ["", 0, False, [], {}, 0.0, b"", ()])
async def test_empty_and_zero_are_values(value: Any) -> None:
    assert await result_of(flow(take_thing), Input(value, THING)) == {"seen": [value]}
    assert runs == [value]


async def test_a_million_inputs_are_too_many_where_the_limit_says_so() -> None:
    many = [Input(1, NUMBER)] * 1_000_000
    error = await refused(flow(take_number, limits=Limits(inputs=500)), *many)
    assert (error.reason, error.path) == ("InputLimitExceeded", "/inputs")
    assert error.message == "1000001 inputs in one context; limit 500"  # the data flow brings one


async def test_one_uid_is_one_input_and_another_value_under_it_a_conflict() -> None:
    outcome = await outcome_of(flow(take_number), Input(1, NUMBER, uid="a"), Input(1, NUMBER, uid="a"))
    assert (outcome.result, runs) == ({"seen": [1]}, [1])
    runs.clear()
    error = await refused(flow(take_number), Input(1, NUMBER, uid="a"), Input(2, NUMBER, uid="a"))
    assert (error.reason, error.path) == ("InputConflict", "/inputs/1/uid")
    assert error.message == 'the uid "a" stands for 1 already; 2 needs one of its own'


async def test_the_same_input_object_given_twice_is_two_inputs() -> None:
    given = Input(1, NUMBER)
    assert await result_of(flow(take_number), given, given) == {"seen": [1, 1]}


class Unhashable:
    """Neither hashed nor compared."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise TypeError("not comparable")


@pytest.mark.parametrize(
    "value",
    [math.nan, -0.0, math.inf, 1e308, 5e-324, 10**5000, {1, 2}, Unhashable(), datetime.datetime(2026, 1, 1), object()],
    ids=lambda value: type(value).__name__,
)
async def test_any_object_is_a_value(value: Any) -> None:
    """Nothing is serialised in one process, so nothing has to be finite, hashable or comparable."""
    result = await result_of(flow(take_thing), Input(value, THING))
    assert result["seen"][0] is value
    assert runs[0] is value


@pytest.mark.parametrize("value", [math.nan, 10**5000, -0.0], ids=["nan", "a huge number", "negative zero"])
async def test_equal_values_are_one_where_that_is_wanted(value: Any) -> None:
    once = THING._replace(dedupe="value")

    @op(name="once", inputs={"thing": once}, outputs={"seen": SEEN})
    async def take(thing: Any) -> dict[str, Any]:
        return {"seen": thing}

    result = await result_of(flow(take), Input(value, once), Input(value, once))
    assert len(result["seen"]) == 1


async def test_a_value_that_cannot_be_compared_is_refused_where_equal_ones_are_to_be_one() -> None:
    endless: list[Any] = []
    endless.append(endless)
    once = THING._replace(dedupe="value")
    taking = op(name="once", inputs={"thing": once}, outputs={})(lambda thing: None)
    error = await refused(flow(taking), Input(endless, once))
    assert error.reason == "NotComparable"


HOSTILE = ["\x00", "{a}", "a:b", "line\nbreak", "\u202e", "../../etc/passwd", "a/b~c", " ", "\ud800", "x" * 10_000]


@pytest.mark.parametrize("name", HOSTILE, ids=[ascii(name[:12]) for name in HOSTILE])
async def test_hostile_names_are_names(name: str) -> None:
    definition = Definition(name, "generic")

    @op(name=name, inputs={name: definition}, outputs={name: SEEN}, instance_name=f"{name}!")
    async def take(**named: Any) -> dict[str, Any]:
        return {name: named[name]}

    made = flow(take)
    async with MemoryOrchestrator(lineage=True) as orchestrator, orchestrator(made) as octx:
        (outcome,) = await listed(octx.outcomes({name: [Input(1, definition, origin="seed", uid=name)]}))
    assert outcome.name == name
    assert outcome.result == {"seen": [1]}
    assert len(outcome.lineage()) == 3


async def test_hostile_names_are_escaped_in_messages() -> None:
    error = await refused(flow(take_number), Input('\x1b[2J\n{"level": "error"}\u202e', NUMBER))
    assert error.message.isprintable()
    assert "\\x1b[2J" in error.message


async def test_parents_of_another_context_are_refused() -> None:
    parent = Input(1, NUMBER, uid="elsewhere")
    await listed(run(flow(take_number), {"first": [parent]}))
    runs.clear()
    error = await refused(flow(take_number), Input(2, NUMBER, parents=[parent]))
    assert (error.reason, error.path) == ("ForeignParent", "/inputs/0/parents")


async def test_an_origin_that_no_operation_has_is_refused() -> None:
    error = await refused(flow(take_number), Input(1, NUMBER, origin=("nobody", "nothing")))
    assert (error.reason, error.path) == ("UnknownOrigin", "/inputs/0/origin")


@pytest.mark.parametrize("origin", [("only",), ("a", "b", "c"), 3, None, []])
def test_an_origin_is_a_word_or_an_operation_and_an_output(origin: Any) -> None:
    with pytest.raises(InvalidInput, match="origin") as caught:
        Input(1, NUMBER, origin=origin)
    assert caught.value.reason == "UnknownOrigin"


@pytest.mark.parametrize("wrong", [1, "number", {"value": 1, "definition": "number"}, None])
@pytest.mark.parametrize("spelling", ["mapping", "list", "set", "stream"])
async def test_what_is_no_input_is_refused_in_every_spelling(wrong: Any, spelling: str) -> None:
    ctx = StringInputSetContext("ctx")
    sets: dict[str, Any] = {
        "mapping": {"ctx": [wrong]},
        "list": [wrong],
        "set": MemoryInputSet(MemoryInputSetConfig(ctx=ctx, inputs=[wrong])),
        "stream": iter([(ctx, [wrong])]),
    }
    with pytest.raises(InvalidInput):
        await listed(run(flow(take_number), sets[spelling]))


async def test_one_context_more_than_the_limit_is_refused_and_what_was_open_is_gone() -> None:
    async def stream() -> AsyncIterator[tuple[str, list[Input]]]:
        for at in range(1_000_000):
            yield f"ctx {at}", [Input(at, NUMBER)]

    made = flow(take_number, limits=Limits(contexts=100))
    async with MemoryOrchestrator() as orchestrator, orchestrator(made) as octx:
        with pytest.raises(ContextLimitExceeded, match="more than 100 contexts"):
            await listed(octx.run(stream()))
        progress = octx.progress()
    assert progress.contexts["open"] == 0
    assert len(runs) <= 100


async def test_two_contexts_of_one_name_are_refused() -> None:
    with pytest.raises(DuplicateContext, match='"same"'):
        await listed(run(flow(take_number), {"same": []}, {"same": []}))


@pytest.mark.parametrize("keyword", ["max_ctxs", "workers"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True])
def test_a_number_of_contexts_or_workers_that_is_none_is_refused(keyword: str, value: Any) -> None:
    with pytest.raises(TidemillError, match=keyword) as caught:
        MemoryOrchestrator(**{keyword: value})
    assert caught.value.reason == "InvalidLimit"
