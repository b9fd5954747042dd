"""Who is held to be dead, and when: by the watcher's own clock, never before the lease is over."""

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.backends.redis.watching import Watching
from tidemill.backends.redis.workers import Beat, RedisWorkers
from tidemill_worker.beats import Beating, LeaseLost
from tidemill_worker.kernel import DeathTimer, boottime
from tidemill_worker.metrics import Metrics

LEASE = 10.0


class Watched:
    """A watcher, and whom it has expired."""

    def __init__(self) -> None:
        self.expired: list[tuple[str, str]] = []
        self.watching = Watching(LEASE, self._expire)

    async def _expire(self, worker: str, count: str) -> None:
        self.expired.append((worker, count))

    def look(self, asked: float, answered: float, **others: str) -> list[tuple[str, str]]:
        """Have it see these counts, and return whom it expires."""
        self.expired = []
        asyncio.run(self.watching.look(others, asked, answered))
        return self.expired


def test_silence_for_a_lease_is_death() -> None:
    watched = Watched()
    assert watched.look(0, 1, w="5") == []
    assert watched.look(10.9, 11, w="5") == []  # seen again at the earliest 9.9 s after it was seen at the latest
    assert watched.look(11, 12, w="5") == [("w", "5")]


def test_a_beat_begins_it_anew() -> None:
    watched = Watched()
    watched.look(0, 0, w="5")
    watched.look(9, 9, w="6")
    assert watched.look(15, 15, w="6") == []
    assert watched.look(19, 19, w="6") == [("w", "6")]


def test_a_watcher_that_has_stood_still_itself_expires_nobody_who_has_beaten_since() -> None:
    watched = Watched()
    watched.look(0, 0, w="5")
    assert watched.look(1000, 1000, w="200") == []


def test_what_somebody_has_begun_to_take_back_is_gone_on_with_at_once() -> None:
    watched = Watched()
    assert watched.look(0, 0, w="lost", v="released", u="1") == [("w", "lost"), ("v", "released")]


def test_who_is_not_heard_of_any_more_is_forgotten() -> None:
    watched = Watched()
    watched.look(0, 0, w="5")
    watched.look(1000, 1000, v="1")
    assert watched.look(1001, 1001, w="5") == []


@given(st.lists(st.tuples(st.floats(0, 8), st.floats(0, 3), st.booleans()), max_size=30))
def test_nobody_who_beats_in_time_is_ever_expired(steps: list[tuple[float, float, bool]]) -> None:
    """However long answers take and whichever looks are missed: two beats are never a lease apart."""
    watched = Watched()
    now, beaten, count = 0.0, 0.0, 0
    for wait, answer, look in steps:
        now += wait
        if now - beaten > LEASE / 6:
            count, beaten = count + 1, now
        if look:
            assert watched.look(now, now + answer, w=str(count)) == []
        now += answer


class Store:
    """A store that answers beats as a test says: a `Beat`, None, or an error; the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.counts: list[int] = []
        self.said: dict[str, Any] = {"pool": "default"}
        self.told: list[dict[str, Any] | None] = []

    async def beat(self, worker: str, count: int, *, said: dict[str, Any] | None = None) -> Beat | None:
        self.counts.append(count)
        self.told.append(said)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if answer == "silence":
            await asyncio.Event().wait()
        return cast(Beat | None, answer)


class Timer:
    """A timer that only remembers."""

    def __init__(self) -> None:
        self.armed: list[float] = []

    def arm(self, at: float) -> None:
        self.armed.append(at)


def beating(store: Store, timer: Timer) -> Beating:
    made = Beating(
        cast(RedisWorkers, store), "w", lease=8, every=0.05, margin=4, timer=cast(DeathTimer, timer),
        metrics=Metrics(), heard=lambda: None, said=lambda: dict(store.said),
    )  # fmt: skip
    made.begin(boottime())
    return made


@pytest.mark.parametrize("trouble", [OSError("reset"), TimeoutError(), "silence"])
async def test_who_gets_no_answer_says_so_before_the_kernel_has_to(trouble: Any) -> None:
    timer = Timer()
    store = Store(Beat(0, {}), Beat(0, {}), trouble)
    with pytest.raises(LeaseLost):
        await beating(store, timer).run()
    assert len(timer.armed) == 3  # for hello and for the two good beats, and never later
    assert boottime() < timer.armed[-1]


async def test_who_has_been_expired_says_so() -> None:
    with pytest.raises(LeaseLost, match="held this worker to be dead"):
        await beating(Store(Beat(0, {}), None), Timer()).run()


async def test_what_a_worker_says_of_itself_goes_along_once_when_it_has_changed() -> None:
    store = Store(Beat(0, {}), OSError("reset"), Beat(0, {}), Beat(0, {}), None)
    made = beating(store, Timer())
    store.said["missing"] = {"a:b": "gone"}
    with pytest.raises(LeaseLost):
        await made.run()
    news = {"pool": "default", "missing": {"a:b": "gone"}}
    assert store.told == [news, None, None, None, None]


async def test_news_go_again_where_they_may_be_lost() -> None:
    store = Store(OSError("reset"), Beat(0, {}), Beat(0, {}), None)
    made = beating(store, Timer())
    store.said["missing"] = {"a:b": "gone"}
    with pytest.raises(LeaseLost):
        await made.run()
    assert [said is not None for said in store.told] == [True, True, False, False]


async def test_a_beat_that_may_have_arrived_is_made_again_with_the_same_count() -> None:
    store = Store(Beat(0, {}), OSError("reset"), OSError("reset"), Beat(0, {}), None)
    with pytest.raises(LeaseLost):
        await beating(store, Timer()).run()
    assert store.counts == [1, 2, 2, 2, 3]
