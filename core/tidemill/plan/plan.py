"""The plan: a data flow with every name resolved, frozen, and named by the digest of what it says.

Operations, parameters and outputs are numbered in the order of their names, so that a data flow which went through a
file gives the same plan. Neighbours: `plan.compile` makes plans, `engine` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.errors import Problem
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.input import Input, Origin
from tidemill.model.limits import Limits
from tidemill.model.operation import Operation, Stage

__all__ = ["Accept", "Plan", "PlannedOperation", "PlannedOutput", "PlannedParameter"]


@dataclass(frozen=True, slots=True)
class Accept:
    """One source, resolved: inputs of this ``origin``, of this ``definition`` (None: any), whose ancestors have
    the origins in ``path``, parent first."""

    origin: Origin
    definition: str | None
    path: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedParameter:
    """One parameter, what it accepts, and the instances that can give that: those that the sources name, and the
    validators of what they give."""

    index: int
    name: str
    definition: Definition
    accepts: tuple[Accept, ...]
    givers: frozenset[str] = frozenset()
    validates: bool = False

    @property
    def has_default(self) -> bool:
        """Whether the parameter can take a default. A validator's cannot: nobody gave the value that it would check."""
        return self.definition.has_default and not self.validates

    @property
    def only_given(self) -> bool:
        """Whether all that the parameter accepts is given from outside, so that nothing in the plan can make it."""
        return all(isinstance(accept.origin, str) for accept in self.accepts)


@dataclass(frozen=True, slots=True)
class PlannedOutput:
    """One output: its number among the outputs, its name and definition, and whether its value is a list of inputs."""

    index: int
    name: str
    definition: Definition
    expand: bool


@dataclass(frozen=True, slots=True, eq=False)
class PlannedOperation:
    """One operation of a plan. ``gate`` holds groups of sources: each group has to give a truthy input; ``openers``
    are the instances that can give one. ``forwards`` names the definitions that are passed on into its child
    contexts."""

    index: int
    instance: str
    operation: Operation
    parameters: tuple[PlannedParameter, ...]
    outputs: Mapping[str, PlannedOutput]
    gate: tuple[tuple[Accept, ...], ...]
    stage: Stage
    names: tuple[str, ...] = field(default=())
    openers: frozenset[str] = field(default=frozenset())
    forwards: frozenset[str] = field(default=frozenset())

    @property
    def name(self) -> str:
        """The name under which the implementation is found."""
        return self.operation.name

    def __repr__(self) -> str:
        return f"PlannedOperation({self.instance})"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A compiled data flow.

    ``digest`` is ``sha256:`` and the hash of everything that the plan says; ``warnings`` are findings that do not
    forbid running it. ``reaches[i]`` are the operations that outputs of operation ``i`` can lead to. ``dataflow`` is
    what it was compiled from; who edits that compiles it again.
    """

    digest: str
    dataflow: DataFlow
    operations: tuple[PlannedOperation, ...]
    definitions: Mapping[str, Definition]
    seed: tuple[Input, ...]
    configs: Mapping[str, Any]
    implementations: Mapping[str, Any]
    limits: Limits
    warnings: tuple[Problem, ...]
    reaches: tuple[frozenset[int], ...]
    instances: Mapping[str, PlannedOperation]
    stages: Mapping[Stage, tuple[PlannedOperation, ...]]

    def of_stage(self, stage: Stage) -> tuple[PlannedOperation, ...]:
        """Return the operations of one stage, in order."""
        return self.stages[stage]

    def __repr__(self) -> str:
        return f"Plan({self.digest[:19]}…, {len(self.operations)} operations)"
