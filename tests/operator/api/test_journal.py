"""What happened to contexts, by HTTP: a page after the other, and as it happens, from any event on."""

import json
from typing import Any

import aiohttp
import pytest

from tests.operator.api.conftest import Client, served
from tests.operator.stage import Stage
from tests.operator.words import dataflow, run
from tidemill.journal.event import Event
from tidemill.journal.rebuilt import rebuilt
from tidemill_operator.api import flows

PATH = "/contexts/words.a/events"
STREAM = {"Accept": "text/event-stream"}


async def opened(client: Client, word: str = "tide", query: str = "?journal=true") -> None:
    """Open the context a, and keep its journal."""
    status, said = await client.open(json.dumps({"context": "a", "inputs": {"word": word}}), query=query)
    assert (status, said[0]) == (200, {"context": "words.a", "status": "open"})


async def ended(client: Client) -> None:
    """Wait for the end of the context a."""
    assert (await client.ask("GET", "/contexts/words.a?wait=60"))[1]["status"] != "open"


async def page(client: Client, query: str = "") -> dict[str, Any]:
    status, said = await client.ask("GET", PATH + query)
    assert status == 200, said
    found: dict[str, Any] = said
    return found


async def told(client: Client, last: str = "", most: int = 0) -> list[tuple[str, Any]]:
    """Return so many events after the last one as they come, or all until the server ends it, each with its id."""
    found: list[tuple[str, Any]] = []
    timeout = aiohttp.ClientTimeout(total=60)
    async with client.session.get(
        client.url(PATH), headers={**STREAM, "Last-Event-ID": last}, timeout=timeout
    ) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        id = ""
        async for raw in answer.content:
            field, _, value = raw.decode().rstrip("\n").partition(": ")
            if field == "id":
                id = value
            if field == "data":
                found.append((id, json.loads(value)))
                if len(found) == most:
                    break
    return found


async def test_events_are_read_a_page_after_the_other(client: Client) -> None:
    client.stage.work()
    await opened(client)
    await ended(client)
    whole = await page(client)
    assert (whole["context"], whole["more"], whole["after"]) == ("words.a", False, len(whole["events"]))
    state = rebuilt([Event.of(said) for said in whole["events"]])
    assert (state.status, state.result) == ("succeeded", {"length": [4]})
    pieces: list[Any] = []
    after, more = 0, True
    while more:
        said = await page(client, f"?after={after}&limit=3")
        pieces, after, more = pieces + said["events"], said["after"], said["more"]
        assert len(said["events"]) <= 3
    assert pieces == whole["events"]
    last = whole["after"]
    assert await page(client, f"?after={last}") == {"context": "words.a", "events": [], "after": last, "more": False}


async def test_events_are_told_as_they_happen_and_a_client_that_comes_back_hears_exactly_the_rest(
    client: Client,
) -> None:
    client.stage.work()
    await opened(client, "-wait")
    first = await told(client, most=4)
    client.stage.go()
    rest = await told(client, first[-1][0])  # to the end of the context, where it ends
    both = first + rest
    assert [id for id, _ in both] == [str(number) for number in range(1, len(both) + 1)]
    assert [event["id"] for _, event in both] == [int(id) for id, _ in both]
    assert (both[0][1]["kind"], both[-1][1]["kind"]) == ("opened", "ended")
    assert [event for _, event in both] == (await page(client))["events"]
    assert await told(client, both[-1][0]) == []


async def test_an_object_may_say_that_its_contexts_keep_a_journal(client: Client) -> None:
    stage = client.stage
    stage.work()
    stage.apply(dataflow(stage.namespace, journal=True, inputs={"given": ["tide"]}))
    await stage.until(lambda: stage.get()["status"]["contexts"]["succeeded"] == 1, "its context has ended")
    status, said = await client.ask("GET", "/contexts/words.given/events")
    assert (status, said["events"][-1]["kind"]) == (200, "ended"), said
    client.api.service.flows._seen.clear()
    await opened(client, query="")
    await ended(client)
    assert (await page(client))["events"][-1]["result"] == {"length": [4]}
    _, (other, _) = await client.open('{"word": "mill"}', query="?journal=false")
    status, said = await client.ask("GET", f"/contexts/{other['context']}/events")
    assert (status, said["reason"]) == (404, "NoJournal")


