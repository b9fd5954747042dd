"""Bad objects as a real API server refuses them: kubectl names the field, the value and what was expected."""

import copy
import json
import re
from typing import Any

import pytest
import yaml

from tests.operator.cluster import ControlPlane
from tests.operator.kinds.things import dataflow, dataflowrun

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

SAY = {"name": "m:say", "inputs": {"word": "word"}}
REF = {"configMapKeyRef": {"name": "c", "key": "k"}}
GONE: Any = object()


def changed(**spec: Any) -> dict[str, Any]:
    """Return a good object with these fields of its spec, or without those that are GONE."""
    made = dataflow()
    made["metadata"] = {"name": "never-made"}
    made["spec"] = {key: value for key, value in {**made["spec"], **spec}.items() if value is not GONE}
    return copy.deepcopy(made)


def pool(**said: Any) -> dict[str, Any]:
    return changed(pools=[{"name": "default", **said}])


def inputs(*said: Any) -> dict[str, Any]:
    return changed(inputs=[{"inputs": list(said)}])


REFUSED: dict[str, tuple[Any, str]] = {
    "no operations": (
        changed(operations=GONE),
        r"spec\.operations: Required value: NoOperations: spec\.operations must name",
    ),
    "a list of operations": (changed(operations=[]), r'spec\.operations: .* must be of type object: "array"'),
    "empty operations": (changed(operations={}), r"NoOperations: spec\.operations must name at least one operation"),
    "a flow of unknown operations": (
        changed(flow={"zz": {}, "say": {}}),
        r'spec\.flow: .*UnknownOperation: spec\.flow names \["zz"\], not in',
    ),
    "code by a path": (
        changed(operations={"say": {"name": "../../etc/passwd"}}),
        r'"\.\./\.\./etc/passwd": .* should match',
    ),
    "code on two lines": (changed(operations={"say": {"name": "a\nb"}}), r'"a\\nb": .* should match'),
    "code with a long name": (
        changed(operations={"say": {"name": "a" * 300}}),
        r"name: Too long: may not be more than 253",
    ),
    "an operation called by a path": (
        changed(operations={"../../x": SAY}),
        r'InvalidName: .*\(253 at most\), not \["\.\./\.\./x"\]',
    ),
    "an operation called on two lines": (changed(operations={"a\nb": SAY}), r'InvalidName: .* not \["a\\nb"\]'),
    "an operation with a long name": (changed(operations={"a" * 300: SAY}), r"InvalidName: .*253 at most"),
    "many operations": (
        changed(operations={f"o{at}": SAY for at in range(300)}),
        r"spec\.operations: Too many: 300: must have at most 256 items",
    ),
    "many seeds": (
        changed(seed=[{"definition": "word", "value": "x"}] * 6000),
        r"spec\.seed: Too many: 6000: must have at most 1024 items",
    ),
    "many failures' worth of pools": (
        changed(pools=[{"name": f"p{at}"} for at in range(17)]),
        r"spec\.pools: Too many: 17: must have at most 16 items",
    ),
    "an unknown field": (changed(bogus=1), r'strict decoding error: unknown field "spec\.bogus"'),
    "inputs as a mapping": (changed(inputs={"a": {"word": "x"}}), r'unknown field "spec\.inputs\.a"'),
    "not a number": (yaml.safe_dump(changed(configs={"say": float("nan")})), r"unsupported value: NaN"),
    "more than the store takes": (changed(configs={"say": "x" * 3_200_000}), r"limit is 3145728"),
    "no parameter sets": (
        changed(limits={"parameter_sets": 0}),
        r"parameter_sets: .*: 0: .* greater than or equal to 1",
    ),
    "parameter sets as text": (changed(limits={"parameterSets": "10"}), r'parameterSets: .* of type integer: "string"'),
    "too many parameter sets": (
        changed(limits={"parameterSets": 10**12}),
        r"parameterSets: .* less than or equal to 1000000000",
    ),
    "two spellings": (
        changed(limits={"parameterSets": 1, "parameter_sets": 2}),
        r"are two spellings of one field; keep one",
    ),
    "time to live below 0": (changed(ttlSecondsAfterFinished=-1), r"ttlSecondsAfterFinished: .*: -1: .* equal to 0"),
    "a timeout in words": (
        changed(operations={"say": {"name": "m:say", "timeout": "5 minutes"}}),
        r'timeout: .* must be of type number: "string"',
    ),
    "an old version": (
        {**changed(), "apiVersion": "tidemill.alt/v0"},
        r'no matches for kind "DataFlow" in version "tidemill.alt/v0"',
    ),
    "an unknown goal": (
        changed(optimize={"goal": "money"}),
        r'goal: Unsupported value: "money": supported values: "speed", "memory", "power", "latency"',
    ),
    "a pool that is not there": (
        changed(operations={"say": {"name": "m:say", "pool": "gpu"}}),
        r"spec\.pools: .*UnknownPool: spec\.pools has no gpu, of operation say",
    ),
    "two pools of one name": (
        changed(pools=[{"name": "a"}, {"name": "a"}]),
        r'spec\.pools\[1\]: Duplicate value: {"name":"a"}',
    ),
    "a pool in capitals": (changed(pools=[{"name": "A"}]), r'spec\.pools\[0\]\.name: .*"A": .* should match'),
    "a fixed number of workers and a range": (
        pool(replicas=1, maxReplicas=3),
        r"spec\.pools\[0\]\.replicas: .*pool default: replicas \(1\) fixes the number of workers; leave out",
    ),
    "more at least than at most": (pool(minReplicas=5, maxReplicas=3), r"minReplicas \(5\) is above maxReplicas \(3\)"),
    "more at least than at most unless said": (pool(minReplicas=11), r"minReplicas \(11\) is above maxReplicas \(10\)"),
    "no time to end": (
        pool(operationTimeoutSeconds=100),
        r"gracePeriodSeconds \(60\) has to be above operationTimeoutSeconds \(100\)",
    ),
    "a variable of the operator": (
        pool(env=[{"name": "TIDEMILL_POOL", "value": "x"}]),
        r"env\[0\]\.name: .*the variable TIDEMILL_POOL begins with TIDEMILL_, and those are set by the operator",
    ),
    "a variable from two places": (
        pool(env=[{"name": "X", "value": "1", "valueFrom": REF}]),
        r"the variable X has a value and valueFrom; keep one of them",
    ),
    "a variable from nowhere": (
        pool(env=[{"name": "X", "valueFrom": {}}]),
        r"say one of secretKeyRef and configMapKeyRef",
    ),
    "a Secret of another namespace": (
        pool(env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "namespace": "kube-system"}}}]),
        r'unknown field "spec\.pools\[0\]\.env\[0\]\.valueFrom\.secretKeyRef\.namespace"',
    ),
    "a large value in the environment": (
        pool(env=[{"name": "X", "value": "x" * 5000}]),
        r"may not be more than 4096 bytes",
    ),
    "an amount that is none": (
        pool(resources={"limits": {"memory": "1 GB"}}),
        r'limits\.memory: .*"1 GB": .* should match',
    ),
    "rights of the host": (
        pool(securityContext={"privileged": True}),
        r'unknown field "spec\.pools\[0\]\.securityContext"',
    ),
    "an input without a value": (
        inputs({"definition": "word"}),
        r"spec\.inputs\[0\]\.inputs\[0\]\.value: Required value",
    ),
    "an input with two values": (
        inputs({"definition": "word", "value": "a", "valueFrom": REF}),
        r'"spec\.inputs\[0\]\.inputs\[0\]" must validate one and only one schema',
    ),
    "two input sets without a name": (changed(inputs=[{}, {}]), r'spec\.inputs\[1\]: Duplicate value: {"context":""}'),
    "a context called by a path": (changed(inputs=[{"context": "../x"}]), r'"\.\./x": .* should match'),
    "a file from where nobody can fetch it": (
        changed(inputsFrom=[{"name": "a", "url": "gopher://host/file"}]),
        r'url: .*"gopher://host/file": .* should match .*s3',
    ),
    "inputs from nowhere": (changed(inputsFrom=[{"name": "a"}]), r"inputsFrom a: say one of configMapKeyRef and url"),
    "a Secret for a ConfigMap": (
        changed(inputsFrom=[{"name": "a", **REF, "secretRef": {"name": "s"}}]),
        r"inputsFrom a has a secretRef and no url",
    ),
    "a data flow here and elsewhere": (
        changed(dataFlowFrom=REF),
        r"spec\.dataFlowFrom: Forbidden: a data flow is in spec or where spec\.dataFlowFrom says, not both",
    ),
    "a run of nothing": (
        {**dataflowrun(), "spec": {}, "metadata": {"name": "r"}},
        r"spec\.dataFlowRef: Required value",
    ),
    "a run of another namespace": (
        {**dataflowrun(dataFlowRef={"name": "a", "namespace": "b"}), "metadata": {"name": "r"}},
        r'unknown field "spec\.dataFlowRef\.namespace"',
    ),
}


