"""Finds the code behind an operation by its name.

In this order: what the data flow brings itself, the entry points of the groups ``tidemill.operations`` and
``dffml.operation``, what a program has announced through ``pkg_resources``, then ``module:attribute``. Discovery
happens when it is asked for, never at import.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from tidemill.errors import FailedToLoadOperation, FailedToLoadOperationImplementation, did_you_mean, shown
from tidemill.model.operation import Operation
from tidemill.runtime.decorator import implementation_of, op
from tidemill.runtime.failures import text_of
from tidemill.runtime.implementation import OperationImplementation, isopimp

__all__ = [
    "GROUPS",
    "entry_points",
    "find_implementation",
    "find_operation",
    "load_attribute",
    "load_implementation",
    "load_operation",
    "said_elsewhere",
]

GROUPS = ("tidemill.operations", "dffml.operation")
"""Entry point groups in which packages announce operations, first match first."""


def entry_points() -> dict[str, list[metadata.EntryPoint]]:
    """Return the announced operations: by name, every entry point that announces it, in the order of the groups."""
    found: dict[str, list[metadata.EntryPoint]] = {}
    for group in GROUPS:
        for entry in metadata.entry_points(group=group):
            known = found.setdefault(entry.name, [])
            if all(entry.value != other.value for other in known):
                known.append(entry)
    return found


def said_elsewhere(group: str) -> dict[str, Any]:
    """Return what is announced in a group by ``pkg_resources`` alone, by name, to be loaded by ``load()``.

    DFFML finds packages by that module, so programs of its users add to it while they run. It is asked only where a
    program has it loaded; what the metadata of packages says comes first.
    """
    module = sys.modules.get("pkg_resources")
    known = {entry.name for entry in metadata.entry_points(group=group)} if module is not None else set()
    listed = module.iter_entry_points(group) if module is not None else ()
    return {entry.name: entry for entry in listed if entry.name not in known}


def _said_elsewhere() -> dict[str, Any]:
    return said_elsewhere(GROUPS[1])  # that of DFFML, whose programs announce so


def load_attribute(path: str) -> Any:
    """Return what ``module:attribute`` names. Raises `FailedToLoadOperation` with what is missing."""
    module, _, attribute = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # whatever a module raises while it is imported; a script may exit
        said = f"{path}: {type(error).__name__}: {text_of(error)}"
        raise FailedToLoadOperation(said, path=path) from error
    for name in filter(None, attribute.split(".")):
        if not hasattr(found, name):
            known = [public for public in dir(found) if not public.startswith("_")]
            said = f'{path}: "{name}" is not there {did_you_mean(name, known)}'
            raise FailedToLoadOperation(said, path=path)
        found = getattr(found, name)
    return found


def find_operation(name: str) -> Any:
    """Return what is announced, or importable, under ``name``: a decorated function, an implementation or an operation.

    Raises `FailedToLoadOperation`: nothing is there (OperationLoadError), or two packages announce different
    things under the name (AmbiguousOperation).
    """
    announced = entry_points().get(name, [])
    if len(announced) > 1 and announced[0].group == announced[1].group:
        values = ", ".join(entry.value for entry in announced)
        said = f'several packages announce "{name}": {values}; uninstall one, or name the code as module:attribute'
        raise FailedToLoadOperation(said, reason="AmbiguousOperation", path=name)
    if announced:
        return load_attribute(announced[0].value)
    if (entry := _said_elsewhere().get(name)) is not None:
        return entry.load()
    if ":" in name:
        return load_attribute(name)
    said = (
        f'no package announces an operation "{name}" {did_you_mean(name, entry_points())}; '
        "name the code as module:attribute, or give the data flow implementations={...}"
    )
    raise FailedToLoadOperation(said, path=name)


def _all() -> list[Any]:
    """Return everything that is announced, loaded."""
    return [
        *(load_attribute(listed[0].value) for listed in entry_points().values()),
        *(entry.load() for entry in _said_elsewhere().values()),
    ]


def _operation_of(found: Any) -> Operation | None:
    candidate = getattr(found, "op", found)
    return candidate if isinstance(candidate, Operation) else None


def _implementation_of(found: Any) -> type[OperationImplementation] | None:
    candidate: Any
    for candidate in (getattr(found, "imp", None), found):
        if isopimp(candidate):
            return candidate  # type: ignore[no-any-return]
    return op(found).imp if inspect.isfunction(found) else None


def load_operation(name: str | None = None) -> Any:
    """Return the operation that is announced as ``name`` (or is at ``module:attribute``), or the list of all.

    Raises `FailedToLoadOperation`.
    """
    if name is None:
        found = (_operation_of(one) for one in _all())
        return [operation for operation in found if operation is not None]
    operation = _operation_of(find_operation(name))
    if operation is None:
        raise FailedToLoadOperation(f"what is announced as {name} is no operation; decorate it with @op", path=name)
    return operation


def load_implementation(name: str | None = None) -> Any:
    """Return the implementation that is announced as ``name`` (or is at ``module:attribute``, a plain function too), or
    the list of all.

    Raises `FailedToLoadOperationImplementation`.
    """
    if name is None:
        found = [_implementation_of(one) for one in _all() if hasattr(one, "imp") or not inspect.isfunction(one)]
        return [implementation for implementation in found if implementation is not None]
    try:
        made = _implementation_of(find_operation(name))
    except FailedToLoadOperation as error:
        raise FailedToLoadOperationImplementation(error.message, reason=error.reason, path=name) from error
    if made is None:
        said = f"what is announced as {name} is no operation implementation; decorate it with @op"
        raise FailedToLoadOperationImplementation(said, path=name)
    return made


def find_implementation(operation: Operation, given: Mapping[str, Any]) -> type[OperationImplementation]:
    """Return the implementation class of an operation; ``given`` are those that the data flow brings.

    Raises `FailedToLoadOperation` and `FailedToLoadOperationImplementation`.
    """
    found = given.get(operation.instance, given.get(operation.name))
    if found is None:
        found = find_operation(operation.name)
    implementation: Any = found if isopimp(found) else getattr(found, "imp", None)
    if isopimp(implementation):
        made: type[OperationImplementation] = implementation
        return made
    if inspect.isfunction(found) or isinstance(found, functools.partial):
        # A plain function under the operation's name: the operation says what it takes and gives.
        return implementation_of(found, operation)
    said = f"{operation.name}: {shown(found)} is no operation implementation; decorate it with @op"
    raise FailedToLoadOperationImplementation(said, path=operation.name)


Operation.finder = staticmethod(load_operation)
OperationImplementation.finder = staticmethod(load_implementation)
