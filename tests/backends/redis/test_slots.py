"""Connections that look for the node of a cluster that has the slot; real ones are in `tests/worker/test_slots.py`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from redis.asyncio.connection import SSLConnection
from redis.exceptions import ConnectionError

from tests.backends.redis.servers import free_port
from tidemill.backends.redis.slots import HOPS, Whereabouts
from tidemill.backends.redis.urls import connection


@contextlib.asynccontextmanager
async def node(*replies: str) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Listen as a node that answers the keys that it is asked for with ``replies``, the last one again and again; give
    its port and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line.strip() in (b"EXISTS", b"FCALL"):
                asked.append(line.strip())
                writer.write(replies[min(len(asked), len(replies)) - 1].format(port=port).encode() + b"\r\n")
            elif line.strip() == b"CLIENT":  # how the library introduces itself
                writer.write(b"+OK\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield port, asked
    finally:
        server.close()


def test_who_had_it_last_is_asked_first() -> None:
    where = Whereabouts([("a", 1), ("b", 2)], "{t}:serial")
    assert where.places() == [("a", 1), ("b", 2)]
    where.found("b", 2)
    assert where.places() == [("b", 2), ("a", 1)]
    where.found("c", 3)
    assert where.places() == [("c", 3), ("a", 1), ("b", 2)]


async def test_nodes_that_send_each_other_are_not_believed_for_ever() -> None:
    async with node("-MOVED 7 127.0.0.1:{port}") as (port, asked):
        client = connection(f"redis+cluster://127.0.0.1:{port}", tag="{t}", socket_timeout=60)
        with pytest.raises(ConnectionError, match="send each other for the slot of {t}:serial"):
            await client.exists("{t}:serial")
        await client.aclose()
    assert len(asked) == HOPS


async def test_a_node_that_is_not_there_is_passed_over() -> None:
    async with node(":0") as (port, _):
        client = connection(f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{port}", tag="{t}", socket_timeout=60)
        assert await client.exists("{t}:serial") == 0
        await client.aclose()


@pytest.mark.parametrize(
    "said",
    [
        "-MOVED 7 127.0.0.1:{port}",
        "-ASK 7 127.0.0.1:{port}",
        "-READONLY You can't write against a read only replica.",
        "-CLUSTERDOWN The cluster is down",
        "-TRYAGAIN Multiple keys request during rehashing of slot",
    ],
)
async def test_a_connection_that_leads_elsewhere_is_lost_and_the_next_one_looks_again(said: str) -> None:
    async with node(":0", said, ":1") as (port, asked):
        client = connection(f"redis+cluster://127.0.0.1:{port}", tag="{t}", socket_timeout=60)
        with pytest.raises(ConnectionError, match="has not the slot any more"):
            await client.fcall("work", 1, "{t}")
        assert await client.fcall("work", 1, "{t}") == 1
        await client.aclose()
    assert asked == [b"EXISTS", b"FCALL", b"EXISTS", b"FCALL"]


async def test_the_option_ssl_asks_for_tls() -> None:
    plain, secure = (connection(f"redis+cluster://localhost{more}", tag="{t}") for more in ("", "?ssl=true"))
    assert not issubclass(plain.connection_pool.connection_class, SSLConnection)
    assert issubclass(secure.connection_pool.connection_class, SSLConnection)