@pytest.mark.parametrize("which", REFUSED)
def test_an_object_is_refused_with_its_reason(api: ControlPlane, which: str) -> None:
    given, said = REFUSED[which]
    done = api.kubectl("create", "--dry-run=server", "-f", "-", given=given)
    assert done.code != 0, done.said
    assert re.search(said, done.said), done.said


ADMITTED: dict[str, Any] = {
    "as it is": changed(),
    "null where a value may be": changed(seed=[{"definition": "word", "value": None}], configs={"say": None}),
    "a large integer": changed(configs={"say": 9007199254740993}),
    "a data flow from a ConfigMap": changed(operations=GONE, definitions=GONE, linked=GONE, dataFlowFrom=REF),
    "a long name": {**changed(), "metadata": {"name": f"{'a' * 249}.b.c"}},
    "a pool of zero": pool(minReplicas=0, maxReplicas=1, operationTimeoutSeconds=59),
    "all of a pool": pool(
        image="registry.example/a@sha256:0",
        imagePullPolicy="IfNotPresent",
        imagePullSecrets=[{"name": "s"}],
        resources={"requests": {"cpu": "500m", "memory": 1024}},
        nodeSelector={"kubernetes.io/arch": "amd64"},
        tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": -1}],
        affinity={
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"a": "b"}}}
                ]
            }
        },
        env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, {"name": "y.z", "value": ""}],
        modulesFrom=[{"configMapRef": {"name": "ops"}}],
        serviceAccountName="sa",
        priorityClassName="high",
        replicas=3,
        slots=4,
        runners=2,
        gracePeriodSeconds=30,
        scaling={"targetBacklogSeconds": 5},
    ),
    "a definition in place": changed(
        linked=False,
        definitions=GONE,
        operations={"say": {"name": "m:say", "inputs": {"word": {"name": "word", "primitive": "string"}}}},
    ),
    "every kind of source": changed(
        flow={
            "say": {
                "inputs": {
                    "word": ["seed", {"say": "line"}, {"seed": ["word", "line"]}, [{"say": "line"}, {"say": "line"}]]
                }
            }
        }
    ),
    "inputs of every kind": changed(
        inputs=[
            {"values": {"word": ["a", "b"]}},
            {"context": "x", "inputs": [{"definition": "word", "valueFrom": REF}]},
        ],
        inputsFrom=[
            {"name": "a", **REF},
            {"name": "b", "url": "s3://b/k", "secretRef": {"name": "s"}, "format": "csv"},
        ],
    ),
    "a run": {**dataflowrun(), "metadata": {"name": "r"}},
}


