"""What was written has to be seen again, and the event loop has to turn."""

import asyncio

from tidemill_operator.canary import TICK, Canary


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def canary(clock: Clock) -> Canary:
    return Canary(patience=180, lag=5, clock=clock)


def test_what_comes_back_in_time_is_well() -> None:
    clock = Clock()
    bird = canary(clock)
    bird.wrote("leases")
    clock.now += 170
    bird._ticked = clock.now
    assert bird.late() == []
    assert bird.age == 170
    bird.saw("leases")
    clock.now += 1000
    bird._ticked = clock.now
    assert (bird.late(), bird.age) == ([], 0)


def test_what_does_not_come_back_is_named_however_often_it_was_written() -> None:
    clock = Clock()
    bird = canary(clock)
    for _ in range(19):
        bird.wrote("dataflows")
        clock.now += 10
    bird._ticked = clock.now
    assert bird.late() == ["what was written 190 s ago has not come back through the watch of dataflows"]


def test_another_watch_does_not_stand_for_it() -> None:
    clock = Clock()
    bird = canary(clock)
    bird.wrote("dataflows")
    bird.wrote("leases")
    clock.now += 181
    bird.saw("leases")
    bird._ticked = clock.now
    assert len(bird.late()) == 1


async def test_an_event_loop_that_stands_still_is_noticed() -> None:
    clock = Clock()
    bird = canary(clock)
    ticking = asyncio.create_task(bird.tick())
    await asyncio.sleep(0)
    assert bird.late() == []
    clock.now += 5 + TICK + 1
    assert bird.late() == ["the event loop is 6.0 s late"]
    ticking.cancel()
