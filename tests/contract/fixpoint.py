"""What a data flow means, without time, order, workers or backends: the least set of inputs and parameter sets in which
nothing is missing.

It is written from the semantics alone and shares no code with the engine but the spelling of identities. `fixpoint`
is the whole of it; what stands around it says what an input is and which inputs a source accepts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from types import SimpleNamespace
from typing import Any

from tests.contract.flows import Flow, Op, Param, Seed, Source, behave, number_of
from tidemill.engine.lineage import identity, parameter_set_id
from tidemill.model.operation import Stage

__all__ = ["Datum", "Model", "TooBig", "fixpoint"]

Combination = tuple["Datum", ...]


class TooBig(Exception):
    """The data flow has more parameter sets than a test of it is worth."""


@dataclass(frozen=True)
class Datum:
    """An input: who it is (``id``), and what follows from that. ``key`` sorts in canonical order."""

    id: str
    value: int = field(compare=False)
    definition: str = field(compare=False, default="")
    origin: Any = field(compare=False, default="default")
    parents: Combination = field(compare=False, default=())
    made_by: str | None = field(compare=False, default=None)
    key: tuple[Any, ...] = field(compare=False, default=(-1,))
    stands_for: Any = field(compare=False, default=None)  # the origin of what a validator made it of

    def above(self) -> Iterator["Datum"]:
        """Yield every ancestor, once for each way up."""
        for parent in self.parents:
            yield parent
            yield from parent.above()


@dataclass
class Model:
    """Everything that becomes of one context. ``order`` has the parameter sets of the output stage by canonical key."""

    flow: Flow
    context: str
    items: set[Datum] = field(default_factory=set)
    sets: dict[str, tuple[Op, Combination]] = field(default_factory=dict)
    defaults: set[tuple[str, str]] = field(default_factory=set)
    failures: set[str] = field(default_factory=set)
    mappings: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    children: "list[Model]" = field(default_factory=list)
    held: list[tuple[str, Op, Combination]] = field(default_factory=list)
    visible: list[Datum] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether the context fails, whatever the order."""
        return self.flow.strict and bool(self.failures)

    # -- what there is ------------------------------------------------------------------------------------------

    def raw(self, item: Datum) -> bool:
        """Say whether an input has still to be validated."""
        validator = item.definition and self.flow.defined(item.definition).validate
        return bool(validator) and (isinstance(item.origin, str) or item.origin[0] != validator)

    def accepts(self, source: Source, item: Datum, own: str | None) -> bool:
        """Say whether a source takes an input; ``own`` is the definition that a word stands for."""
        origins = [item.origin, *([item.stands_for] if item.stands_for is not None else [])]
        wanted = source.definition or (own if isinstance(source.origin, str) else None)
        if source.origin not in origins or (wanted is not None and item.definition != wanted):
            return False
        generation: Iterable[Datum] = [item, *self.validated(item)]
        for origin in source.path:
            above = [parent for child in generation for parent in child.parents]
            above += [before for parent in above for before in self.validated(parent)]
            generation = [parent for parent in above if parent.origin == origin]
        return bool(generation)

    def validated(self, item: Datum) -> list[Datum]:
        """Return what a validator made an input of, which it stands for."""
        return [parent for parent in item.parents if self.raw(parent)]

    def operation(self, name: str) -> Op:
        """Return the operation of this name."""
        return next(op for op in self.flow.operations if op.name == name)

    def candidates(self, op: Op, param: Param) -> list[Datum]:
        """Return what may stand at a parameter."""
        if op.validator:
            found = [i for i in self.items if self.raw(i) and self.flow.defined(i.definition).validate == op.name]
        else:
            ready = [i for i in self.items if not self.raw(i)]
            found = [i for i in ready if any(self.accepts(s, i, param.definition) for s in param.sources)]
        if (op.name, param.name) in self.defaults:
            found.append(Datum("default", self.flow.defined(param.definition).default or 0))
        return found

    def is_open(self, op: Op) -> bool:
        """Say whether the gate of an operation is open."""
        had = [
            any(i.value and i.definition == name and not self.raw(i) and self.accepts(source, i, name)
                for i in self.items for source in op.gate)
            for name in op.conditions
        ]  # fmt: skip
        return not had or (any(had) if op.any else all(had))

    # -- what follows -------------------------------------------------------------------------------------------

    def give(self, given: Iterable[Seed]) -> None:
        """Add what is given, in order."""
        for place, seed in enumerate(given):
            who = identity(
                "seed", self.context, seed.origin, *((seed.uid,) if seed.uid else (seed.definition, str(place)))
            )
            item = Datum(who, seed.value, seed.definition, seed.origin, key=(0, 0, place))
            self.items.add(self.once(item) if self.flow.defined(seed.definition).dedupe else item)

    def once(self, item: Datum) -> Datum:
        """Return the input that stands for all of this origin and definition with an equal value."""
        origins = (str(item.origin), str(item.stands_for or ""))
        who = identity("value", self.context, *origins, item.definition, str(item.value))
        key = (0, 2, (), origins, item.definition, str(item.value))
        return Datum(who, item.value, item.definition, item.origin, key=key, stands_for=item.stands_for)

    def run(self, op: Op, inputs: Combination, limit: int) -> bool:
        """Run an operation over a combination unless that has been done; say whether it was new."""
        names = SimpleNamespace(instance=op.name, names=tuple(param.name for param in op.params))
        who = parameter_set_id(self.context, names, [item.id for item in inputs])  # type: ignore[arg-type]
        if who in self.sets:
            return False
        self.sets[who] = (op, inputs)
        if len(self.sets) > limit:
            raise TooBig
        if op.forwards:
            self.held.append((who, op, inputs))
        else:
            self.become(who, op, inputs, (), limit)
        return True

    def release(self, limit: int) -> bool:
        """Run the child contexts that wait until nothing else can give what they are to have, too; say whether there
        were any."""
        held, self.held = self.held, []
        known = sorted(self.items, key=lambda item: item.key)
        for who, op, inputs in held:
            assert op.rule.child is not None
            given = [forwarded(op.rule.child, item) for item in known if item.definition in op.forwards]
            self.become(who, op, inputs, given, limit)
        return bool(held)

    def become(self, who: str, op: Op, inputs: Combination, given: Iterable[Seed], limit: int) -> None:
        """Do what an operation does over a combination; ``given`` is forwarded into its child context."""
        values = tuple(item.value for item in inputs)
        number = 0
        if op.rule.child is not None:
            seeds = (*child_seeds(op.rule.child, values), *given)
            child = fixpoint(op.rule.child, f"{self.context}/{op.name}/{who}", seeds, limit)
            self.children.append(child)
            if child.failed:
                self.failures.add(who)
                return
            number = number_of(child.result())
        done = behave(op, values, number)
        if done.failed:
            self.failures.add(who)
        if op.stage is Stage.OUTPUT:
            if not done.failed:
                self.mappings.append((op.name, tuple(item.key for item in inputs), self.read(op, values)))
            return
        for emission, mapping in enumerate(done.emissions):
            self.store(op, who, inputs, emission, mapping)

    def store(self, op: Op, who: str, inputs: Combination, emission: int, mapping: dict[str, Any]) -> None:
        """Add what one emission of a parameter set gives."""
        generation = 1 + max((max(item.key[0], 0) for item in inputs), default=-1)
        for name, definition in op.outputs:
            listed = (mapping[name] or []) if name in op.expand else [mapping[name]]
            for element, value in enumerate(listed):
                named = identity("out", who, name, str(emission), str(element))
                key = (generation, 1, tuple(i.key for i in inputs), op.name, name, emission, element)
                before = inputs[0].origin if op.validator else None
                item = Datum(named, value, definition, (op.name, name), inputs, who, key, before)
                self.items.add(self.once(item) if self.flow.defined(definition).dedupe else item)

    def due(self, stage: Stage) -> set[tuple[str, str]]:
        """Return the parameters that take their default once nothing else can happen."""
        waiting = []
        for op in self.flow.operations:
            missing = [param for param in op.params if not self.candidates(op, param)]
            if op.stage is stage and self.is_open(op):
                if not op.validator and all(
                    self.flow.defined(param.definition).default is not None for param in missing
                ):
                    waiting += [(op, param) for param in missing]
        ahead = leads(self.flow)

        def feeds(op: Op, param: Param) -> bool:
            return any(giver == op.name or giver in ahead[op.name] for giver in givers(self.flow, param))

        return {
            (op.name, param.name)
            for op, param in waiting
            if not any(other is not op and feeds(other, param) and not feeds(op, theirs) for other, theirs in waiting)
        }

    # -- what comes of it ---------------------------------------------------------------------------------------

    def values(self, definition: str) -> list[Datum]:
        """Return the inputs of a definition that the output stage sees, in canonical order."""
        return sorted((i for i in self.visible if i.definition == definition and not self.raw(i)), key=lambda i: i.key)

    def read(self, op: Op, values: tuple[int, ...]) -> dict[str, Any]:
        """Return what an operation of the output stage returns."""
        how, *names = op.rule.reads
        found = {name: [item.value for item in self.values(name)] for name in names}
        if how == "multi":
            return found
        if how == "single":
            return {name: listed[-1] for name, listed in found.items() if listed}
        if how == "values":
            return {"last": sum(values), f"of {sum(values)}": list(values)}
        keys = sorted(self.values(names[0]), key=lambda item: item.value)
        return {"grouped": [item.value for key in keys for item in self.values(names[1]) if key in set(item.above())]}

    def result(self) -> dict[str, Any]:
        """Return the result of the context."""
        merged: dict[str, dict[str, Any]] = {}
        for name, _, mapping in sorted(self.mappings, key=lambda one: one[:2]):
            merged.setdefault(name, {}).update(mapping)
        names = [op.name for op in self.flow.operations if op.stage is Stage.OUTPUT]
        return merged.get(names[0], {}) if len(names) == 1 else merged


