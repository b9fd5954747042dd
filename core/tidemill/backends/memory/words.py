"""What the facts say that the memory backend notes in its journal. Neighbours: `backends.memory.journalling` notes
them, `journal.event` says what each kind has to say.

The identity of a parameter set says that it has taken the next step of its life: it is taken and dispatched, it is
leased, it is completed. An input is three things, one after the other: its channel, its value, and the number of what
it was made of, or the inverse of its place (~0, ~1, …) if it was made of nothing; or four: its channel, its value, its
position, and the numbers of what it was made of. A mapping is the result of a context that has ended well. A stage has
begun, which is said once or more often; one in which nothing starts is not noted. Any other fact is a tuple that begins
with its kind; where it is about a parameter set the identity of that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tidemill.engine.inputs import FIRST, Item
from tidemill.engine.operations import Channel
from tidemill.engine.redundancy import Key
from tidemill.engine.stages import after
from tidemill.errors import OperationFailure
from tidemill.journal.event import OF_SETS, Fact
from tidemill.journal.kept import Log
from tidemill.model.operation import Stage
from tidemill.plan.digest import canonical
from tidemill.plan.plan import Plan, PlannedOperation

__all__ = ["failure_said", "said"]

_OVER = frozenset(["completed", "failed", "dropped"])


def said(log: Log, facts: Iterable[Any]) -> Iterator[Fact]:
    """Return what facts say, in their order."""
    rest = iter(facts)
    log.given.clear()
    for fact in rest:
        if type(fact) is Channel:
            yield _given(log, fact, rest)
        elif type(fact) is Stage:
            yield from _passed(log, fact)
        elif type(fact) is dict:
            yield from _told(log, ("ended", fact, None, (), ()))
        elif type(fact[0]) is int:
            yield from _onward(log, fact)
        else:
            yield from _told(log, fact)


def _given(log: Log, channel: Channel, rest: Iterator[Any]) -> Fact:
    value, position = next(rest), next(rest)
    if type(position) is not int:
        numbers = next(rest)
    elif position < 0:
        position, numbers = (0, ~position), ()
    else:
        position, numbers = FIRST, (position,)
    return "input", _stored(log, channel, value, position, numbers, numbers)


def _passed(log: Log, to: Stage | None, failed: bool = False) -> Iterator[Fact]:
    """Return the beginnings of the stages up to one, or to the end of the context, of which nothing was said yet."""
    while log.stage is not to and (following := after(log.stage, failed)) is not None:
        log.stage = following
        yield "stage", {"stage": following.value}


def _told(log: Log, fact: tuple[Any, ...]) -> list[Fact]:
    """Return what a fact says that says its kind."""
    kind, *more = fact
    if kind == "ended":
        return [*_passed(log, None, more[1] is not None), ("ended", _ended(log, *more))]
    if kind == "uid":  # of an input of the same step, or of the one that stands for it
        number, uid = more
        log.given.get(number, {}).setdefault("uid", uid)
        return []
    if kind not in OF_SETS:
        return [(kind, _SAID[kind](log, *more))]
    key, *more = more
    if kind == "leased":
        return [_leased(log, key, *more)]
    if kind == "taken" and key in log.sets:
        return []  # it queues up for its locks, or for a place of its operation, once more
    _moved(log, key, kind)
    what = _set(log, key)
    if kind in _MORE:
        what |= _MORE[kind](*more)
    return [(kind, what)]


def _onward(log: Log, key: Key) -> list[Fact]:
    """Return the next steps in the life of a parameter set."""
    last = log.sets[key][0] if key in log.sets else None
    if last == "dispatched":
        return [_leased(log, key, log.worker)]
    if last == "leased":
        _moved(log, key, "completed")
        return [("completed", _set(log, key))]
    _moved(log, key, "dispatched")
    dispatched = ("dispatched", _set(log, key))
    return [dispatched] if last else [("taken", _set(log, key)), dispatched]


def _moved(log: Log, key: Key, kind: str) -> None:
    if kind in _OVER:
        log.sets.pop(key, None)
    else:
        log.sets[key] = (kind, log.sets[key][1] if key in log.sets else 0)


def _set(log: Log, key: Key) -> dict[str, Any]:
    return {"operation": log.plan.operations[key[0]].instance, "inputs": key[1:]}


def _leased(log: Log, key: Key, worker: str) -> Fact:
    lease = log.sets[key][1] + 1
    log.sets[key] = ("leased", lease)
    return "leased", {**_set(log, key), "worker": worker, "lease": lease}


def failure_said(failure: OperationFailure) -> dict[str, Any]:
    """Return what an event says of a failure."""
    found: dict[str, Any] = {"reason": failure.reason, "message": failure.message}
    if failure.instance:
        found["of"] = failure.instance
    return found


def _numbers(items: Sequence[Item]) -> tuple[int, ...]:
    return tuple([item.number for item in items])


def _opened(log: Log, plan: Plan, strict: bool, above: tuple[str, str, Key] | None) -> dict[str, Any]:
    signatures = {operation.instance: list(operation.names) for operation in plan.operations}
    what: dict[str, Any] = {"plan": plan.digest, "strict": strict, "operations": signatures}
    if above is not None:
        context, instance, key = above
        what["parent"] = {"context": context, "operation": instance, "inputs": key[1:]}
    return what


def _stored(
    log: Log,
    channel: Channel,
    value: Any,
    position: tuple[int, int],
    parents: tuple[int, ...],
    made_of: tuple[int, ...],
) -> dict[str, Any]:
    number = log.inputs
    log.inputs += 1
    what: dict[str, Any] = {"number": number, "definition": channel.definition.name, "origin": channel.origin}
    if channel.operation is not None:
        what |= {"operation": channel.operation.instance, "inputs": made_of}
    what |= {"parents": parents, "position": position, "value": value}
    if channel.definition.dedupe:
        what["canonical"] = canonical(value).decode()
    if channel.stands_for:
        what["stands_for"] = channel.stands_for
    if channel.operation is None:
        log.given[number] = what
    return what


def _input(log: Log, item: Item, made_of: tuple[Item, ...]) -> dict[str, Any]:
    assert item.channel is not None
    return _stored(log, item.channel, item.value, item.position, _numbers(item.parents), _numbers(made_of))


def _default(log: Log, item: Item, operation: PlannedOperation, index: int) -> dict[str, Any]:
    parameter = operation.parameters[index].name
    log.inputs += 1
    return {"number": item.number, "of": operation.instance, "parameter": parameter, "value": item.value}


def _gate(log: Log, operation: PlannedOperation, item: Item | None) -> dict[str, Any]:
    return {"operation": operation.instance, **({"input": item.number} if item is not None else {})}


def _failed(failure: OperationFailure) -> dict[str, Any]:
    return {"reason": failure.reason, "message": failure.message}


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
    "failure": lambda log, failure: failure_said(failure),
}
_MORE: dict[str, Callable[..., dict[str, Any]]] = {
    "dispatched": lambda: {"freed": True},
    "failed": _failed,
    "retried": _failed,
    "lost": lambda message: {"message": message},
    "subflow": lambda children: {"children": children},
    "child": lambda name, failed: {"child": name, "status": "failed" if failed else "succeeded"},
}
