"""Random data flows, in random orders, with workers that vanish: parameter sets, results and lineage are those of the
fixpoint model, whatever the order."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.contract.backends import FACTORIES, FLOWS, Factory, factory_of
from tests.contract.chaos import Chaos, Seen, play
from tests.contract.fixpoint import Model, TooBig, fixpoint
from tests.contract.flows import Flow
from tests.contract.strategies import flows
from tests.contract.tally import TALLY


@pytest.mark.parametrize("backend", sorted(FACTORIES))
def test_every_order_gives_what_the_data_flow_means(backend: str) -> None:
    factory, (many, orders) = factory_of(backend), FLOWS[backend]

    @settings(max_examples=many)
    @given(flow=flows(), number=st.integers(0, 2**20))
    def examine_all(flow: Flow, number: int) -> None:
        TALLY.flows += 1
        for order in range(orders):
            examine(flow, factory, number + order)

    examine_all()


def examine(flow: Flow, factory: Factory, number: int) -> None:
    """Compare one order of events with the model."""
    try:
        for at, seeds in enumerate(flow.contexts):
            fixpoint(flow, f"c{at}", seeds)
    except TooBig:
        reject()
    chaos = asyncio.run(play(flow, factory, number))
    TALLY.orders += 1
    for at in range(len(flow.contexts)):
        name = f"c{at}"
        own = chaos.seen[name].given[len(flow.seed) :]
        compare_all(chaos, fixpoint(flow, name, own))


def compare_all(chaos: Chaos, model: Model) -> None:
    """Compare a context and its child contexts with the model of them."""
    seen = chaos.seen[model.context]
    TALLY.contexts += 1
    TALLY.parameter_sets += len(seen.sets)
    TALLY.failed_contexts += model.failed
    if model.failed:
        compare_failed(seen, model)
        return
    compare(seen, model)
    for child in model.children:
        compare_all(chaos, child)


def compare(seen: Seen, model: Model) -> None:
    """Compare what was seen of a context that has not failed with the model of it."""
    ending = seen.ending
    assert ending.failure is None, f"{model.context} failed: {ending.failure}"
    assert set(seen.sets) == set(model.sets), difference(seen, model)
    assert ending.parameter_sets == len(model.sets)
    assert Counter(one.instance for one in ending.failures) == Counter(
        model.sets[who][0].name for who in model.failures
    )
    assert lineage(seen) == lineage_of(model)
    assert ending.inputs == len(model.items)
    assert ending.result == model.result()


def compare_failed(seen: Seen, model: Model) -> None:
    """Compare what was seen of a context that has failed: nothing happened that would not have happened otherwise."""
    ending = seen.ending
    assert ending.failure is not None, f"{model.context} was to fail and has the result {ending.result}"
    assert ending.result is None
    names = {model.sets[who][0].name for who in model.failures}
    assert {ending.failure.instance, *(one.instance for one in ending.failures)} <= names
    cleanup = {op.name for op in model.flow.operations if op.stage.value == "cleanup"}
    if not cleanup:  # with less there is, a clean-up may take defaults that it would not have taken otherwise
        assert set(seen.sets) <= set(model.sets), difference(seen, model)
        assert lineage(seen) <= lineage_of(model)


def lineage(seen: Seen) -> set[tuple[object, ...]]:
    """Return the lineage that a backend has recorded."""
    records = seen.ending.lineage()
    found: set[tuple[object, ...]] = {
        (r.id, r.definition, str(r.origin), r.value, r.parents, r.parameter_set) for r in records
    }
    assert len(found) == len(records), "an identity stands for two inputs"
    return found


def lineage_of(model: Model) -> set[tuple[object, ...]]:
    """Return the lineage that the model has."""
    return {
        (i.id, i.definition, str(i.origin), i.value, tuple(parent.id for parent in i.parents), i.made_by)
        for i in model.items
    }


def difference(seen: Seen, model: Model) -> str:
    """Say which parameter sets are missing, and how many are too many."""
    missing = [
        f"{op.name}{tuple(i.value for i in inputs)}" for who, (op, inputs) in model.sets.items() if who not in seen.sets
    ]
    more = [who for who in seen.sets if who not in model.sets]
    extra = (
        [f"{lease.instance}{tuple(lease.arguments.values())}" for lease in seen.ran.leases] if seen.ran and more else []
    )
    return f"missing: {missing}; {len(more)} too many among {extra}"
