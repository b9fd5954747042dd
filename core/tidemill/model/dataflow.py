"""A data flow: operations, and for each of their parameters the origins it may come from.

It can be written by hand, made from operations alone (`auto_flow`), or read from its exported form, and is
changed freely until it is compiled into a plan. Neighbours: `model.flow` (sources), `model.links` (the linked
form), `plan.compile` (what engines execute).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tidemill.errors import InvalidFlow, Problem, pointer, shown
from tidemill.model.definition import Definition
from tidemill.model.flow import Forward, InputFlow
from tidemill.model.input import SEED, Input
from tidemill.model.limits import Limits
from tidemill.model.links import link, unlink
from tidemill.model.operation import Operation, Stage

__all__ = ["DataFlow", "auto_flow", "export_config", "origins_of", "subflow_cycle", "subflow_problem"]


class DataFlow:
    """Operations and how their inputs come about.

    Positional ``args`` are operations, or what the `op` decorator made; ``operations`` maps instance names to the same.
    ``seed`` are inputs that every context starts with; ``flow`` names the sources of every parameter and is made
    by `auto_flow` when it is None; ``configs`` maps instances to what their implementations are configured with;
    ``implementations`` maps operation names to code.

    Raises `InvalidFlow` (DuplicateOperation, NotAnOperation, NotAnInput) for operations that cannot be told apart or
    are none, and for seeds that are no inputs.
    """

    def __init__(
        self,
        *args: Any,
        operations: Mapping[str, Any] | None = None,
        seed: Iterable[Input] | None = None,
        configs: Mapping[str, Any] | None = None,
        definitions: Mapping[str, Definition] | None = None,
        flow: Mapping[str, InputFlow | Mapping[str, Any]] | None = None,
        by_origin: Mapping[Stage, Mapping[Any, list[Operation]]] | None = None,
        implementations: Mapping[str, Any] | None = None,
        forward: Forward | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.operations: dict[str, Operation] = {}
        self.implementations: dict[str, Any] = dict(implementations or {})
        for thing in args:
            self._add(None, thing)
        for instance, thing in (operations or {}).items():
            self._add(instance, thing)
        self.seed: list[Input] = list(seed or ())
        if strange := [at for at, item in enumerate(self.seed) if not isinstance(item, Input)]:
            said = "is no Input; write Input(value, definition)"
            raise InvalidFlow([Problem("NotAnInput", pointer("seed", at), f"{shown(self.seed[at])} {said}")
                for at in strange])  # fmt: skip
        self.configs: dict[str, Any] = dict(configs or {})
        self.definitions: dict[str, Definition] = dict(definitions or {})
        self.forward = forward if forward is not None else Forward()
        self.limits = limits if limits is not None else Limits()
        self.flow: dict[str, InputFlow] = {
            name: entry if isinstance(entry, InputFlow) else InputFlow._fromdict(**entry)
            for name, entry in (flow or {}).items()
        }
        self.by_origin: dict[Stage, dict[Any, list[Operation]]] = {}
        self.update(auto_flow=flow is None)

    @classmethod
    def auto(cls, *operations: Any) -> DataFlow:
        """Return the data flow of these operations, wired by the definitions that they share."""
        return cls(*operations)

    def _add(self, instance: str | None, thing: Any) -> None:
        operation = getattr(thing, "op", thing)
        if not isinstance(operation, Operation):
            raise InvalidFlow([Problem("NotAnOperation", pointer("operations", instance or ""),
                f"{shown(thing)} is no operation; decorate it with @op or give an Operation")])  # fmt: skip
        name = instance or operation.instance
        if name in self.operations:
            raise InvalidFlow([Problem("DuplicateOperation", pointer("operations", name),
                f'two operations are called "{name}"; give one of them an instance_name')])  # fmt: skip
        if operation.instance_name != name:
            operation = operation._replace(instance_name=name)
        self.operations[name] = operation
        # What was decorated has its implementation; an implementation that was written by hand is its own.
        implementation = getattr(thing, "imp", thing if isinstance(thing, type) and hasattr(thing, "CONTEXT") else None)
        if implementation is not None:
            known = self.implementations.setdefault(operation.name, implementation)
            if known is not implementation:  # two pieces of code under one name: each instance keeps its own
                self.implementations.setdefault(name, implementation)

    def update(self, auto_flow: bool = False) -> None:
        """Work out again what follows from ``operations`` and ``flow``, after they were edited.

        With ``auto_flow`` the flow itself is made anew from the definitions.
        """
        self.update_operations()
        self.update_definitions()
        if auto_flow:
            self.flow = make_flow(self.operations)
        self.update_by_origin()

    def update_operations(self) -> None:
        """Work out again the operations, after what `op` decorated or another instance's operation was put there."""
        listed, self.operations = self.operations, {}
        for name, thing in listed.items():
            self._add(name, thing)

    def update_definitions(self) -> None:
        """Work out again which definitions there are, after ``operations`` or ``seed`` were edited."""
        for operation in self.operations.values():
            for definition in (*operation.inputs.values(), *operation.outputs.values(), *operation.conditions):
                self.definitions.setdefault(definition.name, definition)
        for item in self.seed:
            self.definitions.setdefault(item.definition.name, item.definition)

    def auto_flow(self) -> dict[str, InputFlow]:
        """Return the flow that follows from the definitions; the data flow keeps its own."""
        return make_flow(self.operations)

    def update_by_origin(self) -> None:
        """Work out again which operations each origin concerns, after ``flow`` was edited."""
        self.by_origin = {}
        for instance, entry in self.flow.items():
            operation = self.operations.get(instance)
            if operation is None:
                continue
            origins = self.by_origin.setdefault(operation.stage, {})
            for sources in (*entry.inputs.values(), entry.conditions):
                for origin in origins_of(sources):
                    concerned = origins.setdefault(origin, [])
                    if operation not in concerned:
                        concerned.append(operation)

    @property
    def validators(self) -> dict[str, Operation]:
        """The operations that check a definition, by instance name."""
        return {name: operation for name, operation in self.operations.items() if operation.validator}

    def export(self, *, linked: bool = False) -> dict[str, Any]:
        """Return the data flow as plain data, without its implementations.

        ``linked``: definitions are written once, under ``definitions``, and referred to by name. Raises
        `TidemillError` (NotExportable) for what is code and cannot be written, `InvalidFlow` (SubflowCycle) for a data
        flow that runs itself.
        """
        if cycle := subflow_cycle(self):
            raise InvalidFlow([subflow_problem(cycle)])
        exported: dict[str, Any] = {
            "operations": {name: _without_instance(name, op) for name, op in self.operations.items()},
            "seed": [item.export() for item in self.seed],
            "flow": {name: entry.export() for name, entry in self.flow.items()},
        }
        if extra := self._only_named():
            exported["definitions"] = {name: definition.export() for name, definition in extra.items()}
        if self.configs:
            exported["configs"] = {name: export_config(config) for name, config in self.configs.items()}
        if self.forward.book:
            exported["forward"] = self.forward.export()
        if limits := self.limits.export():
            exported["limits"] = limits
        return link(exported) if linked else exported

    def _only_named(self) -> dict[str, Definition]:
        """Return the definitions that stand in no operation, seed or forwarding: sources may name them all the same."""
        said = {item.definition.name for item in self.seed}
        said.update(definition.name for listed in self.forward.book.values() for definition in listed)
        for operation in self.operations.values():
            for definition in (*operation.inputs.values(), *operation.outputs.values(), *operation.conditions):
                said.add(definition.name)
        return {name: definition for name, definition in self.definitions.items() if definition.name not in said}

    @classmethod
    def _fromdict(cls, *, linked: bool = False, **said: Any) -> DataFlow:
        said = unlink(said) if linked else dict(said)
        operations = {
            name: op
            if isinstance(op, Operation) or hasattr(op, "op")
            else Operation._fromdict(**{"instance_name": name, **op})
            for name, op in (said.get("operations") or {}).items()
        }
        seed = [item if isinstance(item, Input) else Input._fromdict(**item) for item in said.get("seed") or ()]
        forward, limits = said.get("forward"), said.get("limits")
        definitions = {
            name: item if isinstance(item, Definition) else Definition._fromdict(**item)
            for name, item in (said.get("definitions") or {}).items()
        }
        return cls(
            operations=operations,
            seed=seed,
            configs=said.get("configs"),
            definitions=definitions,
            flow=said.get("flow"),
            implementations=said.get("implementations"),
            forward=Forward._fromdict(**forward) if isinstance(forward, Mapping) else forward,
            limits=Limits._fromdict(**limits) if isinstance(limits, Mapping) else limits,
        )


