"""Input sets are remembered by name and content, whoever dies meanwhile."""

from collections.abc import AsyncIterator

import pytest

from tests.backends.redis.beside import Corner, corner, opened
from tests.contract.shapes import A, flow, operation
from tidemill.backends.redis.openings import Claim, RedisOpenings
from tidemill.backends.redis.recovery import RedisRecovery
from tidemill.plan.compile import compile_plan

ONE, OTHER = "1" * 64, "2" * 64


@pytest.fixture
async def place() -> AsyncIterator[Corner]:
    """A corner of a server."""
    async with corner() as found:
        yield found


async def test_the_first_content_of_a_name_has_it_for_ever(place: Corner) -> None:
    openings = RedisOpenings(place.backend().client)
    assert await openings.claim("g", []) == []
    assert await openings.claim("g", [("a", ONE), ("b", OTHER)]) == [Claim(True, False), Claim(True, False)]
    assert await openings.claim("g", [("a", OTHER), ("a", ONE)]) == [Claim(False, False), Claim(True, False)]
    assert await openings.claim("other", [("a", OTHER)]) == [Claim(True, False)]
    await openings.forget("g")
    assert await openings.claim("g", [("a", OTHER)]) == [Claim(True, False)]
    await openings.forget("g")
    await openings.forget("other")


async def test_what_was_opened_is_known_by_its_content(place: Corner) -> None:
    openings = RedisOpenings(place.backend().client)
    await openings.claim("g", [("a", ONE)])
    await openings.opened("g", [("a", ONE)])
    await openings.opened("g", [])
    assert await openings.claim("g", [("a", ONE), ("a", OTHER)]) == [Claim(True, True), Claim(False, False)]
    await openings.forget("g")


async def test_contexts_are_known_with_their_groups(place: Corner) -> None:
    backend = place.backend(silent=True)
    openings = RedisOpenings(backend.client)
    assert await openings.groups_of([]) == []
    plan = compile_plan(flow(operation("use", {"a": A})))
    await opened(backend, "alone", plan=plan)
    await backend.publish(plan)
    await backend.begin("together", plan, [], lambda raw: None, group="g")
    assert await openings.groups_of(["alone", "together", "nobody"]) == ["", "g", ""]


async def test_a_store_is_given_one_word_and_knows_its_epoch(place: Corner) -> None:
    recovery = RedisRecovery(place.backend().client)
    word = await recovery.incarnation()
    assert len(word) == 16
    assert await recovery.incarnation() == word
    assert await recovery.epoch() == 0
    server = await recovery.server()
    assert server.run and server.history
    await place.backend().client.redis.delete(place.backend().client.key("incarnation"))
