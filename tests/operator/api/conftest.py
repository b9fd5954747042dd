"""The HTTP API as a client finds it: an operator that accepts objects, a store, and a server with real sockets."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.operator.stage import Stage, stage
from tests.operator.words import FOLDER, dataflow
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill_operator.api.server import Api, serving
from tidemill_operator.api.settings import ApiSettings

TOKEN = "token-of-alice"


class Client:
    """A client of the API of one data flow."""

    def __init__(self, session: aiohttp.ClientSession, api: Api, place: Stage) -> None:
        self.session = session
        self.api = api
        self.stage = place
        self.root = f"http://127.0.0.1:{api.port}"

    def url(self, path: str = "", name: str = "words", plural: str = "dataflows") -> str:
        """Return the URL of something of a data flow."""
        return f"{self.root}/v1/namespaces/{self.stage.namespace}/{plural}/{name}{path}"

    async def ask(self, method: str, path: str = "", *, name: str = "words", **request: Any) -> tuple[int, Any]:
        """Send a request, and return status and JSON of its answer; JSON lines become a list."""
        async with self.session.request(method, self.url(path, name), **request) as answer:
            if answer.content_type == "application/x-ndjson":
                return answer.status, [json.loads(line) for line in (await answer.text()).splitlines()]
            return answer.status, await answer.json()

    async def open(self, *lines: str, query: str = "", **headers: str) -> tuple[int, Any]:
        """Open a context for each line."""
        said = {"Content-Type": "application/x-ndjson", **headers}
        return await self.ask("POST", f"/contexts{query}", data="\n".join(lines).encode(), headers=said)


@pytest.fixture(scope="module")
def store_url() -> Iterator[str]:
    """The URL of a store that survives nothing."""
    with EmbeddedStore(durability="none") as store:
        yield store.url


@asynccontextmanager
async def served(place: Stage, **settings: Any) -> AsyncIterator[Client]:
    """Serve the API for a stage, with a client that is alice."""
    place.api.users[TOKEN] = "alice"
    said = {"store": place.url, "durability": "none", "host": "127.0.0.1", "port": 0, "health_port": 0, "timeout": 30}
    said.update(rate=10_000, burst=10_000)
    async with (
        serving(ApiSettings.model_validate({**said, **settings}), place.cluster) as api,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
    ):
        yield Client(session, api, place)


@pytest.fixture
async def place(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A stage on which a data flow without inputs was accepted."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    async with stage(store_url, tmp_path) as found:
        found.start()
        found.apply(dataflow(found.namespace))
        await found.until(lambda: found.reason("Accepted") == "Accepted", "it is accepted")
        yield found


@pytest.fixture
async def client(place: Stage) -> AsyncIterator[Client]:
    """A client of its API."""
    async with served(place) as found:
        yield found
