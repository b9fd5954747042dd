"""Objects as passes may have seen them, for tests of what is decided."""

from dataclasses import replace
from typing import Any

from tidemill_operator.decide.reconcile import Policy
from tidemill_operator.decide.resources import Workers
from tidemill_operator.kinds.dataflow import DataFlowSpec
from tidemill_operator.kinds.pools import Pool
from tidemill_operator.kinds.run import DataFlowRunSpec
from tidemill_operator.names import CLEANUP
from tidemill_operator.observed import Deployed, Flow, Given, Meta, Observed, PoolSeen, Stored

__all__ = ["NOW", "POLICY", "counted", "dataflow", "pool", "run", "stored"]

NOW = 1_750_000_000.0
POLICY = Policy(Workers(image="worker:1"))
META = Meta("DataFlow", "ns", "words", "uid-1", generation=3, version="7", finalizers=(CLEANUP,))


def pool(**changed: Any) -> PoolSeen:
    """Return a pool with one worker that serves it."""
    deployed = Deployed("words-default", desired=1, replicas=1, ready=1)
    made = PoolSeen(Pool(name="default", replicas=1), ("words:measure",), deployed, serving=1)
    return replace(made, **changed)


def counted(open_: int = 0, succeeded: int = 0, failed: int = 0) -> dict[str, int]:
    """Return contexts by state."""
    return {"open": open_, "succeeded": succeeded, "failed": failed}


def stored(*contexts: int, **changed: Any) -> Stored:
    """Return what a store says of a group with contexts that are open, have succeeded, and have failed."""
    return replace(Stored("here", contexts=counted(*contexts)), **changed)


def dataflow(said: dict[str, Any] | None = None, **changed: Any) -> Observed:
    """Return a DataFlow that runs two contexts, with a ``spec`` of which this is ``said``."""
    operations = {"measure": {"name": "words:measure", "inputs": {}, "outputs": {}}}
    seen = Observed(
        meta=META,
        status={},
        now=NOW,
        spec=DataFlowSpec.model_validate({"operations": operations, **(said or {})}),
        flow=Flow("sha256:1", "words"),
        given=Given(2, True),
        pools=(pool(),),
        stored=stored(2),
        published=True,
    )
    return replace(seen, **changed)


def run(said: dict[str, Any] | None = None, **changed: Any) -> Observed:
    """Return a DataFlowRun of that DataFlow."""
    spec = DataFlowRunSpec.model_validate({"dataFlowRef": {"name": "words"}, **(said or {})})
    meta = replace(META, kind="DataFlowRun", name="again", uid="uid-2")
    return replace(dataflow(), meta=meta, spec=spec, **changed)
