"""From a data flow to a plan: names resolved, sources spelt out, problems collected.

Every problem is reported, not only the first, and each names the operation, the parameter and the nearest existing
names. Neighbours: `plan.check` (what is wrong although every name exists), `plan.graph`, `plan.digest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tidemill.errors import InvalidFlow, Problem, ValidatorMissing, did_you_mean, pointer, shown
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.input import Origin
from tidemill.model.operation import CONDITIONS_ANY, Operation, Stage
from tidemill.plan.check import errors_of, warnings_of
from tidemill.plan.digest import digest_of
from tidemill.plan.graph import reachable
from tidemill.plan.plan import Accept, Plan, PlannedOperation, PlannedOutput, PlannedParameter

__all__ = ["compile_plan"]


def compile_plan(dataflow: DataFlow) -> Plan:
    """Return the plan of a data flow.

    Raises `InvalidFlow` with everything that is wrong with it (`ValidatorMissing` if that is all).
    """
    compiler = _Compiler(dataflow)
    operations = compiler.operations()
    problems = compiler.problems or errors_of(dataflow, operations)
    if problems:
        missing = all(problem.reason == "ValidatorMissing" for problem in problems)
        raise (ValidatorMissing if missing else InvalidFlow)(problems)
    reaches = reachable(operations)
    return Plan(
        digest=digest_of(dataflow),
        dataflow=dataflow,
        operations=operations,
        definitions=MappingProxyType(_definitions(dataflow, operations)),
        seed=tuple(dataflow.seed),
        configs=MappingProxyType(dict(dataflow.configs)),
        implementations=MappingProxyType(dict(dataflow.implementations)),
        limits=dataflow.limits,
        warnings=tuple(warnings_of(operations, reaches)),
        reaches=reaches,
        instances=MappingProxyType({operation.instance: operation for operation in operations}),
        stages=MappingProxyType({stage: tuple(op for op in operations if op.stage is stage) for stage in Stage}),
    )


def definitions_of(operation: Operation) -> Iterable[Definition]:
    """Yield every definition that an operation names."""
    yield from operation.inputs.values()
    yield from operation.outputs.values()
    yield from operation.conditions


def _definitions(dataflow: DataFlow, operations: Iterable[PlannedOperation]) -> dict[str, Definition]:
    """Return what each name means to the engine: producers and conditions first, as they say what a value is."""
    found: dict[str, Definition] = {}
    for operation in operations:
        for output in operation.outputs.values():
            found.setdefault(output.definition.name, output.definition)
    for operation in operations:
        for definition in (*(p.definition for p in operation.parameters), *operation.operation.conditions):
            found.setdefault(definition.name, definition)
    for item in dataflow.seed:
        found.setdefault(item.definition.name, item.definition)
    for name, definition in dataflow.definitions.items():
        found.setdefault(name, definition)
    return found


class _Compiler:
    """Collects problems while it resolves the sources of one data flow."""

    def __init__(self, dataflow: DataFlow) -> None:
        self.dataflow = dataflow
        self.problems: list[Problem] = []
        known = [definition for op in dataflow.operations.values() for definition in definitions_of(op)]
        seeds = [item.definition for item in dataflow.seed]
        self.validators = {
            definition.name: definition.validate
            for definition in (*known, *seeds, *dataflow.definitions.values())
            if isinstance(definition.validate, str) and definition.validate in dataflow.operations
        }

    def operations(self) -> tuple[PlannedOperation, ...]:
        """Return the planned operations, in the order of their names."""
        known = self.dataflow.operations
        if not known:
            self._problem("NoOperations", ("operations",), "a data flow has at least one operation")
        for instance in self.dataflow.flow:
            if instance not in known:
                said = f'flow names the operation "{instance}", which does not exist {did_you_mean(instance, known)}'
                self._problem("UnknownOperation", ("flow", instance), said)
        return tuple(self._operation(index, name, known[name]) for index, name in enumerate(sorted(known)))

    def _operation(self, index: int, instance: str, operation: Operation) -> PlannedOperation:
        entry = self.dataflow.flow.get(instance)
        sources = entry.inputs if entry is not None else {}
        for name in sources:
            if name not in operation.inputs:
                said = f'operation "{instance}" has no parameter "{name}" {did_you_mean(name, operation.inputs)}'
                self._problem("UnknownParameter", ("flow", instance, "inputs", name), said)
        parameters = tuple(
            PlannedParameter(
                at,
                name,
                operation.inputs[name],
                accepts := self._parameter(instance, name, operation, sources),
                givers=self._givers(accepts, operation.inputs[name].name),
                validates=operation.validator,
            )
            for at, name in enumerate(sorted(operation.inputs))
        )
        outputs = {
            name: PlannedOutput(at, name, operation.outputs[name], name in operation.expand)
            for at, name in enumerate(sorted(operation.outputs))
        }
        gate = self._gate(instance, operation, entry.conditions if entry is not None else [])
        forwarded = self.dataflow.forward.book.get(instance, ())
        return PlannedOperation(
            index=index,
            instance=instance,
            operation=operation,
            parameters=parameters,
            outputs=MappingProxyType(outputs),
            gate=gate,
            stage=operation.stage,
            names=tuple(parameter.name for parameter in parameters),
            openers=frozenset().union(*(self._givers(group, None) for group in gate)),
            forwards=frozenset(definition.name for definition in forwarded),
        )

    def _parameter(
        self, instance: str, name: str, operation: Operation, sources: Mapping[str, list[Any]]
    ) -> tuple[Accept, ...]:
        accepts: list[Accept] = []
        for at, source in enumerate(sources.get(name, ())):
            where = ("flow", instance, "inputs", name, at)
            accepts.extend(a for a in self._source(source, operation.inputs[name].name, where) if a not in accepts)
        return tuple(accepts)

    def _givers(self, accepts: Iterable[Accept], definition: str | None) -> frozenset[str]:
        """Return who can give what these sources accept: the producers, and who validates what they give."""
        found = set()
        for accept in accepts:
            if isinstance(accept.origin, str):
                gives = accept.definition or definition
            else:
                found.add(accept.origin[0])
                gives = accept.definition or self._given_by(accept.origin)
            if gives in self.validators:
                found.add(self.validators[gives])
        return frozenset(found)

    def _gate(self, instance: str, operation: Operation, sources: Iterable[Any]) -> tuple[tuple[Accept, ...], ...]:
        """Group the sources of the conditions by the condition that they can satisfy."""
        names = [definition.name for definition in operation.conditions]
        groups: dict[Any, list[Accept]] = {}
        for at, source in enumerate(sources):
            where = ("flow", instance, "conditions", at)
            wanted: list[str | None] = list(names) if names else [None]
            for accept in self._condition(source, wanted, where):
                gives = accept.definition or self._given_by(accept.origin)
                groups.setdefault(gives if gives in names else ("source", at), []).append(accept)
        strangers = any(isinstance(key, tuple) for key in groups)
        for name in names:
            if name not in groups and not strangers:
                groups[name] = []  # nothing can open it: a warning, not an error
        gate = [tuple(dict.fromkeys(accepts)) for accepts in groups.values()]
        if operation.conditions_mode == CONDITIONS_ANY and gate:
            return (tuple(accept for group in gate for accept in group),)
        return tuple(gate)

    def _condition(self, source: Any, wanted: list[str | None], where: tuple[object, ...]) -> list[Accept]:
        if isinstance(source, str):
            return [Accept(source, name) for name in wanted]
        return self._source(source, wanted[0] if len(wanted) == 1 else None, where)

    def _given_by(self, origin: Origin) -> str | None:
        if isinstance(origin, str):
            return None
        return self.dataflow.operations[origin[0]].outputs[origin[1]].name

    def _source(self, source: Any, definition: str | None, where: tuple[object, ...]) -> list[Accept]:
        """Return what one source of a parameter of ``definition`` accepts."""
        if isinstance(source, str):
            return [Accept(source, definition)]
        if isinstance(source, Mapping) and source:
            return [accept for origin, names in source.items() for accept in self._alternatives(origin, names, where)]
        if isinstance(source, (list, tuple)) and source and not any(isinstance(step, (list, tuple)) for step in source):
            return self._path(source, definition, where)
        self._no_source(source, where)
        return []

    def _no_source(self, source: Any, where: tuple[object, ...]) -> None:
        said = (
            f'{shown(source)} is no source; expected an origin such as "seed", {{instance: output}}, '
            "{origin: [definitions]}, or a list of those, the input's own origin first, then its parent's"
        )
        self._problem("InvalidSource", where, said)

    def _path(self, source: Sequence[Any], definition: str | None, where: tuple[object, ...]) -> list[Accept]:
        """Return what an ancestor path accepts: its first step is the input's own, the others are origins only."""
        steps = [self._source(step, definition if at == 0 else None, where) for at, step in enumerate(source)]
        if any(not step for step in steps):
            return []  # the step's own problem is already noted
        for at, (accept, *_) in enumerate(steps):
            if at > 0 and accept.definition is not None:
                self._definition_above(source, at, accept, where)
                return []
        if any(len(step) > 1 for step in steps):
            self._no_source(source, where)
            return []
        first, *above = [step[0] for step in steps]
        return [Accept(first.origin, first.definition, tuple(accept.origin for accept in above))]

    def _definition_above(self, source: Any, at: int, accept: Accept, where: tuple[object, ...]) -> None:
        _, instance, side, *name = where
        of = f'parameter "{name[0]}"' if side == "inputs" else "conditions"
        origin = accept.origin
        instead = f'"{origin}"' if isinstance(origin, str) else f'{{"{origin[0]}": "{origin[1]}"}}'
        said = (
            f'operation "{instance}", {of}: {shown(source[at])} in the ancestor path {shown(source)} names the '
            f'definition "{accept.definition}", which only the first step of a path can do; write {instead}, and give '
            "inputs that are to be told apart an origin of their own"
        )
        self._problem("InvalidSource", where, said)

    def _alternatives(self, origin: Any, names: Any, where: tuple[object, ...]) -> list[Accept]:
        several = isinstance(names, (list, tuple))
        if isinstance(origin, tuple) and len(origin) == 2 and (several or isinstance(names, str)):
            listed = names if several else [names]
            known = self._output(str(origin[0]), str(origin[1]), where)
            return [Accept((str(origin[0]), str(origin[1])), str(name)) for name in listed] if known else []
        if isinstance(origin, str) and isinstance(names, str):
            return [Accept((origin, names), None)] if self._output(origin, names, where) else []
        if isinstance(origin, str) and several:
            return [Accept(origin, str(name)) for name in names]
        said = f"{shown({origin: names})} is no source; expected {{instance: output}} or {{origin: [definitions]}}"
        self._problem("InvalidSource", where, said)
        return []

    def _output(self, instance: str, output: str, where: tuple[object, ...]) -> bool:
        operations = self.dataflow.operations
        if instance not in operations:
            said = f'there is no operation "{instance}" {did_you_mean(instance, operations)}'
            self._problem("UnknownOperation", where, said)
            return False
        if output not in operations[instance].outputs:
            said = f'"{instance}" has no output "{output}" {did_you_mean(output, operations[instance].outputs)}'
            self._problem("UnknownOutput", where, said)
            return False
        return True

    def _problem(self, reason: str, where: tuple[object, ...], message: str) -> None:
        self.problems.append(Problem(reason, pointer(*where), message))