async def test_a_run_may_say_that_its_contexts_keep_a_journal(client: Client) -> None:
    stage = client.stage
    stage.work()
    stage.apply(run(stage.namespace, "again", inputs={"given": ["tide"]}, journal=True))
    await stage.ended(name="again", plural="dataflowruns")
    url = client.url("/contexts/again.given/events", "again", "dataflowruns")
    async with client.session.get(url) as answer:
        assert (answer.status, (await answer.json())["events"][-1]["kind"]) == (200, "ended")


async def test_what_was_cut_off_is_said(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "LIMIT", 3)
    client.stage.work()
    await opened(client)
    await ended(client)
    cut, *rest = (await page(client))["events"]
    assert (cut["kind"], cut["events"], cut["id"]) == ("cut", cut["id"], rest[0]["id"] - 1)
    assert rest[-1]["kind"] == "ended"
    assert [event for _, event in await told(client)] == [cut, *rest]
    assert [event for _, event in await told(client, str(cut["id"]))] == rest


async def test_a_context_without_a_journal_and_one_of_others_have_no_events(client: Client) -> None:
    await opened(client, "-wait", query="")
    for headers in ({}, STREAM):
        status, said = await client.ask("GET", PATH, headers=headers)
        assert (status, said["reason"]) == (404, "NoJournal")
        status, said = await client.ask("GET", "/contexts/none/events", headers=headers)
        assert (status, said["reason"]) == (404, "RunGone")
    stage = client.stage
    stage.apply(dataflow(stage.namespace, "other"))
    await stage.until(lambda: stage.reason("Accepted", "other") == "Accepted", "the other one is accepted")
    for path in (PATH, "/contexts/words.a%2Fsub%2Finner/events"):
        status, said = await client.ask("GET", path, name="other")
        assert (status, said["reason"]) == (404, "RunGone")
    status, said = await client.ask("GET", "/contexts/words.a%2Fsub%2Finner/events")
    assert (status, said["reason"]) == (404, "NoJournal")


@pytest.mark.parametrize("query", ["?after=-1", "?after=x", "?after=" + "9" * 30, "?limit=0", "?limit=10001"])
async def test_a_place_that_is_none_is_refused(client: Client, query: str) -> None:
    await opened(client, "-wait")
    status, said = await client.ask("GET", PATH + query)
    assert (status, said["reason"]) == (400, "BadQuery")
    status, said = await client.ask("GET", PATH, headers={**STREAM, "Last-Event-ID": "an id"})
    assert (status, said["reason"]) == (400, "BadQuery")


async def test_who_may_not_read_contexts_may_not_read_what_happened_to_them(client: Client) -> None:
    client.stage.api.allow = lambda user, asked: asked["verb"] != "get"
    await opened(client, "-wait")
    for headers in ({}, STREAM):
        status, said = await client.ask("GET", PATH, headers=headers)
        assert (status, said["reason"]) == (403, "Forbidden")


async def test_only_so_many_are_told_at_once_and_a_server_that_ends_lets_them_go(place: Stage) -> None:
    async with served(place, streams=1) as client:
        await opened(client, "-wait")
        timeout = aiohttp.ClientTimeout(total=60)
        async with client.session.get(client.url(PATH), headers=STREAM, timeout=timeout) as answer:
            assert await answer.content.readline() == b"id: 1\n"
            status, said = await client.ask("GET", PATH)
            assert (status, said["reason"]) == (503, "TooManyStreams")
            client.api.stop()
            assert b'"kind": "opened"' in await answer.content.read()  # to its end
