"""Data flows that are made at random: what one says, what its operations do, and how it reads.

A `Flow` is plain data. `dataflow_of` makes the real thing of it; `behave` is what its operations do, the same pure
function for the workers of a backend and for the fixpoint model.
"""

from dataclasses import dataclass, field
from typing import Any

from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import NO_DEFAULT, Definition
from tidemill.model.flow import Forward, InputFlow
from tidemill.model.input import Input
from tidemill.model.operation import Operation, Stage

__all__ = ["Behaviour", "Defined", "Flow", "Op", "Origin", "Param", "Rule", "Seed", "Source", "behave", "dataflow_of"]

Origin = str | tuple[str, str]
MODULUS = 4


@dataclass(frozen=True)
class Defined:
    """A definition: its default, whether it is locked, which operation validates it, and whether equal values are one
    input."""

    name: str
    default: int | None = None
    lock: bool = False
    validate: str | None = None
    dedupe: bool = False

    def __repr__(self) -> str:
        return self.name + "".join(
            f" {name}={value}"
            for name, value in (
                ("default", self.default),
                ("lock", self.lock or None),
                ("validate", self.validate),
                ("dedupe", self.dedupe or None),
            )  # fmt: skip
            if value is not None
        )


@dataclass(frozen=True)
class Source:
    """One source of a parameter or a gate. ``definition`` None: the parameter's own, or whatever an output gives."""

    origin: Origin
    definition: str | None = None
    path: tuple[Origin, ...] = ()

    def spelt(self) -> Any:
        """Return the source as a data flow spells it."""
        head: Any = _step(self.origin)
        if self.definition is not None:
            head = {self.origin: [self.definition]}
        return [head, *map(_step, self.path)] if self.path else head


def _step(origin: Origin) -> Any:
    return origin if isinstance(origin, str) else {origin[0]: origin[1]}


@dataclass(frozen=True)
class Param:
    """One parameter and its sources."""

    name: str
    definition: str
    sources: tuple[Source, ...]

    def __repr__(self) -> str:
        return f"{self.name}: {self.definition} from {' | '.join(str(source.spelt()) for source in self.sources)}"


@dataclass(frozen=True)
class Rule:
    """What an operation does with n = (constant + sum of weights × parameters) mod 4.

    It gives nothing for n in ``gaps`` and fails for n in ``fails`` (a generator after it has emitted). ``down``: it
    gives one less than its least parameter instead, as long as that is more than nothing. ``generator``: it emits n
    mod 3 times. ``child``: it runs that data flow over its parameters and gives a number made of the results.
    ``reads``: how an operation of the output stage makes its result.
    """

    constant: int = 0
    weights: tuple[int, ...] = ()
    gaps: frozenset[int] = frozenset()
    fails: frozenset[int] = frozenset()
    down: bool = False
    generator: bool = False
    child: "Flow | None" = None
    reads: tuple[str, ...] = ()

    def __repr__(self) -> str:
        said = [" + ".join([str(self.constant), *(f"{w}·p{at}" for at, w in enumerate(self.weights))])]
        said += [f"nothing for {sorted(self.gaps)}"] * bool(self.gaps) + [f"fails for {sorted(self.fails)}"] * bool(
            self.fails
        )
        said += ["counts down"] * self.down + ["generator"] * self.generator
        said += [f"reads {self.reads}"] * bool(self.reads)
        return "; ".join(said) + (f"; runs\n{self.child!r}" if self.child else "")