def make_flow(operations: Mapping[str, Operation]) -> dict[str, InputFlow]:
    """Return the flow that follows from the definitions: a parameter comes from whoever gives its definition, and
    from the seeds when nobody does."""
    producers: dict[str, list[dict[str, str]]] = {}
    for instance, operation in operations.items():
        for output, definition in operation.outputs.items():
            producers.setdefault(definition.name, []).append({instance: output})

    def sources(definition: Definition) -> list[Any]:
        return [dict(source) for source in producers.get(definition.name, ())] or [SEED]

    flow = {}
    for instance, operation in operations.items():
        conditions: list[Any] = []
        for definition in operation.conditions:
            conditions.extend(source for source in sources(definition) if source not in conditions)
        inputs = {
            # A validator takes what has not been validated: it never waits for its own output.
            name: [source for source in sources(definition) if not operation.validator or instance not in source]
            or [SEED]
            for name, definition in operation.inputs.items()
        }
        flow[instance] = InputFlow(inputs=inputs, conditions=conditions)
    return flow


auto_flow = make_flow


def origins_of(sources: Iterable[Any]) -> list[Any]:
    """Return the origins that ``sources`` name for the inputs themselves: a word, or (instance, output)."""
    found: list[Any] = []
    for source in sources:
        head = source[0] if isinstance(source, (list, tuple)) and source else source
        if isinstance(head, str):
            found.append(head)
        elif isinstance(head, Mapping):
            found.extend(
                (str(origin), names) if isinstance(origin, str) and isinstance(names, str) else origin
                for origin, names in head.items()
            )
    return found


