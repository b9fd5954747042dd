"""A release of its own is tried, upgraded under load, uninstalled and installed again; its namespaces share no keys."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.flows import doubling, given, lines, module, workers_of
from tests.e2e.place import Place
from tests.e2e.release import Release, release

pytestmark = pytest.mark.cluster

CONTEXTS = 600
KINDS = ("dataflows", "dataflowruns")
PRYING = """
import json, sys
from redis import Redis
from redis.exceptions import RedisError
store = Redis.from_url(open("/run/tidemill/store/url").read().strip())
mine, others = sys.argv[1:]
def said(*command):
    try:
        return str(store.execute_command(*command))
    except RedisError as error:
        return str(error)
tries = [("GET", others), ("HGETALL", others), ("DEL", others), ("KEYS", "*"), ("SCAN", "0"), ("FLUSHALL",)]
tries += [("ACL", "LIST"), ("CONFIG", "SET", "appendonly", "no"), ("MONITOR",)]
print(json.dumps({" ".join(one): said(*one) for one in tries}))
"""


@pytest.fixture(scope="module")
def second(cluster: Place) -> Iterator[Release]:
    """A second release."""
    with release(cluster) as made:
        yield made


def test_helm_test_runs_a_data_flow(second: Release) -> None:
    assert "Phase:          Succeeded" in second.test()


def test_workers_of_a_namespace_do_not_reach_the_keys_of_another(second: Release) -> None:
    for place in (second.place, second.other):
        module(place)
        place.apply(doubling("mine", inputs=[{"context": "x", **given(number=1, seconds=0.0)}]))
    for place in (second.place, second.other):
        assert place.ended("mine")["contexts"]["succeeded"] == 1
    [pod] = second.other.pods(workers_of("mine"))
    names = (f"{{tm-{second.second}0:x}}", f"{{tm-{second.first}0:x}}")
    said = json.loads(second.other.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", PRYING, *names))
    assert {command: answer for command, answer in said.items() if "permission" not in answer.lower()} == {}


def test_an_upgrade_under_load_loses_nothing(second: Release) -> None:
    place, name, tag = second.place, "upgraded", "next"
    second.retag(tag)
    module(place)
    lines(place, name, ({"number": number, "seconds": 0.2} for number in range(CONTEXTS)))
    source = {"name": "lines", "configMapKeyRef": {"name": name, "key": "sets.jsonl"}}
    with place.gone_after(f"dataflow/{name}", f"configmap/{name}"):
        place.apply(doubling(name, inputsFrom=[source], pool={"replicas": 2, "slots": 8}))
        place.until(lambda: place.status(name).get("contexts", {}).get("succeeded", 0) > 5, "the first have succeeded")
        settings = (f"operator.image.tag={tag}", f"worker.image.tag={tag}", "operator.resources.requests.memory=96Mi")
        second.install(*settings)

        def images() -> set[str]:
            pods = place.pods(workers_of(name)) + place.pods("app.kubernetes.io/component=operator")
            return {pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in pods}

        place.until(lambda: images() == {tag}, "operator and workers are those of the upgrade", show=images)
        status = place.ended(name)
    assert status["contexts"] == {"open": 0, "succeeded": CONTEXTS, "failed": 0, "total": CONTEXTS}
    assert status["parameterSets"] == {**status["parameterSets"], "completed": 2 * CONTEXTS, "failed": 0}
    assert "Phase:          Succeeded" in second.test()


def test_what_is_uninstalled_leaves_nothing_but_the_kinds(second: Release) -> None:
    second.uninstall()
    for place in (second.place, second.other):
        place.delete("configmap", "doubling")  # that is ours
    second.place.until(lambda: not second.left(), "nothing is left of it", 180, show=second.left)
    kinds = second.place.kubectl("get", "crd", "-o", "name").split()
    assert {f"customresourcedefinition.apiextensions.k8s.io/{kind}.tidemill.alt" for kind in KINDS} <= set(kinds)
    second.install()
    assert "Phase:          Succeeded" in second.test()
