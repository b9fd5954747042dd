"""A task that is cancelled while it sends to the store is cancelled, also where Python's `wait_for` swallows that."""

import asyncio
from typing import Any

import pytest

from tests.backends.redis.stores import server
from tidemill.backends.redis.heeding import SWALLOWED, heeding
from tidemill.backends.redis.urls import connection


async def test_a_task_that_is_cancelled_when_all_is_sent_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connection(server("valkey"), socket_timeout=30) as client:
        await client.ping()
        (link,) = client.connection_pool._available_connections
        sends = link._send_packed_command

        async def sent_and_cancelled(command: Any) -> None:
            await sends(command)
            asking.cancel()  # who asked sleeps still, and what it waits for is about to be done

        monkeypatch.setattr(link, "_send_packed_command", sent_and_cancelled)
        asking = asyncio.create_task(client.ping())
        with pytest.raises(asyncio.CancelledError):
            await asking
        monkeypatch.undo()
        assert await client.echo("the next reply is the next reply") == b"the next reply is the next reply"


async def test_a_time_limit_is_kept_in_that_moment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a cancellation as any other, which is taken back when the limit says so."""
    async with connection(server("valkey"), socket_timeout=30) as client:
        await client.ping()
        (link,) = client.connection_pool._available_connections
        sends = link._send_packed_command

        async def sent_too_late(command: Any) -> None:
            await sends(command)
            limit.reschedule(asyncio.get_running_loop().time() - 1)
            await asyncio.sleep(0)

        monkeypatch.setattr(link, "_send_packed_command", sent_too_late)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30) as limit:
                await client.ping()
        monkeypatch.undo()
        assert await client.ping()


def test_pythons_without_the_fault_have_the_connections_as_they_are() -> None:
    assert (heeding(object) is object) is not SWALLOWED
