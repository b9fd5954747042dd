"""How many workers there are to be: enough at once, fewer only after a while, and never back and forth."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill_operator.decide.scaling import MOST, STEP, Scale, Trend, fixed, scale
from tidemill_operator.kinds.dataflow import Optimize
from tidemill_operator.kinds.pools import Pool

COOLDOWN = 60.0


def pool(**said: Any) -> Pool:
    scaling = {"targetBacklogSeconds": 30, "cooldownSeconds": int(COOLDOWN)}
    return Pool.model_validate({"name": "default", "scaling": scaling, **said})


def wanted(backlog: int, current: int = 0, *, said: dict[str, Any] | None = None, **more: Any) -> Scale:
    given = {"busy": 0, "seconds": None, "trend": Trend(), "now": 1000.0, **more}
    return scale(pool(**(said or {})), current, backlog=backlog, **given)


@pytest.mark.parametrize(
    ("backlog", "seconds", "workers"),
    [
        (0, None, 0),
        (1, None, 1),
        (64, None, 1),
        (65, None, 2),
        (640_000, None, 4),  # a step at a time
        (1, 0.01, 1),
        (3000, 0.01, 1),
        (3001, 0.01, 2),
        (9000, 0.01, 3),
    ],
)
def test_a_pool_that_has_no_worker_gets_as_many_as_its_backlog_needs(
    backlog: int, seconds: float | None, workers: int
) -> None:
    assert wanted(backlog, seconds=seconds).replicas == workers


def test_bounds_are_kept() -> None:
    assert wanted(0, said={"minReplicas": 2}).replicas == 2
    assert wanted(10**6, 9, said={"maxReplicas": 10}).replicas == 10
    assert wanted(10**6, 9).replicas == MOST
    assert wanted(10**6, 30).replicas == MOST  # above it at once: somebody has lowered it
    limited = Optimize.model_validate({"constraints": {"maxWorkers": 3}})
    assert wanted(10**6, 2, optimize=limited).replicas == 3


@pytest.mark.parametrize(("memory", "workers"), [("512Mi", 4), ("1Gi", 2), ("2147483648", 1), ("odd", 6)])
def test_memory_is_a_bound_where_it_is_known(memory: str, workers: int) -> None:
    said = {"resources": {"requests": {"memory": memory}}}
    limits = Optimize.model_validate({"goal": "memory", "constraints": {"maxMemoryMebibytes": 2048}})
    assert wanted(10**6, 2, said=said, optimize=limits).replicas == workers


def test_what_is_optimized_says_how_long_a_backlog_may_take() -> None:
    def workers(goal: str) -> int:
        return wanted(9000, 8, seconds=0.01, optimize=Optimize.model_validate({"goal": goal})).trend.wanted[-1][1]

    assert (workers("speed"), workers("latency"), workers("power"), workers("memory")) == (3, 10, 1, 1)
    short = Optimize.model_validate({"constraints": {"maxLatencySeconds": 15}})
    assert wanted(9000, 8, seconds=0.01, optimize=short).trend.wanted[-1][1] == 6


def test_workers_are_added_in_steps_with_a_pause() -> None:
    first = wanted(10**6, said={"maxReplicas": 100})
    assert (first.replicas, first.reason) == (4, "Backlog")
    soon = wanted(10**6, 4, said={"maxReplicas": 100}, trend=first.trend, now=1001.0)
    assert (soon.replicas, soon.reason, soon.again) == (4, "JustAdded", STEP - 1)
    later = wanted(10**6, 4, said={"maxReplicas": 100}, trend=first.trend, now=1000 + STEP)
    assert later.replicas == 8


def test_workers_stay_for_a_cooldown_and_go_then() -> None:
    said, trend = {"maxReplicas": 10}, Trend()
    made = wanted(640, 10, said=said, now=0.0)
    for at in range(1, 59):
        made = wanted(0, 10, said=said, trend=made.trend, now=float(at))
        assert (made.replicas, made.reason) == (10, "Cooldown")
        assert made.again is not None and 0 < made.again <= COOLDOWN
    made = wanted(0, 10, said=said, trend=made.trend, now=COOLDOWN + 11)
    assert (made.replicas, made.reason) == (0, "Idle")
    assert trend == Trend()


def test_whoever_remembers_nothing_begins_the_cooldown_anew() -> None:
    made = wanted(0, 5, now=10**6)
    assert (made.replicas, made.reason) == (5, "Cooldown")


def test_nobody_goes_to_nothing_while_something_is_with_workers() -> None:
    made = wanted(0, 3, busy=2, now=0.0)
    for at in range(0, 1000, 10):
        made = wanted(0, made.replicas, busy=2, trend=made.trend, now=float(at))
        assert made.replicas >= 1
    assert made.replicas == 1


@given(st.lists(st.tuples(st.floats(0.5, 30), st.integers(0, 2000), st.integers(0, 200)), max_size=60))
def test_nothing_flaps(steps: list[tuple[float, int, int]]) -> None:
    """After workers were added none goes for a cooldown, and what is remembered is little."""
    now, current, trend, added = 0.0, 0, Trend(), -math.inf
    for passed, backlog, busy in steps:
        now += passed
        made = wanted(backlog, current, busy=busy, trend=trend, now=now)
        assert 0 <= made.replicas <= MOST
        if made.replicas < current:
            assert now - added >= COOLDOWN
        if made.replicas > current:
            added = now
        assert len(made.trend.wanted) <= 20
        assert made.replicas >= 1 or not (backlog or busy)
        current, trend = made.replicas, made.trend


@given(st.integers(0, 5000), st.integers(0, 100), st.one_of(st.none(), st.floats(0.001, 10)))
def test_what_stays_the_same_comes_to_rest(backlog: int, busy: int, seconds: float | None) -> None:
    now, current, trend, seen = 0.0, 5, Trend(), []
    for _ in range(60):
        now += 5
        made = wanted(backlog, current, busy=busy, seconds=seconds, trend=trend, now=now)
        current, trend = made.replicas, made.trend
        seen.append(current)
    assert len(set(seen[20:])) == 1


@pytest.mark.parametrize(
    ("said", "scaled", "workers"),
    [({}, None, None), ({"replicas": 3}, None, 3), ({}, 2, 2), ({"replicas": 3}, 2, 2), ({"replicas": 0}, None, 0)],
)
def test_a_fixed_number_wins(said: dict[str, Any], scaled: int | None, workers: int | None) -> None:
    assert fixed(pool(**said), scaled) == workers
    assert fixed(pool(**{**said, "name": "other"}), scaled) == said.get("replicas")
