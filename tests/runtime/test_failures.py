"""From an exception to a failure: what is kept of it, and how much."""

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.engine.making import item, operation, parameter_set, plan_of
from tests.runtime.beside import DEADLINE, GO, NOTED, outcomes
from tidemill import DataFlow, GetSingle, Input, InvalidInput, OperationImplementationContext, TidemillError, op
from tidemill.engine.parameters import ParameterSet
from tidemill.runtime.children import Reading, called
from tidemill.runtime.failures import MESSAGE_LIMIT, TRACEBACK_LIMIT, failure_of, refusal, text_of, traceback_of


class Context:
    name = "ctx"


@pytest.fixture
def failed() -> ParameterSet:
    made = parameter_set(
        plan_of(operation("op", "ab", instance_name="mine")).instances["mine"], item(1, 10), item(2, 20)
    )
    made.context = Context()
    return made


def _raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_a_failure_says_which_operation_failed_where_and_over_what(failed: ParameterSet) -> None:
    error = _raised(LookupError("nobody home"))
    failure = failure_of(failed, error)
    assert (failure.instance, failure.operation, failure.context) == ("mine", "op", "ctx")
    assert failure.inputs == {"a": 10, "b": 20}
    assert (failure.reason, failure.message) == ("Exception", "LookupError: nobody home")
    assert failure.error is error
    assert failure.traceback == traceback_of(error)
    assert "in _raised" in failure.traceback


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SystemExit(1), "Exit"),
        (KeyboardInterrupt(), "Exit"),
        (GeneratorExit(), "Exit"),
        (ValueError(), "Exception"),
        (MemoryError(), "Exception"),
        (RecursionError(), "Exception"),
        (InvalidInput("no", reason="NullValue"), "NullValue"),
        (TidemillError("no"), "Error"),
    ],
)
def test_the_reason_follows_from_the_type(failed: ParameterSet, error: BaseException, reason: str) -> None:
    assert failure_of(failed, error).reason == reason


def test_a_reason_can_be_given(failed: ParameterSet) -> None:
    assert failure_of(failed, SystemExit(1), "Timeout").reason == "Timeout"


@pytest.mark.parametrize("message", [None, 7, ["no text"]])
def test_an_error_of_the_project_with_a_message_that_is_no_text_is_told_by_its_type(
    failed: ParameterSet, message: Any
) -> None:
    error = TidemillError("said")
    error.message = message
    assert failure_of(failed, error).message == "TidemillError: Error: " + str(message)


def test_a_failure_without_an_exception_has_none(failed: ParameterSet) -> None:
    failure = refusal(failed, "ChildDied", "gone", "the traceback of another process")
    assert (failure.reason, failure.message) == ("ChildDied", "gone")
    assert failure.traceback == "the traceback of another process"
    assert failure.error is None
    assert refusal(failed, "ChildDied", "gone").traceback is None


@pytest.mark.parametrize(("length", "kept"), [(MESSAGE_LIMIT, MESSAGE_LIMIT), (MESSAGE_LIMIT + 1, MESSAGE_LIMIT + 1)])
def test_messages_are_cut_after_the_limit(failed: ParameterSet, length: int, kept: int) -> None:
    message = refusal(failed, "Exception", "x" * length).message
    assert len(message) == kept
    assert message.endswith("…") is (length > MESSAGE_LIMIT)


def test_tracebacks_are_cut_after_the_limit(failed: ParameterSet) -> None:
    text = traceback_of(_raised(ValueError("x" * 10 * TRACEBACK_LIMIT)))
    assert text.startswith("Traceback (most recent call last)")
    assert len(text) == TRACEBACK_LIMIT + 1


@pytest.mark.parametrize("raised", [RuntimeError, SystemExit, KeyboardInterrupt])
def test_an_exception_whose_str_raises_has_a_message_all_the_same(raised: type[BaseException]) -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise raised

    assert text_of(Unprintable()) == f"<its __str__ raised {raised.__name__}>"
    assert "Unprintable" in traceback_of(_raised(Unprintable()))


