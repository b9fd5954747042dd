"""`op` in every form: what a decorated thing becomes, what it is called with, and what is refused while decorating."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.orchestrator.support import failure_of, result_of
from tidemill import (
    DataFlow,
    Definition,
    GetMulti,
    GetSingle,
    Input,
    Operation,
    OperationImplementation,
    OperationImplementationContext,
    Stage,
    config,
    field,
    op,
)

URL, SIZE = Definition("url", "string"), Definition("size", "int")
MULTI = GetMulti.op.inputs["spec"]


@config
class Unit:
    factor: int = field("what sizes are multiplied by", default=1)


@op
def shout(text: str, times: int = 1) -> str:
    """Say it loud."""
    return text.upper() * times


@op(inputs={"url": URL}, outputs={"size": SIZE})
async def measure(url: str) -> dict[str, int]:
    return {"size": len(url)}


class Opened:
    """What is entered, and when it was left."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def __call__(self, name: str) -> Callable[[Any], Any]:
        @contextlib.asynccontextmanager
        async def opened(owner: Any) -> AsyncIterator[str]:
            self.events.append(f"open {name}")
            try:
                yield name
            finally:
                self.events.append(f"close {name}")

        return opened


async def sizes(operation: Any, *urls: str, **flow: Any) -> list[Any]:
    """Run an operation over urls and return all sizes."""
    made = DataFlow(operation, GetMulti, seed=[Input(["size"], MULTI)], **flow)
    result = await result_of(made, *[Input(url, URL) for url in urls])
    return list(result["size"])


# -- forms ------------------------------------------------------------------------------------------------------------


def test_a_decorated_function_stays_callable_and_keeps_its_name_and_docstring() -> None:
    assert shout("a", times=2) == "AA"
    assert (shout.__name__, shout.__doc__) == ("shout", "Say it loud.")  # type: ignore[attr-defined]


def test_a_bare_decorator_takes_everything_from_the_signature() -> None:
    name = f"{__name__}:shout"
    assert shout.op == Operation(
        name=name,
        inputs={
            "text": Definition(f"{name}.inputs.text", "str"),
            "times": Definition(f"{name}.inputs.times", "int", default=1),
        },
        outputs={"result": Definition(f"{name}.outputs.result", "str")},
    )


async def test_a_return_value_without_declared_outputs_is_the_output_result() -> None:
    assert await shout.test(text="b", times=3) == {"result": "BBB"}


async def test_declared_outputs_take_a_mapping_as_it_is() -> None:
    assert measure.op.inputs == {"url": URL}
    assert measure.op.outputs == {"size": SIZE}
    assert await measure.test(url="four") == {"size": 4}
    assert await sizes(measure, "four", "fifth") == [4, 5]


async def test_without_multi_output_the_return_value_is_the_one_output() -> None:
    @op(inputs={"url": URL}, outputs={"size": SIZE}, multi_output=False)
    def bare(url: str) -> int:
        return len(url)

    assert await bare.test(url="four") == {"size": 4}
    assert await sizes(bare, "four") == [4]


async def test_without_declared_outputs_declared_inputs_are_kept() -> None:
    @op(inputs={"url": URL})
    def kept(url: str) -> int:
        return len(url)

    assert kept.op.inputs == {"url": URL}
    assert list(kept.op.outputs) == ["result"]


async def test_an_async_generator_gives_each_value_that_it_yields() -> None:
    @op(inputs={"url": URL}, outputs={"size": SIZE})
    async def each(url: str) -> AsyncIterator[dict[str, int]]:
        for at in range(len(url)):
            yield {"size": at}

    assert await sizes(each, "four") == [0, 1, 2, 3]


async def test_an_annotated_async_generator_gives_each_value_as_result() -> None:
    @op
    async def letters(text: str) -> AsyncIterator[str]:
        for letter in text:
            yield letter

    given = letters.op.outputs["result"]
    assert given.primitive == "str"
    flow = DataFlow(letters, GetMulti, seed=[Input([given.name], MULTI)])
    assert await result_of(flow, Input("ab", letters.op.inputs["text"])) == {given.name: ["a", "b"]}


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_an_async_generator_that_enters_something_gives_its_values_too(executor: str) -> None:
    opened = Opened()

    @op(inputs={"url": URL}, outputs={"size": SIZE}, ctx_enter={"session": opened("session")}, executor=executor)
    async def each(self: Any, url: str) -> AsyncIterator[dict[str, int]]:
        for at in range(len(url)):
            yield {"size": at}

    assert await sizes(each, "two") == [0, 1, 2]
    assert opened.events == ["open session", "close session"]


