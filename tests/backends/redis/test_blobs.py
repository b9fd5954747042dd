"""Large values over real servers: from operation to operation, shared, collected, lost, and kept elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.stores import store
from tests.contract.clock import Clock
from tests.contract.driver import Driver, Lease, Running, failure_of
from tests.contract.shapes import flow, multi, operation, output, seeds, single
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.blobs import UNREFERRED, Blobs, Reference, is_reference
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.codec import decode, encode
from tidemill.errors import CorruptValue, InvalidInput, StoreMisconfigured
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.networks.implementations import Child, Failed
from tidemill.plan.compile import compile_plan

TEXT, LENGTH = Definition("text", "str"), Definition("length", "int")
GROW = operation("grow", {"text": TEXT}, {"long": Definition("long", "str")})
MEASURE = operation("measure", {"long": GROW.outputs["long"]}, {"length": LENGTH})
TELL = output("tell", {"length": LENGTH})
MIB = 1024 * 1024
SCRIPTS = {
    "grow": lambda text: {"long": text * MIB},
    "measure": lambda long: {"length": len(long)},
    "tell": single("length", "long"),
}


@pytest.fixture(params=["redis", "valkey"])
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    """Workers that play over a store, in which nothing may be left of a context that has ended."""
    clock = Clock()
    async with store(request.param, clock) as subject:
        yield Driver(subject, clock)


def backend_of(driver: Driver) -> RedisBackend:
    assert isinstance(driver.backend, RedisBackend)
    return driver.backend


def client_of(driver: Driver) -> Client:
    return backend_of(driver).client


async def blobs_in(client: Client) -> list[bytes]:
    return sorted([key async for key in client.redis.scan_iter(f"{client.tag}:blob:*")])


async def settled(client: Client) -> None:
    """Wait until the store has been told that the endings which were read have been."""
    async with asyncio.timeout(120):
        while await client.redis.exists(client.key("ended", "")):
            await client.redis.ping()


async def forgotten(client: Client) -> None:
    """Have this process forget what it keeps of blobs."""
    client.blobs._cache.clear()
    client.blobs._size = 0


async def test_a_mebibyte_goes_from_operation_to_operation_and_into_the_result(driver: Driver) -> None:
    client = client_of(driver)
    ran = await driver.run(flow(GROW, MEASURE, TELL), SCRIPTS, seeds(TEXT, "x"))
    assert ran.result == {"length": MIB, "long": "x" * MIB}
    assert ran.calls("measure") == [{"long": "x" * MIB}]
    assert client.blobs.written == 2, "the output, and the result with it inside"
    assert client.blobs.fetched == 0, "who has written it has it"


async def test_a_seed_may_be_large_and_another_process_fetches_it_once(driver: Driver) -> None:
    client = client_of(driver)
    await driver.open(flow(GROW), seeds(TEXT, "y" * MIB))
    (key,) = await blobs_in(client)
    assert await client.redis.ttl(key) == -1, "what is referred to has no time to live"
    await forgotten(client)
    lease = await driver.one()
    assert lease.arguments == {"text": "y" * MIB}
    assert client.blobs.fetched == 1
    await driver.release(lease)
    lease = await driver.one()
    assert lease.arguments == {"text": "y" * MIB}
    assert client.blobs.fetched == 1
    await driver.complete(lease, {"long": ""})
    await driver.end()


async def test_many_references_are_to_one_blob(driver: Driver) -> None:
    client = client_of(driver)
    inputs = [Input("z" * MIB, TEXT) for _ in range(40)]
    for name in ("one", "two"):
        await driver.open(flow(GROW), inputs, name=name, hold=True)
    await driver.backend.close("one")
    assert len(await blobs_in(client)) == 1
    assert client.blobs.written == 1
    driver.scripts.update({"grow": lambda text: {"long": text}})
    await driver.drain()
    await driver.end("one")
    await settled(client)
    assert len(await blobs_in(client)) == 1, "the other context still has it"
    await driver.backend.close("two")
    ran = await driver.end("two")
    assert len(ran.calls("grow")) == 40


async def submitted(driver: Driver) -> None:
    """Open a context for nobody in particular, and do its work."""
    backend = backend_of(driver)
    plan = compile_plan(flow(GROW, MEASURE, TELL))
    await backend.publish(plan)
    offers = backend.wired[plan.digest].first(seeds(TEXT, "x"))
    request = [["nobody", plan.digest, offers, True, False, True]]
    assert await backend.client.call("submit", "", request, 60.0, True, 0.0) == [b"OK"]
    driver.scripts.update(SCRIPTS)
    await driver.drain()
    await forgotten(backend.client)


async def test_an_ending_keeps_its_blobs_until_it_has_been_read(driver: Driver) -> None:
    client = client_of(driver)
    await submitted(driver)
    assert len(await blobs_in(client)) == 2
    assert await client.call("await", "", ["nobody"]) not in ([b"GONE"], [b"OPEN"]), "it is there"
    ending = await backend_of(driver).ending("nobody")
    assert ending.result == {"length": MIB, "long": "x" * MIB}
    assert await blobs_in(client) == []
    assert len(ending.lineage()) == 3


async def test_a_result_that_was_lost_fails_its_context(driver: Driver) -> None:
    await submitted(driver)
    await broken(driver, "changed")
    ending = await backend_of(driver).ending("nobody")
    assert ending.failure is not None
    assert ending.failure.reason == "CorruptValue"
    assert "a result of the context cannot be read: the blob" in ending.failure.message
    with pytest.raises(CorruptValue):
        ending.lineage()


async def test_what_a_child_gives_belongs_to_its_parent(driver: Driver) -> None:
    inner = compile_plan(flow(GROW, output("tell_long", {"long": GROW.outputs["long"]})))
    run = operation("run", {"text": TEXT}, {"long": GROW.outputs["long"]})
    scripts = {
        **SCRIPTS,
        "tell_long": lambda long: {"long": long},
        "run": Running(
            lambda text: [Child(str(at), inner, seeds(TEXT, text)) for at in range(2)],
            lambda endings, text: {"long": "".join(ending.result["long"] for ending in endings)},
        ),
    }
    ran = await driver.run(flow(run, MEASURE, TELL), scripts, seeds(TEXT, "x"))
    assert ran.result["length"] == 2 * MIB


async def test_what_is_written_and_never_referred_to_has_a_time_to_live(driver: Driver) -> None:
    client = client_of(driver)
    reference = client.blobs.pack(encode("x" * MIB))
    assert isinstance(reference, Reference)
    await client.blobs.write([reference])  # and then the process dies
    (key,) = await blobs_in(client)
    assert 0 < await client.redis.ttl(key) <= UNREFERRED
    ran = await driver.run(flow(GROW), {"grow": lambda text: {"long": ""}}, seeds(TEXT, "x" * MIB))
    assert ran.calls("grow") == [{"text": "x" * MIB}]


async def test_what_went_before_it_was_referred_to_is_written_again(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, write = client_of(driver), Blobs.write
    losses = iter([True, True, False])

    async def losing(blobs: Blobs, references: Any) -> list[str]:
        names = await write(blobs, references)
        if next(losses, False):
            await client.redis.delete(*await blobs_in(client))
        return names

    monkeypatch.setattr(Blobs, "write", losing)
    ran = await driver.run(flow(GROW), {"grow": lambda text: {"long": ""}}, seeds(TEXT, "x" * MIB))
    assert ran.calls("grow") == [{"text": "x" * MIB}]
    assert client.blobs.written == 3
    losses = iter([True] * 100)
    with pytest.raises(StoreMisconfigured, match="loses large values"):
        await driver.open(flow(GROW), seeds(TEXT, "y" * MIB), name="never")


async def broken(driver: Driver, how: str) -> None:
    client = client_of(driver)
    await forgotten(client)
    for key in await blobs_in(client):
        if how == "missing":
            await client.redis.delete(key)
        elif how == "truncated":
            await client.redis.set(key, (await client.redis.getrange(key, 0, 1000)))
        else:
            await client.redis.setrange(key, 1000, "?")


@pytest.mark.parametrize(
    ("how", "said"), [("missing", "is missing"), ("truncated", "has 1001 bytes"), ("changed", "its digest is another")]
)
async def test_a_blob_that_is_not_what_was_written_fails_its_operation_and_names_the_output(
    driver: Driver, how: str, said: str
) -> None:
    driver.scripts.update(SCRIPTS)
    await driver.open(flow(GROW, MEASURE), seeds(TEXT, "x"), name="hit")
    await driver.finish(await driver.one())
    await broken(driver, how)
    await driver.open(flow(GROW, MEASURE), seeds(TEXT, "y"), name="spared")
    await driver.drain()
    failure = (await driver.end("hit")).failure
    assert (failure.reason, failure.instance) == ("CorruptValue", "measure")
    assert 'the parameter "long", the output "long" of "grow", cannot be read: the blob ' in failure.message
    assert said in failure.message
    assert (await driver.end("spared")).ending.failure is None


async def test_a_seed_that_was_lost_is_named_by_its_definition(driver: Driver) -> None:
    await driver.open(flow(GROW), seeds(TEXT, "x" * MIB))
    await broken(driver, "missing")
    await driver.drain()
    failure = (await driver.end()).failure
    assert 'the parameter "text", an input of "text" from seed, cannot be read' in failure.message


async def test_failures_come_with_their_large_inputs(driver: Driver) -> None:
    await driver.open(flow(GROW), seeds(TEXT, "x" * MIB))
    await driver.fail(await driver.one())
    assert (await driver.end()).failure.inputs == {"text": "x" * MIB}

    def changed(lease: Lease) -> Failed:
        failure = failure_of(lease)
        return Failed(lease.parameter_set, type(failure)(**{**vars_of(failure), "inputs": {"text": "y" * MIB}}))

    await driver.open(flow(GROW), seeds(TEXT, "x" * MIB), name="two")
    lease = await driver.one()
    await driver.report(lease, changed(lease))
    text = (await driver.end("two")).failure.inputs["text"]
    assert text.endswith(f"({MIB + 2} characters)"), "what the context does not have is said, and not sent"
    await driver.open(flow(GROW), seeds(TEXT, "x" * MIB), name="three")
    for _ in range(3):
        await driver.lost(await driver.one())
    failure = (await driver.end("three")).failure
    assert (failure.reason, failure.inputs) == ("Poisonous", {"text": "x" * MIB})


def vars_of(failure: Any) -> dict[str, Any]:
    return {name: getattr(failure, name) for name in failure.__slots__}


async def test_a_uid_stands_for_one_large_value(driver: Driver) -> None:
    backend = driver.backend
    await driver.open(flow(GROW), [Input("x" * MIB, TEXT, uid="one")], hold=True)
    assert await backend.add("context", [Input("x" * MIB, TEXT, uid="one")]) == 0
    with pytest.raises(InvalidInput) as caught:
        await backend.add("context", [Input("y" * MIB, TEXT, uid="one")])
    assert caught.value.reason == "InputConflict"
    await backend.close("context")
    driver.scripts.update({"grow": lambda text: {"long": ""}})
    await driver.drain()
    await driver.end()


async def test_equal_large_values_are_one_where_the_definition_says_so(driver: Driver) -> None:
    once = Definition("once", "str", dedupe="value")
    use = operation("use", {"once": once})
    ran = await driver.run(flow(use), {}, [Input("x" * MIB, once), Input("x" * MIB, once), Input("y" * MIB, once)])
    assert len(ran.calls("use")) == 2
    assert len(ran.ending.lineage()) == 2


async def test_operations_that_read_inputs_read_whole_values(driver: Driver) -> None:
    scripts = {**SCRIPTS, "all": multi("text", "long")}
    ran = await driver.run(flow(GROW, output("all")), scripts, seeds(TEXT, "x", "y"))
    assert ran.result == {"text": ["x", "y"], "long": ["x" * MIB, "y" * MIB]}
    lineage = {record.value for record in ran.ending.lineage() if hasattr(record, "value")}
    assert lineage <= {"x", "y", "x" * MIB, "y" * MIB}


async def test_a_value_that_cannot_be_encoded_fails_its_operation_and_names_output_and_type(driver: Driver) -> None:
    anything = Definition("anything")
    make = operation("make", {"text": TEXT}, {"thing": anything})
    ran = await driver.run(flow(make), {"make": lambda text: {"thing": ["x" * MIB, object()]}}, seeds(TEXT, "x"))
    assert ran.failure.reason == "OutputNotSerialisable"
    assert 'the output "thing" of "make" cannot be sent to a store: type object at /1' in ran.failure.message


async def test_nobody_can_forge_a_reference(driver: Driver) -> None:
    """An encoding that begins like a reference is sent as a blob of its own, and then refused where it is read."""
    forged = Reference("b" + "0" * 64, b"x").raw
    assert is_reference(forged)
    packed = client_of(driver).blobs.pack(forged)
    assert isinstance(packed, Reference)
    assert packed.raw != forged
    with pytest.raises(CorruptValue):
        decode(forged)


async def test_memory_keeps_so_many_bytes_and_no_more(driver: Driver) -> None:
    client = client_of(driver)
    blobs = Blobs(client, threshold=10, cache=3000)
    raws = []
    for letter in "abcdefgh":
        one = blobs.pack(encode(letter * 1000))
        assert isinstance(one, Reference)
        await blobs.write([one])
        raws.append(one.raw)
        assert blobs._size <= 3000
    assert [decode(raw)[0] for raw in await blobs.whole(raws)] == list("abcdefgh")
    assert blobs._size <= 3000
    assert len(await blobs_in(client)) == 8
    await client.redis.delete(*await blobs_in(client))


@pytest.mark.parametrize(
    "raw", [b"\xc7\x05\x1ehello", b"\xc7\x43\x1eb" + b"0" * 66, b"\xc7\x44\x1ex" + b"0" * 64 + b":12"]
)
async def test_what_begins_like_a_reference_and_is_none_is_corrupt(driver: Driver, raw: bytes) -> None:
    (value,) = await client_of(driver).blobs.whole([raw])
    with pytest.raises(CorruptValue, match="no reference to a blob"):
        decode(value)