def fixpoint(flow: Flow, context: str, given: Iterable[Seed], limit: int = 150) -> Model:
    """Return what becomes of a context. Raises `TooBig` beyond ``limit`` parameter sets."""
    model = Model(flow, context)
    model.give([*flow.seed, *given])
    for op in flow.operations:
        for param in op.params:
            given_only = all(isinstance(source.origin, str) for source in param.sources)
            default = flow.defined(param.definition).default
            some = any(model.accepts(s, i, param.definition) for s in param.sources for i in model.items)
            if default is not None and given_only and not some and not op.validator:
                model.defaults.add((op.name, param.name))
    for stage in (Stage.PROCESSING, Stage.CLEANUP, Stage.OUTPUT):
        model.visible = list(model.items)
        moved = True
        while moved:
            moved = False
            for op in flow.operations:
                if op.stage is stage and model.is_open(op):
                    for inputs in list(product(*[model.candidates(op, param) for param in op.params])):
                        moved |= model.run(op, inputs, limit)
            moved = moved or model.release(limit)
            if not moved:
                due = model.due(stage)
                model.defaults |= due
                moved = bool(due)
    return model


def child_seeds(child: Flow, values: tuple[int, ...]) -> tuple[Seed, ...]:
    """Return the inputs of a child context that is run over these values."""
    names = [one.name for one in child.definitions]
    return tuple(Seed(names[at % len(names)], value) for at, value in enumerate(values))