async def test_a_context_class_is_run_with_all_inputs() -> None:
    @op(inputs={"url": URL}, outputs={"size": SIZE})
    class Measure(OperationImplementationContext):
        async def run(self, inputs: dict[str, Any]) -> dict[str, int]:
            return {"size": len(inputs["url"])}

    assert issubclass(Measure.imp, OperationImplementation)
    assert await Measure.test(url="four") == {"size": 4}
    assert await sizes(Measure, "four") == [4]


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_a_context_class_may_be_an_async_generator(executor: str) -> None:
    @op(inputs={"url": URL}, outputs={"size": SIZE}, executor=executor)
    class Each(OperationImplementationContext):
        async def run(self, inputs: dict[str, Any]) -> AsyncIterator[dict[str, int]]:  # type: ignore[override]
            yield {"size": 1}
            yield {"size": 2}

    assert await sizes(Each, "x") == [1, 2]


async def test_an_implementation_written_by_hand_is_an_operation_of_a_data_flow() -> None:
    class Call(OperationImplementationContext):
        async def run(self, inputs: dict[str, Any]) -> dict[str, int]:
            return {"size": len(inputs["url"]) * self.config["factor"]}

    class Measure(OperationImplementation):
        op = Operation("by hand", inputs={"url": URL}, outputs={"size": SIZE})
        CONTEXT = Call

    assert await sizes(Measure, "four", configs={"by hand": {"factor": 10}}) == [40]


async def test_every_field_of_an_operation_can_be_said() -> None:
    go = Definition("go", "bool")

    @op(
        name="said",
        inputs={"url": URL},
        outputs={"sizes": SIZE},
        stage=Stage.CLEANUP,
        conditions=[go],
        expand=["sizes"],
        retry=3,
        validator=True,
        instance_name="here",
        executor="loop",
        concurrency=2,
        timeout=1.5,
        backoff=0.5,
        conditions_mode="any",
        pool="gpu",
    )
    async def said(url: str) -> None: ...

    assert said.op == Operation(
        "said", {"url": URL}, {"sizes": SIZE}, Stage.CLEANUP, [go], ["sizes"], "here", True, 3, "any", "gpu", "loop",
        2, 1.5, 0.5,
    )  # fmt: skip


# -- what the engine fills in -----------------------------------------------------------------------------------------


async def test_self_logger_and_env_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_TEST", "seen")
    seen: dict[str, Any] = {}

    @op(name="filled", inputs={"url": URL}, outputs={})
    async def filled(self: Any, url: str, logger: logging.Logger, env: dict[str, str]) -> None:
        seen.update(self=self, url=url, logger=logger, env=env)
        env["TIDEMILL_TEST"] = "changed"

    await result_of(DataFlow(filled), Input("x", URL))
    assert isinstance(seen["self"], OperationImplementationContext)
    assert isinstance(seen["self"].parent, filled.imp)
    assert str(seen["self"].ctx) == "ctx"
    assert seen["url"] == "x"
    assert seen["logger"].name == "tidemill.operation.filled"
    assert os.environ["TIDEMILL_TEST"] == "seen"


async def test_a_parameter_is_filled_by_what_it_is_annotated_with_whatever_its_name() -> None:
    @op(outputs={}, config_cls=Unit)
    def filled(call: OperationImplementationContext, log: logging.Logger, unit: Unit, url: str) -> None:
        assert isinstance(call, OperationImplementationContext)
        assert isinstance(log, logging.Logger)
        assert unit == Unit(factor=1)
        assert call.config is unit

    assert list(filled.op.inputs) == ["url"]
    await result_of(DataFlow(filled), Input("x", filled.op.inputs["url"]))


@pytest.mark.parametrize("given", [{"factor": 3}, Unit(factor=3)])
@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_a_configuration_is_given_as_an_object_or_as_a_mapping(given: Any, executor: str) -> None:
    @op(name="scaled", inputs={"url": URL}, outputs={"size": SIZE}, config_cls=Unit, executor=executor)
    def scaled(url: str, unit: Unit) -> dict[str, int]:
        return {"size": len(url) * unit.factor}

    assert await sizes(scaled, "four", configs={"scaled": given}) == [12]
    assert await sizes(scaled, "four") == [4]