def _without_instance(name: str, operation: Operation) -> dict[str, Any]:
    exported = operation.export()
    if exported.get("instance_name") == name:  # the key of the mapping says it
        del exported["instance_name"]
    return exported


def export_config(config: Any) -> Any:
    """Return a configuration as plain data; a data flow within it as its exported form.

    Raises `TidemillError` (NotExportable) for what is code and cannot be written.
    """
    if hasattr(config, "export"):
        return config.export()
    said = _fields(config)
    if said is None:
        return config
    return {name: value.export() if isinstance(value, DataFlow) else value for name, value in said.items()}


def subflow_problem(cycle: Iterable[str]) -> Problem:
    """Return the finding about a cycle of data flows that run each other."""
    first, *_ = names = list(cycle)
    said = f"a data flow runs itself: {' → '.join([*names, first])}; run a data flow that ends instead"
    return Problem("SubflowCycle", pointer("configs", first), said)


def subflow_cycle(dataflow: DataFlow) -> list[str] | None:
    """Return the instances by which a data flow comes to run itself, or one of those that it runs does; None if none
    does."""
    return _cycle_below(dataflow, [], set())


def _cycle_below(dataflow: DataFlow, above: list[DataFlow], done: set[int]) -> list[str] | None:
    if any(dataflow is other for other in above):
        return []
    if id(dataflow) in done:
        return None
    for instance, config in dataflow.configs.items():
        for value in (_fields(config) or {}).values():
            if isinstance(value, DataFlow):
                found = _cycle_below(value, [*above, dataflow], done)
                if found is not None:
                    return [instance, *found]
    done.add(id(dataflow))
    return None


def _fields(config: Any) -> dict[str, Any] | None:
    if isinstance(config, Mapping):
        return dict(config)
    if hasattr(config, "_asdict"):
        return dict(config._asdict())
    if hasattr(config, "__dataclass_fields__"):
        return {name: getattr(config, name) for name in config.__dataclass_fields__}
    return None
