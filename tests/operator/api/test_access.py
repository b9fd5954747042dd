"""Who may do what: the API server is asked, its answer is used again for a while, and nobody may ask without end."""

from typing import Any

import aiohttp
import pytest

from tests.operator.api.conftest import TOKEN, Client, served
from tests.operator.stage import Stage


def reviews(client: Client, what: str) -> list[Any]:
    return [body for _, path, body in client.stage.api.log if path.endswith(what)]


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer somebody else's", "bearer  "])
async def test_without_a_token_that_is_known_nothing_is_said(client: Client, header: str) -> None:
    headers = {"Authorization": header}
    async with aiohttp.ClientSession() as session, session.get(client.url(), headers=headers) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert (await answer.json())["reason"] == "Unauthenticated"


async def test_a_right_that_is_missing_is_named(client: Client) -> None:
    client.stage.api.allow = lambda user, asked: asked["verb"] == "get"
    assert (await client.ask("GET"))[0] == 200
    status, said = await client.open('{"word": "x"}')
    assert (status, said["reason"]) == (403, "Forbidden")
    assert said["message"] == (
        f'"alice" may not create dataflows.tidemill.alt/contexts of "words" in the namespace "{client.stage.namespace}"'
    )
    asked = reviews(client, "subjectaccessreviews")[-1]["spec"]
    assert asked["user"] == "alice"
    assert asked["groups"] == ["system:authenticated"]
    assert asked["resourceAttributes"] == {
        "group": "tidemill.alt", "resource": "dataflows", "subresource": "contexts",
        "verb": "create", "namespace": client.stage.namespace, "name": "words",
    }  # fmt: skip


async def test_who_may_not_ask_does_not_learn_what_is_there(client: Client) -> None:
    client.stage.api.allow = lambda user, asked: False
    there, absent = await client.ask("GET"), await client.ask("GET", name="nothing")
    assert there[0] == absent[0] == 403


async def test_an_answer_is_used_again(client: Client) -> None:
    for _ in range(5):
        await client.ask("GET")
    assert len(reviews(client, "tokenreviews")) == 1
    assert len(reviews(client, "subjectaccessreviews")) == 1


async def test_a_token_has_to_be_for_the_audiences_that_are_asked_for(place: Stage) -> None:
    async with served(place, audiences=["tidemill"]) as client:
        assert (await client.ask("GET"))[0] == 200
        assert reviews(client, "tokenreviews")[-1]["spec"] == {"token": TOKEN, "audiences": ["tidemill"]}


async def test_who_asks_too_often_is_told_to_wait(place: Stage) -> None:
    async with served(place, rate=0.001, burst=3) as client:
        statuses = [(await client.ask("GET"))[0] for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        async with client.session.get(client.url()) as answer:
            assert answer.headers["Retry-After"] == "1"


async def test_an_api_server_that_does_not_answer_is_no_yes(client: Client) -> None:
    client.stage.api.refuse = lambda verb, path: 500 if path.endswith("reviews") else None
    status, said = await client.ask("GET")
    assert (status, said["reason"]) == (503, "AccessUnknown")


async def test_web_pages_of_others_may_not_ask(client: Client) -> None:
    status, said = await client.ask("GET", headers={"Origin": "https://elsewhere.example"})
    assert (status, said["reason"]) == (403, "CrossOrigin")
