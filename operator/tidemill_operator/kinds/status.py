"""What the operator says of an object: conditions, counts, results. Its size does not depend on that of the work.

Neighbours: `dataflow` and `run`, which both have it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from tidemill_operator.kinds.base import Count, KindPart, Text, Time, list_map
from tidemill_operator.kinds.pools import MOST_WORKERS
from tidemill_operator.kinds.structural import ANY, Schema

__all__ = [
    "CONDITIONS",
    "MOST_FAILURES",
    "MOST_INLINE",
    "Condition",
    "ContextCounts",
    "ContextResult",
    "DataFlowStatus",
    "Failure",
    "ParameterSetCounts",
    "PoolStatus",
    "ResultsRef",
    "RunStatus",
]

CONDITIONS = ("Accepted", "ImplementationsAvailable", "WorkersAvailable", "Progressing", "Succeeded", "Suspended")
"""The conditions that every object has from its first visit on, in the order in which they are shown."""

MOST_FAILURES = 10
"""Failures that a status shows."""

MOST_INLINE = 4096
"""Bytes of results, as JSON, up to which they stand in the status itself."""

_INLINE = 32
_Name = Annotated[str, Field(max_length=512)]
_Word = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
_Json = Annotated[Any, Schema(ANY)]


class Condition(KindPart):
    """One thing about the object that is true, false, or not known yet."""

    type: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")] = Field(
        description="What is said: " + ", ".join(CONDITIONS) + "."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it is so.")
    reason: _Word = Field(description="Why, in one word.")
    message: Annotated[str, Field(max_length=4096)] = Field("", description="Why, for people.")
    observedGeneration: Count = Field(0, description="The generation of the spec that it is about.")
    lastTransitionTime: Time = Field(description="When it last became what it is.")


class ContextCounts(KindPart):
    """Contexts by what became of them."""

    open: Count = Field(0, description="Contexts that are still worked on.")
    succeeded: Count = Field(0, description="Contexts that have a result.")
    failed: Count = Field(0, description="Contexts that failed or were cancelled.")
    total: Count = Field(0, description="All contexts.")


class ParameterSetCounts(KindPart):
    """Parameter sets by how far they are."""

    taken: Count = Field(0, description="Found, and waiting for a condition or a lock.")
    dispatched: Count = Field(0, description="Ready for a worker.")
    leased: Count = Field(0, description="With a worker.")
    completed: Count = Field(0, description="Done.")
    failed: Count = Field(0, description="Failed for good.")


class Failure(KindPart):
    """One of the failures."""

    context: _Name = Field(description="The context that failed.")
    reason: _Word = Field(description="Why, in one word.")
    message: Annotated[str, Field(max_length=2048)] = Field("", description="Why, for people.")
    instance: _Name | None = Field(None, description="The operation that failed, if it was one.")


class ContextResult(KindPart):
    """The result of one context."""

    context: _Name = Field(description="The context.")
    result: _Json = Field(None, description="What its output operations gave: any JSON.")


class ResultsRef(KindPart):
    """Where results are that are too large for the object."""

    group: _Name = Field(description="The group in the store that has them.")
    url: Annotated[str, Field(max_length=2048)] | None = Field(None, description="Where they can be got by HTTP.")
    command: Text | None = Field(None, description="A command that prints them.")


class PoolStatus(KindPart):
    """What is known of a pool."""

    name: Annotated[str, Field(max_length=63)] = Field(description="The pool.")
    kind: Literal["Deployment", "Job"] = Field("Deployment", description="What its workers are.")
    replicas: Annotated[int, Field(ge=0, le=MOST_WORKERS)] = Field(0, description="Workers that there are.")
    readyReplicas: Annotated[int, Field(ge=0, le=MOST_WORKERS)] = Field(0, description="Workers that take work.")
    desiredReplicas: Annotated[int, Field(ge=0, le=MOST_WORKERS)] = Field(
        0, description="Workers that there are to be."
    )
    backlog: Count = Field(0, description="Parameter sets that are ready and not with a worker.")
    backlogSeconds: Count | None = Field(
        None, description="How long those would take the workers, once it was measured."
    )
    selector: Text | None = Field(None, description="The labels of its pods.")


class RunStatus(KindPart):
    """What became of the contexts of an object."""

    observedGeneration: Count = Field(0, description="The generation of the spec that the status is about.")
    conditions: Annotated[list[Condition], Field(max_length=16), list_map("type")] = Field(
        [], description="What is true of the object: look at Accepted first, then at Succeeded."
    )
    planDigest: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="The digest of the plan: equal digests are equal data flows."
    )
    contexts: ContextCounts | None = Field(None, description="Contexts by what became of them.")
    parameterSets: ParameterSetCounts | None = Field(None, description="Parameter sets by how far they are.")
    failures: Annotated[
        list[Failure], Field(max_length=MOST_FAILURES), Schema({"x-kubernetes-list-type": "atomic"})
    ] = Field([], description="Some of the failures, ten at most.")
    startTime: Time | None = Field(None, description="When the first context was opened.")
    completionTime: Time | None = Field(None, description="When the last context had ended.")
    durationSeconds: Count | None = Field(None, description="Seconds from the first context to the end.")
    estimatedCompletionTime: Time | None = Field(None, description="When it is expected to end, once that can be told.")
    results: Annotated[list[ContextResult], Field(max_length=_INLINE), Schema({"x-kubernetes-list-type": "atomic"})] = (
        Field([], description="The results, where they are few and small; else see resultsRef.")
    )
    resultsRef: ResultsRef | None = Field(None, description="Where all results are.")


class DataFlowStatus(RunStatus):
    """What the operator says of a DataFlow."""

    pools: Annotated[list[PoolStatus], Field(max_length=16), list_map("name")] = Field(
        [], description="The pools and their workers."
    )
    replicas: Annotated[int, Field(ge=0, le=MOST_WORKERS)] | None = Field(
        None, description="Workers of the pool that /scale is about."
    )
    selector: Text | None = Field(None, description="The labels of the pods that /scale is about.")