@dataclass(frozen=True)
class Op:
    """One operation with its flow and what it does."""

    name: str
    params: tuple[Param, ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    expand: frozenset[str] = frozenset()
    stage: Stage = Stage.PROCESSING
    conditions: tuple[str, ...] = ()
    gate: tuple[Source, ...] = ()
    any: bool = False
    retry: int = 0
    validator: bool = False
    concurrency: int | None = None
    pool: str = "default"
    forwards: tuple[str, ...] = ()
    rule: Rule = field(default_factory=Rule)

    def __repr__(self) -> str:
        takes = ", ".join(map(repr, self.params))
        gives = ", ".join(f"{name}: {what}{'[]' * (name in self.expand)}" for name, what in self.outputs)
        extra = f" if {'any' if self.any else 'all'} of {self.conditions} from {[s.spelt() for s in self.gate]}"
        said = f"{self.name}({takes}) -> {gives or 'nothing'}{extra * bool(self.conditions)}"
        said += f" [{self.stage.value}]" * (self.stage is not Stage.PROCESSING) + f" retry={self.retry}" * bool(
            self.retry
        )
        said += f" forwards {self.forwards}" * bool(self.forwards) + f" concurrency={self.concurrency}" * bool(
            self.concurrency
        )
        said += f" in {self.pool}" * (self.pool != "default")
        return f"{said} := {self.rule!r}"


@dataclass(frozen=True)
class Seed:
    """One input that is given; ``uid`` "" is none."""

    definition: str
    value: int
    origin: str = "seed"
    uid: str = ""

    def __repr__(self) -> str:
        return f"{self.definition}={self.value}" + f"@{self.origin}" * (self.origin != "seed") + f"#{self.uid}"


@dataclass(frozen=True)
class Flow:
    """A data flow, and the inputs of each of its contexts."""

    definitions: tuple[Defined, ...]
    operations: tuple[Op, ...]
    strict: bool = True
    seed: tuple[Seed, ...] = ()
    contexts: tuple[tuple[Seed, ...], ...] = ()

    def __repr__(self) -> str:
        lines = [f"strict={self.strict}, definitions: {', '.join(map(repr, self.definitions))}"]
        lines += [f"  {op!r}" for op in self.operations]
        lines += [f"  seed of the flow: {', '.join(map(repr, self.seed))}"] * bool(self.seed)
        lines += [f"  context {at}: {', '.join(map(repr, given))}" for at, given in enumerate(self.contexts)]
        return "\n" + "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # Hypothesis would spell out every field

    def defined(self, name: str) -> Defined:
        """Return the definition of this name."""
        return next(one for one in self.definitions if one.name == name)


def inputs_of(flow: Flow, seeds: tuple[Seed, ...]) -> list[Input]:
    """Return the inputs that ``seeds`` stand for."""
    known = {one.name: definition_of(one) for one in flow.definitions}
    return [Input(one.value, known[one.definition], origin=one.origin, uid=one.uid) for one in seeds]


def definition_of(one: Defined) -> Definition:
    """Return the definition that ``one`` stands for."""
    default = NO_DEFAULT if one.default is None else one.default
    dedupe = "value" if one.dedupe else None
    return Definition(one.name, "int", default=default, lock=one.lock, validate=one.validate, dedupe=dedupe)


def dataflow_of(flow: Flow) -> DataFlow:
    """Return the data flow that ``flow`` stands for."""
    known = {one.name: definition_of(one) for one in flow.definitions}
    operations, entries, forward = [], {}, Forward()
    for op in flow.operations:
        operations.append(
            Operation(
                op.name, {p.name: known[p.definition] for p in op.params}, {n: known[d] for n, d in op.outputs},
                stage=op.stage, conditions=[known[name] for name in op.conditions], expand=sorted(op.expand),
                conditions_mode="any" if op.any else "all", retry=op.retry, validator=op.validator,
                concurrency=op.concurrency, pool=op.pool,
            )
        )  # fmt: skip
        entries[op.name] = InputFlow(
            {p.name: [s.spelt() for s in p.sources] for p in op.params}, [s.spelt() for s in op.gate]
        )
        if op.forwards:
            forward.add(op.name, [known[name] for name in op.forwards])
    return DataFlow(*operations, flow=entries, seed=inputs_of(flow, flow.seed), forward=forward)


@dataclass(frozen=True)
class Behaviour:
    """What an operation does for one parameter set: mappings emitted (one and no more unless it is a generator), and
    whether it fails then."""

    emissions: tuple[dict[str, Any], ...]
    failed: bool = False


def behave(op: Op, values: tuple[int, ...], children: int = 0) -> Behaviour:
    """Return what an operation does; ``children`` is the number made of the results of its child contexts."""
    rule = op.rule
    n = (rule.constant + children + sum(w * v for w, v in zip(rule.weights, values, strict=True))) % MODULUS
    if rule.down:
        least = min(values, default=0)
        return Behaviour((_outputs(op, least - 1),) if least > 0 else ())
    failed = n in rule.fails
    if rule.generator:
        return Behaviour(tuple(_outputs(op, n + at) for at in range(n % 3)), failed)
    return Behaviour(() if failed or n in rule.gaps else (_outputs(op, n),), failed)


def _outputs(op: Op, n: int) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for at, (name, _) in enumerate(op.outputs):
        if op.rule.down:
            given[name] = [n] if name in op.expand else n
        elif name not in op.expand:
            given[name] = (n + at) % MODULUS
        else:
            given[name] = None if n == 3 else [(n + at + more) % MODULUS for more in range(n % 3)]
    return given


def number_of(result: Any) -> int:
    """Return a number made of everything in the result of a child context, in order."""
    if isinstance(result, dict):
        return number_of([result[key] for key in sorted(result)])
    if isinstance(result, list):
        total = 0
        for item in result:
            total = total * 3 + number_of(item) + 1
        return total
    return int(result)