@pytest.mark.parametrize("which", ADMITTED)
def test_a_good_object_is_admitted(api: ControlPlane, which: str) -> None:
    api.must("create", "--dry-run=server", "-f", "-", given=ADMITTED[which])


def test_a_deep_value_is_admitted_here_and_left_to_the_operator(api: ControlPlane) -> None:
    deep = "[" * 9000 + "]" * 9000
    text = json.dumps(changed(configs={"say": "DEEP"})).replace('"DEEP"', deep)
    api.must("create", "--dry-run=server", "-f", "-", given=text)


def test_an_unknown_field_is_pruned_where_validation_is_turned_off(api: ControlPlane) -> None:
    made = api.must("create", "--dry-run=server", "--validate=false", "-o", "json", "-f", "-", given=changed(bogus=1))
    assert "bogus" not in made


def test_large_integers_stay_what_they_were(api: ControlPlane) -> None:
    made = api.must(
        "create", "--dry-run=server", "-o", "json", "-f", "-", given=changed(configs={"say": 9007199254740993})
    )
    assert json.loads(made)["spec"]["configs"]["say"] == 9007199254740993


def test_defaults_are_filled_in(api: ControlPlane) -> None:
    made = json.loads(api.must("create", "--dry-run=server", "-o", "json", "-f", "-", given=pool(env=[])))["spec"]
    assert (made["suspend"], made["strict"]) == (False, True)
    (first,) = made["pools"]
    assert first["scaling"] == {"targetBacklogSeconds": 30, "cooldownSeconds": 300}
    assert first["gracePeriodSeconds"] == 60
    assert made["operations"] == dataflow()["spec"]["operations"]
