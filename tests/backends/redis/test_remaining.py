"""How long it will take is told once workers have measured what is left."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.backends.redis.beside import USE, Corner, corner, opened
from tidemill.backends.redis import remaining
from tidemill.backends.redis.measures import RedisMeasures
from tidemill.backends.redis.overview import Overview, RedisOverview
from tidemill.backends.redis.remaining import Remaining
from tidemill.backends.redis.workers import RedisWorkers
from tidemill.cli.overviews import _summary, report
from tidemill.metrics.measured import SECONDS
from tidemill.metrics.series import Recorder
from tidemill.runtime.measuring import short


@pytest.fixture
async def place() -> AsyncIterator[Corner]:
    """A corner of a server."""
    async with corner() as found:
        yield found


def measured(*seconds: float) -> list[list[object]]:
    recorder = Recorder()
    for each in seconds:
        recorder.scope(short(USE.digest), "use").observe(SECONDS, each)
    return recorder.take()


async def test_what_is_ready_takes_what_calls_have_taken(place: Corner, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = place.backend(silent=True)
    await opened(backend, "one", "two", "three", plan=USE)
    tell = Remaining(backend.client)

    async def looked() -> Overview:
        overview = await RedisOverview(backend.client).look()
        await tell.tell(overview)
        return overview

    await RedisWorkers(backend.client).hello("worker", {"pool": "default", "runners": 1, "slots": 2})
    overview = await looked()
    assert (overview.slots, overview.left) == (2, None)
    assert "left" not in _summary(overview)[0]
    await RedisMeasures(backend.client).add(measured(30, 50))
    assert (await looked()).left is None  # what was read a moment ago is not read again
    monkeypatch.setattr(remaining, "FRESH", 0)
    overview = await looked()
    assert overview.left == pytest.approx(3 * 40 / 2)
    assert _summary(overview)[0].endswith("; about 1 min 0 s left")
    assert report(overview)["seconds_left"] == overview.left


async def test_where_nobody_works_or_nothing_is_left_nothing_is_told(place: Corner) -> None:
    backend = place.backend(silent=True)
    overview = await RedisOverview(backend.client).look()
    await Remaining(backend.client).tell(overview)
    assert overview.left is None
    await opened(backend, "one", plan=USE)
    await RedisMeasures(backend.client).add(measured(30))
    overview = await RedisOverview(backend.client).look()
    await Remaining(backend.client).tell(overview)
    assert (overview.slots, overview.left) == (0, None)
