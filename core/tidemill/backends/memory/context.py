"""What a context is in memory. Only the networks and the backend beside it touch this; nothing here decides."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from tidemill.backends.memory.operations import Bound
from tidemill.engine.inputs import Item
from tidemill.engine.locks import Queues
from tidemill.engine.matching import Box, Candidates
from tidemill.engine.parameters import ParameterSet
from tidemill.engine.redundancy import Key
from tidemill.errors import OperationFailure
from tidemill.model.operation import Stage
from tidemill.networks.backend import Ending

__all__ = ["MemoryContext"]


class MemoryContext:
    """The state of one context.

    ``open`` counts what is not finished: parameter sets that are taken and not completed, and boxes still to be
    expanded. It is changed in the step that makes or ends the work, children before parents; at zero the context is
    quiet. ``stage`` is None while the work of a failed context is dropped, and after its end. ``facts`` is where what
    happens is noted, in a backend that has a journal.
    """

    __slots__ = (
        "active", "awaited", "backlog", "bound", "boxes", "candidates", "child_names", "closed", "deduped", "depth",
        "ended", "facts", "failed_stage", "failure", "failures", "forgiven", "given", "held", "holding", "items",
        "items_by_uid", "leased", "name", "notes", "open", "parent", "parents", "promised", "queues", "results",
        "satisfied", "stage", "strict", "taken", "uids", "visible",
    )  # fmt: skip
    facts: list[Any]

    def __init__(self, name: str, bound: Bound, strict: bool, ended: Callable[[Ending], None]) -> None:
        self.name = name
        self.bound = bound
        self.strict = strict
        self.ended = ended
        self.stage: Stage | None = Stage.PROCESSING
        self.failed_stage: Stage | None = None
        self.active: frozenset[int] = bound.active_at_start
        self.satisfied: dict[int, frozenset[int]] = {}
        self.candidates: dict[int, Candidates] = {}
        self.awaited: set[tuple[int, int]] = set()  # (operation, parameter) for which something is being validated
        self.items: list[Item] = []
        self.given = 0  # seeds, for their places
        self.uids: dict[str, Any] = {}  # the identities that inputs were given, and their values
        self.items_by_uid: dict[str, Item] = {}
        self.deduped: dict[tuple[Any, ...], Item] = {}  # inputs that stand for all equal values
        self.taken: set[Key] = set()
        self.promised = 0  # combinations in boxes that are not taken yet
        self.boxes: deque[Box] = deque()
        self.queues: Queues[ParameterSet] = Queues()
        self.open = 0
        self.leased = 0
        self.backlog = 0
        self.held = False
        self.forgiven = (0, 0)  # inputs and parameter sets that a failed context had: its clean-up does not count them
        self.closed = False
        self.holding: set[ParameterSet] = set()  # whose child contexts wait for what this context forwards
        self.parent: ParameterSet | None = None
        self.parents: dict[ParameterSet, list[MemoryContext]] = {}  # that wait for child contexts
        self.child_names: dict[str, dict[Key, int]] = {}  # the parameter sets that asked for a name, numbered
        self.depth = 0
        self.visible: int | None = None  # inputs that the output stage may read
        self.results: list[tuple[ParameterSet, Any]] = []
        self.failure: OperationFailure | None = None
        self.failures: list[OperationFailure] = []
        self.notes: list[str] = []

    def candidates_of(self, index: int) -> Candidates:
        """Return the candidates of an operation, by parameter; empty lists when it is first asked for."""
        found = self.candidates.get(index)
        if found is None:
            operation = self.bound.plan.operations[index]
            found = self.candidates[index] = [[] for _ in operation.parameters]
        return found

    def was_given(self, index: int, parameter: int) -> bool:
        """Say whether anything may stand at a parameter, now or once it has been validated."""
        return self.has_candidate(index, parameter) or (index, parameter) in self.awaited

    def has_candidate(self, index: int, parameter: int) -> bool:
        """Say whether anything may stand at a parameter."""
        found = self.candidates.get(index)
        return found is not None and bool(found[parameter])
