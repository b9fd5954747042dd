"""Contexts by HTTP: opened in bulk, added to, read, listed, ended; whatever is sent twice is done once."""

import asyncio
import json
from typing import Any

import aiohttp

from tests.operator.api.conftest import Client
from tests.operator.stage import Stage
from tests.operator.words import dataflow, run


async def results(client: Client, many: int) -> dict[str, Any]:
    """Return what became of so many contexts, when they have ended."""
    found: dict[str, Any] = {}

    async def look() -> None:
        while len(found) < many:
            status, lines = await client.ask("GET", "/results")
            assert status == 200
            found.update({one["context"]: one for one in lines})

    await asyncio.wait_for(look(), 60)
    return found


async def test_a_line_is_a_context_and_its_result_is_read(client: Client) -> None:
    client.stage.work()
    status, said = await client.open(
        '{"word": "tide"}', '{"context": "two", "inputs": {"word": ["mill", "wheel"]}}', ""
    )
    assert status == 200
    first, second, end = said
    assert second == {"context": "words.two", "status": "open"}
    assert end == {"opened": 2}
    found = await results(client, 2)
    assert found[first["context"]]["result"] == {"length": [4]}
    assert found["words.two"] == {"context": "words.two", "status": "succeeded", "result": {"length": [4, 5]}}
    status, one = await client.ask("GET", "/contexts/words.two?wait=30")
    assert (status, one) == (200, found["words.two"])


async def test_many_lines_are_opened_in_one_request(client: Client) -> None:
    client.stage.work()
    status, said = await client.open(*(f'{{"context": "c{at}", "inputs": {{"word": "w{at}"}}}}' for at in range(1000)))
    assert (status, len(said), said[-1]) == (200, 1001, {"opened": 1000})
    assert len(await results(client, 1000)) == 1000
    status, counts = await client.ask("GET")
    assert counts["contexts"] == {"open": 0, "succeeded": 1000, "failed": 0}
    assert {one["instance"]: one["completed"] for one in counts["operations"]} == {"measure": 1000, "result": 1000}


async def test_what_is_sent_again_is_opened_once(client: Client) -> None:
    lines = ['{"context": "a", "inputs": {"word": "tide"}}', '{"word": "mill"}']
    first = await client.open(*lines, **{"Idempotency-Key": "k1"})
    again = await client.open(*lines, **{"Idempotency-Key": "k1"})
    assert [one["status"] for one in first[1][:-1]] == ["open", "open"]
    assert [one["status"] for one in again[1][:-1]] == ["known", "known"]
    assert [one["context"] for one in first[1][:-1]] == [one["context"] for one in again[1][:-1]]
    assert (await client.ask("GET"))[1]["contexts"]["open"] == 2


async def test_a_name_with_other_content_gets_another_name(client: Client) -> None:
    await client.open('{"context": "a", "inputs": {"word": "tide"}}')
    _, said = await client.open('{"context": "a", "inputs": {"word": "mill"}}')
    assert said[0]["context"].startswith("words.a.")
    assert (await client.ask("GET"))[1]["contexts"]["open"] == 2


async def test_a_bad_line_is_named_and_those_before_it_are_open(client: Client) -> None:
    status, said = await client.open('{"word": "tide"}', '{"word": 7}', '{"word": "mill"}')
    assert status == 200
    assert said[-1]["opened"] == 1
    assert said[-1]["refused"]["reason"] == "TypeMismatch"
    assert said[-1]["refused"]["path"].startswith("line 2")
    assert (await client.ask("GET"))[1]["contexts"]["open"] == 1


async def test_where_nothing_was_opened_the_status_says_so(client: Client) -> None:
    status, said = await client.open('{"wrod": "tide"}')
    assert (status, said["reason"]) == (400, "UnknownDefinition")
    assert "wrod" in said["message"]
    assert (await client.ask("GET"))[1]["contexts"]["open"] == 0


async def test_inputs_are_added_to_a_context_that_is_held_open(client: Client) -> None:
    client.stage.work()
    _, said = await client.open('{"context": "a", "inputs": {"word": "tide"}}', query="?hold=true")
    name = said[0]["context"]
    assert await client.ask("POST", f"/contexts/{name}/inputs", json={"word": ["mill", "w"]}) == (
        200,
        {"context": name, "new": 2},
    )
    status, page = await client.ask("GET", "/contexts?state=open")
    assert page["contexts"] == [name]
    assert (await client.ask("POST", f"/contexts/{name}/close"))[0] == 200
    _, one = await client.ask("GET", f"/contexts/{name}?wait=30")
    assert one["result"] == {"length": [4, 4, 1]}
    status, refused = await client.ask("POST", f"/contexts/{name}/inputs", json={"word": "late"})
    assert (status, refused["reason"]) in ((409, "RunClosed"), (404, "RunGone"))


