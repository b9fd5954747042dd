"""Hypothesis strategies for data flows that end: what an operation gives is of a later definition than all that it
takes, or less than all that it takes."""

from typing import Any

from hypothesis import strategies as st

from tests.contract.flows import Defined, Flow, Op, Origin, Param, Rule, Seed, Source
from tidemill.model.operation import Stage

__all__ = ["flows"]

NAMES = "ABCDE"
Draw = Any


def _chance(draw: Draw, percent: int) -> bool:
    # Shrinks to False, so a counterexample has only what it needs.
    return bool(draw(st.integers(0, 99)) >= 100 - percent)


def _some(draw: Draw, options: list[Any], least: int = 0, most: int = 2) -> list[Any]:
    if not options:
        return []
    return list(draw(st.lists(st.sampled_from(options), min_size=least, max_size=most, unique=True)))


class _Maker:
    """Makes one data flow: the operations first, then where their parameters come from."""

    def __init__(self, draw: Draw, depth: int) -> None:
        self.draw = draw
        self.depth = depth
        self.names = NAMES[: draw(st.integers(2, 5))]
        self.ops: list[Op] = []

    def flow(self, contexts: bool) -> Flow:
        draw = self.draw
        self.checked = draw(st.sampled_from(self.names)) if _chance(draw, 12) else None
        self.definitions = tuple(
            Defined(
                name,
                default=draw(st.integers(0, 3)) if _chance(draw, 25) else None,
                lock=_chance(draw, 20),
                validate="v" if name == self.checked else None,
                dedupe=_chance(draw, 12),
            )
            for name in self.names
        )
        count = draw(st.integers(1, 6))
        for at in range(count):
            self.ops.append(self.operation(f"o{at}", Stage.CLEANUP if _chance(draw, 12) else Stage.PROCESSING))
        if self.checked:
            rule = Rule(draw(st.integers(0, 3)), (1,), gaps=frozenset(_some(draw, [0, 1, 2, 3], 0, 1)))
            self.ops.append(
                Op("v", (Param("p0", self.checked, ()),), (("x", self.checked),), validator=True, rule=rule)
            )
        self.ops = [self.wired(op) for op in self.ops]
        self.ops += [self.reader(at) for at in range(draw(st.integers(0 if contexts else 1, 2)))]
        strict = not _chance(draw, 50)
        given = tuple(tuple(self.seeds(f"c{at}u")) for at in range(draw(st.integers(1, 2)))) if contexts else ()
        seed = tuple(self.seeds("f", 2)) if _chance(draw, 20) else ()
        return Flow(self.definitions, tuple(self.ops), strict, seed, given)

    def seeds(self, prefix: str, most: int = 4) -> list[Seed]:
        what = st.tuples(st.sampled_from(self.names), st.integers(0, 3), st.sampled_from(["seed", "seed", "other"]))
        listed = self.draw(st.lists(what, min_size=1, max_size=most))
        return [Seed(name, value, origin, f"{prefix}{at}") for at, (name, value, origin) in enumerate(listed)]

    def operation(self, name: str, stage: Stage) -> Op:
        draw = self.draw
        down = _chance(draw, 15)
        taken = [draw(st.sampled_from(self.names)) for _ in range(draw(st.sampled_from([1, 0, 1, 1, 2, 2, 3])))]
        if down and not taken:
            taken = [self.names[0]]
        highest = max((NAMES.index(one) for one in taken), default=-1)
        later = list(self.names) if down else list(self.names[highest + 1 :])
        outputs = tuple((f"x{at}", one) for at, one in enumerate(_some(draw, later, 0, 2)))
        names = [output for output, _ in outputs]
        generator = not down and _chance(draw, 20)
        child = None
        if not generator and not down and self.depth < 1 and _chance(draw, 12):
            child = _Maker(draw, self.depth + 1).flow(contexts=False)
        rule = Rule(
            constant=0 if down else draw(st.integers(0, 3)),
            weights=tuple(draw(st.integers(0, 2)) for _ in taken),
            gaps=frozenset(_some(draw, [0, 1, 2, 3], 0, 2)) if not child else frozenset(),
            fails=frozenset(_some(draw, [0, 1, 2, 3], 1, 1)) if not down and _chance(draw, 15) else frozenset(),
            down=down,
            generator=generator,
            child=child,
        )
        return Op(
            name,
            tuple(Param(f"p{at}", one, ()) for at, one in enumerate(taken)),
            outputs,
            expand=frozenset(_some(draw, names, 0, 2)) if _chance(draw, 40) else frozenset(),
            stage=stage,
            conditions=tuple(sorted(_some(draw, list(self.names), 1, 2))) if _chance(draw, 30) else (),
            any=_chance(draw, 50),
            retry=2 if _chance(draw, 20) else 0,
            concurrency=1 if _chance(draw, 15) else None,
            rule=rule,
        )

    # -- where things come from -----------------------------------------------------------------------------------

    def wired(self, op: Op) -> Op:
        if op.validator:
            sources = (Source("seed"),)
            return Op(**{**vars(op), "params": (Param("p0", op.params[0].definition, sources),)})
        highest = max((NAMES.index(param.definition) for param in op.params), default=-1)
        params = tuple(
            Param(p.name, p.definition, self.sources(p.definition, self.names[: highest + 1])) for p in op.params
        )
        gate = tuple(dict.fromkeys(source for name in op.conditions for source in self.sources(name, name)))
        return Op(**{**vars(op), "params": params, "gate": gate})

    def sources(self, definition: str, allowed: str) -> tuple[Source, ...]:
        """Return sources for a parameter; ``allowed`` are the definitions that may stand there."""
        draw = self.draw
        made: list[Origin] = [(op.name, out) for op in self.ops for out, what in op.outputs if what == definition]
        also: list[Origin] = [(op.name, out) for op in self.ops for out, what in op.outputs if what in allowed]
        found = [Source(origin) for origin in made if not _chance(draw, 20)]
        if not found or _chance(draw, 60):
            found.append(Source("seed"))
        if _chance(draw, 10):
            found.append(Source("other"))
        if _chance(draw, 10):
            found += [Source("seed", name) for name in _some(draw, list(allowed), 1, 1)]
        if _chance(draw, 10):
            found += [Source(origin) for origin in _some(draw, also, 0, 1) if Source(origin) not in found]
        return tuple(self.pathed(source) if _chance(draw, 20) else source for source in dict.fromkeys(found))

    def pathed(self, source: Source) -> Source:
        """Return the source with an ancestor path that has a chance."""
        path: list[Origin] = []
        origin = source.origin
        for _ in range(self.draw(st.integers(1, 2))):
            if isinstance(origin, str):
                break
            maker = next(op for op in self.ops if op.name == origin[0])
            taken = {param.definition for param in maker.params}
            options: list[Origin] = [(op.name, out) for op in self.ops for out, what in op.outputs if what in taken]
            origin = self.draw(st.sampled_from(["seed", *options]))
            path.append(origin)
        return Source(source.origin, source.definition if not path else None, tuple(path))

    def reader(self, at: int) -> Op:
        draw = self.draw
        how = draw(st.sampled_from(["multi", "single", "group", "values"]))
        names = [draw(st.sampled_from(self.names)) for _ in range(2)]
        taken = names[:1] if how == "values" else []
        params = tuple(Param(f"p{n}", one, self.sources(one, one)) for n, one in enumerate(taken))
        conditions = (names[0],) if _chance(draw, 10) else ()
        rule = Rule(weights=(1,) * len(params), reads=(how, *names))
        gate = self.sources(names[0], names[0]) if conditions else ()
        return Op(f"r{at}", params, stage=Stage.OUTPUT, rule=rule, conditions=conditions, gate=gate)


@st.composite
def flows(draw: Draw) -> Flow:
    """Return a data flow with the inputs of one or two contexts."""
    return _Maker(draw, 0).flow(contexts=True)
