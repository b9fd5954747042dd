"""Operations are placed into the pools of their object: in the store a pool is called ``<data flow>.<pool>``.

Data flows that operations run are placed with the one that they stand in. Neighbours: `pools`, `accept`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tidemill.errors import InvalidFlow, Problem, TidemillError, pointer
from tidemill.formats.load import flow_of
from tidemill.formats.read import Document
from tidemill.model.dataflow import DataFlow
from tidemill.model.operation import Operation
from tidemill.plan.compile import compile_plan
from tidemill_operator.kinds.pools import DEFAULT_POOL, Pool

__all__ = ["IN_MEMORY", "Placing"]

IN_MEMORY = "run_dataflow_in_memory"
"""The operation whose data flow is run where it is, so that the operations of that one are in no pool."""


class Placing:
    """Places data flows into the pools of the object called ``prefix``; ``used`` are the pools that operations name,
    as the object does, ``warnings`` what had better be otherwise."""

    def __init__(self, prefix: str, pools: Iterable[Pool]) -> None:
        self.prefix = prefix
        self.pools = {DEFAULT_POOL: Pool(name=DEFAULT_POOL), **{pool.name: pool for pool in pools}}
        self.used: set[str] = set()
        self.warnings: list[Problem] = []

    def place(self, dataflow: DataFlow, path: str = "") -> None:
        """Give every operation its pool, and the timeout of that pool where it has none.

        Raises `InvalidFlow` with the places, below ``path``, of pools that the object does not have, and with what is
        wrong with data flows in configurations.
        """
        problems = [
            Problem("UnknownPool", path + pointer("operations", name, "pool"), self._unknown(operation.pool))
            for name, operation in dataflow.operations.items()
            if operation.pool not in self.pools
        ]
        for name, config in dataflow.configs.items():
            if name in dataflow.operations and dataflow.operations[name].name == IN_MEMORY:
                continue
            try:
                dataflow.configs[name] = self._within(config, path + pointer("configs", name))
            except InvalidFlow as error:
                problems.extend(error.problems)
        if problems:
            raise InvalidFlow(problems)
        for name, operation in dataflow.operations.items():
            dataflow.operations[name] = self._placed(operation, path + pointer("operations", name))
        dataflow.update()

    def _unknown(self, pool: str) -> str:
        return f'spec.pools has no "{pool}" (has: {", ".join(sorted(self.pools))}); add it there, or correct the name'

    def _placed(self, operation: Operation, path: str) -> Operation:
        pool = self.pools[operation.pool]
        self.used.add(pool.name)
        timeout = operation.timeout if operation.timeout is not None else pool.operationTimeoutSeconds
        if timeout is not None and timeout >= pool.gracePeriodSeconds:
            said = (
                f"an operation may take {timeout:g} s, and a worker that is taken away has {pool.gracePeriodSeconds} s"
            )
            hint = f'then it is done again; give the pool "{pool.name}" a gracePeriodSeconds above {timeout:g}'
            self.warnings.append(Problem("GraceTooShort", path, f"{said}: {hint}"))
        return operation._replace(pool=f"{self.prefix}.{pool.name}", timeout=timeout)

    def _within(self, config: Any, path: str) -> Any:
        """Return the configuration of an operation; where a data flow stands in it, with that one placed."""
        said = config.get("dataflow") if isinstance(config, Mapping) else None
        if not isinstance(said, Mapping) or "operations" not in said:
            return config
        path += "/dataflow"
        try:
            inner = flow_of(Document(dict(said), "", "json", "{}")).dataflow
            compile_plan(inner)
        except InvalidFlow as error:
            raise type(error)(
                [Problem(each.reason, path + each.path, each.message) for each in error.problems]
            ) from error
        self.place(inner, path)
        try:
            return {**config, "dataflow": inner.export()}
        except TidemillError as error:
            raise InvalidFlow([Problem(error.reason, path + error.path, error.message)]) from error
