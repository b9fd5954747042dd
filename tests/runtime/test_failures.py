"""From an exception to a failure: what is kept of it, and how much."""

from typing import Any

import pytest

from tests.engine.making import item, operation, parameter_set, plan_of
from tidemill import InvalidInput, TidemillError
from tidemill.engine.parameters import ParameterSet
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
