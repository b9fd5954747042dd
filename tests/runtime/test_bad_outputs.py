"""Operations that give what they should not: too much, of the wrong shape or type, or nothing that can be sent."""

import array
import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.runtime.beside import GO, NOTED, NUMBER, failure_of
from tidemill import Definition, Limits, OperationImplementationContext, op

MANY = 1_000_000
FEW = Limits(outputs=100)


class Unreadable:
    """Can be written to another process, and not be read there."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return int, ("no number",)


def _lock_at_the_third_item(go: Any) -> dict[str, Any]:
    return {"noted": {"items": [1, 2, threading.Lock()]}}


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving", executor="process")
def lock_in_process(go: Any) -> dict[str, Any]:
    return _lock_at_the_third_item(go)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving", executor="subprocess")
def lock_in_subprocess(go: Any) -> dict[str, Any]:
    return _lock_at_the_third_item(go)


@op(inputs={"go": GO}, name="giving", executor="subprocess")
def bare_value(go: Any) -> Any:
    if go == "unreadable":
        return Unreadable()
    holding_itself: list[Any] = [threading.Lock()]
    holding_itself.insert(0, holding_itself)
    return holding_itself if go == "cycle" else (number for number in range(3))


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving", executor="process")
async def endless_in_process(go: Any) -> Any:
    for number in itertools.count():
        yield {"noted": number}


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving", executor="subprocess")
async def endless_in_subprocess(go: Any) -> Any:
    for number in itertools.count():
        yield {"noted": number}


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving", executor="subprocess", expand=["noted"])
def endless_list_in_subprocess(go: Any) -> Any:
    return {"noted": (number for number in itertools.count())}


# -- too much ---------------------------------------------------------------------------------------------------------


async def test_a_generator_that_never_ends_meets_the_limit() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving")
    async def endless(go: Any) -> Any:
        for number in itertools.count():
            await asyncio.sleep(0)
            yield {"noted": number}

    failure = await failure_of(endless, limits=FEW)
    assert failure.reason == "EmitLimitExceeded"
    assert "more than 100 inputs" in failure.message


async def test_a_generator_that_never_ends_and_never_waits_meets_the_limit() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving")
    async def endless(go: Any) -> Any:
        for number in itertools.count():
            yield {"noted": number}

    assert (await failure_of(endless, limits=FEW)).reason == "EmitLimitExceeded"


async def test_a_generator_of_a_context_class_that_never_ends_meets_the_limit() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving")
    class Endless(OperationImplementationContext):
        async def run(self, inputs: dict[str, Any]) -> Any:
            for number in itertools.count():
                yield {"noted": number}

    assert (await failure_of(Endless, limits=FEW)).reason == "EmitLimitExceeded"


async def test_a_generator_on_a_thread_that_never_ends_meets_the_limit() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving", executor="thread")
    async def endless(go: Any) -> Any:
        for number in itertools.count():
            yield {"noted": number}

    assert (await failure_of(endless, limits=FEW)).reason == "EmitLimitExceeded"


@pytest.mark.parametrize("operation", [endless_in_process, endless_in_subprocess])
async def test_a_generator_in_another_process_that_never_ends_meets_the_limit(operation: Any) -> None:
    assert (await failure_of(operation, limits=FEW)).reason == "EmitLimitExceeded"


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_a_million_items_are_too_many(executor: str) -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving", expand=["noted"], executor=executor)
    async def giving(go: Any) -> Any:
        return {"noted": range(MANY)}

    failure = await failure_of(giving)
    assert failure.reason == "TooManyItems"
    assert "giving.noted gives more than 100000 inputs" in failure.message


@pytest.mark.parametrize("executor", ["loop", "thread"])
@pytest.mark.parametrize("wrapped", [True, False])
async def test_a_lazy_list_that_never_ends_is_too_many(executor: str, wrapped: bool) -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving", expand=["noted"], executor=executor,
        multi_output=not wrapped)  # fmt: skip
    def giving(go: Any) -> Any:
        return itertools.count() if wrapped else {"noted": itertools.count()}

    assert (await failure_of(giving, limits=FEW)).reason == "TooManyItems"


async def test_a_lazy_list_that_never_ends_in_another_process_is_too_many() -> None:
    assert (await failure_of(endless_list_in_subprocess, limits=FEW)).reason == "TooManyItems"


async def test_an_output_that_is_too_large_is_refused() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving")
    async def giving(go: Any) -> Any:
        return {"noted": ["x" * 1000]}

    failure = await failure_of(giving, limits=Limits(value_bytes=500))
    assert failure.reason == "OutputTooLarge"
    assert "giving.noted" in failure.message


async def test_an_output_that_nests_too_deep_is_refused() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving")
    async def giving(go: Any) -> Any:
        value: Any = 1
        for _ in range(10_000):
            value = [value]
        return {"noted": value}

    assert (await failure_of(giving, limits=Limits(value_depth=64))).reason == "TooDeep"


# -- not to be sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [lock_in_process, lock_in_subprocess])
async def test_what_cannot_leave_its_process_is_named_by_its_path_and_type(operation: Any) -> None:
    failure = await failure_of(operation)
    assert failure.reason == "OutputNotSerialisable"
    assert "/noted/items/2: type lock:" in failure.message


@pytest.mark.parametrize(
    ("go", "said"),
    [
        ("generator", "/result: type generator:"),
        ("cycle", "/result/1: type lock:"),
        ("unreadable", "/result: it cannot be read back: ValueError"),
    ],
)
async def test_a_bare_value_that_cannot_leave_its_process_is_named_by_its_output(go: str, said: str) -> None:
    failure = await failure_of(bare_value, go)
    assert failure.reason == "OutputNotSerialisable"
    assert said in failure.message


# -- of the wrong shape -----------------------------------------------------------------------------------------------


def _giving(value: Any, executor: str = "loop", output: Definition = NOTED, **more: Any) -> Any:
    @op(inputs={"go": GO}, outputs={"noted": output}, name="giving", executor=executor, **more)
    def giving(go: Any) -> Any:
        return value

    return giving


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_an_unknown_output_is_refused_and_the_nearest_one_is_named(executor: str) -> None:
    failure = await failure_of(_giving({"note": 1}, executor))
    assert failure.reason == "OutputShape"
    assert '"note"' in failure.message
    assert 'did you mean "noted"?' in failure.message


@pytest.mark.parametrize("executor", ["loop", "thread"])
@pytest.mark.parametrize("value", ["text", 7, ["noted"], ("noted", 1), {"noted"}, 0, False, "", object()])
async def test_what_is_no_mapping_is_refused(executor: str, value: Any) -> None:
    failure = await failure_of(_giving(value, executor))
    assert failure.reason == "OutputShape"
    assert "has to return a mapping with keys out of {noted}, or None" in failure.message
    assert type(value).__name__ in failure.message


async def test_a_generator_that_yields_no_mapping_is_refused() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving")
    async def giving(go: Any) -> Any:
        yield {"noted": 1}
        yield "noted"

    failure = await failure_of(giving)
    assert failure.reason == "OutputShape"
    assert "it returned str" in failure.message


@pytest.mark.parametrize(
    ("value", "primitive"),
    [("12", "int"), (True, "int"), (1.5, "int"), (12, "str"), (b"12", "str"), ([1], "map"), ("ab", "array")],
)
async def test_an_output_of_another_type_is_refused(value: Any, primitive: str) -> None:
    failure = await failure_of(_giving({"noted": value}, output=Definition("noted", primitive)))
    assert failure.reason == "TypeMismatch"
    assert f"giving.noted: expected {primitive}, got {type(value).__name__}" in failure.message


async def test_a_coroutine_that_was_not_awaited_is_no_value_of_a_type() -> None:
    async def forgotten() -> int:
        raise AssertionError("never awaited")

    coroutine = forgotten()
    failure = await failure_of(_giving({"noted": coroutine}, output=NUMBER._replace(name="noted")))
    coroutine.close()
    assert failure.reason == "TypeMismatch"


@pytest.mark.parametrize("value", ["text", b"bytes", {"a": 1}, 7, object()])
async def test_what_is_no_list_cannot_be_expanded(value: Any) -> None:
    failure = await failure_of(_giving({"noted": value}, expand=["noted"]))
    assert failure.reason == "OutputShape"
    assert "giving.noted is expanded, so it has to be a list of inputs" in failure.message
    assert type(value).__name__ in failure.message


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_a_lazy_list_that_raises_half_way_gives_nothing(executor: str) -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise LookupError("half way")

    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="giving", expand=["noted"], executor=executor)
    def giving(go: Any) -> Any:
        return {"noted": numbers()}

    failure = await failure_of(giving)
    assert failure.reason in ("OutputShape", "Exception")
    assert "LookupError: half way" in failure.message


async def test_a_value_whose_repr_raises_is_refused_like_any_other() -> None:
    class Nameless:
        def __repr__(self) -> str:
            raise RuntimeError("no name")

    failure = await failure_of(_giving({"noted": Nameless()}, output=Definition("noted", "int")))
    assert failure.reason == "TypeMismatch"
    assert "Nameless" in failure.message


async def test_what_reads_like_a_list_is_expanded_whatever_it_is() -> None:
    failure = await failure_of(_giving({"noted": array.array("i", range(101))}, expand=["noted"]), limits=FEW)
    assert failure.reason == "TooManyItems"
