"""What processes have measured is added up in the store, bounded, and read back as it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.backends.redis.beside import DEADLINE, Corner, corner
from tests.backends.redis.leaks import left_in
from tidemill import metrics
from tidemill.backends.redis import measures
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.measures import KEPT, RedisMeasures
from tidemill.errors import StoreUnavailable
from tidemill.metrics.calls import calling
from tidemill.metrics.measured import SECONDS
from tidemill.metrics.series import Recorder

PAGES = metrics.counter("pages_total", "Pages", "status")
ITEMS = metrics.gauge("queue_items", "Items")


@pytest.fixture
async def place() -> AsyncIterator[Corner]:
    """A corner of a server."""
    async with corner() as found:
        yield found


def counted(many: int, *seconds: float, dataflow: str = "flow", operation: str = "fetch") -> Recorder:
    recorder = Recorder()
    with calling(recorder.scope(dataflow, operation)) as call:
        PAGES.inc(many, status='2"\n0')
        ITEMS.set(many)
        for each in seconds:
            call.scope.observe(SECONDS, each)
    return recorder


async def test_what_several_processes_have_measured_is_one_sum(place: Corner) -> None:
    client = place.backend().client
    kept = RedisMeasures(client)
    await kept.add(counted(3, 0.5, 2).take())
    await kept.add(counted(4, 0.25, 2).take())
    await kept.add(counted(9, 100, dataflow="another").take())
    found = {one["name"]: one for one in (await kept.read("flow")).plain()}
    assert found["pages_total"]["value"] == 7
    assert found["pages_total"]["labels"] == {"status": '2"\n0'}
    assert found["queue_items"]["value"] == 4
    assert metrics.Histogram.of(found[SECONDS.name]["value"]) == metrics.Histogram([0.5, 2, 0.25, 2])
    assert {one["operation"] for one in found.values()} == {"fetch"}
    assert (await kept.read("nobody")).plain() == []


async def test_it_goes_when_nobody_adds_to_it_any_more(place: Corner) -> None:
    client = place.backend().client
    await RedisMeasures(client).add(counted(3).take())
    assert KEPT - 60 < await client.redis.ttl(client.key("measured", "flow")) <= KEPT


async def test_what_is_kept_of_a_data_flow_is_bounded(place: Corner, caplog: pytest.LogCaptureFixture) -> None:
    client = place.backend().client
    rows = [[f"n{at % 8}_total", "counter", "", ["k"], "flow", "op", [str(at)], 1] for at in range(5200)]
    await RedisMeasures(client).add(rows)
    await RedisMeasures(client).add([rows[0]])  # what is there is added to all the same
    assert await client.redis.hlen(client.key("measured", "flow")) == 5000
    found = {tuple(one["labels"].values()): one["value"] for one in (await RedisMeasures(client).read("flow")).plain()}
    assert found["0",] == 2
    assert "has no room for" in caplog.text


async def test_many_series_are_read_in_pages(place: Corner) -> None:
    kept = RedisMeasures(place.backend().client)
    await kept.add([["n_total", "counter", "", [], "flow", f"op{at}", [], at] for at in range(1, 900)])
    found = {one["operation"]: one["value"] for one in (await kept.read("flow")).plain()}
    assert found == {f"op{at}": at for at in range(1, 900)}


async def test_what_somebody_else_has_written_there_is_left_out(
    place: Corner, caplog: pytest.LogCaptureFixture
) -> None:
    client = place.backend().client
    await RedisMeasures(client).add(counted(3).take())
    await client.redis.hset(client.key("measured", "flow"), "nonsense", "much")
    assert {one["name"] for one in (await RedisMeasures(client).read("flow")).plain()} == {"pages_total", "queue_items"}
    assert "is nothing that was measured" in caplog.text


async def test_a_store_that_is_away_costs_what_was_measured_and_nothing_else(
    place: Corner, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = place.backend().client

    async def away(self: Client, *request: object) -> None:
        raise StoreUnavailable("nobody there")

    monkeypatch.setattr(Client, "call", away)
    await RedisMeasures(client).add(counted(3).take())
    assert "what was measured is not in the store: StoreUnavailable" in caplog.text


async def test_it_is_added_now_and_then_and_once_more_in_the_end(
    place: Corner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "EVERY", 0.01)
    kept = RedisMeasures(place.backend().client)
    recorder, told = counted(3), asyncio.Event()
    async with asyncio.timeout(DEADLINE):
        async with kept.adding(recorder, lambda taken: told.set()):
            await told.wait()
            monkeypatch.setattr(measures, "EVERY", 3600)
            recorder.merge(counted(4).take())
    assert next(one["value"] for one in (await kept.read("flow")).plain() if one["name"] == "pages_total") == 7


async def test_it_belongs_to_the_data_flow_and_not_to_nobody(place: Corner) -> None:
    client = place.backend().client
    await RedisMeasures(client).add(counted(3).take())
    assert place.keys("measured") and left_in(place.look, client.tag) == []


async def test_what_was_measured_since_is_told_apart(place: Corner) -> None:
    client = place.backend().client
    kept = RedisMeasures(client)
    await kept.add(counted(3, 0.5, 2).take())
    before = {"flow": await kept.numbers("flow"), "another": await kept.numbers("another")}
    assert {one["name"] for one in (await kept.since(before)).plain()} == {"queue_items"}
    await kept.add(counted(4, 0.25, 2).take())
    await kept.add(counted(9, 100, dataflow="another").take())
    found = {(one["dataflow"], one["name"]): one["value"] for one in (await kept.since(before)).plain()}
    assert (found["flow", "pages_total"], found["another", "pages_total"]) == (4, 9)
    assert found["flow", "queue_items"] == 4
    assert metrics.Histogram.of(found["flow", SECONDS.name]) == metrics.Histogram([0.25, 2])
    assert metrics.Histogram.of(found["another", SECONDS.name]) == metrics.Histogram([100])


async def test_what_has_begun_anew_since_is_all_new(place: Corner, caplog: pytest.LogCaptureFixture) -> None:
    client = place.backend().client
    kept = RedisMeasures(client)
    await kept.add(counted(30).take())
    before = {"flow": await kept.numbers("flow")}
    await client.redis.delete(client.key("measured", "flow"))
    await kept.add(counted(3).take())
    await client.redis.hset(client.key("measured", "flow"), "nonsense", "much")
    found = {one["name"]: one["value"] for one in (await kept.since(before)).plain()}
    assert found == {"pages_total": 3, "queue_items": 3}
    assert "is nothing that was measured" in caplog.text
