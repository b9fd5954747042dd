"""Pools of kind Job: as many Jobs as there is work, none twice, none for ever, and a pause where they fail."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operator.decide.scenes import META, NOW, POLICY, dataflow, stored
from tidemill_operator.decide import reconcile as do
from tidemill_operator.decide.conditions import Said, conditions
from tidemill_operator.decide.jobs import AT_ONCE, KEPT, JobsWanted, job, jobs_wanted
from tidemill_operator.decide.reconcile import Recalled, decide
from tidemill_operator.decide.resources import APPLIED, deployment
from tidemill_operator.decide.scaling import MOST
from tidemill_operator.kinds.dataflow import Optimize
from tidemill_operator.kinds.pools import Pool
from tidemill_operator.observed import Deployed, JobSeen, PoolSeen

OPERATIONS = ("words:measure",)
MADE = job(META, Pool(name="default", kind="Job"), OPERATIONS, 0, POLICY.workers)
DIGEST = MADE["metadata"]["annotations"][APPLIED]


def one(number: int, state: Any = "waiting", **changed: Any) -> JobSeen:
    """Return a Job that was made just now."""
    made = JobSeen(f"words-default-{number}", f"uid-{number}", number, state, DIGEST, created=NOW - 1)
    return replace(made, **{**({"ended": NOW - 100 + number} if state in KEPT else {}), **changed})


def pool(*jobs: JobSeen, backlog: int = 0, **said: Any) -> PoolSeen:
    spec = Pool.model_validate({"name": "default", "kind": "Job", **said})
    return PoolSeen(spec, OPERATIONS, Deployed("words-default"), backlog=backlog, jobs=jobs)


def wanted(seen: PoolSeen, **more: Any) -> JobsWanted:
    return jobs_wanted(META, seen, POLICY.workers, NOW, **more)


def created(seen: PoolSeen, **more: Any) -> list[str]:
    return [one["metadata"]["name"].removeprefix("words-default-") for one in wanted(seen, **more).create]


def deleted(seen: PoolSeen, **more: Any) -> list[str]:
    return [name.removeprefix("words-default-") for name, _ in wanted(seen, **more).delete]


@pytest.mark.parametrize(
    ("seen", "numbers"),
    [
        (pool(), []),
        (pool(backlog=2), ["0", "1"]),
        (pool(one(0), backlog=2), ["1"]),
        (pool(one(0), one(1), backlog=2), []),
        (pool(one(0, "working"), backlog=2), ["1", "2"]),
        (pool(one(3, "succeeded"), backlog=1), ["4"]),
        (pool(one(0, "working"), one(1, "working"), backlog=9, maxReplicas=3), ["2"]),
        (pool(one(0, "working"), one(1), backlog=9, maxReplicas=2), []),
        (pool(one(0, "failed"), backlog=1), ["1"]),
    ],
)
def test_there_is_one_for_each_parameter_set_that_is_ready(seen: PoolSeen, numbers: list[str]) -> None:
    assert created(seen) == numbers


def test_there_are_never_too_many() -> None:
    assert len(created(pool(backlog=10_000))) == MOST
    assert len(created(pool(backlog=10_000, maxReplicas=500))) == AT_ONCE
    constrained = Optimize.model_validate({"constraints": {"maxWorkers": 2}})
    assert len(created(pool(backlog=9), optimize=constrained)) == 2


def test_what_is_suspended_gets_none() -> None:
    assert created(pool(backlog=4), suspend=True) == []


_JOBS = st.lists(
    st.builds(
        one,
        st.integers(0, 30),
        st.sampled_from(["waiting", "working", "succeeded", "failed"]),
        ready=st.booleans(),
        created=st.sampled_from([NOW - 1, NOW - 100]),
        digest=st.sampled_from([DIGEST, "old"]),
    ),
    max_size=12,
    unique_by=lambda job: job.number,
)


@given(_JOBS, st.integers(0, 40), st.integers(1, 12))
def test_whatever_there_is_the_bounds_hold_and_what_works_stays(jobs: list[JobSeen], backlog: int, most: int) -> None:
    seen = pool(*jobs, backlog=backlog, maxReplicas=most)
    made = wanted(seen)
    names, gone = [each["metadata"]["name"] for each in made.create], {name for name, _ in made.delete}
    assert len(set(names)) == len(names)
    assert not set(names) & {each.name for each in jobs}
    assert not gone & {each.name for each in jobs if each.state == "working"}
    left = [each for each in jobs if each.state in ("waiting", "working") and each.name not in gone]
    assert len(names) <= max(0, most - len(left))
    assert len(names) + sum(each.state == "waiting" for each in left) <= max(
        backlog, sum(each.state == "waiting" for each in left)
    )
    assert wanted(seen) == made
    for state, kept in KEPT.items():
        assert sum(each.state == state and each.name not in gone for each in jobs) <= kept


def test_of_those_that_have_ended_the_newest_are_kept() -> None:
    assert deleted(pool(*(one(at, "succeeded") for at in range(5)))) == ["1", "0"]
    assert deleted(pool(*(one(at, "failed") for at in range(6)))) == ["0"]


def test_those_for_which_nothing_is_ready_any_more_and_that_cannot_begin_go_again() -> None:
    old = {"created": NOW - 100}
    assert deleted(pool(one(0, **old), one(1, **old), one(2), backlog=2)) == ["1"]
    assert deleted(pool(one(0, ready=True, **old))) == []  # it ends by itself
    assert deleted(pool(one(0, **old)), suspend=True) == ["0"]


def test_one_that_has_not_begun_and_is_not_as_the_pool_says_now_is_made_anew() -> None:
    seen = pool(one(0, digest="old"), one(1, digest="old", ready=True), one(2, "working", digest="old"), backlog=2)
    assert (deleted(seen), created(seen)) == (["0"], ["3"])


def test_after_two_that_failed_there_is_a_pause_which_grows() -> None:
    def left(many: int) -> float | None:
        jobs = [one(at, "failed", ended=NOW) for at in range(many)]
        made = wanted(pool(*jobs, backlog=1))
        assert bool(made.create) == (made.again is None)
        return made.again

    assert [left(many) for many in range(6)] == [None, None, 5, 10, 20, 40]
    rest = pool(one(0, "failed", ended=NOW), one(1, "failed", ended=NOW), one(2, "succeeded", ended=NOW + 1), backlog=1)
    assert created(rest) == ["3"]


def test_its_pod_is_that_of_a_worker_for_one_parameter_set() -> None:
    spec = MADE["spec"]
    pod = spec["template"]["spec"]
    environment = {each["name"]: each.get("value", each.get("valueFrom")) for each in pod["containers"][0]["env"]}
    assert environment["TIDEMILL_ONCE"] == "true"
    assert environment["TIDEMILL_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert "TIDEMILL_RUNNERS" not in environment
    assert (pod["restartPolicy"], spec["backoffLimit"], spec["completions"]) == ("Never", 0, 1)
    assert spec["ttlSecondsAfterFinished"] > 0
    [owner] = MADE["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == ("uid-1", True)
    stays = deployment(META, Pool(name="default"), OPERATIONS, 1, POLICY.workers)
    there = stays["spec"]["template"]
    assert there["metadata"] == spec["template"]["metadata"]
    assert {**pod, "containers": 0, "restartPolicy": 0} == {**there["spec"], "containers": 0, "restartPolicy": 0}


def test_a_pass_makes_them_and_no_deployment() -> None:
    seen = dataflow(pools=(pool(one(9, "working"), one(8, digest="old"), backlog=1),), stray=("words-default",))
    made = decide(seen, POLICY, Recalled(), 100.0)
    assert [type(action) for action in made.actions] == [do.CreateJob, do.DeleteJob, do.Undeploy]
    assert made.status is not None
    [shown] = made.status["pools"]
    assert (shown["name"], shown["kind"], shown["backlog"]) == ("default", "Job", 1)


def test_a_pause_is_waited_for() -> None:
    jobs = [one(at, "failed", ended=NOW) for at in range(2)]
    made = decide(dataflow(pools=(pool(*jobs, backlog=1),), stored=stored(0)), POLICY, Recalled(), 100.0)
    assert made.after == 5


TROUBLE = Deployed("words-default", desired=1, trouble="the Job words-default-3 has failed: BackoffLimitExceeded: x")


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (pool(), "Serving"),
        (pool(one(0), backlog=1), "Serving"),
        (pool(one(0, created=NOW - 100), backlog=1), "NoWorkers"),
        (pool(backlog=1), "NoWorkers"),
        (replace(pool(backlog=1), serving=1), "Serving"),
    ],
)
def test_whether_it_has_workers(seen: PoolSeen, reason: str) -> None:
    assert conditions(dataflow(pools=(seen,)))["WorkersAvailable"].reason == reason


def test_why_no_job_begins_is_told() -> None:
    seen = replace(pool(one(4, created=NOW - 100), backlog=2), deployed=TROUBLE)
    said = conditions(dataflow(pools=(seen,)))
    assert said["WorkersAvailable"].message == (
        'no worker serves the pool "default", for which 2 parameter sets are ready: of 1 Jobs words-default-… 0 are '
        "ready: the Job words-default-3 has failed: BackoffLimitExceeded: x"
    )
    assert said["Progressing"] == Said("False", "NoWorkers", said["WorkersAvailable"].message)


def test_what_jobs_said_of_their_operations_stays_said() -> None:
    before = {"type": "ImplementationsAvailable", "status": "True", "reason": "AllFound", "observedGeneration": 3}
    seen = dataflow(pools=(pool(),), status={"conditions": [before]})
    assert conditions(seen)["ImplementationsAvailable"] == Said("True", "AllFound")
    newer = replace(seen, meta=replace(seen.meta, generation=4))
    assert conditions(newer)["ImplementationsAvailable"].status == "Unknown"
