"""What a Python program may give for another scalar, in its own memory, and what it may not."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.orchestrator.support import failure_of, outcome_of, result_of
from tidemill import DataFlow, Definition, GetMulti, Input, InvalidInput, op

SEEN = Definition("seen", "generic")


def taking(definition: Definition) -> DataFlow:
    @op(name="take", inputs={"thing": definition}, outputs={"seen": SEEN})
    async def take(thing: Any) -> dict[str, Any]:
        return {"seen": thing}

    return DataFlow(take, GetMulti, seed=[Input(["seen"], GetMulti.op.inputs["spec"])])


def giving(value: Any, definition: Definition) -> DataFlow:
    @op(name="give", inputs={}, outputs={"seen": definition})
    async def give() -> dict[str, Any]:
        return {"seen": value}

    return DataFlow(give, GetMulti, seed=[Input(["seen"], GetMulti.op.inputs["spec"])])


SCALARS = [("int", 0.1), ("int", True), ("float", False), ("str", True), ("string", 7), ("boolean", 1),
           ("str", {"hashed": "x"}), ("string", ["a"]), ("string", b"a")]  # fmt: skip


@pytest.mark.parametrize(("primitive", "value"), SCALARS)
async def test_a_number_may_stand_for_another_scalar_and_anything_for_a_text(primitive: str, value: Any) -> None:
    thing = Definition("thing", primitive)
    assert await result_of(taking(thing), Input(value, thing)) == {"seen": [value]}
    assert await result_of(giving(value, SEEN._replace(primitive=primitive))) == {"seen": [value]}


@pytest.mark.parametrize(("primitive", "value"), SCALARS)
async def test_with_exact_it_may_not(primitive: str, value: Any) -> None:
    thing = Definition("thing", primitive)
    with pytest.raises(InvalidInput, match=f"expected {primitive}, got"):
        await outcome_of(taking(thing), Input(value, thing), exact=True)
    outcome = await outcome_of(giving(value, SEEN._replace(primitive=primitive)), exact=True)
    assert outcome.failure is not None
    assert outcome.failure.reason == "TypeMismatch"


@pytest.mark.parametrize(
    ("primitive", "value"),
    [("int", "12"), ("bool", "true"), ("int", {}), ("float", [1.0]), ("map", 1), ("array", 0.5), ("bytes", 3)],
)
async def test_everything_else_is_refused(primitive: str, value: Any) -> None:
    thing = Definition("thing", primitive)
    with pytest.raises(InvalidInput, match=f"expected {primitive}, got"):
        await outcome_of(taking(thing), Input(value, thing))
    failure = await failure_of(giving(value, SEEN._replace(primitive=primitive)))
    assert failure.reason == "TypeMismatch"


async def test_it_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    thing = Definition("thing", "int")
    with caplog.at_level(logging.WARNING, "tidemill.values"):
        await result_of(taking(thing), Input(0.1, thing), Input(0.2, thing))
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == '"thing" is declared int and got float 0.1; documents and stores refuse that: declare what it is'


async def test_what_is_as_declared_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    thing = Definition("thing", "float")
    await result_of(taking(thing), Input(0.1, thing), Input(2, thing))
    assert not caplog.records
