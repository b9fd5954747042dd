"""An operation is the prototype of work: what data it takes and gives, never the code behind it.

Neighbours: `model.definition`; `model.dataflow` collects operations; `runtime.decorator` makes them of functions.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, ClassVar

from tidemill.errors import FailedToLoadOperation, TidemillError, pointer, shown
from tidemill.model.definition import Definition

__all__ = ["CONDITIONS_ALL", "CONDITIONS_ANY", "EXECUTORS", "Operation", "Stage"]

CONDITIONS_ALL, CONDITIONS_ANY = "all", "any"
EXECUTORS = ("loop", "thread", "process", "subprocess")
"""Where an operation can run: on the event loop, on a thread, in a pooled process, in a process of its own."""


class Stage(enum.Enum):
    """When an operation runs: each stage starts once the one before it is quiet."""

    PROCESSING = "processing"
    CLEANUP = "cleanup"
    OUTPUT = "output"


@dataclasses.dataclass(frozen=True, eq=True)
class Operation:
    """The prototype of an operation.

    ``inputs`` and ``outputs`` map names to definitions; ``conditions`` open its gate (``conditions_mode``: all of
    them, or any); outputs in ``expand`` are lists whose elements become inputs. ``instance_name`` is its name within
    a data flow and ``name`` finds its implementation. ``validator`` marks the checker of a definition. ``retry`` is
    the number of tries, ``backoff`` the seconds before the second (doubled for each further one), ``timeout`` the
    seconds one try may take. ``executor`` is where it runs (None: the event loop for coroutines, a thread for
    functions), ``concurrency`` how many parameter sets of it may run at once, ``pool`` the kind of worker it belongs
    to.
    """

    name: str
    inputs: dict[str, Definition] = dataclasses.field(default_factory=dict)
    outputs: dict[str, Definition] = dataclasses.field(default_factory=dict)
    stage: Stage = Stage.PROCESSING
    conditions: list[Definition] = dataclasses.field(default_factory=list)
    expand: list[str] = dataclasses.field(default_factory=list)
    instance_name: str | None = None
    validator: bool = False
    retry: int = 0
    conditions_mode: str = CONDITIONS_ALL
    pool: str = "default"
    executor: str | None = None
    concurrency: int | None = None
    timeout: float | None = None
    backoff: float = 0.1

    def __post_init__(self) -> None:
        set_ = object.__setattr__  # a frozen class normalises what it is given once, here
        self._refuse({"name": not isinstance(self.name, str) or not self.name} | self._wrong_kinds())
        set_(self, "inputs", dict(self.inputs or {}))
        set_(self, "outputs", dict(self.outputs or {}))
        set_(self, "conditions", list(self.conditions or ()))
        set_(self, "expand", list(self.expand or ()))
        set_(self, "stage", Stage(self.stage))
        self._refuse(self._wrong_values())

    def _wrong_kinds(self) -> dict[str, bool]:
        return {
            "instance_name": not isinstance(self.instance_name, (str, NoneType)),
            "inputs": not _are_definitions(self.inputs, Mapping),
            "outputs": not _are_definitions(self.outputs, Mapping),
            "conditions": not _are_definitions(self.conditions, Sequence),
            "stage": self.stage not in (*Stage, *[stage.value for stage in Stage]),
            "validator": not isinstance(self.validator, bool),
            "pool": not isinstance(self.pool, str) or not self.pool,
        }

    def _wrong_values(self) -> dict[str, bool]:
        number = (int, float)
        return {
            "executor": self.executor is not None and self.executor not in EXECUTORS,
            "conditions_mode": self.conditions_mode not in (CONDITIONS_ALL, CONDITIONS_ANY),
            "retry": not isinstance(self.retry, int) or self.retry < 0,
            "concurrency": self.concurrency is not None
            and (not isinstance(self.concurrency, int) or self.concurrency < 1),
            "timeout": self.timeout is not None and (not isinstance(self.timeout, number) or not self.timeout > 0),
            "backoff": not isinstance(self.backoff, number) or not self.backoff >= 0,
            "expand": any(name not in self.outputs for name in self.expand),
        }

    def _refuse(self, wrong: Mapping[str, bool]) -> None:
        for field, is_wrong in wrong.items():
            if is_wrong:
                raise TidemillError(
                    f'operation "{self.name}": {field} is {shown(getattr(self, field))}, expected {_EXPECTED[field]}',
                    reason="InvalidOperation",
                    path=pointer("operations", self.instance, field),
                )

    @property
    def instance(self) -> str:
        """The name within a data flow: ``instance_name``, or else ``name``."""
        return self.instance_name or self.name

    @property
    def tries(self) -> int:
        """How often a parameter set is tried at most: 0 and 1 both mean once."""
        return max(1, self.retry)

    def __hash__(self) -> int:
        return hash((self.name, self.instance_name, self.stage))

    def _replace(self, **changes: Any) -> Operation:
        if "outputs" in changes and "expand" not in changes:  # other outputs are lists only if that is said
            changes["expand"] = [name for name in self.expand if name in changes["outputs"]]
        return dataclasses.replace(self, **changes)

    def _asdict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def export(self) -> dict[str, Any]:
        """Return the operation as plain data; what is at its default is left out, but for DFFML's own keys."""
        exported: dict[str, Any] = {
            "name": self.name,
            "inputs": {name: definition.export() for name, definition in self.inputs.items()},
            "outputs": {name: definition.export() for name, definition in self.outputs.items()},
            "stage": self.stage.value,
            "retry": self.retry,
        }
        if self.conditions:
            exported["conditions"] = [definition.export() for definition in self.conditions]
        if self.expand:
            exported["expand"] = list(self.expand)
        for name in _OPTIONAL:
            value = getattr(self, name)
            if value != _DEFAULTS[name]:
                exported[name] = value
        return exported

    finder: ClassVar[Callable[[str | None], Any] | None] = None
    """What `load` asks: the model knows no packages, so whoever does (`runtime.find`) puts itself here."""

    @classmethod
    def load(cls, loading: str | None = None) -> Any:
        """Return the operation that a package announces as ``loading``, or the list of all that are announced.

        Raises `FailedToLoadOperation`.
        """
        if cls.finder is None:
            raise FailedToLoadOperation("nothing looks for operations yet; import tidemill.runtime.find first")
        return cls.finder(loading)

    @classmethod
    def definitions(cls, *operations: Operation) -> dict[str, Definition]:
        """Return the definitions that the operations take, give and wait for, by name."""
        return {
            definition.name: definition
            for operation in operations
            for definition in (*operation.inputs.values(), *operation.outputs.values(), *operation.conditions)
        }

    @classmethod
    def _fromdict(cls, **said: Any) -> Operation:
        said = dict(said)
        for side in ("inputs", "outputs"):
            said[side] = {name: _definition(value) for name, value in (said.get(side) or {}).items()}
        said["conditions"] = [_definition(value) for value in said.get("conditions") or ()]
        if "stage" in said:
            said["stage"] = Stage(said["stage"])
        return cls(**said)


