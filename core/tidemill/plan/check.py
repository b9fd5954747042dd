"""What is wrong with a data flow although every name in it exists, and what is right but can never run.

Errors forbid the plan; warnings go with it. Neighbours: `plan.compile` resolves the names first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tidemill.errors import Problem, did_you_mean, pointer
from tidemill.model.dataflow import DataFlow, origins_of, subflow_cycle, subflow_problem
from tidemill.model.definition import Definition
from tidemill.model.primitives import CANONICAL, checker_of, compatible
from tidemill.plan.graph import producers
from tidemill.plan.plan import Accept, PlannedOperation, PlannedParameter

__all__ = ["MAX_LOCKS", "errors_of", "warnings_of"]

MAX_LOCKS = 64
"""Locked definitions that one operation may take: a parameter set holds them all, in one step."""


def errors_of(dataflow: DataFlow, operations: Sequence[PlannedOperation]) -> list[Problem]:
    """Return what forbids running the data flow."""
    by_name = {operation.instance: operation for operation in operations}
    return [
        *_conflicts(dataflow, operations),
        *_types(dataflow, operations, by_name),
        *_validators(dataflow, operations, by_name),
        *_locks(operations),
        *_configs(dataflow, by_name),
        *(subflow_problem(cycle) for cycle in [subflow_cycle(dataflow)] if cycle),
    ]


def warnings_of(operations: Sequence[PlannedOperation], reaches: Sequence[frozenset[int]]) -> list[Problem]:
    """Return what does not forbid running the data flow but is hardly meant."""
    return [*_never_run(operations), *_cycles(operations, reaches), *_condition_types(operations)]


def _places(dataflow: DataFlow, operations: Sequence[PlannedOperation]) -> Iterator[tuple[str, Definition]]:
    for operation in operations:
        declared = operation.operation
        for side, group in (("inputs", declared.inputs), ("outputs", declared.outputs)):
            for name, definition in group.items():
                yield pointer("operations", operation.instance, side, name), definition
        for at, definition in enumerate(declared.conditions):
            yield pointer("operations", operation.instance, "conditions", at), definition
    for at, item in enumerate(dataflow.seed):
        yield pointer("seed", at, "definition"), item.definition


def _conflicts(dataflow: DataFlow, operations: Sequence[PlannedOperation]) -> Iterator[Problem]:
    """One name means one thing: only defaults, specs and links may differ from place to place."""
    first: dict[str, tuple[str, Definition]] = {}
    for path, definition in _places(dataflow, operations):
        where, known = first.setdefault(definition.name, (path, definition))
        if known is definition:
            continue
        for field in ("primitive", "lock", "validate", "dedupe"):
            mine, theirs = getattr(known, field), getattr(definition, field)
            if field == "primitive":
                mine, theirs = CANONICAL.get(mine.lower(), mine), CANONICAL.get(theirs.lower(), theirs)
            if mine != theirs:
                said = (
                    f'the definition "{definition.name}" has {field} {mine!r} at {where} and {theirs!r} here; one name '
                    "has one meaning, so rename one of them"
                )
                yield Problem("DefinitionConflict", path, said)


def _types(
    dataflow: DataFlow, operations: Sequence[PlannedOperation], by_name: dict[str, PlannedOperation]
) -> Iterator[Problem]:
    for operation in operations:
        for parameter in operation.parameters:
            for accept in parameter.accepts:
                if isinstance(accept.origin, str):
                    continue
                given = by_name[accept.origin[0]].outputs[accept.origin[1]]
                source = given.definition.primitive
                if given.expand and given.definition.primitive.lower() in ("array", "list"):
                    continue  # its elements are what arrives, and their type is not written anywhere
                if not compatible(source, parameter.definition.primitive):
                    said = (
                        f"{accept.origin[0]}.{accept.origin[1]} ({source}) → {operation.instance}.{parameter.name} "
                        f"({parameter.definition.primitive}): such a value would be refused; convert it in between"
                    )
                    sources = dataflow.flow[operation.instance].inputs[parameter.name]
                    at = next(at for at, source in enumerate(sources) if accept.origin in origins_of([source]))
                    path = pointer("flow", operation.instance, "inputs", parameter.name, at)
                    yield Problem("TypeMismatch", path, said)


def _validators(
    dataflow: DataFlow, operations: Sequence[PlannedOperation], by_name: dict[str, PlannedOperation]
) -> Iterator[Problem]:
    places = [definition for _, definition in _places(dataflow, operations)]
    validated: dict[str, str] = {}
    for definition in (*places, *dataflow.definitions.values()):
        if isinstance(definition.validate, str):
            validated[definition.name] = definition.validate
    names = [operation.instance for operation in operations if operation.operation.validator]
    for definition_name, validator in sorted(validated.items()):
        path = pointer("definitions", definition_name, "validate")
        found = by_name.get(validator)
        if found is None or not found.operation.validator:
            what = "is no validator" if found is not None else "does not exist"
            said = f'"{definition_name}" is validated by "{validator}", which {what} {did_you_mean(validator, names)}'
            yield Problem("ValidatorMissing", path, said)
        elif [p.definition.name for p in found.parameters] != [definition_name]:
            said = (
                f'the validator "{validator}" has to take "{definition_name}" and nothing else; it takes '
                f"{', '.join(p.definition.name for p in found.parameters) or 'nothing'}"
            )
            cycle = _waits_for_itself(definition_name, validated, by_name)
            yield Problem("ValidatorCycle" if cycle else "ValidatorShape", path, said)


def _waits_for_itself(name: str, validated: dict[str, str], by_name: dict[str, PlannedOperation]) -> bool:
    """Say whether the validator of a definition takes what, in one step or more, only that definition can validate."""
    seen: set[str] = set()
    ahead = [name]
    while ahead:
        current = ahead.pop()
        validator = by_name.get(validated.get(current, ""))
        for parameter in validator.parameters if validator is not None else ():
            taken = parameter.definition.name
            if taken == name and current != name:
                return True
            if taken not in seen:
                seen.add(taken)
                ahead.append(taken)
    return False


def _locks(operations: Sequence[PlannedOperation]) -> Iterator[Problem]:
    for operation in operations:
        locked = sum(parameter.definition.lock for parameter in operation.parameters)
        if locked > MAX_LOCKS:
            said = f'operation "{operation.instance}" takes {locked} locked definitions, limit {MAX_LOCKS}'
            yield Problem("TooManyLocks", pointer("operations", operation.instance, "inputs"), said)


def _configs(dataflow: DataFlow, by_name: dict[str, PlannedOperation]) -> Iterator[Problem]:
    for section, names in (("configs", dataflow.configs), ("forward", dataflow.forward.book)):
        for name in names:
            if name not in by_name:
                said = f'{section} names the operation "{name}", which does not exist {did_you_mean(name, by_name)}'
                yield Problem("UnknownOperation", pointer(section, name), said)


def _never_run(operations: Sequence[PlannedOperation]) -> Iterator[Problem]:
    """Find what no order of events can start: a fixpoint over "may run", optimistic about everything given."""
    may_run: set[str] = set()

    def comes(accepts: Iterable[Accept]) -> bool:
        return any(isinstance(accept.origin, str) or accept.origin[0] in may_run for accept in accepts)

    def may_take(parameter: PlannedParameter) -> bool:
        return parameter.has_default or comes(parameter.accepts)

    grew = True
    while grew:
        grew = False
        for operation in operations:
            if operation.instance in may_run:
                continue
            if all(map(may_take, operation.parameters)) and all(map(comes, operation.gate)):
                may_run.add(operation.instance)
                grew = True
    for operation in operations:
        if operation.instance not in may_run:
            unbound = [parameter for parameter in operation.parameters if not may_take(parameter)]
            yield from _reasons(operation, unbound)


def _reasons(operation: PlannedOperation, parameters: Sequence[PlannedParameter]) -> Iterator[Problem]:
    for parameter in parameters:
        path = pointer("flow", operation.instance, "inputs", parameter.name)
        if not parameter.accepts:
            said = f"{operation.instance}.{parameter.name} has no source and no default; it would never run"
            yield Problem("UnboundParameter", path, said)
        else:
            waits = ", ".join(sorted(producers(parameter.accepts)))
            said = (
                f'"{operation.instance}" can never run: {parameter.name} comes only from {waits}, which can never run '
                "before it; add a source such as seed, or a default"
            )
            yield Problem("NeverRuns", path, said)
    if not parameters:
        said = f'"{operation.instance}" can never run: nothing can give what its conditions wait for'
        yield Problem("NeverRuns", pointer("flow", operation.instance, "conditions"), said)


def _cycles(operations: Sequence[PlannedOperation], reaches: Sequence[frozenset[int]]) -> Iterator[Problem]:
    reported: set[int] = set()
    for operation in operations:
        index = operation.index
        if index in reported or index not in reaches[index] or operation.operation.validator:
            continue
        cycle = sorted(other for other in reaches[index] if index in reaches[other])
        reported.update(cycle)
        if any(operations[at].operation.validator for at in cycle):
            continue
        names = " → ".join(operations[at].instance for at in (*cycle, cycle[0]))
        said = f"{names} feeds itself; it runs until it gives nothing more, or until the limit of parameter sets"
        yield Problem("UnboundedCycle", pointer("flow", operation.instance), said)


def _condition_types(operations: Sequence[PlannedOperation]) -> Iterator[Problem]:
    for operation in operations:
        for at, definition in enumerate(operation.operation.conditions):
            if checker_of(definition.primitive) is not None and CANONICAL[definition.primitive.lower()] != "bool":
                said = (
                    f'the condition "{definition.name}" of "{operation.instance}" is a {definition.primitive}, '
                    "not a bool: any value that is not empty or zero opens it"
                )
                yield Problem("ConditionType", pointer("operations", operation.instance, "conditions", at), said)
