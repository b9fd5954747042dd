"""What the facts say that the memory backend notes in its journal. Neighbours: `backends.memory.journalling` notes
them, `journal.event` says what each kind has to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tidemill.engine.inputs import Item
from tidemill.engine.parameters import ParameterSet
from tidemill.errors import OperationFailure
from tidemill.journal.event import Fact
from tidemill.journal.kept import Log
from tidemill.plan.digest import canonical
from tidemill.plan.plan import PlannedOperation

__all__ = ["failure_said", "said"]


def said(log: Log, fact: tuple[Any, ...]) -> Fact:
    """Return what a fact says."""
    return fact[0], _SAID[fact[0]](log, *fact[1:])


def failure_said(failure: OperationFailure) -> dict[str, Any]:
    """Return what an event says of a failure."""
    found: dict[str, Any] = {"reason": failure.reason, "message": failure.message}
    if failure.instance:
        found["of"] = failure.instance
    return found


def _numbers(items: Sequence[Item]) -> tuple[int, ...]:
    return tuple([item.number for item in items])


def _opened(log: Log, context: Any) -> dict[str, Any]:
    plan = context.bound.plan
    signatures = {operation.instance: list(operation.names) for operation in plan.operations}
    what: dict[str, Any] = {"plan": plan.digest, "strict": context.strict, "operations": signatures}
    if context.parent is not None:
        parent = context.parent
        what["parent"] = {"context": parent.context.name, **_set(log, parent)}
    return what


def _input(log: Log, item: Item, made_of: tuple[Item, ...]) -> dict[str, Any]:
    channel = item.channel
    assert channel is not None
    what: dict[str, Any] = {"number": item.number, "definition": channel.definition.name, "origin": channel.origin}
    if channel.operation is not None:
        what |= {"operation": channel.operation.instance, "inputs": _numbers(made_of)}
    what |= {"parents": _numbers(item.parents), "position": item.position, "value": item.value}
    if channel.definition.dedupe:
        what["canonical"] = canonical(item.value).decode()
    if channel.stands_for:
        what["stands_for"] = channel.stands_for
    if channel.operation is None and (uid := _uid(log, item)):
        what["uid"] = uid
    return what


def _uid(log: Log, item: Item) -> str:
    for uid, known in log.of.items_by_uid.items():
        if known is item:
            return str(uid)
    return ""


def _default(log: Log, item: Item, operation: PlannedOperation, index: int) -> dict[str, Any]:
    parameter = operation.parameters[index].name
    return {"number": item.number, "of": operation.instance, "parameter": parameter, "value": item.value}


def _gate(log: Log, operation: PlannedOperation, item: Item | None) -> dict[str, Any]:
    return {"operation": operation.instance, **({"input": item.number} if item is not None else {})}


def _taken(log: Log, operation: PlannedOperation, items: tuple[Item, ...]) -> dict[str, Any]:
    return {"operation": operation.instance, "inputs": _numbers(items)}


def _set(log: Log, one: ParameterSet) -> dict[str, Any]:
    return {"operation": one.operation.instance, "inputs": _numbers(one.items)}


def _dispatched(log: Log, one: ParameterSet, freed: bool) -> dict[str, Any]:
    return {**_set(log, one), **({"freed": True} if freed else {})}


def _leased(log: Log, one: ParameterSet, worker: str, lease: int) -> dict[str, Any]:
    return {**_set(log, one), "worker": worker, "lease": lease}


def _failed(log: Log, one: ParameterSet, failure: OperationFailure) -> dict[str, Any]:
    return {**_set(log, one), "reason": failure.reason, "message": failure.message}


def _lost(log: Log, one: ParameterSet, message: str) -> dict[str, Any]:
    return {**_set(log, one), "message": message}


def _subflow(log: Log, one: ParameterSet, children: int) -> dict[str, Any]:
    return {**_set(log, one), "children": children}


def _child(log: Log, one: ParameterSet, name: str, failed: bool) -> dict[str, Any]:
    return {**_set(log, one), "child": name, "status": "failed" if failed else "succeeded"}


def _ended(
    log: Log, result: Any, failure: OperationFailure | None, failures: Sequence[OperationFailure], notes: Sequence[str]
) -> dict[str, Any]:
    what: dict[str, Any] = {"status": "succeeded" if failure is None else "failed"}
    what |= {"result": result} if failure is None else {"failure": failure_said(failure)}
    return what | {"failures": [failure_said(one) for one in failures], "notes": list(notes)}


_SAID: dict[str, Callable[..., dict[str, Any]]] = {
    "opened": _opened,
    "added": lambda log: {},
    "closed": lambda log: {},
    "input": _input,
    "default": _default,
    "gate": _gate,
    "taken": _taken,
    "dispatched": _dispatched,
    "leased": _leased,
    "completed": _set,
    "released": _set,
    "dropped": _set,
    "failed": _failed,
    "retried": _failed,
    "lost": _lost,
    "subflow": _subflow,
    "child": _child,
    "failure": lambda log, failure: failure_said(failure),
    "stage": lambda log, stage: {"stage": stage.value},
    "ended": _ended,
}
