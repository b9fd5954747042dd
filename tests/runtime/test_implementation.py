"""Implementations and the contexts of their calls: what is entered and left when, and how they are configured."""

import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.runtime.beside import GO, NOTED, outcomes
from tidemill import (
    BaseConfig,
    DataFlow,
    GetMulti,
    Input,
    Limits,
    LoadError,
    MemoryOrchestrator,
    NotOpImp,
    Operation,
    OperationImplementation,
    OperationImplementationContext,
    OperationImplementationNotInstantiable,
    StringInputSetContext,
    TidemillError,
    config,
    field,
    op,
    operation_in,
    opimp_in,
)
from tidemill.runtime.implementation import isopimp, opimp_name

MULTI = GetMulti.op.inputs["spec"]


@config
class Factor:
    by: int = field("what to multiply by", default=2)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="times", config_cls=Factor)
class Times(OperationImplementationContext):
    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"noted": inputs["go"] * self.config.by}


class Log:
    """What was entered and left, in order."""

    def __init__(self, fails_at: str = "") -> None:
        self.events: list[str] = []
        self._fails_at = fails_at

    def __call__(self, name: str) -> Callable[[Any], Any]:
        @contextlib.asynccontextmanager
        async def opened(owner: Any) -> AsyncIterator[str]:
            if self._fails_at == f"open {name}":
                raise LookupError(f"no {name}")
            self.events.append(f"open {name}")
            try:
                yield name
            finally:
                self.events.append(f"close {name}")
                if self._fails_at == f"close {name}":
                    raise LookupError(f"no end of {name}")

        return opened


def _counting(log: Log, executor: str) -> Any:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="counting", executor=executor,
        imp_enter={"first": log("imp 1"), "second": log("imp 2")}, ctx_enter={"own": log("ctx")})  # fmt: skip
    async def counting(self: Any, go: Any) -> dict[str, Any]:
        log.events.append("run")
        if go == "raise":
            raise LookupError("on purpose")
        return {"noted": (self.parent.first, self.parent.second, self.own)}

    return counting


# -- entering ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_an_implementation_is_entered_once_and_its_context_for_each_call(executor: str) -> None:
    log = Log()
    flow = DataFlow(_counting(log, executor), GetMulti, seed=[Input(["noted"], MULTI)])
    (ended,) = await outcomes(flow, [Input(1, GO), Input(2, GO)])
    assert ended.result == {"noted": [("imp 1", "imp 2", "ctx")] * 2}
    assert log.events[:2] == ["open imp 1", "open imp 2"]
    assert log.events[-2:] == ["close imp 2", "close imp 1"]
    assert sorted(log.events[2:-2]) == sorted(["open ctx", "run", "close ctx"] * 2)


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_what_was_entered_is_left_once_when_the_call_raises(executor: str) -> None:
    log = Log()
    (ended,) = await outcomes(DataFlow(_counting(log, executor)), [Input("raise", GO)])
    assert ended.failure is not None
    assert ended.failure.message == "LookupError: on purpose"
    assert log.events == ["open imp 1", "open imp 2", "open ctx", "run", "close ctx", "close imp 2", "close imp 1"]


async def test_a_context_that_cannot_be_entered_is_a_failure_of_that_call() -> None:
    log = Log(fails_at="open ctx")
    (ended,) = await outcomes(DataFlow(_counting(log, "loop")), [Input(1, GO)])
    assert ended.failure is not None
    assert (ended.failure.instance, ended.failure.message) == ("counting", "LookupError: no ctx")
    assert log.events == ["open imp 1", "open imp 2", "close imp 2", "close imp 1"]


async def test_a_context_that_cannot_be_left_is_a_failure_of_that_call() -> None:
    log = Log(fails_at="close ctx")
    (ended,) = await outcomes(DataFlow(_counting(log, "loop")), [Input(1, GO)])
    assert ended.failure is not None
    assert ended.failure.message == "LookupError: no end of ctx"


@pytest.mark.parametrize("fails_at", ["open imp 1", "open imp 2"])
async def test_an_implementation_that_cannot_be_entered_is_named_and_the_rest_is_left(fails_at: str) -> None:
    log = Log(fails_at=fails_at)
    with pytest.raises(OperationImplementationNotInstantiable) as raised:
        await outcomes(DataFlow(_counting(log, "loop")), [Input(1, GO)])
    assert '"counting" cannot be made: it could not be entered: LookupError: no imp' in raised.value.message
    assert isinstance(raised.value.__cause__, LookupError)
    assert "run" not in log.events
    assert [event.replace("close", "open") for event in log.events if event.startswith("close")] == [
        event for event in log.events if event.startswith("open")
    ]


async def test_implementations_that_were_entered_are_left_when_a_later_one_cannot_be() -> None:
    log, broken = Log(), Log(fails_at="open late")

    @op(inputs={"go": GO}, outputs={}, name="z_late", imp_enter={"late": broken("late")})
    async def late(self: Any, go: Any) -> None:
        raise AssertionError("never called")

    with pytest.raises(OperationImplementationNotInstantiable, match="z_late"):
        await outcomes(DataFlow(_counting(log, "loop"), late), [Input(1, GO)])
    assert log.events == ["open imp 1", "open imp 2", "close imp 2", "close imp 1"]


async def test_a_class_may_enter_and_leave_by_itself() -> None:
    events: list[str] = []

    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="own")
    class Own(OperationImplementationContext):
        async def __aenter__(self) -> Any:
            events.append("enter")
            return await super().__aenter__()

        async def __aexit__(self, *exc: object) -> None:
            events.append("exit")
            await super().__aexit__(*exc)

        async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
            events.append("run")
            return {"noted": 1}

    (ended,) = await outcomes(DataFlow(Own), [Input(1, GO)])
    assert ended.failure is None
    assert events == ["enter", "run", "exit"]


