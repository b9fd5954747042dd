"""What happens to contexts is handed on as it happens, or late, all of it and once, from the outside in."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.stores import server
from tests.orchestrator.support import listed
from tidemill import DataFlow, Definition, Input, RunDataFlowConfig, op, run_dataflow
from tidemill.backends.redis import following
from tidemill.backends.redis.following import Following
from tidemill.errors import ContextClosed, StoreUnavailable
from tidemill.journal.event import LIMIT, Event
from tidemill.orchestrator.redis import RedisOrchestrator, RedisOrchestratorContext

NUMBER, MORE = Definition("number", "int"), Definition("more", "int")
DEADLINE = 120.0


@op(inputs={"number": NUMBER}, outputs={"more": MORE})
async def increase(number: int) -> dict[str, int]:
    return {"more": number + 1}


def nested(inner: DataFlow) -> DataFlow:
    return DataFlow(operations={"sub": run_dataflow}, configs={"sub": RunDataFlowConfig(dataflow=inner)})


FLOW = nested(nested(DataFlow(increase)))
FLOWS = run_dataflow.op.inputs["inputs"]


def given(*names: str) -> list[Input]:
    """Return what makes FLOW run a context, and below that one of each name."""
    below = {name: [{"value": at, "definition": "number"}] for at, name in enumerate(names)}
    return [Input({"inner": [{"value": below, "definition": FLOWS.name}]}, FLOWS)]


@pytest.fixture(params=["redis", "valkey"])
async def octx(request: pytest.FixtureRequest) -> AsyncIterator[RedisOrchestratorContext]:
    """What runs contexts with journals over a store."""
    said: dict[str, Any] = {"url": server(request.param), "prefix": f"f{uuid.uuid4().hex}:", "durability": "none"}
    async with RedisOrchestrator(journal=LIMIT, **said) as orchestrator, orchestrator(FLOW) as found:
        yield found


def checked(events: list[Event], context: str, *names: str) -> None:
    """Check that all of these events are there, each once, and the contexts in each other."""
    of = {
        name: [event for event in events if event.context == name] for name in dict.fromkeys(e.context for e in events)
    }
    inner = f"{context}/sub/inner"
    assert of.keys() == {context, inner, *(f"{inner}/sub/{name}" for name in names)}
    for each in of.values():
        assert [event.id for event in each] == list(range(1, len(each) + 1))
        assert (each[0].kind, each[-1].kind) == ("opened", "ended")
    for above, name in [(context, inner), *((inner, f"{inner}/sub/{name}") for name in names)]:
        begun, over = events.index(of[above][0]), events.index(of[above][-1])
        assert begun < events.index(of[name][0]) < events.index(of[name][-1]) < over


@pytest.mark.parametrize("look", [3600.0, 0.001])
async def test_all_is_told_once_whether_somebody_looks_meanwhile_or_not(
    look: float, octx: RedisOrchestratorContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK", look)
    told: list[Event] = []
    async with Following(octx.backend.journals, told.extend).alive() as followed:
        for name in ("ada", "bob"):
            followed.expect(name)
            await listed(octx.outcomes({name: given("x", "y")}))
            await followed.end(name)
            assert name not in await octx.backend.journals.names()
    checked([event for event in told if event.context.startswith("ada")], "ada", "x", "y")
    checked([event for event in told if event.context.startswith("bob")], "bob", "x", "y")
    with pytest.raises(ContextClosed) as caught:
        await followed.end("ada")
    assert caught.value.reason == "NoJournal"


async def test_what_an_earlier_context_of_a_name_has_left_is_not_told(
    octx: RedisOrchestratorContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listed(octx.outcomes({"ada": given("old")}))
    journals = octx.backend.journals
    assert "ada" in await journals.names()
    assert await journals.opened(["ada", "nobody"]) == {}
    told: list[Event] = []
    async with Following(journals, told.extend).alive() as followed:
        followed.expect("ada")
        monkeypatch.setattr(following, "LOOK", 0.001)
        await listed(octx.outcomes({"ada": given("new")}))
        await followed.end("ada")
    checked(told, "ada", "new")


async def test_what_nobody_has_asked_for_is_told_in_the_end(
    octx: RedisOrchestratorContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK", 0.001)
    told: list[Event] = []
    begun = asyncio.Event()

    def take(events: list[Event]) -> None:
        told.extend(events)
        begun.set()

    backend = octx.backend
    async with Following(backend.journals, take).alive() as followed:  # type: ignore[arg-type]
        followed.expect("ada")
        await backend.open("ada", octx.plan, given("x"), hold=True)
        async with asyncio.timeout(DEADLINE):
            await begun.wait()
        monkeypatch.setattr(following, "LOOK", 3600.0)
        await backend.close("ada")
        async with asyncio.timeout(DEADLINE):
            await backend.ending("ada")
    checked(told, "ada", "x")


async def test_a_store_that_is_away_is_looked_at_again(
    octx: RedisOrchestratorContext, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(following, "LOOK", 0.001)
    journals, away = octx.backend.journals, asyncio.Event()
    told: list[Event] = []
    opened = journals.opened

    async def refusing(contexts: list[str]) -> dict[str, tuple[str, str]]:
        if not away.is_set():
            away.set()
            raise StoreUnavailable("nobody there")
        return await opened(contexts)

    monkeypatch.setattr(journals, "opened", refusing)
    async with Following(journals, told.extend).alive() as followed:
        async with asyncio.timeout(DEADLINE):
            await away.wait()
        followed.expect("ada")
        await listed(octx.outcomes({"ada": given("x")}))
        await followed.end("ada")
    checked(told, "ada", "x")
    assert "what happens is told later: StoreUnavailable: " in caplog.text


async def test_whoever_is_cancelled_while_it_is_told_loses_nothing(
    octx: RedisOrchestratorContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listed(octx.outcomes({"ada": given("x", "y")}))
    journals = octx.backend.journals
    told: list[Event] = []
    cancelled: set[tuple[Any, ...]] = set()

    def once(asked: Any) -> Any:
        """Have a question be cancelled the first time that it is asked."""

        async def asking(*about: Any) -> Any:
            if (asked, *about) not in cancelled:
                cancelled.add((asked, *about))
                raise asyncio.CancelledError
            return await asked(*about)

        return asking

    for name in ("found", "reader", "page"):
        monkeypatch.setattr(journals, name, once(getattr(journals, name)))
    followed = Following(journals, told.extend)
    many = 0
    while "ada" in await journals.names():
        try:
            await followed.end("ada")
        except asyncio.CancelledError:
            many += 1
    assert many == len(cancelled) >= 12  # three questions or more about each of four contexts
    checked(told, "ada", "x", "y")
