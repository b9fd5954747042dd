"""Operations that raise, exit or cancel: each is one typed failure, and everything beside it gets its results."""

import asyncio
import sys
from typing import Any

import pytest

from tests.runtime.beside import GO, NOTED, failure_of, outcomes_beside
from tidemill import InvalidInput, TidemillError, op
from tidemill.runtime.failures import MESSAGE_LIMIT

MIB = 1024 * 1024
EXITS = [SystemExit(3), KeyboardInterrupt(), GeneratorExit()]


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class ExitsWhenPrinted(Exception):
    def __str__(self) -> str:
        sys.exit(1)


class NeverMade(TidemillError):
    """An error of the project's own tree, made wrong: it has no message."""

    def __init__(self) -> None:
        pass


@op(inputs={"go": GO}, outputs={}, name="raising", executor="process")
def raising_in_process(go: Any) -> None:
    if go == "unprintable":
        raise Unprintable
    if go == "exits when printed":
        raise ExitsWhenPrinted
    raise ValueError("x" * MIB)


@op(inputs={"go": GO}, outputs={}, name="raising", executor="subprocess")
def raising_in_subprocess(go: Any) -> None:
    raising_in_process(go)


@op(inputs={"go": GO}, outputs={}, name="exiting", executor="process")
def exiting_in_process(go: Any) -> None:
    raise {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt, "GeneratorExit": GeneratorExit}[go]()


@op(inputs={"go": GO}, outputs={}, name="exiting", executor="subprocess")
def exiting_in_subprocess(go: Any) -> None:
    exiting_in_process(go)


# -- raises -----------------------------------------------------------------------------------------------------------


async def test_a_coroutine_that_raises_fails_with_the_type_the_message_and_the_place() -> None:
    @op(inputs={"go": GO}, outputs={}, name="raising")
    async def raising(go: Any) -> None:
        raise LookupError("nobody home")

    failure = await failure_of(raising)
    assert failure.reason == "Exception"
    assert failure.message == "LookupError: nobody home"
    assert isinstance(failure.error, LookupError)
    assert failure.traceback is not None
    assert "in raising" in failure.traceback


async def test_a_function_on_a_thread_that_raises_fails() -> None:
    @op(inputs={"go": GO}, outputs={}, name="raising")
    def raising(go: Any) -> None:
        raise LookupError("nobody home")

    failure = await failure_of(raising)
    assert (failure.reason, failure.message) == ("Exception", "LookupError: nobody home")
    assert failure.traceback is not None
    assert "in raising" in failure.traceback


async def test_stopiteration_is_a_failure_like_any_other() -> None:
    @op(inputs={"go": GO}, outputs={}, name="raising")
    def raising(go: Any) -> None:
        next(iter(()))

    failure = await failure_of(raising)
    assert failure.reason == "Exception"
    assert isinstance(failure.error, StopIteration)


async def test_an_async_generator_that_raises_between_two_values_fails() -> None:
    @op(inputs={"go": GO}, outputs={"go": NOTED}, name="raising")
    async def raising(go: Any) -> Any:
        yield {"go": 1}
        raise LookupError("nobody home")

    assert (await failure_of(raising)).message == "LookupError: nobody home"


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_a_message_of_a_mebibyte_is_cut(executor: str) -> None:
    @op(inputs={"go": GO}, outputs={}, name="raising", executor=executor)
    def raising(go: Any) -> None:
        raise ValueError("x" * MIB)

    failure = await failure_of(raising)
    assert failure.message.startswith("ValueError: xxx")
    assert len(failure.message) == MESSAGE_LIMIT + 1
    assert failure.message.endswith("…")
    assert failure.traceback is not None
    assert "in raising" in failure.traceback
    assert len(failure.traceback) < MIB


@pytest.mark.parametrize("operation", [raising_in_process, raising_in_subprocess])
async def test_a_message_of_a_mebibyte_from_another_process_is_cut(operation: Any) -> None:
    failure = await failure_of(operation, "long")
    assert failure.message.startswith("ValueError: xxx")
    assert len(failure.message) <= MESSAGE_LIMIT + 1
    assert failure.traceback is not None
    assert "in raising_in_process" in failure.traceback
    assert len(failure.traceback) < MIB


@pytest.mark.parametrize("error", [Unprintable(), ExitsWhenPrinted()])
async def test_an_exception_whose_str_raises_is_one_failure(error: Exception) -> None:
    @op(inputs={"go": GO}, outputs={}, name="raising")
    async def raising(go: Any) -> None:
        raise error

    failure = await failure_of(raising)
    assert failure.reason == "Exception"
    assert failure.message.startswith(f"{type(error).__name__}: <its __str__ raised")


