"""What Kubernetes says of Deployments, Jobs and pods, as it says it, becomes what passes see."""

from typing import Any

import pytest

from tidemill_operator.children import deployed_of, jobs_of, together, trouble_of
from tidemill_operator.decide.statuses import time_of
from tidemill_operator.names import label

NOW = 1_750_000_000.0


def job(name: str, *, uid: str = "u", pool: str = "apart", **status: Any) -> dict[str, Any]:
    metadata = {
        "name": name, "uid": f"uid-{name}", "labels": {label("pool"): pool}, "ownerReferences": [{"uid": uid}],
        "creationTimestamp": time_of(NOW),
    }  # fmt: skip
    return {"metadata": metadata, "status": status}


def ended(kind: str) -> dict[str, Any]:
    one = {"type": kind, "status": "True", "reason": "R", "message": "m", "lastTransitionTime": time_of(NOW)}
    return {"conditions": [{"type": "Suspended", "status": "False"}, one]}


def test_jobs_are_those_of_the_pool_and_know_what_they_hold() -> None:
    gone = job("f-apart-9")
    gone["metadata"]["deletionTimestamp"] = time_of(NOW)
    others = [job("f-other-1", pool="other"), job("f-apart-2", uid="else"), job("f-apart-x"), gone]
    ours = [job("f-apart-3", **ended("Complete")), job("f-apart-1", ready=1), job("f-apart-2", **ended("Failed"))]
    held = {"f-apart-1-abcde-7-0a1b2c3d": 1, "f-apart-4-abcde-7-0a1b2c3d": 1, "f-apart-2-abcde-7-0a1b2c3d": 0}
    found = jobs_of([*others, *ours, job("f-apart-4"), job("f-apart-5")], "u", "apart", held)
    assert [(one.number, one.state) for one in found] == [
        (1, "working"), (2, "failed"), (3, "succeeded"), (4, "working"), (5, "waiting"),
    ]  # fmt: skip
    assert (found[0].ready, found[1].ended, found[1].trouble) == (True, NOW, "R: m")
    whole = together("f-apart", found)
    assert (whole.desired, whole.ready, whole.trouble) == (3, 2, "")
    assert together("f-apart", found[:2]).trouble == "the Job f-apart-2 has failed: R: m"


def test_a_deployment_that_is_not_ours_is_told_from_one_that_is() -> None:
    said = {"metadata": {"name": "d", "ownerReferences": [{"uid": "u"}]}, "spec": {"replicas": 2}}
    assert (deployed_of(said, "u").ours, deployed_of(said, "v").ours, deployed_of(said, "u").desired) == (
        True,
        False,
        2,
    )


WAITS: list[tuple[dict[str, Any], float, str]] = [
    ({"containerStatuses": [{"state": {"running": {}}}]}, 99, ""),
    ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, 1, ""),
    (
        {"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]},
        99,
        "it waits for its volumes: are they in this namespace: the Secret url, the ConfigMap code?",
    ),
    (
        {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]},
        1,
        "ImagePullBackOff: no such image",
    ),
    (
        {
            "containerStatuses": [
                {
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"message": "TIDEMILL_SLOTS is wrong\n"}},
                }
            ]
        },
        1,
        "CrashLoopBackOff; it said last: TIDEMILL_SLOTS is wrong",
    ),
    (
        {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no cpu"}]},
        1,
        "Unschedulable: no cpu",
    ),
]


@pytest.mark.parametrize(("status", "age", "wanted"), WAITS)
def test_a_pod_that_does_not_run_says_why(status: dict[str, Any], age: float, wanted: str) -> None:
    volumes = [{"secret": {"secretName": "url"}}, {"projected": {"sources": [{"configMap": {"name": "code"}}]}}]
    metadata = {"name": "p", "creationTimestamp": time_of(NOW - age)}
    pod = {"metadata": metadata, "spec": {"volumes": volumes}, "status": status}
    assert trouble_of([pod], NOW) == (f"the pod p: {wanted}" if wanted else "")
    pod["metadata"] = {**metadata, "deletionTimestamp": time_of(NOW)}
    assert trouble_of([pod], NOW) == ""
