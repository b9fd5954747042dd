"""Defaults: who takes one at the close of the intake, who at quiet; feeders go first, circles go together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.making import NUMBER, TEXT, operation, plan_of
from tidemill import Definition, InputFlow, Operation
from tidemill.engine.defaults import at_close, at_quiet
from tidemill.plan.plan import Plan

WITH = Definition("with", "int", default=0)


def flow_of(**sources: dict[str, object]) -> dict[str, InputFlow]:
    return {
        name: InputFlow(inputs={param: [source] for param, source in given_by.items()})
        for name, given_by in sources.items()
    }


def having(*places: str) -> Callable[[int, int], bool]:
    """Say which parameters have a candidate, as "operation number.parameter number"."""
    return lambda op, parameter: f"{op}.{parameter}" in places


def names(places: Iterable[tuple[object, object]]) -> list[str]:
    return [f"{getattr(op, 'instance', '')}.{getattr(parameter, 'name', '')}" for op, parameter in places]


CLOSE = plan_of(
    Operation("a", inputs={"p": WITH, "q": NUMBER, "r": WITH}, outputs={"o": WITH}),
    Operation("b", inputs={"p": WITH, "q": WITH}),
    flow={
        "a": InputFlow(inputs={"p": ["seed", "client"], "q": ["seed"], "r": []}),
        "b": InputFlow(inputs={"p": ["seed", {"a": "o"}], "q": [{"a": "o"}]}),
    },
)


@pytest.mark.parametrize(
    ("have", "taking"),
    [
        ([], ["a.p", "a.r"]),
        (["0.0"], ["a.r"]),
        (["0.2"], ["a.p"]),
        (["0.0", "0.2"], []),
        (["0.1", "1.0", "1.1"], ["a.p", "a.r"]),
    ],
)
def test_at_the_close_what_only_given_inputs_could_feed_takes_its_default(have: list[str], taking: list[str]) -> None:
    assert names(at_close(CLOSE, having(*have))) == taking


# From here on: a -> b -> c -> d, and d may lead back.
def chain(back: str = "") -> Plan:
    sources: dict[str, dict[str, object]] = {
        "a": {"x": {back: "o"} if back else "seed"},
        "b": {"x": {"a": "o"}},
        "c": {"x": {"b": "o"}},
        "d": {"x": {"c": "o"}},
    }
    made = [Operation(name, inputs={"x": WITH}, outputs={"o": WITH}) for name in "abcd"]
    return plan_of(*made, flow=flow_of(**sources))


def quiet(plan: Plan, active: Iterable[str], *have: str) -> list[str]:
    return names(at_quiet(plan, [plan.instances[name] for name in active], having(*have)))


@pytest.mark.parametrize(
    ("back", "active", "have", "taking"),
    [
        ("", "abcd", [], ["a.x"]),
        ("", "abcd", ["0.0"], ["b.x"]),
        ("", "bcd", [], ["b.x"]),
        ("", "d", [], ["d.x"]),
        ("", "ad", [], ["a.x"]),  # through b and c, which do not wait themselves
        ("", "abcd", ["0.0", "1.0", "2.0", "3.0"], []),
        ("", "", [], []),
        ("d", "abcd", [], ["a.x", "b.x", "c.x", "d.x"]),
        ("c", "abcd", [], ["a.x", "b.x", "c.x"]),
        ("b", "abcd", [], ["a.x", "b.x"]),
        ("b", "acd", [], ["a.x"]),
        ("b", "cd", [], ["c.x"]),
        ("a", "abcd", [], ["a.x"]),
        ("a", "bd", [], ["b.x"]),
        ("c", "dcba", [], ["c.x", "b.x", "a.x"]),
    ],
)
def test_at_quiet_those_go_first_that_no_other_can_feed(
    back: str, active: str, have: list[str], taking: list[str]
) -> None:
    assert quiet(chain(back), active, *have) == taking


def test_an_operation_waits_only_if_nothing_else_is_missing() -> None:
    plan = plan_of(
        Operation("a", inputs={"p": WITH, "q": NUMBER}, outputs={"o": WITH}),
        Operation("b", inputs={"p": WITH, "q": WITH}),
        flow=flow_of(a={"p": "seed", "q": "seed"}, b={"p": {"a": "o"}, "q": {"a": "o"}}),
    )
    assert quiet(plan, "ab") == ["b.p", "b.q"]  # a can never run: q has no default, and so it feeds nobody
    assert quiet(plan, "ab", "0.1") == ["a.p"]
    assert quiet(plan, "ab", "0.0", "0.1") == ["b.p", "b.q"]
    assert quiet(plan, "ab", "0.0", "0.1", "1.0") == ["b.q"]


def test_a_parameter_may_take_its_default_while_another_of_its_operation_waits() -> None:
    plan = plan_of(
        Operation("a", inputs={"p": WITH}, outputs={"o": WITH}),
        Operation("b", inputs={"p": WITH, "q": WITH}),
        flow=flow_of(a={"p": "client"}, b={"p": "client", "q": {"a": "o"}}),
    )
    assert quiet(plan, "ab") == ["a.p", "b.p"]
    assert quiet(plan, "ab", "0.0", "1.0") == ["b.q"]


def test_an_operation_does_not_wait_for_itself() -> None:
    plan = plan_of(
        Operation("a", inputs={"p": WITH, "q": WITH}, outputs={"o": WITH}),
        flow=flow_of(a={"p": {"a": "o"}, "q": "seed"}),
    )
    assert quiet(plan, "a") == ["a.p", "a.q"]


def test_a_gate_leads_on_as_a_parameter_does() -> None:
    plan = plan_of(
        Operation("a", inputs={"x": WITH}, outputs={"o": TEXT}),
        Operation("b", inputs={}, outputs={"o": WITH}, conditions=[TEXT]),
        Operation("c", inputs={"x": WITH}),
        flow={
            "a": InputFlow(inputs={"x": ["client"]}),
            "b": InputFlow(conditions=[{"a": "o"}]),
            "c": InputFlow(inputs={"x": [{"b": "o"}]}),
        },
    )
    assert quiet(plan, "ac") == ["a.x"]
    assert quiet(plan, "ac", "0.0") == ["c.x"]


def test_a_validator_gives_what_it_is_given() -> None:
    raw = Definition("raw", "int", default=0, validate="check")
    plan = plan_of(
        Operation("a", inputs={"x": WITH}, outputs={"o": raw}),
        Operation("b", inputs={"x": raw}, outputs={"o": WITH}),
        Operation("c", inputs={"x": WITH}),
        Operation("check", inputs={"x": raw}, outputs={"o": raw}, validator=True),
        flow={
            "a": InputFlow(inputs={"x": ["client"]}),
            "b": InputFlow(inputs={"x": ["seed"]}),
            "c": InputFlow(inputs={"x": [{"b": "o"}]}),
            "check": InputFlow(inputs={"x": ["seed", {"a": "o"}]}),
        },
    )
    assert names(at_close(plan, having())) == ["a.x", "b.x"]  # a validator takes no default
    assert quiet(plan, ["a", "b", "c", "check"]) == ["a.x"]  # a may give what check gives b
    assert quiet(plan, ["a", "b", "c", "check"], "0.0") == ["b.x"]
    assert quiet(plan, ["b", "c"], "1.0") == ["c.x"]


@st.composite
def wired(draw: st.DrawFn) -> Plan:
    """Draw up to five operations with defaults, each parameter fed by some of the others."""
    count = draw(st.integers(1, 5))
    instances = "abcde"[:count]
    producer = st.sampled_from([{name: "o"} for name in instances])
    sources: st.SearchStrategy[list[Any]] = st.just(["client"]) | st.lists(producer, min_size=1, max_size=2)
    flow = {
        name: InputFlow(inputs={parameter: draw(sources) for parameter in "xy"[: draw(st.integers(1, 2))]})
        for name in instances
    }
    made = [Operation(n, inputs=dict.fromkeys(flow[n].inputs, WITH), outputs={"o": WITH}) for n in instances]
    return plan_of(*made, flow=flow)


def reach(plan: Plan, start: int) -> set[int]:
    """The operations whose parameters running ``start`` could lead to, found by searching."""
    found: set[int] = set()
    ahead = [start]
    while ahead:
        giver = plan.operations[ahead.pop()].instance
        for other in plan.operations:
            fed = any(
                accept.origin[0] == giver for p in other.parameters for accept in p.accepts if accept.origin != "client"
            )
            if fed and other.index not in found:
                found.add(other.index)
                ahead.append(other.index)
    return found


@given(wired(), st.data())
def test_somebody_always_goes_on_and_nobody_goes_too_early(plan: Plan, data: st.DataObject) -> None:
    have = data.draw(st.sets(st.sampled_from([(op.index, p.index) for op in plan.operations for p in op.parameters])))
    taking = at_quiet(plan, plan.operations, lambda op, parameter: (op, parameter) in have)
    waiting = [(op, p) for op in plan.operations for p in op.parameters if (op.index, p.index) not in have]
    assert bool(taking) == bool(waiting)
    for operation_, parameter in taking:
        givers = {plan.instances[a.origin[0]].index for a in parameter.accepts if a.origin != "client"}
        for other, _ in waiting:
            leads = other.index in givers or bool(givers & reach(plan, other.index))
            if leads and other is not operation_:  # then it is led to in its turn: they are in one circle
                assert other.index in reach(plan, operation_.index)


@given(wired(), st.permutations(range(5)))
def test_the_outcome_does_not_depend_on_the_order_of_asking(plan: Plan, order: list[int]) -> None:
    shuffled = [plan.operations[at] for at in order if at < len(plan.operations)]
    have: set[tuple[int, int]] = set()
    steps: list[list[set[str]]] = []
    for active in (list(plan.operations), shuffled):
        have.clear()
        steps.append([])
        while taking := at_quiet(plan, active, lambda op, parameter: (op, parameter) in have):
            steps[-1].append(set(names(taking)))
            have.update((op.index, parameter.index) for op, parameter in taking)
    assert steps[0] == steps[1]
    assert len(have) == sum(len(op.parameters) for op in plan.operations)  # in the end everybody has one


def test_operations_without_defaults_never_wait() -> None:
    plan = plan_of(operation("a", "x"), operation("b"))
    assert quiet(plan, "ab") == []
    assert at_close(plan, having()) == []
