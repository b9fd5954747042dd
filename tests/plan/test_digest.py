"""The digest names a plan by what it says: no order of keys and no file changes it, any change does."""

from __future__ import annotations

import copy
import dataclasses
import enum
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill import DataFlow, Definition, Forward, GetSingle, Input, InputFlow, Limits, Operation, Stage, compile_plan
from tidemill.plan.digest import canonical, digest_of


class Repo(NamedTuple):
    url: str = "u"
    branch: str = "main"


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Config:
    depth: int
    names: list[str]


A, B = Definition("a", "int", default=3), Definition("b", "map", spec=Repo)
ONE = Operation("one", inputs={"x": A, "y": B}, outputs={"p": A, "q": B}, conditions=[A], retry=2)
TWO = Operation("two", stage=Stage.CLEANUP)


def flow() -> DataFlow:
    return DataFlow(
        ONE, TWO, GetSingle,
        seed=[Input(1, A), Input({"branch": "x"}, B), Input(2, A, origin="client")],
        configs={"one": {"depth": 1, "names": ["n"]}, "two": {"a": 1, "b": 2}},
        forward=Forward({"one": [A, B]}),
        limits=Limits(inputs=5),
    )  # fmt: skip


def shuffled(value: Any, rank: Callable[[str], Any]) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(value[key], rank) for key in sorted(value, key=rank)}
    return [shuffled(item, rank) for item in value] if isinstance(value, list) else value


def test_a_digest_says_what_it_is() -> None:
    kind, _, digest = compile_plan(flow()).digest.partition(":")
    assert (kind, len(digest), set(digest) <= set("0123456789abcdef")) == ("sha256", 64, True)


@given(st.randoms(use_true_random=False), st.booleans())
def test_no_order_of_keys_and_no_file_changes_it(random: Any, linked: bool) -> None:
    ranks: dict[str, float] = {}
    exported = shuffled(flow().export(linked=linked), lambda key: ranks.setdefault(key, random.random()))
    assert digest_of(DataFlow._fromdict(**json.loads(json.dumps(exported)))) == digest_of(flow())


def change(path: str, value: Any) -> Any:
    return pytest.param(path, value, id=path)


CHANGES = [
    change("operations/one/name", "three"),
    change("operations/one/inputs/x", Definition("a", "int", default=4).export()),
    change("operations/one/inputs/x", Definition("a", "float", default=3).export()),
    change("operations/one/inputs/y", Definition("b", "map").export()),
    change("operations/one/inputs/z", Definition("z").export()),
    change("operations/one/outputs/p", Definition("p").export()),
    change("operations/one/conditions", []),
    change("operations/one/expand", ["p"]),
    change("operations/one/retry", 3),
    change("operations/one/validator", True),
    change("operations/one/conditions_mode", "any"),
    change("operations/one/pool", "gpu"),
    change("operations/one/executor", "thread"),
    change("operations/one/concurrency", 2),
    change("operations/one/timeout", 1.5),
    change("operations/one/backoff", 0),
    change("operations/two/stage", "processing"),
    change("operations/three", Operation("three").export()),
    change("flow/one/inputs/x", []),
    change("flow/one/inputs/x", ["seed", "client"]),
    change("flow/one/conditions", ["client"]),
    change("flow/two", {"conditions": ["seed"]}),
    change("seed", []),
    change("configs/one/depth", 2),
    change("configs/one/depth", "1"),
    change("configs/one/depth", True),
    change("configs/one/names", ["n", "m"]),
    change("configs/three", None),
    change("forward/book/one", [A.export()]),
    change("limits/inputs", 6),
    change("limits/contexts", 6),
]


@pytest.mark.parametrize(("path", "value"), CHANGES)
def test_any_change_changes_it(path: str, value: Any) -> None:
    exported = copy.deepcopy(flow().export())
    *parts, last = path.split("/")
    place = exported
    for part in parts:
        place = place[part]
    place[last] = value
    assert digest_of(DataFlow._fromdict(**exported)) != digest_of(flow())


@pytest.mark.parametrize(
    "seeds",
    [
        [Input(2, A), Input(1, A)],
        [Input(1, A)],
        [Input(1, A), Input("2", A)],
        [Input(1, A), Input(2, A, origin="x")],
        [Input(1, A), Input(2, A, uid="x")],
        [Input(1, A), Input(2, A._replace(lock=True))],
        [Input(1, A, uid="x"), Input(2, A, parents=[Input(1, A, uid="x")])],
    ],
)
def test_seeds_count_with_all_they_say_and_in_their_order(seeds: list[Input]) -> None:
    assert digest_of(DataFlow(ONE, seed=[Input(1, A), Input(2, A)])) != digest_of(DataFlow(ONE, seed=seeds))