_EXPECTED = {
    "name": "a non-empty string",
    "instance_name": "a string, or None for the name",
    "inputs": "a mapping from parameters to Definitions",
    "outputs": "a mapping from names to Definitions",
    "conditions": "a list of Definitions",
    "stage": f"one of {', '.join(stage.value for stage in Stage)}",
    "validator": "True or False",
    "pool": "a non-empty string",
    "executor": f"one of {', '.join(EXECUTORS)}",
    "conditions_mode": "all or any",
    "retry": "a number of tries, 0 or more",
    "concurrency": "a whole number, 1 or more",
    "timeout": "seconds, more than 0",
    "backoff": "seconds, 0 or more",
    "expand": "names of outputs of the operation",
}
_OPTIONAL = ("instance_name", "validator", "conditions_mode", "pool", "executor", "concurrency", "timeout", "backoff")
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Operation)}


def _are_definitions(things: Any, kind: type) -> bool:
    """Say whether ``things`` are nothing, or a mapping or list (as ``kind`` says) of definitions."""
    if not things:
        return True
    if not isinstance(things, kind):
        return False
    listed: Any = things.values() if isinstance(things, Mapping) else things
    return all(isinstance(thing, Definition) for thing in listed)


def _definition(said: Definition | Mapping[str, Any]) -> Definition:
    return said if isinstance(said, Definition) else Definition._fromdict(**said)


def operations_in(things: Sequence[Any]) -> list[Operation]:
    """Return the operations among ``things``, taking the ``.op`` of those that have one."""
    found = []
    for thing in things:
        candidate = getattr(thing, "op", thing)
        if isinstance(candidate, Operation):
            found.append(candidate)
    return found