@pytest.mark.parametrize("operation", [raising_in_process, raising_in_subprocess])
@pytest.mark.parametrize("go", ["unprintable", "exits when printed"])
async def test_an_exception_whose_str_raises_in_another_process_is_one_failure(operation: Any, go: str) -> None:
    failure = await failure_of(operation, go)
    assert failure.reason == "Exception"
    assert "<its __str__ raised" in failure.message


async def test_an_error_of_the_project_keeps_its_reason() -> None:
    @op(inputs={"go": GO}, outputs={}, name="raising")
    async def raising(go: Any) -> None:
        raise InvalidInput("not that one", reason="NullValue")

    failure = await failure_of(raising)
    assert (failure.reason, failure.message) == ("NullValue", "not that one")


async def test_an_error_of_the_project_that_was_never_made_is_one_failure() -> None:
    @op(inputs={"go": GO}, outputs={}, name="raising")
    async def raising(go: Any) -> None:
        raise NeverMade

    failure = await failure_of(raising)
    assert failure.message.startswith("NeverMade")


# -- exits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exit_", EXITS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("limit", [None, 30.0])
@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_an_operation_that_exits_is_one_failure(exit_: BaseException, limit: float | None, executor: str) -> None:
    @op(inputs={"go": GO}, outputs={}, name="exiting", executor=executor, timeout=limit)
    async def exiting(go: Any) -> None:
        raise exit_

    failure = await failure_of(exiting)
    assert failure.reason == "Exit"
    assert failure.message.startswith(type(exit_).__name__)


@pytest.mark.parametrize("exit_", EXITS, ids=lambda error: type(error).__name__)
async def test_a_plain_function_that_exits_on_the_loop_is_one_failure(exit_: BaseException) -> None:
    @op(inputs={"go": GO}, outputs={}, name="exiting", executor="loop")
    def exiting(go: Any) -> None:
        raise exit_

    assert (await failure_of(exiting)).reason == "Exit"


@pytest.mark.parametrize("exit_", EXITS, ids=lambda error: type(error).__name__)
async def test_a_generator_that_exits_is_one_failure(exit_: BaseException) -> None:
    @op(inputs={"go": GO}, outputs={"go": NOTED}, name="exiting")
    async def exiting(go: Any) -> Any:
        yield {"go": 1}
        raise exit_

    assert (await failure_of(exiting)).reason == "Exit"


@pytest.mark.parametrize("operation", [exiting_in_process, exiting_in_subprocess])
@pytest.mark.parametrize("go", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
async def test_an_operation_that_exits_in_another_process_is_one_failure(operation: Any, go: str) -> None:
    failure = await failure_of(operation, go)
    assert failure.reason == "Exit"
    assert go in failure.message


# -- cancels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [None, 30.0])
@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_a_cancellederror_that_the_operation_raises_is_its_failure(limit: float | None, executor: str) -> None:
    @op(inputs={"go": GO}, outputs={}, name="cancelling", executor=executor, timeout=limit)
    async def cancelling(go: Any) -> None:
        raise asyncio.CancelledError("enough")

    failure = await failure_of(cancelling)
    assert failure.reason == "Exception"
    assert failure.message == "CancelledError: enough"


@pytest.mark.parametrize("limit", [None, 30.0])
async def test_an_operation_that_cancels_its_own_task_fails_alone(limit: float | None) -> None:
    @op(inputs={"go": GO}, outputs={}, name="cancelling", timeout=limit)
    async def cancelling(go: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    failure = await failure_of(cancelling)
    assert failure.reason == "Exception"
    assert failure.message.startswith("CancelledError")


async def test_an_operation_that_cancels_its_task_and_returns_disturbs_nobody() -> None:
    @op(inputs={"go": GO}, outputs={}, name="cancelling")
    async def cancelling(go: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        raise LookupError("after that")

    assert (await failure_of(cancelling)).message == "LookupError: after that"


async def test_an_operation_that_cancels_its_task_and_returns_has_returned() -> None:
    @op(inputs={"go": GO}, outputs={}, name="cancelling")
    async def cancelling(go: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    beside = await outcomes_beside(cancelling)
    assert beside.strict.failure is None
    results = [ended.result for ended in (beside.lenient, *beside.healthy)]
    assert results == [{"doubled": [2]}, {"doubled": [42]}, {"doubled": [42]}]


async def test_an_operation_that_cancels_its_task_and_swallows_that_disturbs_nobody() -> None:
    @op(inputs={"go": GO}, outputs={}, name="cancelling")
    async def cancelling(go: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            raise LookupError("after that") from None

    assert (await failure_of(cancelling)).message == "LookupError: after that"