async def test_runs_of_one_orchestrator_context_share_their_implementations() -> None:
    log = Log()
    async with MemoryOrchestrator() as orchestrator, orchestrator(DataFlow(_counting(log, "loop"))) as octx:
        for number in range(3):
            assert [outcome.failure async for outcome in octx.outcomes([Input(number, GO)])] == [None]
    assert log.events.count("open imp 1") == log.events.count("close imp 1") == 1
    assert log.events.count("run") == log.events.count("open ctx") == log.events.count("close ctx") == 3


# -- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "by"), [(None, 2), (Factor(3), 3), ({"by": 4}, 4), ({}, 2)])
async def test_a_configuration_is_given_as_an_object_a_mapping_or_not_at_all(given: Any, by: int) -> None:
    configs = {} if given is None else {"times": given}
    flow = DataFlow(Times, GetMulti, seed=[Input(["noted"], MULTI)], configs=configs)
    (ended,) = await outcomes(flow, [Input(10, GO)])
    assert ended.result == {"noted": [10 * by]}


async def test_two_instances_of_one_operation_have_their_own_configuration() -> None:
    operations = {name: Times.op._replace(instance_name=name) for name in ("double", "triple")}
    flow = DataFlow(
        operations={**operations, "get_multi": GetMulti.op},
        implementations={"times": Times.imp},
        configs={"double": {"by": 2}, "triple": Factor(3)},
        seed=[Input(["noted"], MULTI)],
    )
    (ended,) = await outcomes(flow, [Input(10, GO)])
    assert ended.result == {"noted": [20, 30]}


async def test_a_configuration_that_does_not_fit_is_told_before_anything_runs() -> None:
    flow = DataFlow(Times, configs={"times": {"bye": 2}})
    with pytest.raises(LoadError) as raised:
        await outcomes(flow, [Input(10, GO)])
    assert isinstance(raised.value, OperationImplementationNotInstantiable)
    assert raised.value.path == "/configs/times"
    assert "its configuration {'bye': 2} does not fit: TypeError" in raised.value.message


async def test_a_configuration_that_is_missing_is_told_before_anything_runs() -> None:
    @config
    class Needed:
        what: str

    @op(inputs={"go": GO}, outputs={}, name="needing", config_cls=Needed)
    async def needing(go: Any) -> None:
        raise AssertionError("never called")

    with pytest.raises(OperationImplementationNotInstantiable, match='"needing" cannot be made: it takes a configur'):
        await outcomes(DataFlow(needing), [Input(10, GO)])


async def test_a_configuration_that_refuses_itself_with_an_error_of_the_project_is_told_as_it_is() -> None:
    flow = DataFlow(GetMulti, Times, configs={"times": {"limits": 0}})

    class Limited:
        def __init__(self, limits: int) -> None:
            self.limits = Limits(outputs=limits)

    flow.implementations["times"] = type("Limiting", (Times.imp,), {"CONFIG": Limited})
    with pytest.raises(TidemillError) as raised:
        await outcomes(flow, [Input(10, GO)])
    assert raised.value.reason == "InvalidLimit"


def test_an_implementation_is_made_with_its_configuration() -> None:
    assert Times.imp.withconfig({"by": 7}).config == Factor(7)
    made = Times.imp()
    assert made.config == Factor(2)
    assert made.logger is logging.getLogger("tidemill.operation.times")


# -- what a call sees -------------------------------------------------------------------------------------------------


async def test_a_call_has_its_parent_context_and_logger() -> None:
    seen: list[OperationImplementationContext] = []

    @op(inputs={"go": GO}, outputs={}, name="looking")
    class Looking(OperationImplementationContext):
        async def run(self, inputs: dict[str, Any]) -> None:
            seen.append(self)

    ctx = StringInputSetContext("mine")
    async with MemoryOrchestrator() as orchestrator, orchestrator(DataFlow(Looking)) as octx:
        assert [outcome.failure async for outcome in octx.outcomes({ctx: [Input(1, GO)]})] == [None]
    (call,) = seen
    assert call.ctx is ctx
    assert isinstance(call.parent, Looking.imp)
    assert isinstance(call.config, BaseConfig)
    assert call.logger.name == "tidemill.operation.looking"


async def test_a_context_outside_of_any_run_keeps_no_notes_and_has_to_define_run() -> None:
    call = OperationImplementationContext(Times.imp(), None, None)
    call.note("nobody listens")
    with pytest.raises(NotImplementedError, match="has to define run"):
        await call.run({})


# -- finding them in modules ------------------------------------------------------------------------------------------


class Written(OperationImplementation):
    op = Operation("written", inputs={"go": GO})
    CONTEXT = Times


def test_implementations_are_told_from_all_else() -> None:
    assert isopimp(Written)
    assert isopimp(Times.imp)
    for other in (OperationImplementation, Times, Written(), 7, None):
        assert not isopimp(other)


def test_an_implementation_is_named_after_its_operation() -> None:
    assert opimp_name(Written) == "written"
    with pytest.raises(NotOpImp, match="7 is no operation implementation"):
        opimp_name(7)


def test_implementations_and_operations_are_found_in_modules_classes_and_mappings() -> None:
    class Holder:
        times, written, prototype = Times, Written, Operation("alone")

    for place in (Holder, vars(Holder)):
        assert set(opimp_in(place)) == {Times.imp, Written}
        assert [operation.name for operation in operation_in(place)] == ["alone", "times"]
    module = sys.modules[Times.__module__]
    assert {Times.imp, Written} <= set(opimp_in(module))
    assert Times.op in operation_in(module)