# -- tracebacks -------------------------------------------------------------------------------------------------------


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="on a thread")
def on_thread(go: str) -> dict[str, Any]:
    raise LookupError(go)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="on the loop")
async def on_loop(go: str) -> dict[str, Any]:
    raise LookupError(go)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="bounded", timeout=DEADLINE)
async def bounded(go: str) -> dict[str, Any]:
    raise LookupError(go)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="generator")
async def generator(go: str) -> AsyncIterator[dict[str, Any]]:
    yield {"noted": 1}
    raise LookupError(go)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="context")
class Called(OperationImplementationContext):
    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        raise LookupError(inputs["go"])


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="with self", executor="thread")
def with_logger(go: str, logger: logging.Logger) -> dict[str, Any]:
    raise LookupError(go)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="in a process", executor="process")
def in_process(go: str) -> dict[str, Any]:
    raise LookupError(go)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="coroutine in a process", executor="process")
async def coroutine_in_process(go: str) -> dict[str, Any]:
    raise LookupError(go)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="generator in a subprocess", executor="subprocess")
async def generator_in_subprocess(go: str) -> AsyncIterator[dict[str, Any]]:
    yield {"noted": 1}
    raise LookupError(go)


CALLED = [
    on_thread, on_loop, bounded, generator, Called, with_logger, in_process, coroutine_in_process,
    generator_in_subprocess,
]  # fmt: skip


@pytest.mark.parametrize("operation", CALLED, ids=lambda operation: str(operation.__name__))
async def test_a_traceback_begins_with_the_operation(operation: Any) -> None:
    (ended,) = await outcomes(DataFlow(operation), [Input("nobody home", GO)])
    assert ended.failure is not None
    assert ended.failure.traceback is not None
    head, first, source, *_, last = ended.failure.traceback.splitlines()
    assert head == "Traceback (most recent call last):"
    assert first.startswith(f'  File "{__file__}", line ')
    assert source == ('    raise LookupError(inputs["go"])' if operation is Called else "    raise LookupError(go)")
    assert last == "LookupError: nobody home"


async def test_frames_of_tidemill_below_the_operation_are_kept() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="wrong")
    async def wrong(go: str) -> dict[str, Any]:
        return {"noted": Input(go, GO, origin=3)}  # type: ignore[arg-type]

    (ended,) = await outcomes(DataFlow(wrong), [Input("x", GO)])
    assert ended.failure is not None
    assert ended.failure.traceback is not None
    lines = ended.failure.traceback.splitlines()
    assert lines[1].startswith(f'  File "{__file__}", line ')
    assert any("tidemill/model/input.py" in line for line in lines)


async def test_an_operation_that_comes_with_tidemill_is_no_part_of_its_runtime() -> None:
    asked = Input(["absent"], GetSingle.op.inputs["spec"])
    (ended,) = await outcomes(DataFlow(GetSingle, seed=[asked]))
    assert ended.failure is not None
    assert ended.failure.traceback is not None
    assert "tidemill/operation/output.py" in ended.failure.traceback.splitlines()[1]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [(lambda: 1, {"unknown": 1}), (Input, {"value": 1, "definition": GO, "origin": 3})],
    ids=["in the runtime", "below it"],
)
def test_the_traceback_of_an_error_in_tidemill_itself_is_kept_whole(
    function: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    with pytest.raises((TypeError, InvalidInput)) as raised:
        called(function, arguments, Reading(None, frozenset(), None))
    error = raised.value
    assert error.__traceback__ is not None
    own = error.__traceback__.tb_next  # without the frame of this test
    assert "tidemill/runtime/children.py" in traceback_of(error.with_traceback(own)).splitlines()[1]


def test_an_exception_that_was_never_raised_has_no_frames() -> None:
    assert traceback_of(LookupError("x")) == "LookupError: x\n"