async def test_a_context_is_cancelled(client: Client) -> None:
    _, said = await client.open('{"word": "-wait"}')
    name = said[0]["context"]
    assert (await client.ask("POST", f"/contexts/{name}/cancel"))[0] == 200
    _, one = await client.ask("GET", f"/contexts/{name}?wait=30")
    assert (one["status"], one["failure"]["reason"]) == ("failed", "Cancelled")


async def test_a_failure_says_what_failed_and_nothing_of_its_traceback(client: Client) -> None:
    client.stage.work()
    _, said = await client.open('{"word": "bad"}')
    _, one = await client.ask("GET", f"/contexts/{said[0]['context']}?wait=30")
    assert one["status"] == "failed"
    assert one["failure"]["instance"] == "measure"
    assert "a bad word" in one["failure"]["message"]
    assert "Traceback" not in json.dumps(one)
    _, counts = await client.ask("GET")
    assert [failure["context"] for failure in counts["failures"]] == [said[0]["context"]]


async def test_contexts_of_others_are_not_there(client: Client) -> None:
    stage = client.stage
    stage.apply(dataflow(stage.namespace, "other"))
    await stage.until(lambda: stage.reason("Accepted", "other") == "Accepted", "the other one is accepted")
    _, said = await client.open('{"context": "a", "inputs": {"word": "-wait"}}')
    name = said[0]["context"]
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/close"), ("POST", "/inputs")):
        body = {"json": {"word": "x"}} if path == "/inputs" else {}
        status, refused = await client.ask(method, f"/contexts/{name}{path}", name="other", **body)
        assert (status, refused["reason"]) == (404, "RunGone"), path
    assert (await client.ask("GET", f"/contexts/{name}"))[1]["status"] == "open"


async def test_a_data_flow_is_suspended_and_resumed_through_its_object(client: Client) -> None:
    assert (await client.ask("POST", "/suspend")) == (200, {"name": "words", "suspend": True})
    assert client.stage.get()["spec"]["suspend"] is True
    await client.stage.until(lambda: client.stage.reason("Suspended") == "Suspended", "it is suspended")
    assert (await client.ask("POST", "/resume"))[0] == 200
    assert client.stage.get()["spec"]["suspend"] is False
    status, said = await client.ask("POST", "/cancel")
    assert status == 400
    assert "DataFlowRun" in said["message"]


async def test_a_run_has_contexts_of_its_own_and_can_be_cancelled(client: Client) -> None:
    stage = client.stage
    stage.apply(run(stage.namespace, "again", inputs={"x": ["-wait"]}))
    await stage.until(lambda: stage.reason("Accepted", "again", "dataflowruns") == "Accepted", "the run is accepted")

    async def ask(method: str, path: str = "") -> tuple[int, Any]:
        async with client.session.request(method, client.url(path, "again", "dataflowruns")) as answer:
            return answer.status, await answer.json()

    open_ = {"open": 1, "succeeded": 0, "failed": 0}
    await stage.until(lambda: _contexts(stage).get("open") == 1, "its context is open")
    assert (await ask("GET"))[1]["contexts"] == open_
    assert (await ask("POST", "/cancel"))[0] == 200
    assert stage.get("again", "dataflowruns")["spec"]["cancel"] is True


async def test_progress_is_told_as_it_changes_and_a_client_that_comes_back_hears_only_news(client: Client) -> None:
    async def event(headers: dict[str, str]) -> tuple[str, Any]:
        timeout = aiohttp.ClientTimeout(total=60)
        async with client.session.get(client.url("/events"), headers=headers, timeout=timeout) as answer:
            assert answer.content_type == "text/event-stream"
            number = ""
            async for raw in answer.content:
                field, _, value = raw.decode().rstrip("\n").partition(": ")
                if field == "id":
                    number = value
                if field == "data":
                    return number, json.loads(value)
        raise AssertionError("the server has ended it")

    number, said = await event({})
    assert said["contexts"]["open"] == 0
    waiting = asyncio.create_task(event({"Last-Event-ID": number}))
    await client.open('{"word": "-wait"}')
    later, said = await waiting
    assert later != number
    assert said["contexts"]["open"] == 1


def _contexts(stage: Stage) -> dict[str, int]:
    found: dict[str, int] = (stage.get("again", "dataflowruns").get("status") or {}).get("contexts") or {}
    return found