def test_code_counts_by_its_name_and_not_as_an_object() -> None:
    one = DataFlow(ONE, definitions={}, implementations={"one": object()})
    assert digest_of(one) == digest_of(DataFlow(ONE))
    checked = (digest_of(DataFlow(Operation("op", inputs={"x": A._replace(validate=check)}))) for check in (int, str))
    assert next(checked) != next(checked)


def test_a_configuration_counts_by_what_it_says() -> None:
    given: list[Any] = [Config(1, ["n"]), {"depth": 1, "names": ["n"]}, {"names": ("n",), "depth": 1}]
    assert len({digest_of(DataFlow(ONE, configs={"one": config})) for config in given}) == 1
    inner = DataFlow(Operation("op", inputs={"x": A._replace(validate=int)}))
    nested = [{"dataflow": inner}, {"dataflow": DataFlow(ONE)}, {"dataflow": DataFlow(TWO)}, {"dataflow": None}]
    assert len({digest_of(DataFlow(ONE, configs={"one": config})) for config in nested}) == 4
    again = DataFlow(Operation("op", inputs={"x": A._replace(validate=int)}))
    assert digest_of(DataFlow(ONE, configs={"one": {"dataflow": again}})) == digest_of(
        DataFlow(ONE, configs={"one": {"dataflow": inner}})
    )


DIFFERENT = [
    None, True, 1, 1.0, "1", -1, 0.0, -0.0, [], {}, "", [1], [[1]], {1: 1}, {"1": 1}, {True: 1}, {"a": 1}, set(), {1},
    b"", b"a", Colour.RED, "red", Repo(), Config(1, []), Config(1, ["a"]), Repo, Config, len, float("inf"), "\ud800",
    A, B,
]  # fmt: skip


def test_different_values_are_spelt_differently() -> None:
    spelt = [canonical(value) for value in DIFFERENT]
    assert len(set(spelt)) == len(DIFFERENT)
    assert [canonical(copy.deepcopy(value)) for value in DIFFERENT] == spelt


def test_a_set_has_one_spelling_and_a_tuple_is_a_list() -> None:
    words = [str(at) for at in range(50)]
    assert canonical(set(words)) == canonical(frozenset(reversed(words)))
    assert canonical((1, 2)) == canonical([1, 2])


SCRIPT = """
from functools import partial
from tidemill import DataFlow, Definition, Input, Operation, compile_plan

def keep(value, *others, **more): return value

a = Definition("a", default={"x", "y", "z"}, validate=%s)
configs = {"op": {"by": partial(keep, 1, x=keep)}}
flow = DataFlow(Operation("op", inputs={"x": a}), seed=[Input("s", a)], configs=configs)
print(compile_plan(flow).digest)
"""


@pytest.mark.parametrize(
    "validate", ["str.strip", "partial(keep, 1, x=2)", "partial(partial(keep, 1), x=partial(keep))"]
)
def test_another_process_gives_the_same(validate: str) -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT % validate],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1


def keep(value: Any, *others: Any, **more: Any) -> Any:
    """Return the value."""
    return value


PARTIALS = [
    keep, partial(keep), partial(keep, 1), partial(keep, 2), partial(keep, 1, 2), partial(keep, 1, x=1),
    partial(keep, 1, y=1), partial(sorted, 1), partial(keep, keep), partial(keep, partial(keep)), [keep],
    update_wrapper(partial(keep, 3), keep),
]  # fmt: skip


def test_a_partial_counts_by_its_function_and_its_arguments() -> None:
    flows = [DataFlow(Operation("op", inputs={"x": A._replace(validate=given)})) for given in PARTIALS]
    flows += [DataFlow(ONE, configs={"one": {"given": given}}) for given in PARTIALS]
    assert len({digest_of(flow) for flow in flows}) == len(flows)
    assert digest_of(DataFlow(ONE, configs={"one": partial(keep, x=1, y=2)})) == digest_of(
        DataFlow(ONE, configs={"one": partial(keep, y=2, x=1)})
    )


def test_flow_entries_count() -> None:
    flows: list[dict[str, InputFlow]] = [
        {},
        {"one": InputFlow()},
        {"one": InputFlow(inputs={"x": ["seed"]})},
        {"one": InputFlow(conditions=["seed"])},
        {"one": InputFlow(inputs={"x": [["seed", "client"]]})},
        {"one": InputFlow(inputs={"x": ["seed", "client"]})},
        {"one": InputFlow(inputs={"x": [{"seed": ["a"]}]})},
    ]
    assert len({digest_of(DataFlow(ONE, flow=entry)) for entry in flows}) == len(flows)