def forwarded(child: Flow, item: Datum) -> Seed:
    """Return an input of a context as its child context is given it: from where it comes if that is known there."""
    known = {
        (source.origin, source.definition or name)
        for op in child.operations
        for name, sources in [*((p.definition, p.sources) for p in op.params), *((c, op.gate) for c in op.conditions)]
        for source in sources
    }
    origin = item.origin if (item.origin, item.definition) in known else "seed"
    return Seed(item.definition, item.value, origin)


def givers(flow: Flow, param: Param) -> set[str]:
    """Return the operations that can give an input for a parameter: those it names, and who validates it."""
    found = {source.origin[0] for source in param.sources if not isinstance(source.origin, str)}
    names = {source.definition or param.definition for source in param.sources}
    return found | {one.validate for one in flow.definitions if one.validate and one.name in names}


def leads(flow: Flow) -> dict[str, set[str]]:
    """Return, for each operation, the operations that its outputs can lead to."""
    ahead: dict[str, set[str]] = {op.name: set() for op in flow.operations}
    for op in flow.operations:
        gate = {source.origin[0] for source in op.gate if not isinstance(source.origin, str)}
        for giver in gate.union(*(givers(flow, param) for param in op.params)):
            ahead[giver].add(op.name)
    for middle in ahead:
        for first in ahead:
            if middle in ahead[first]:
                ahead[first] |= ahead[middle]
    return ahead
