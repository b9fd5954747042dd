"""Every wait has a reason, and what is said is what was seen."""

from dataclasses import replace
from typing import Any

import pytest

from tests.operator.decide.scenes import NOW, counted, dataflow, pool, run, stored
from tidemill_operator.decide.conditions import Said, conditions, finished, merged
from tidemill_operator.decide.statuses import status_of
from tidemill_operator.kinds.status import CONDITIONS, DataFlowStatus
from tidemill_operator.observed import Deployed, Finding, Given, Observed

AWAY = Finding("StoreUnavailable", "the store at redis://s has not answered within 5 s")
FAILURE = ("words.a", "Exception", "KeyError: x", "measure")


def said(seen: Observed, kind: str) -> tuple[str, str]:
    one = conditions(seen)[kind]
    return one.status, one.reason


WAITS: dict[str, tuple[Observed, str]] = {
    "it runs": (dataflow(), "Running"),
    "it is wrong": (dataflow(flow=None, findings=(Finding("UnknownOutput", "no", "/spec"),)), "UnknownOutput"),
    "no store": (dataflow(stored=None, absent=AWAY), "StoreUnavailable"),
    "a bad store": (dataflow(stored=None, absent=Finding("StoreMisconfigured", "x")), "StoreMisconfigured"),
    "suspended": (dataflow({"suspend": True}), "Suspended"),
    "nobody": (dataflow(pools=(pool(serving=0, backlog=3),)), "NoWorkers"),
    "not there yet": (dataflow(pools=(pool(serving=0, backlog=3, deployed=None),)), "NoWorkers"),
    "taken": (dataflow(pools=(pool(serving=0, backlog=1, deployed=Deployed("w", ours=False)),)), "DeploymentTaken"),
    "lacking": (dataflow(pools=(pool(missing={"words:measure": "no module"}),)), "MissingImplementation"),
    "locks": (dataflow(stored=stored(1, locked=2)), "WaitingForLocks"),
    "places": (dataflow(stored=stored(1, parked=2)), "LimitReached"),
    "nothing given": (dataflow(given=Given(0, True), stored=stored()), "NoInputs"),
    "done": (dataflow(stored=stored(0, 2)), "Finished"),
    "no data flow any more": (run(orphan=True, pools=()), "DataFlowNotFound"),
    "not looked at": (dataflow(flow=None, given=None, stored=None), "NotLookedAt"),
}


@pytest.mark.parametrize("name", WAITS)
def test_whatever_is_waited_for_is_said(name: str) -> None:
    seen, reason = WAITS[name]
    found = conditions(seen)
    assert list(found) == list(CONDITIONS)
    assert found["Progressing"].reason == reason
    assert (found["Progressing"].status == "True") == (reason == "Running")


@pytest.mark.parametrize("name", WAITS)
def test_what_is_said_is_a_status_of_our_kind(name: str) -> None:
    seen, _ = WAITS[name]
    DataFlowStatus.model_validate(status_of(seen, conditions(seen)))


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (dataflow(stored=stored(1, 1)), ("Unknown", "Running")),
        (dataflow(stored=stored(0, 2)), ("True", "Succeeded")),
        (dataflow(stored=stored(0, 1, 1)), ("False", "Failed")),
        (dataflow(stored=stored(0, 2), given=Given(3, False)), ("Unknown", "Running")),
        (run({"cancel": True}, stored=stored(0, 1, 1)), ("False", "RunCancelled")),
        (run({"cancel": True}, stored=stored(0, 2)), ("True", "Succeeded")),
        (run({"cancel": True}, stored=stored(), given=Given(2, False)), ("False", "RunCancelled")),
    ],
)
def test_how_it_ended(seen: Observed, wanted: tuple[str, str]) -> None:
    assert said(seen, "Succeeded") == wanted
    assert finished(conditions(seen)) == (wanted[0] != "Unknown")


def test_a_failure_is_told_with_what_failed_and_where() -> None:
    one = conditions(dataflow(stored=stored(0, 9, 1, failures=(FAILURE,))))["Succeeded"]
    assert one.message == '1 of 10 contexts failed; "words.a": Exception in "measure": KeyError: x'


def test_who_forgets_what_was_opened_says_so() -> None:
    one = conditions(dataflow(stored=stored()), lost=True)["Succeeded"]
    assert (one.status, one.reason) == ("False", "StateLost")


@pytest.mark.parametrize("absent", [AWAY, None])
def test_an_end_is_not_taken_back_because_nothing_can_be_seen(absent: Finding | None) -> None:
    over = {"type": "Succeeded", "status": "True", "reason": "Succeeded", "message": "m", "observedGeneration": 3}
    seen = dataflow(status={"conditions": [over]}, stored=None, absent=absent)
    assert conditions(seen)["Succeeded"] == Said("True", "Succeeded", "m")
    newer = replace(seen, meta=replace(seen.meta, generation=4))
    assert conditions(newer)["Succeeded"].status == "Unknown"


def test_an_end_stays_until_it_is_known_what_was_opened() -> None:
    over = {"type": "Succeeded", "status": "True", "reason": "Succeeded", "message": "", "observedGeneration": 3}
    seen = dataflow(status={"conditions": [over]}, stored=stored(0, 2), given=Given(2, False))
    assert said(seen, "Succeeded") == ("True", "Succeeded")


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (dataflow(), ("True", "Serving")),
        (dataflow(pools=(pool(serving=0, deployed=Deployed("w", desired=1)),)), ("False", "NoWorkers")),
        (dataflow(pools=(pool(serving=0, deployed=Deployed("w")),)), ("False", "ScaledToZero")),
    ],
)
def test_workers(seen: Observed, wanted: tuple[str, str]) -> None:
    assert said(seen, "WorkersAvailable") == wanted