async def test_imp_enter_is_entered_once_and_ctx_enter_for_every_call() -> None:
    opened = Opened()

    @op(inputs={"url": URL}, outputs={"size": SIZE}, imp_enter={"pool": opened("pool")},
        ctx_enter={"session": opened("session")})  # fmt: skip
    async def entered(self: Any, url: str) -> dict[str, int]:
        assert (self.parent.pool, self.session) == ("pool", "session")
        return {"size": len(url)}

    assert await sizes(entered, "a", "bb") == [1, 2]
    assert opened.events == ["open pool", *["open session", "close session"] * 2, "close pool"]


async def test_what_a_call_enters_is_left_when_it_fails() -> None:
    opened = Opened()

    @op(inputs={"url": URL}, outputs={}, ctx_enter={"session": opened("session")})
    async def failing(self: Any, url: str) -> None:
        raise ValueError("no")

    assert (await failure_of(DataFlow(failing), Input("x", URL))).reason == "Exception"
    assert opened.events == ["open session", "close session"]


async def test_what_cannot_be_entered_for_a_call_fails_the_call() -> None:
    class Broken:
        def __init__(self, owner: Any) -> None: ...

        async def __aenter__(self) -> None:
            raise ConnectionError("nobody there")

        async def __aexit__(self, *exc: object) -> None: ...

    @op(inputs={"url": URL}, outputs={}, ctx_enter={"first": Opened()("first"), "session": Broken})
    async def unused(self: Any, url: str) -> None: ...

    failure = await failure_of(DataFlow(unused), Input("x", URL))
    assert (failure.reason, failure.message) == ("Exception", "ConnectionError: nobody there")


async def test_two_instances_of_one_operation_know_their_own_names() -> None:
    @op(name="named", inputs={"url": URL}, outputs={"size": SIZE})
    class Named(OperationImplementationContext):
        async def run(self, inputs: dict[str, Any]) -> dict[str, int]:
            return {"size": {"one": 1, "two": 2}[self.parent.op.instance]}

    flow = DataFlow(operations={"one": Named, "two": Named, "get": GetMulti}, seed=[Input(["size"], MULTI)])
    assert await result_of(flow, Input("x", URL)) == {"size": [1, 2]}


async def test_two_functions_of_one_name_are_each_called_under_their_own_instance() -> None:
    def made(factor: int) -> Any:
        @op(inputs={"url": URL}, outputs={"size": SIZE})
        async def scaled(url: str) -> dict[str, int]:
            return {"size": len(url) * factor}

        return scaled

    flow = DataFlow(operations={"one": made(1), "ten": made(10), "get": GetMulti}, seed=[Input(["size"], MULTI)])
    assert await result_of(flow, Input("four", URL)) == {"size": [4, 40]}


# -- None -------------------------------------------------------------------------------------------------------------


async def test_none_gives_nothing() -> None:
    @op(inputs={"url": URL}, outputs={"size": SIZE})
    async def nothing(url: str) -> None: ...

    asked = Input(["size"], MULTI)
    failure = await failure_of(DataFlow(nothing, GetMulti, seed=[asked]), Input("x", URL))
    assert failure.reason == "DefinitionNotInContext"


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_none_is_refused_where_a_value_was_promised(executor: str) -> None:
    @op(valid_return_none=False, executor=executor)
    def nothing(text: str) -> str | None:
        return None if text == "x" else text

    failure = await failure_of(DataFlow(nothing), Input("x", nothing.op.inputs["text"]))
    assert failure.reason == "Exception"
    assert "returned None, and valid_return_none is False" in failure.message
    await result_of(DataFlow(nothing), Input("y", nothing.op.inputs["text"]))


async def test_the_result_of_an_output_operation_is_a_mapping_of_its_own() -> None:
    @op(name="report", inputs={}, outputs={}, stage=Stage.OUTPUT)
    def report() -> dict[str, str]:
        return {"said": "done"}

    assert await result_of(DataFlow(report)) == {"said": "done"}
    assert (await result_of(DataFlow(report, GetSingle)))["report"] == {"said": "done"}
