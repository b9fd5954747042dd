"""The kind DataFlow: a data flow, what it runs over, and the workers that run it.

Neighbours: `flow` (bounds of what stands in files too), `pools`, `sources`, `status`; `run` is the other kind.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from tidemill.formats.schema import ClusterPart, FileFlow, LinkedDefinitionPart, Name, OperationPart
from tidemill_operator.kinds.base import KindPart, Percent, Seconds
from tidemill_operator.kinds.flow import OPERATION_NAME
from tidemill_operator.kinds.pools import MOST_WORKERS, Pools
from tidemill_operator.kinds.sources import DataFlowSource, GivenInputSet, InputSets, InputsSources
from tidemill_operator.kinds.structural import Rule

__all__ = ["Constraints", "DataFlowSpec", "HistoryLimits", "Optimize", "Retention"]

_POOL = "self.operations[name].pool"
_NAMED = f"name.size() <= 253 && name.matches('{OPERATION_NAME}')"
_STRANGE = "(!has(self.operations) || !(name in self.operations))"
_POOLLESS = (
    f"(has({_POOL}) && {_POOL} != 'default' && !(has(self.pools) && self.pools.exists(pool, pool.name == {_POOL})))"
)
_FIRST = f"self.operations.filter(name, {_POOLLESS})[0]"
_WITHOUT_OPERATIONS = "(!has(self.operations) || self.operations.size() == 0)"


class Constraints(KindPart):
    """What must hold while something is optimized."""

    maxWorkers: Annotated[int, Field(ge=1, le=MOST_WORKERS)] | None = Field(
        None, description="Workers of all pools at most."
    )
    maxMemoryMebibytes: Annotated[int, Field(ge=1, le=2**40)] | None = Field(
        None, description="Memory that all workers may ask for, in MiB."
    )
    maxPowerWatts: Annotated[int, Field(ge=1, le=10**9)] | None = Field(None, description="Power of all workers, in W.")
    maxLatencySeconds: Annotated[int, Field(ge=1, le=86_400)] | None = Field(
        None, description="How long a parameter set may wait for a worker, in seconds."
    )
    maxUtilizationPercent: Percent | None = Field(None, description="How busy workers may be, in per cent.")


class Optimize(KindPart):
    """What is to be had most of, or least of, when workers are added and taken away."""

    goal: Literal["speed", "memory", "power", "latency"] = Field(
        "speed",
        description="speed: an early end; memory, power: few workers; latency: a short wait for each parameter set.",
    )
    constraints: Constraints | None = Field(None, description="What must hold meanwhile.")


class Retention(KindPart):
    """How long the store keeps what has ended."""

    resultsSeconds: Seconds = Field(
        604_800, description="Seconds for which results can be read after their context ended."
    )


class HistoryLimits(KindPart):
    """How many ended runs of a data flow are kept as objects."""

    succeededRuns: Annotated[int, Field(ge=0, le=1000)] = Field(10, description="DataFlowRun objects that succeeded.")
    failedRuns: Annotated[int, Field(ge=0, le=1000)] = Field(10, description="DataFlowRun objects that failed.")


class DataFlowSpec(KindPart, ClusterPart[GivenInputSet], FileFlow[Any]):
    """A data flow in its exported form, and what Kubernetes needs to know besides."""

    RULES = [
        Rule(
            f"!{_WITHOUT_OPERATIONS} || has(self.dataFlowFrom)",
            "NoOperations: spec.operations must name at least one operation, or spec.dataFlowFrom say where they are",
            field=".operations",
            reason="FieldValueRequired",
        ),
        Rule(
            "!has(self.dataFlowFrom) || "
            f"({_WITHOUT_OPERATIONS} && !has(self.definitions) && !has(self.flow) && !has(self.seed) && "
            "!has(self.forward) && !has(self.linked))",  # configs hold any JSON, and a rule cannot see such fields
            "a data flow is in spec or where spec.dataFlowFrom says, not both: with it leave out operations, "
            "definitions, linked, flow, seed, configs and forward",
            field=".dataFlowFrom",
            reason="FieldValueForbidden",
        ),
        Rule(
            f"!has(self.operations) || self.operations.all(name, {_NAMED})",
            "the name of an operation has 253 characters at most: letters, digits, - _ . : @ +",
            "'InvalidName: operations are called by letters, digits, - _ . : @ + (253 at most), not %s'"
            f".format([self.operations.filter(name, !({_NAMED}))])",
            field=".operations",
        ),
        Rule(
            f"!has(self.flow) || self.flow.all(name, !{_STRANGE})",
            "spec.flow names an operation that is not in spec.operations",
            "'UnknownOperation: spec.flow names %s, not in spec.operations'"
            f".format([self.flow.filter(name, {_STRANGE})])",
            field=".flow",
        ),
        Rule(
            f"!has(self.operations) || self.operations.all(name, !{_POOLLESS})",
            "an operation names a pool that is not in spec.pools",
            f"'UnknownPool: spec.pools has no %s, of operation %s'.format([self.operations[{_FIRST}].pool, {_FIRST}])",
            field=".pools",
        ),
        Rule(
            "!has(self.replicas) || !has(self.pools) || "
            "!self.pools.exists(pool, pool.name == 'default' && pool.kind == 'Job')",
            "spec.replicas fixes the workers of the pool default, and that one is of kind Job: it has as many Jobs as "
            "there is work, up to maxReplicas; leave out spec.replicas",
            field=".replicas",
        ),
    ]

    operations: dict[Name, OperationPart[Any]] = {}
    definitions: dict[Name, LinkedDefinitionPart] = {}
    linked: bool = False
    inputs: InputSets = Field(
        [],
        description="What the data flow is run over: one context for each entry. New entries are run when added.",
    )
    inputsFrom: InputsSources = Field(
        [], description="Inputs that are too many for the object, or come from elsewhere."
    )
    dataFlowFrom: DataFlowSource | None = Field(
        None, description="Where the data flow is, if it is not in this object."
    )
    pools: Pools = Field([], description="The workers. Operations that name no pool have the pool default.")
    replicas: Annotated[int, Field(ge=0, le=MOST_WORKERS)] | None = Field(
        None,
        description="A fixed number of workers for the pool default, before what the pool itself says. It is what "
        "/scale reads and writes: `kubectl scale`, a HorizontalPodAutoscaler, KEDA. Other pools are scaled "
        "by pools[].replicas.",
    )
    optimize: Optimize | None = Field(None, description="What is optimized when workers are added and taken away.")
    retention: Retention | None = Field(None, description="How long the store keeps what has ended.")
    suspend: bool = Field(
        False, description="Whether nothing new is begun: what workers have is ended, then they wait."
    )
    strict: bool = Field(
        True, description="Whether the first failure of an operation fails its context, or is passed over."
    )
    journal: bool = Field(
        False,
        description="Whether contexts keep every change of their state, for `tidemill events` and `tidemill lineage`. "
        "It is so for those that are opened from then on.",
    )
    ttlSecondsAfterFinished: Seconds | None = Field(
        None,
        description="Seconds after which the object is deleted once all its contexts have ended; never unless said.",
    )
    historyLimits: HistoryLimits | None = Field(None, description="How many ended runs of this data flow are kept.")