def test_a_missing_config_map_is_named() -> None:
    lacking = pool(serving=0, lacks=("code",), deployed=Deployed("w", desired=1))
    said = conditions(dataflow(pools=(lacking,)))
    assert said["WorkersAvailable"].reason == said["Progressing"].reason == "ConfigMapNotFound"
    assert 'there is no ConfigMap "code" in this namespace' in said["WorkersAvailable"].message
    assert conditions(dataflow(pools=(pool(lacks=("code",)),)))["WorkersAvailable"].reason == "Serving"


def test_what_kubernetes_says_against_the_pods_is_told() -> None:
    deployed = Deployed("words-default", desired=2, ready=0, trouble="ReplicaFailure: no such service account")
    one = conditions(dataflow(pools=(pool(serving=0, backlog=4, deployed=deployed),)))["WorkersAvailable"]
    assert "of 2 pods of the Deployment words-default 0 are ready: ReplicaFailure: no such" in one.message
    assert "4 parameter sets are ready" in one.message


def test_a_missing_operation_is_named_with_its_pool_and_why() -> None:
    one = conditions(dataflow(pools=(pool(missing={"a:b": "no module a", "c:d": "x"}),)))["ImplementationsAvailable"]
    assert one.message == (
        'workers of the pool "default" cannot load "a:b" and 1 more: no module a; put it into their image'
    )


def test_many_findings_are_told_in_few_words() -> None:
    findings = tuple(Finding("UnknownOutput", f"wrong {at}", f"/spec/{at}") for at in range(9))
    one = conditions(dataflow(flow=None, findings=findings))["Accepted"]
    assert one.reason == "UnknownOutput"
    assert one.message.startswith("/spec/0: wrong 0; ")
    assert one.message.endswith("; and 4 more")


def test_the_time_of_a_condition_is_that_of_its_last_transition() -> None:
    made = merged({"Accepted": Said("True", "Accepted")}, (), 1, "t1")
    again = merged({"Accepted": Said("True", "Other", "words")}, made, 2, "t2")
    assert (again[0]["lastTransitionTime"], again[0]["reason"], again[0]["observedGeneration"]) == ("t1", "Other", 2)
    assert merged({"Accepted": Said("False", "Wrong")}, again, 2, "t3")[0]["lastTransitionTime"] == "t3"


def test_conditions_of_others_stay() -> None:
    other: dict[str, Any] = {"type": "Theirs", "status": "True", "reason": "R", "lastTransitionTime": "t0"}
    made = merged({"Accepted": Said("True", "Accepted")}, [other], 1, "t1")
    assert made[1] == other


def test_a_message_has_an_end() -> None:
    made = merged({"Accepted": Said("True", "Accepted", "x" * 9999)}, (), 1, "t1")
    assert len(made[0]["message"]) == 2000


def test_what_is_expected_is_said_once_it_was_measured_and_stays_until_it_is_off() -> None:
    began = {"startTime": "2025-06-15T15:06:20Z"}  # 20 s before NOW
    seen = dataflow(stored=stored(2, 2), status=began)
    first = status_of(seen, conditions(seen))
    assert first["estimatedCompletionTime"] == "2025-06-15T15:07:00Z"
    later = replace(seen, status=first, now=NOW + 2)
    assert status_of(later, conditions(later))["estimatedCompletionTime"] == first["estimatedCompletionTime"]
    stuck = replace(seen, status=first, now=NOW + 60)
    assert status_of(stuck, conditions(stuck))["estimatedCompletionTime"] != first["estimatedCompletionTime"]


def test_before_a_context_has_ended_what_is_ready_tells() -> None:
    began = {"startTime": "2025-06-15T15:06:20Z"}  # 20 s before NOW
    seen = dataflow(stored=stored(2, 0), status=began, pools=(pool(backlog=25, seconds=2.0),))
    assert status_of(seen, conditions(seen))["estimatedCompletionTime"] == "2025-06-15T15:07:30Z"
    for unknown in ({"seconds": None}, {"deployed": Deployed("words-default")}, {"deployed": None}, {"backlog": 0}):
        pools = (pool(**{"backlog": 25, "seconds": 2.0, **unknown}),)
        later = replace(seen, pools=pools)
        assert "estimatedCompletionTime" not in status_of(later, conditions(later))


def test_results_stand_in_the_status_where_they_are_small() -> None:
    seen = dataflow(stored=stored(0, 1, results=(("words", {"length": [4]}),)))
    assert status_of(seen, conditions(seen))["results"] == [{"context": "words", "result": {"length": [4]}}]
    large = dataflow(stored=stored(0, 1, results=(("words", "x" * 5000),)))
    status = status_of(large, conditions(large))
    assert "results" not in status
    assert status["resultsRef"] == {"group": "uid-1"}


def test_counts_stay_while_the_store_cannot_be_asked() -> None:
    seen = dataflow(stored=stored(1, 1))
    before = status_of(seen, conditions(seen))
    away = replace(seen, status=before, stored=None, absent=AWAY)
    assert status_of(away, conditions(away))["contexts"] == {**counted(1, 1), "total": 2}


def test_the_size_of_a_status_does_not_depend_on_that_of_the_work() -> None:
    def size(many: int) -> int:
        failures = tuple((f"words.{at}", "Exception", "m" * 5000, "measure") for at in range(min(many, 10)))
        seen = dataflow(stored=stored(many, many, 10, failures=failures, sets={"taken": many, "completed": many}))
        return len(str(status_of(seen, conditions(seen))))

    assert size(1_000_000) < 1.1 * size(10)
