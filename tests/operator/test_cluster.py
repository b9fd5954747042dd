"""Requests to an API server: what is refused has a reason, what is hostile a limit, and who may not write does not."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio.client.configuration import Configuration

from tests.operator.fake import FakeAPI, fake_api
from tidemill.errors import InvalidDocument, TidemillError
from tidemill_operator import cluster as module
from tidemill_operator.cluster import Cluster, ClusterError, path_of

ONE = path_of("configmaps", "ns", "one")


@pytest.fixture
async def place() -> AsyncIterator[tuple[FakeAPI, Cluster]]:
    async with fake_api() as found:
        api, _ = found
        api.put(
            "configmaps", {"metadata": {"name": "one", "namespace": "ns", "labels": {"a": "b"}}, "data": {"x": "y"}}
        )
        yield found


def test_paths() -> None:
    assert path_of("dataflows", "ns", "a", "status") == "/apis/tidemill.alt/v1alpha1/namespaces/ns/dataflows/a/status"
    assert path_of("deployments", "") == "/apis/apps/v1/deployments"
    assert path_of("configmaps", "ns", "../a") == "/api/v1/namespaces/ns/configmaps/..%2Fa"


async def test_objects_are_read_whole_or_without_their_words(place: tuple[FakeAPI, Cluster]) -> None:
    _, cluster = place
    assert (await cluster.get(ONE))["data"] == {"x": "y"}
    assert (await cluster.metadata(ONE))["labels"] == {"a": "b"}
    assert await cluster.exists(ONE)
    assert not await cluster.exists(path_of("configmaps", "ns", "two"))
    found = [one async for one in cluster.each(path_of("configmaps", "ns"), labels="a=b")]
    assert [one["metadata"]["name"] for one in found] == ["one"]
    assert [one async for one in cluster.each(path_of("configmaps", "ns"), labels="a=c")] == []


async def test_what_is_refused_says_why(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place
    with pytest.raises(ClusterError) as caught:
        await cluster.create(path_of("configmaps", "ns"), {"metadata": {"name": "one", "namespace": "ns"}})
    assert (caught.value.status, caught.value.reason) == (409, "AlreadyExists")
    with pytest.raises(ClusterError) as caught:
        await cluster.merge(ONE, {"metadata": {"resourceVersion": "0"}})
    assert caught.value.reason == "Conflict"
    api.refuse = lambda verb, path: 403
    with pytest.raises(ClusterError, match="refused by the test") as caught:
        await cluster.exists(ONE)
    assert caught.value.status == 403


async def test_an_api_server_that_is_away_says_so() -> None:
    configuration = Configuration()
    configuration.host = "http://127.0.0.1:1"
    cluster = Cluster(configuration)
    seen: list[tuple[str, int]] = []
    cluster.done = lambda verb, status: seen.append((verb, status))
    with pytest.raises(ClusterError, match="does not answer") as caught:
        await cluster.get(ONE)
    assert (caught.value.reason, caught.value.status, seen) == ("Unreachable", 0, [("GET", 0)])
    await cluster.close()


async def test_what_nests_too_deep_is_refused_and_its_metadata_can_be_read(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place
    deep = '{"a":' * 9000 + "1" + "}" * 9000
    api.raw["configmaps", "ns", "one"] = f'{{"metadata":{{"name":"one"}},"data":{deep}}}'.encode()
    with pytest.raises(InvalidDocument) as caught:
        await cluster.get(ONE)
    assert caught.value.reason == "TooDeep"
    assert (await cluster.metadata(ONE))["name"] == "one"


async def test_an_answer_without_end_is_given_up(
    place: tuple[FakeAPI, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    api, cluster = place
    monkeypatch.setattr(module, "PAGE", 0)
    api.raw["configmaps", "ns", "one"] = json.dumps({"data": "x" * 300_000}).encode()
    with pytest.raises(ClusterError, match="more than 0 bytes"):
        await cluster.get(ONE)


async def test_who_does_not_hold_the_lease_writes_nothing(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place

    def guard() -> None:
        raise TidemillError("no", reason="LeaseLost")

    cluster.guard = guard
    writes = [
        cluster.merge(ONE, {}),
        cluster.apply(ONE, {}),
        cluster.delete(ONE),
        cluster.replace(ONE, {}),
        cluster.create(path_of("configmaps", "ns"), {}),
    ]
    for write in writes:
        with pytest.raises(TidemillError, match="no"):
            await write
    await cluster.get(ONE)
    assert [verb for verb, _, _ in api.log] == ["GET"]


async def test_deleting_what_is_gone_or_another_by_now_is_no_error(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place
    await cluster.delete(ONE, uid="somebody else's")
    assert api.get("configmaps", "ns", "one") is not None
    await cluster.delete(ONE)
    await cluster.delete(ONE)
    assert api.get("configmaps", "ns", "one") is None
    api.refuse = lambda verb, path: 500
    with pytest.raises(ClusterError):
        await cluster.delete(ONE)


async def test_a_token_is_sent_and_read_again_as_it_is_replaced() -> None:
    async with fake_api() as (_, cluster):
        tokens = ["bearer one", "bearer two"]
        seen: list[str | None] = []

        configuration: Any = cluster._configuration

        def refresh(_: object) -> None:
            configuration.api_key["BearerToken"] = tokens[min(len(seen), 1)]

        configuration.api_key["BearerToken"] = "bearer zero"
        configuration.refresh_api_key_hook = refresh
        async with cluster.session() as session:
            for _ in range(2):
                async with session.get(f"{cluster.server}/api/v1") as response:
                    seen.append(response.request_info.headers.get("Authorization"))
        assert seen == tokens
