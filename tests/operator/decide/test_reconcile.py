"""What a pass does about what it has seen, and that whoever dies between two actions loses nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operator.decide.scenes import META, NOW, POLICY, dataflow, pool, run, stored
from tidemill_operator.decide import reconcile as do
from tidemill_operator.decide.reconcile import Decision, Recalled, decide
from tidemill_operator.decide.resources import APPLIED
from tidemill_operator.decide.statuses import time_of
from tidemill_operator.kinds.dataflow import DataFlowSpec
from tidemill_operator.kinds.pools import Pool
from tidemill_operator.names import CLEANUP
from tidemill_operator.observed import Deployed, Finding, Flow, Given, Observed, PoolSeen, Stored

AWAY = Finding("StoreUnavailable", "away")
LEAVING = replace(META, deleted=NOW - 5)


def decided(seen: Observed, recalled: Recalled | None = None, clock: float = 100.0) -> Decision:
    return decide(seen, POLICY, recalled or Recalled(), clock)


def kinds(seen: Observed, recalled: Recalled | None = None) -> list[str]:
    return [type(action).__name__ for action in decided(seen, recalled).actions]


def settled(seen: Observed) -> Observed:
    """Return what is seen once all of it has been done, and said in the status."""
    for _ in range(5):
        made = decided(seen)
        for action in made.actions:
            if isinstance(action, do.Apply):
                digest = action.manifest["metadata"]["annotations"][APPLIED]
                deployed = Deployed("words-default", digest, 1, 1, 1)
                seen = replace(seen, pools=(replace(seen.pools[0], deployed=deployed),))
        if made.status is not None:
            seen = replace(seen, status=dict(made.status))
    return seen


CASES: dict[str, tuple[Observed, list[str]]] = {
    "new": (
        dataflow(
            meta=replace(META, finalizers=()), published=False, given=Given(2, False), pools=(pool(deployed=None),)
        ),
        ["AddFinalizer", "Publish", "Open", "Apply"],
    ),
    "done": (settled(dataflow()), []),
    "wrong": (dataflow(flow=None, findings=(Finding("InvalidFlow", "no"),), pools=()), []),
    "no store, but pods all the same": (dataflow(stored=None, absent=AWAY, published=False), ["Apply"]),
    "suspend": (settled(dataflow({"suspend": True})), ["Suspend"]),
    "suspended": (settled(dataflow({"suspend": True}, stored=stored(2, state="suspended"))), []),
    "resume": (settled(dataflow(stored=stored(2, state="suspended"))), ["Resume"]),
    "cancel": (run({"cancel": True}), ["Cancel"]),
    "cancelled": (run({"cancel": True}, stored=stored(0, 0, 2, state="cancelled")), []),
    "a run has no workers of its own": (run(pools=(pool(deployed=None),)), []),
    "somebody else's Deployment": (dataflow(pools=(pool(deployed=Deployed("w", ours=False)),)), []),
    "fewer workers": (
        dataflow({"replicas": 2}, pools=(pool(deployed=Deployed("words-default", desired=5)),)),
        ["Weigh", "Apply"],
    ),
    "no workers": (dataflow({"replicas": 0}, pools=(pool(deployed=Deployed("words-default", desired=5)),)), ["Apply"]),
    "a pool is gone": (settled(dataflow(stray=("words-old",))), ["Undeploy"]),
    "leaving": (dataflow(meta=LEAVING), ["Drop", "RemoveFinalizer"]),
    "leaving without a store": (dataflow(meta=LEAVING, absent=AWAY), []),
    "left for too long": (dataflow(meta=replace(LEAVING, deleted=NOW - 601), absent=AWAY), ["Post", "RemoveFinalizer"]),
    "left": (dataflow(meta=replace(LEAVING, finalizers=("other",))), []),
    "the state is lost": (
        dataflow(stored=stored(), status={"contexts": {"total": 2}, "observedGeneration": 3}),
        ["Apply"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_to_be_done(name: str) -> None:
    seen, wanted = CASES[name]
    assert kinds(seen) == wanted


def test_the_end_of_an_object_never_waits_for_ever() -> None:
    early = decided(dataflow(meta=LEAVING, absent=AWAY))
    assert early.after is not None and 0 < early.after <= 5
    late = decided(dataflow(meta=replace(LEAVING, deleted=NOW - 601), absent=AWAY))
    assert isinstance(late.actions[0], do.Post)
    assert late.actions[0].reason == "StoreNotCleaned"
    assert late.after is None


def test_nothing_is_written_when_nothing_has_changed() -> None:
    made = decided(settled(dataflow()))
    assert (made.status, made.posts, made.actions) == (None, (), ())


def test_counts_are_written_once_in_two_seconds_and_conditions_at_once() -> None:
    seen = settled(dataflow())
    more = replace(seen, stored=stored(1, 1))
    recalled = Recalled(written=99.0)
    waits = decided(more, recalled, 100.0)
    assert waits.status is None
    assert waits.after is not None and waits.after <= 1.0
    assert decided(more, recalled, 101.0).status is not None
    done = decided(replace(seen, stored=stored(0, 2)), Recalled(written=99.9), 100.0)
    assert done.status is not None
    assert [post.reason for post in done.posts] == ["Succeeded"]
    assert done.recalled.written == 100.0


def test_events_are_posted_for_what_was_not_so_before() -> None:
    first = decided(dataflow())
    assert [(post.type, post.reason) for post in first.posts] == [
        ("Normal", "Accepted"),
        ("Normal", "Running"),
    ]
    seen = settled(dataflow())
    lost = decided(replace(seen, pools=(pool(serving=0, backlog=2),)))
    assert [(post.type, post.reason) for post in lost.posts] == [("Warning", "NoWorkers")]


def test_runs_are_looked_at_soon_and_then_less_often() -> None:
    seen, afters, recalled = settled(dataflow()), [], Recalled()
    for _ in range(8):
        made = decided(seen, recalled)
        recalled = made.recalled
        afters.append(made.after or 0.0)
    assert afters == sorted(afters)
    assert afters[0] <= 0.2
    assert afters[-1] == POLICY.progress
    over = decided(settled(dataflow(stored=stored(0, 2))))
    assert over.after == POLICY.refresh


def test_its_time_is_over_some_seconds_after_it_ended() -> None:
    seen = settled(dataflow({"ttlSecondsAfterFinished": 60}, stored=stored(0, 2)))
    young = decided(seen)
    assert young.after == 60
    assert not young.actions
    old = decided(replace(seen, now=NOW + 61))
    assert old.actions == (do.DeleteObject("DataFlow", "words", "uid-1"),)


def test_the_oldest_runs_go_beyond_the_history() -> None:
    runs = (("r1", "u1", True), ("r2", "u2", False), ("r3", "u3", True), ("r4", "u4", True))
    seen = settled(dataflow({"historyLimits": {"succeededRuns": 1, "failedRuns": 1}}, runs=runs))
    assert decided(seen).actions == (
        do.DeleteObject("DataFlowRun", "r1", "u1"),
        do.DeleteObject("DataFlowRun", "r3", "u3"),
    )


def test_work_asks_for_workers_and_scale_wins_over_work() -> None:
    free = Pool(name="default")
    backlog = PoolSeen(free, ("words:measure",), Deployed("words-default"), backlog=100)
    [action] = decided(dataflow(pools=(backlog,))).actions
    assert isinstance(action, do.Apply)
    assert (action.manifest["spec"]["replicas"], action.change) == (2, 2)
    [action] = decided(dataflow({"replicas": 5}, pools=(backlog,))).actions
    assert isinstance(action, do.Apply)
    assert action.manifest["spec"]["replicas"] == 5


def test_what_was_finished_is_not_lost_when_the_store_is_emptied() -> None:
    seen = settled(dataflow(stored=stored(0, 2)))
    assert decided(replace(seen, stored=stored())).status is None


def test_what_was_not_finished_is_lost_and_nothing_is_opened_again() -> None:
    seen = replace(settled(dataflow()), stored=stored(), given=Given(2, False))
    made = decided(seen)
    assert not made.actions
    assert made.status is not None
    found = {one["type"]: one["reason"] for one in made.status["conditions"]}
    assert found["Succeeded"] == "StateLost"
    edited = replace(seen, meta=replace(META, generation=4))
    assert [type(action) for action in decided(edited).actions] == [do.Open]


# -- whoever dies between two actions ----------------------------------------------------------------------------------


@dataclass
class World:
    """A cluster and a store in a few words, on which actions are carried out."""

    spec: dict[str, Any]
    sets: int
    workers: bool = True
    finalizers: tuple[str, ...] = ()
    deleted: bool = False
    gone: bool = False
    published: bool = False
    opened: int = 0
    state: str = "active"
    dropped: bool = False
    deployed: Deployed | None = None
    status: dict[str, Any] = field(default_factory=dict)
    writes: int = 0
    posts: list[str] = field(default_factory=list)

    def seen(self, away: bool) -> Observed:
        spec = DataFlowSpec.model_validate(self.spec)
        meta = replace(META, finalizers=self.finalizers, deleted=NOW if self.deleted else None)
        if away:
            return Observed(
                meta, self.status, NOW, spec, flow=Flow("d", "words"), absent=AWAY, pools=self._pools(spec, False)
            )
        ended = self.opened if self.workers and self.state == "active" else 0
        kept = Stored("here", self.state, {"open": self.opened - ended, "succeeded": ended, "failed": 0})
        given = Given(self.sets, self.opened == self.sets)
        return Observed(
            meta,
            self.status,
            NOW,
            spec,
            (),
            Flow("d", "words"),
            given,
            self._pools(spec, True),
            kept,
            None,
            self.published,
        )

    def _pools(self, spec: DataFlowSpec, known: bool) -> tuple[PoolSeen, ...]:
        return (PoolSeen(Pool(name="default", replicas=1), ("m",), self.deployed, serving=int(known and self.workers)),)

    def do(self, action: do.Action) -> None:
        if isinstance(action, do.AddFinalizer):
            self.finalizers = (CLEANUP,)
        elif isinstance(action, do.RemoveFinalizer):
            assert self.dropped, "the object went before what the store holds of it"
            self.gone = True
        elif isinstance(action, do.Publish):
            assert CLEANUP in self.finalizers, "something was made that nobody would clean up"
            self.published = True
        elif isinstance(action, do.Open):
            assert self.published and not self.dropped
            self.opened = min(self.sets, self.opened + 3)
        elif isinstance(action, do.Suspend):
            self.state = "suspended"
        elif isinstance(action, do.Resume):
            self.state = "active"
        elif isinstance(action, do.Drop):
            self.dropped, self.opened = True, 0
        elif isinstance(action, do.Apply):
            applied = action.manifest["metadata"]["annotations"][APPLIED]
            many = action.manifest["spec"]["replicas"]
            self.deployed = Deployed("words-default", applied, many, many, many)

    def live(self, rounds: int, dies: st.DataObject | None, clock: float) -> float:
        """Make passes, each of which may be the last one of a process, at any of its actions."""
        recalled = Recalled()
        for _ in range(rounds):
            clock += 3.0
            away = dies is not None and dies.draw(st.integers(0, 9)) == 0
            made = decide(self.seen(away), POLICY, recalled, clock)
            steps = [*made.actions, *([made.status] if made.status is not None else []), *made.posts]
            last = dies.draw(st.integers(0, len(steps))) if dies is not None else len(steps)
            for step in steps[:last]:
                if isinstance(step, do.Post):
                    self.posts.append(step.reason)
                elif isinstance(step, Mapping):
                    self.status, self.writes = dict(step), self.writes + 1
                else:
                    self.do(step)
                if self.gone:
                    return clock
            recalled = made.recalled if last == len(steps) else Recalled()
        return clock


@given(st.data(), st.integers(0, 12), st.booleans(), st.booleans())
def test_a_crash_between_any_two_actions_changes_nothing_in_the_end(
    data: st.DataObject, sets: int, suspend: bool, workers: bool
) -> None:
    spec = {"operations": {"m": {"name": "m", "inputs": {}, "outputs": {}}}, "suspend": suspend}
    shaky, calm = World(spec, sets, workers), World(spec, sets, workers)
    clock = shaky.live(data.draw(st.integers(0, 8)), data, 0.0)
    shaky.live(12, None, clock)
    calm.live(20, None, 0.0)
    assert replace(shaky, writes=0, posts=[]) == replace(calm, writes=0, posts=[])
    before = shaky.writes
    shaky.live(5, None, 1000.0)
    assert shaky.writes == before
    shaky.deleted = True
    shaky.live(data.draw(st.integers(0, 3)), data, 2000.0)
    shaky.live(2, None, 3000.0)
    assert shaky.gone


@given(st.lists(st.tuples(st.floats(0.05, 3), st.integers(0, 5)), min_size=1, max_size=80))
def test_writes_are_bounded_whatever_is_seen(steps: list[tuple[float, int]]) -> None:
    """At most one write in two seconds, and one for each change of a condition."""
    clock, recalled, seen, writes, changes = 0.0, Recalled(), settled(dataflow(stored=stored(10))), 0, 0
    done = 0
    for passed, many in steps:
        clock, done = clock + passed, min(9, done + many)
        made = decide(replace(seen, stored=stored(10 - done, done)), POLICY, recalled, clock)
        recalled = made.recalled
        if made.status is not None:
            writes += 1
            changes += _changed(seen.status, made.status)
            seen = replace(seen, status=dict(made.status))
    assert writes <= clock / POLICY.progress + 1 + changes


def _changed(before: dict[str, Any], now: Any) -> int:
    old = {one["type"]: (one["status"], one["reason"]) for one in before["conditions"]}
    return sum(old[one["type"]] != (one["status"], one["reason"]) for one in now["conditions"])


def test_times_are_those_of_kubernetes() -> None:
    assert time_of(NOW) == "2025-06-15T15:06:40Z"
