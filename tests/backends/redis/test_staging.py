"""Many inputs of a new context come in pieces: nothing shows it but the length of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.races import TELL, World, world_of
from tests.contract.shapes import A, B, flow, operation, output, seeds
from tidemill.backends.redis import mail, staging
from tidemill.backends.redis.backend import RedisBackend
from tidemill.errors import ContextClosed, DuplicateContext
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.plan.compile import compile_plan

MANY = 1000
FLOW = flow(operation("use", {"a": A}, {"b": B}), TELL)
DEFAULT = Definition("d", "int", default=7)
ONCE = Definition("once", "int", dedupe="value")


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Workers that play over a store."""
    async with world_of(request.param) as found:
        yield found


def calls_of(world: World, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Note which verbs are called, and what is answered."""
    made: list[tuple[str, Any]] = []
    answer = world.client._answer

    async def answering(verb: str, *arguments: bytes) -> Any:
        said = await answer(verb, *arguments)
        made.append((verb, said))
        return said

    monkeypatch.setattr(world.client, "_answer", answering)
    return made


async def staged(world: World) -> list[bytes]:
    return [key for key in await world.keys() if b":staged:" in key or b":holds:s" in key]


async def test_many_inputs_come_in_pieces_and_are_one_context(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = calls_of(world, monkeypatch)
    await world.driver.open(FLOW, seeds(A, *range(MANY)))
    verbs = [verb for verb, _ in made]
    assert verbs.count("stage") == verbs.count("feed") == -(-MANY // staging.OFFERS)
    assert verbs.index("submit") > max(at for at, verb in enumerate(verbs) if verb == "stage")
    assert not await staged(world)
    assert await world.told() == list(range(MANY))


@pytest.mark.parametrize("piece", [1, 3, 7])
async def test_nothing_depends_on_where_inputs_are_cut(
    world: World, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    pair = operation("pair", {"a": A, "d": DEFAULT}, {"b": B})
    plan = compile_plan(flow(pair, output("tell", {"once": ONCE})))
    given = [
        Input(1, A, uid="one"), Input(2, A), Input(5, ONCE), Input(3, A, uid="three"), Input(5, ONCE), Input(6, ONCE)
    ]  # fmt: skip
    world.driver.scripts |= {"pair": lambda a, d: {"b": a * d}, "tell": lambda once: {str(once): once}}
    whole = await world.driver.run(plan, {}, given, name="whole")
    monkeypatch.setattr(staging, "OFFERS", piece)
    monkeypatch.setattr(mail, "OFFERS", piece)
    cut = await world.driver.run(plan, {}, given, name="cut")
    assert cut.result == whole.result
    assert cut.calls("pair") == whole.calls("pair") == [{"a": a, "d": 7} for a in (1, 2, 3)]
    records = [[(one.definition, one.origin, one.value) for one in ran.ending.lineage()] for ran in (whole, cut)]
    assert sorted(records[0], key=repr) == sorted(records[1], key=repr)


async def test_large_values_come_in_pieces_and_are_held_meanwhile(world: World) -> None:
    text = Definition("text", "str")
    plan = compile_plan(flow(operation("read", {"text": text}, {"b": B}), TELL))
    world.driver.scripts["read"] = lambda text: {"b": len(text)}
    given = [Input("x" * (100_000 + at), text) for at in range(staging.OFFERS + 10)]
    await world.driver.open(plan, given)
    assert await world.told() == [100_000 + at for at in range(len(given))]
    while await world.client.call("chores"):
        pass
    assert not [key for key in await world.keys() if b":blob:" in key or b":holds:" in key]


async def test_large_values_that_are_staged_stay_until_they_are_opened_or_forgotten(world: World) -> None:
    text = Definition("text", "str")
    plan = compile_plan(flow(operation("read", {"text": text}, {"b": B}), TELL))
    await world.backend.publish(plan)
    offers = world.backend.wired[plan.digest].first([Input("x" * (100_000 + at), text) for at in range(70)])
    await staging.Staging(world.client).brought(["context", plan.digest, offers, True, False, False, ""])
    blobs = [key for key in await world.keys() if b":blob:" in key]
    assert [await world.redis.ttl(key) for key in blobs] == [-1] * 70
    await world.backend.endings.collect(0.0)
    await world.backend.endings.collect(3601.0)
    while await world.client.call("chores"):
        pass
    assert not [key for key in await world.keys() if b":blob:" in key]


async def test_a_context_that_is_held_open_stays_so(world: World) -> None:
    await world.driver.open(FLOW, seeds(A, *range(300)), hold=True)
    await world.driver.drain()
    assert await world.backend.add("context", seeds(A, 300)) == 1
    await world.backend.close("context")
    assert await world.told() == list(range(301))


async def test_many_inputs_that_are_added_come_in_pieces_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = operation("pair", {"a": A, "d": DEFAULT}, {"b": B})
    plan = compile_plan(flow(pair, output("tell", {"once": ONCE}), seed=[Input(0, ONCE)]))
    world.driver.scripts |= {"pair": lambda a, d: {"b": a * d}, "tell": lambda once: {str(once): once}}
    await world.driver.open(plan, [Input(-1, A, uid="first")], hold=True)
    made = calls_of(world, monkeypatch)
    given = [*seeds(A, *range(MANY)), *[Input(at % 7, ONCE) for at in range(100)], Input(-1, A, uid="first")]
    assert await world.backend.add("context", given) == MANY + 6, "one was there, and others are as good as equal"
    verbs = [verb for verb, _ in made]
    assert verbs.count("stage") == verbs.count("feed") == -(-(MANY + 100) // staging.OFFERS)
    assert not await staged(world)
    assert await world.backend.add("context", seeds(A, MANY)) == 1
    await world.driver.drain()
    await world.backend.close("context")
    await world.driver.drain()
    ran = await world.driver.end()
    assert sorted(call["a"] for call in ran.calls("pair")) == list(range(-1, MANY + 1)), "each with the default, once"
    assert ran.result == {str(at): at for at in range(7)}


async def test_what_is_added_after_much_comes_after_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever adds a lot dies before it is all in; the next one has it go in first."""
    await world.driver.open(FLOW, seeds(A, 0), hold=True)
    with monkeypatch.context() as patched:
        patched.setattr(staging.Staging, "fed", dies)
        with pytest.raises(RuntimeError):
            await world.backend.add("context", seeds(A, *range(1, 300)))
    made = calls_of(world, monkeypatch)
    assert await world.backend.add("context", seeds(A, 300)) == 1
    answers = [said for verb, said in made if verb in ("known", "feed", "add")]
    assert answers[0] == b"FEED"
    assert [said[0] for said in answers[1:-2]] == [1] * (len(answers) - 4) + [0]
    await world.backend.close("context")
    assert await world.told() == list(range(301))


async def test_what_is_added_does_not_hold_a_context_open_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was not held open ends when all is in and done, also when nobody waits for that; one that is closed
    meanwhile too; one that is cancelled leaves nothing."""
    for name in ("ends", "closed", "cancelled"):
        await world.driver.open(FLOW, seeds(A, 0), name=name, hold=name == "closed")
        with monkeypatch.context() as patched:
            patched.setattr(staging.Staging, "fed", dies)
            with pytest.raises(RuntimeError):
                await world.backend.add(name, seeds(A, *range(1, 300)))
    await world.backend.close("closed")
    await world.backend.cancel("cancelled")
    assert await world.told("ends") == list(range(300))
    assert await world.told("closed") == list(range(300))
    assert (await world.driver.end("cancelled")).failure.reason == "Cancelled"
    while await world.client.call("chores"):
        pass
    assert not await staged(world)


async def dies(staging: staging.Staging, name: str, stage: str = "") -> int:
    """Do what a process does that dies."""
    raise RuntimeError("it was killed")


async def test_what_is_lost_of_what_is_added_is_staged_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.driver.open(FLOW, seeds(A, 0), hold=True)
    answer, lost = world.client._answer, list[str]()

    async def answering(verb: str, *arguments: bytes) -> Any:
        if verb == "add" and not lost:
            lost.append(verb)
            await world.redis.unlink(*await staged(world))
        return await answer(verb, *arguments)

    monkeypatch.setattr(world.client, "_answer", answering)
    assert await world.backend.add("context", seeds(A, *range(1, 300))) == 299
    await world.backend.close("context")
    assert await world.told() == list(range(300))


async def begun(world: World, many: int = 300, hold: bool = False) -> list[Any]:
    """Stage inputs, and return the request that opens their context, as a submitter would send it that dies then."""
    plan = compile_plan(FLOW)
    await world.backend.publish(plan)
    wired = world.backend.wired[plan.digest]
    request = ["context", plan.digest, wired.first(seeds(A, *range(many))), True, hold, False, ""]
    return await staging.Staging(world.client).brought(request)


async def test_whoever_calls_goes_on_where_a_submitter_has_vanished(world: World) -> None:
    request = await begun(world)
    assert await world.client.call("submit", "dead", [request], 60.0, True, 0.0) == [b"OK"]
    assert await world.client.call("submit", "dead", [request], 60.0, True, 0.0) == [b"OK"]
    held: list[Any] = []
    while more := await world.lease("w1", 64):
        held += more
    assert len(held) == 300
    assert not await staged(world)


async def test_it_may_be_closed_and_cancelled_before_all_is_in(world: World) -> None:
    request = await begun(world, hold=True)
    assert await world.client.call("submit", "dead", [request], 60.0, True, 0.0) == [b"OK"]
    await world.backend.close("context")
    with pytest.raises(ContextClosed):
        await world.backend.add("context", seeds(A, 1))
    while (await world.client.call("feed", "context", ""))[0]:
        pass
    assert await world.told() == list(range(300))
    assert await world.client.call("submit", "dead", [await begun(world)], 60.0, True, 0.0) == [b"OK"]
    await world.backend.cancel("context")
    assert (await world.driver.end()).failure.reason == "Cancelled"
    while await world.client.call("chores"):
        pass
    assert not await staged(world)


async def test_nothing_is_opened_before_all_of_it_is_staged(world: World) -> None:
    request = await begun(world)
    assert await world.redis.rpop(world.client.key("staged", request[7])) is not None
    assert await world.client.call("submit", "dead", [request], 60.0, True, 0.0) == [b"STAGE"]
    assert await world.client.call("states", "context") == []
    await world.redis.unlink(*await staged(world))


async def test_what_is_never_opened_is_forgotten(world: World) -> None:
    await begun(world)
    assert await staged(world)
    await world.backend.endings.collect(0.0)
    await world.backend.endings.collect(3599.0)
    assert await staged(world)
    await world.backend.endings.collect(3601.0)
    assert not await staged(world)


async def test_what_the_store_has_lost_is_staged_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, lost = world.client._answer, list[int]()

    async def answering(verb: str, *arguments: bytes) -> Any:
        said = await answer(verb, *arguments)
        if verb == "stage" and (said == 2 and len(lost) == 0 or said == 3 and len(lost) == 1):
            lost.append(said)
            await world.redis.unlink(*await staged(world))
        return said

    monkeypatch.setattr(world.client, "_answer", answering)
    await world.driver.open(FLOW, seeds(A, *range(300)))
    assert lost == [2, 3]
    assert await world.told() == list(range(300))


async def test_a_name_that_is_taken_is_refused_and_no_input_stays(world: World) -> None:
    await world.driver.open(FLOW, seeds(A, 1), hold=True)
    backend = RedisBackend(world.client)
    with pytest.raises(DuplicateContext):
        await backend.open("context", compile_plan(FLOW), seeds(A, *range(300)))
    assert not await staged(world)
    await world.backend.close("context")
    assert await world.told() == [1]


async def test_many_inputs_of_the_data_flow_itself_come_in_pieces(world: World) -> None:
    plan = compile_plan(flow(operation("use", {"a": A}, {"b": B}), TELL, seed=seeds(A, *range(MANY))))
    await world.driver.open(plan, seeds(A, MANY))
    assert await world.told() == list(range(MANY + 1))


async def test_one_call_opens_contexts_of_so_many_inputs_and_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = calls_of(world, monkeypatch)
    plan = compile_plan(flow(operation("use", {"a": A}, {"b": B}), TELL, seed=seeds(A, *range(50))))
    await world.backend.publish(plan)
    await asyncio.gather(*[world.backend.open(f"c{at}", plan, []) for at in range(9)])
    answers = [said for verb, said in made if verb == "submit"]
    assert [said.count(b"OK") for said in answers] == [6, 3]
    for at in range(9):
        assert await world.told(f"c{at}") == list(range(50))
