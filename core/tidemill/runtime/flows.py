"""Implementations that run data flows: they name child contexts to open, and make outputs of how those ended.

The runtime never waits in them, so they hold no place while their child contexts run. Neighbour: `operation.dataflow`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidemill.model.dataflow import DataFlow
from tidemill.networks.backend import Ending
from tidemill.networks.implementations import Child
from tidemill.plan.plan import Plan
from tidemill.runtime.implementation import OperationImplementation

__all__ = ["FlowImplementation"]


class FlowImplementation(OperationImplementation):
    """An implementation that runs data flows. ``plans`` maps each of `dataflows` to its plan, by id."""

    plans: dict[int, Plan]

    def dataflows(self) -> Sequence[DataFlow]:
        """Return the data flows that it may run: they are compiled, and their implementations entered, before it is."""
        raise NotImplementedError

    def children(self, inputs: dict[str, Any]) -> list[Child]:
        """Return the child contexts for one parameter set."""
        raise NotImplementedError

    def outputs(self, inputs: dict[str, Any], endings: Sequence[Ending]) -> dict[str, Any] | None:
        """Return the outputs, from how the child contexts ended, in the order of `children`."""
        raise NotImplementedError
