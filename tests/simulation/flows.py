"""Data flows for the simulation, made of one number: larger than those of the contract suite, and made for trouble.

Much is locked, limited, tried again, generated, validated and run as child data flows, because that is what faults can
break. They end: what an operation gives is of a later definition than all that it takes, or less than all of it.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from tests.contract.fixpoint import TooBig, fixpoint
from tests.contract.flows import Defined, Flow, Op, Origin, Param, Rule, Seed, Source
from tidemill.model.operation import Stage

__all__ = ["flow_of", "pools_of"]

Thing = TypeVar("Thing")

NAMES = "ABCDE"
CHAIN = "FGHI"
"""What operations give that follow each other for certain."""
SALT = 82
"""Says which data flows have such a chain."""
POOLS = ("default", "far")
MOST = 60
"""Parameter sets that a context may come to."""


def flow_of(rng: Random) -> Flow:
    """Return a data flow with the inputs of one to three contexts, which are not too big."""
    while True:
        flow = _Maker(rng, 0, POOLS[: 2 if rng.random() < 0.3 else 1]).flow()
        try:
            for at, seeds in enumerate(flow.contexts):
                fixpoint(flow, f"c{at}", seeds, MOST)
        except TooBig:
            continue
        return flow


def pools_of(flow: Flow) -> list[str]:
    """Return the pools of a data flow and of those that run below it; there are always workers of the default one."""
    below = [pool for op in flow.operations if op.rule.child is not None for pool in pools_of(op.rule.child)]
    return sorted({"default", *below, *(op.pool for op in flow.operations)})


class _Maker:
    """Makes one data flow: the operations first, then where their parameters come from."""

    def __init__(self, rng: Random, depth: int, pools: Sequence[str]) -> None:
        self.rng = rng
        self.depth = depth
        self.pools = pools
        self.below = "k" * depth  # names of operations tell where an input comes from that is forwarded
        self.checked: str | None = None
        self.locks = False
        self.once = set[str]()
        self.names = NAMES[: rng.randint(2, 5)]
        self.ops: list[Op] = []

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent

    def some(self, options: Sequence[Thing], least: int, most: int) -> list[Thing]:
        return self.rng.sample(options, min(len(options), self.rng.randint(least, most)))

    def flow(self) -> Flow:
        """Return the data flow."""
        rng = self.rng
        checked = self.checked = rng.choice(self.names) if self.chance(10) else None
        locks = self.locks = self.chance(45)
        definitions = tuple(
            Defined(
                name,
                default=rng.randint(0, 3) if self.chance(15) else None,
                lock=locks and self.chance(45),
                validate=f"{self.below}v" if name == checked else None,
                dedupe=self.chance(8),
            )
            for name in self.names
        )
        self.once = {defined.name for defined in definitions if defined.dedupe}
        for at in range(rng.randint(2, 6) - self.depth):
            self.ops.append(
                self.operation(f"{self.below}o{at}", Stage.CLEANUP if self.chance(10) else Stage.PROCESSING)
            )
        chain = self.chain()
        if checked:
            rule = Rule(rng.randint(0, 3), (1,), gaps=frozenset(self.some(range(4), 0, 1)))
            self.ops.append(
                Op(f"{self.below}v", (Param("p0", checked, ()),), (("x", checked),), validator=True, rule=rule)
            )
        self.ops = [self.wired(op) for op in self.ops] + chain
        self.ops += [self.reader(at) for at in range(rng.randint(1, 2))]
        many = rng.randint(1, 3) if self.depth == 0 else 0
        given = tuple(self.seeds(f"c{at}u", 2, 6) for at in range(many))
        seed = self.seeds("f", 1, 2) if self.chance(20) else ()
        definitions += tuple(Defined(name) for name in CHAIN[: len(chain)])
        return Flow(definitions, tuple(self.ops), self.chance(40), seed, given)

    def chain(self) -> list[Op]:
        """Return operations of which each is certain to follow from the one before, so that they may be run ahead; it
        draws from what is there, and so changes nothing where there is none."""
        rng = Random(f"{SALT} {self.ops}")
        if self.locks or self.depth or rng.randrange(100) < 40:
            return []
        pool, taken, made = rng.choice(self.pools), rng.choice(self.names), list[Op]()
        sources: tuple[Source, ...] = (Source("seed"),)
        for at, given in enumerate(CHAIN[: rng.randint(2, len(CHAIN))]):
            rule = Rule(
                rng.randint(0, 3), (1,), frozenset(rng.sample(range(4), rng.randint(0, 1))),
                frozenset([rng.randrange(4)]) if rng.randrange(100) < 15 else frozenset(),
            )  # fmt: skip
            again = rng.randint(2, 3) if rng.randrange(100) < 30 else 0
            params = (Param("p0", taken, sources),)
            made.append(Op(f"z{at}", params, (("x", given),), retry=again, pool=pool, rule=rule))
            taken, sources = given, (Source((f"z{at}", "x")),)
        return made

    def seeds(self, prefix: str, least: int, most: int) -> tuple[Seed, ...]:
        rng = self.rng
        return tuple(
            Seed(
                rng.choice(self.names[:2] if self.chance(70) else self.names), rng.randint(0, 3),
                "other" if self.chance(10) else "seed", f"{prefix}{at}",
            )
            for at in range(rng.randint(least, most))
        )  # fmt: skip

    def operation(self, name: str, stage: Stage) -> Op:
        rng = self.rng
        down = self.chance(10)
        taken = [rng.choice(self.names) for _ in range(rng.choice([1, 1, 1, 2, 2, 0, 3]))]
        if down and not taken:
            taken = [self.names[0]]
        highest = max((NAMES.index(one) for one in taken), default=-1)
        later = self.names if down else self.names[highest + 1 :]
        outputs = tuple((f"x{at}", one) for at, one in enumerate(self.some(later, 1, 2)))
        generator = not down and self.chance(25)
        child = None
        if not generator and not down and self.depth < 1 and self.chance(12):
            child = _Maker(rng, self.depth + 1, self.pools).flow()
        forwards = self.forwards(child)
        rule = Rule(
            constant=0 if down else rng.randint(0, 3),
            weights=tuple(rng.randint(0, 2) for _ in taken),
            gaps=frozenset(self.some(range(4), 0, 1)) if not child else frozenset(),
            fails=frozenset([rng.randrange(4)]) if not down and self.chance(12) else frozenset(),
            down=down,
            generator=generator,
            child=child,
        )
        return Op(
            name,
            tuple(Param(f"p{at}", one, ()) for at, one in enumerate(taken)),
            outputs,
            expand=frozenset(self.some([output for output, _ in outputs], 0, 2)) if self.chance(35) else frozenset(),
            stage=stage,
            conditions=tuple(sorted(self.some(self.names, 1, 2))) if self.chance(20) else (),
            any=self.chance(50),
            retry=rng.randint(2, 3) if self.chance(30) and not forwards else 0,
            forwards=forwards,
            concurrency=rng.randint(1, 2) if self.chance(25) else None,
            pool=rng.choice(self.pools),
            rule=rule,
        )

    def forwards(self, child: Flow | None) -> tuple[str, ...]:
        """Return what is forwarded into a child. What that has depends on time where parameter sets wait for each
        other's locks, or are tried again after others have ended."""
        if child is None or self.locks or not self.chance(50):
            return ()
        alike = [
            one.name for one in child.definitions if one.name in self.names and not one.dedupe and not one.validate
        ]
        names = [name for name in alike if name != self.checked and name not in self.once]
        return tuple(self.some(names, 1, 2)) if names else ()

    # -- where things come from -----------------------------------------------------------------------------------

    def wired(self, op: Op) -> Op:
        if op.validator:
            return Op(**{**vars(op), "params": (Param("p0", op.params[0].definition, (Source("seed"),)),)})
        params = tuple(Param(p.name, p.definition, self.sources(p.definition)) for p in op.params)
        gate = tuple(dict.fromkeys(source for name in op.conditions for source in self.sources(name)))
        return Op(**{**vars(op), "params": params, "gate": gate})

    def sources(self, definition: str) -> tuple[Source, ...]:
        """Return sources for a parameter."""
        made: list[Origin] = [(op.name, out) for op in self.ops for out, what in op.outputs if what == definition]
        found = [Source(origin) for origin in made if not self.chance(10)]
        if not found or self.chance(80):
            found.append(Source("seed"))
        if self.chance(10):
            found.append(Source("other"))
        return tuple(self.pathed(source) if self.chance(10) else source for source in found)

    def pathed(self, source: Source) -> Source:
        """Return the source with an ancestor path that has a chance."""
        if isinstance(source.origin, str):
            return source
        maker = next(op for op in self.ops if op.name == source.origin[0])
        taken = {param.definition for param in maker.params}
        options: list[Origin] = [(op.name, out) for op in self.ops for out, what in op.outputs if what in taken]
        return Source(source.origin, None, (self.rng.choice(["seed", *options]),))

    def reader(self, at: int) -> Op:
        how = self.rng.choice(["multi", "multi", "single", "group", "values"])
        names = [self.rng.choice(self.names) for _ in range(2)]
        params = (Param("p0", names[0], self.sources(names[0])),) if how == "values" else ()
        rule = Rule(weights=(1,) * len(params), reads=(how, *names))
        return Op(f"r{at}", params, stage=Stage.OUTPUT, pool=self.rng.choice(self.pools), rule=rule)
